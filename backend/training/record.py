"""What a training's result depends on besides its ``config.yaml``; ``record.json`` of a run.

Nothing is loaded to learn it: versions come from the installed packages' own notes, MedTune's
commit from its ``.git`` folder, hashes from what was noted when model and data arrived.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from backend.data.registry import PreparedDataset
from backend.library.hashing import hash_file
from backend.library.models import Model
from backend.library.weights import weight_files
from backend.training.devices import gpus
from backend.training.environment import ROOT

PACKAGES = (
    "torch", "transformers", "peft", "trl", "accelerate", "datasets", "llamafactory",
    "bitsandbytes", "deepspeed",
)  # fmt: skip


def make_record(
    values: Mapping[str, Any], model: Model, data: PreparedDataset, *, assigned: Sequence[int]
) -> dict[str, Any]:
    """The record of an attempt that begins now; JSON values only.

    Args:
        assigned: Numbers of the GPUs; none on a CPU.
    """
    return {
        "written": datetime.now(UTC).isoformat(),
        "seed": values.get("seed"),
        "data": _data(data),
        "model": _model(model),
        "versions": versions(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "devices": [gpu.name for gpu in gpus() if gpu.index in assigned] or [_processor()],
        "medtune": {"commit": commit(ROOT)},
    }


def versions() -> dict[str, str]:
    """The installed packages that take part in a training, by name."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(root: Path) -> str | None:
    """The commit that a checkout is at, without running git; None where there is none.

    Whether files were changed since is not looked at.
    """
    git = root / ".git"
    try:
        if git.is_file():  # a linked work tree
            git = (root / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return head or None
        name = head.removeprefix("ref:").strip()
        shared = git / "commondir"
        common = (git / shared.read_text("utf-8").strip()).resolve() if shared.is_file() else git
        return _reference(common, name)
    except (OSError, UnicodeDecodeError):
        return None


def _reference(git: Path, name: str) -> str | None:
    if (git / name).is_file():
        return (git / name).read_text("utf-8").strip() or None
    for line in (git / "packed-refs").read_text("utf-8").splitlines():
        if line.endswith(f" {name}"):
            return line.split()[0]
    return None


def _data(data: PreparedDataset) -> dict[str, Any]:
    report = data.report
    files = [data.train_file, *([data.validation_file] if data.validation_file else [])]
    return {
        "name": data.name,
        "folder": str(data.folder),
        "source": report.source,
        "source_sha256": report.source_sha256,
        "recipe": report.recipe.to_json(),
        "settings": report.settings.to_json(),
        "rows": {"train": report.train_rows, "validation": report.validation_rows},
        "files": [_stamp(file) for file in files],
    }


def _model(model: Model) -> dict[str, Any]:
    """Where it is from; of each weight file the hash noted at its arrival if it is still that."""
    source = dict(model.manifest.source) if model.manifest else None
    files = []
    for file in weight_files(model.path):
        stamp = _stamp(file)
        noted = model.manifest.file(file.name) if model.manifest else None
        if noted and (noted.size, noted.modified_ns) == (stamp["size"], stamp["modified_ns"]):
            stamp["sha256"] = noted.sha256
        files.append(stamp)
    return {"id": model.id, "path": str(model.path), "source": source, "files": files}


def _stamp(file: Path) -> dict[str, Any]:
    status = file.stat()
    return {"name": file.name, "size": status.st_size, "modified_ns": status.st_mtime_ns}


def _processor() -> str:
    return f"CPU ({platform.processor() or platform.machine()}, {sys.platform})"


def hash_data(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the SHA-256 of each file trained on; reads all of them.

    Raises:
        OSError: one can't be read.
        KeyError, TypeError: it is no record.
    """
    return _hashed(record, "data", "folder")


def hash_weights(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the SHA-256 of each weight file for which none was noted at its arrival.

    Reads these files whole: about a second for each GB.

    Raises:
        As ``hash_data`` does.
    """
    return _hashed(record, "model", "path")


def _hashed(record: Mapping[str, Any], part: str, place: str) -> dict[str, Any]:
    known = record[part]
    folder = Path(known[place])
    files = [
        file if "sha256" in file else {**file, "sha256": hash_file(folder / file["name"])}
        for file in known["files"]
    ]
    return {**record, part: {**known, "files": files}}
