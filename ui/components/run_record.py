"""What a run was made with, besides its settings, in words and figures a person can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.files import read_json
from backend.text import text
from backend.training import layout
from backend.training.runs import Run
from backend.units import size
from ui.html import Safe, count, element, join, table

HASH_DIGITS = 12
"""As many digits of a hash are shown; the whole one is in the file and in the cell's title."""

Fact = tuple[str, object]
"""Key of its name below ``training.record``, and what is said of it."""


def record_view(run: Run, language: str) -> Safe:
    """``record.json`` of a run; whatever of it is missing or damaged is left out."""
    record = read_json(run.folder / layout.RECORD)
    title = element("h3", text(language, "training.about.record", run=run.id))
    if not isinstance(record, Mapping):
        words = text(language, "training.about.no_record")
        return join([title, element("p", words, cls="mt-quiet")])
    rows = [
        [text(language, f"training.record.{name}"), _said(value)]
        for name, value in _facts(record, language)
        if value not in (None, "", [])
    ]
    headers = [text(language, "training.record.what"), text(language, "training.about.value")]
    return join([title, table(headers, rows, numeric=frozenset())])


def _facts(record: Mapping[str, Any], language: str) -> Iterator[Fact]:
    data, model = _mapping(record.get("data")), _mapping(record.get("model"))
    yield "model", model.get("id")
    yield "model_source", _source(_mapping(model.get("source")))
    yield "model_files", _files(model.get("files"))
    yield "dataset", data.get("name")
    rows = _mapping(data.get("rows"))
    if rows:
        numbers = {name: _whole(rows.get(name)) for name in ("train", "validation")}
        yield "rows", text(language, "training.record.rows_said", **numbers)
    yield "dataset_files", _files(data.get("files"))
    yield "made_of", data.get("source")
    yield "made_of_hash", _hash(data.get("source_sha256"))
    yield "seed", record.get("seed")
    yield "devices", _listed(record.get("devices"))
    yield "versions", _versions(_mapping(record.get("versions")))
    yield "python", record.get("python")
    yield "system", record.get("system")
    yield "medtune", _hash(_mapping(record.get("medtune")).get("commit"))
    yield "written", str(record.get("written") or "")[:19].replace("T", " ")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any) -> str:
    return count(value) if isinstance(value, int) else "–"


def _source(source: Mapping[str, Any]) -> str:
    """Where a model is from: hub, repository and revision, or a folder of this machine."""
    return " · ".join(str(value) for value in source.values() if isinstance(value, str) and value)


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _listed(values: Any) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else ""


def _files(files: Any) -> list[Safe]:
    """One line for each file: name, size and the beginning of its hash."""
    lines: list[Safe] = []
    for file in files if isinstance(files, list) else []:
        if isinstance(file, Mapping):
            parts = [
                str(file.get("name", "")),
                size(file["size"]) if isinstance(file.get("size"), int) else "",
                _hash(file.get("sha256")) or "",
            ]
            lines.append(element("div", *_dotted([part for part in parts if part])))
    return lines


def _dotted(parts: Sequence[object]) -> Iterator[object]:
    for place, part in enumerate(parts):
        if place:
            yield " · "
        yield part


def _hash(digits: Any) -> Safe | None:
    if not isinstance(digits, str) or not digits:
        return None
    return element("code", digits[:HASH_DIGITS], title=digits)


def _said(value: object) -> Safe:
    inner = join(value) if isinstance(value, list) else value
    return element("div", inner, cls="mt-name")
