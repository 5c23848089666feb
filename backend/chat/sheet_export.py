"""A sheet as a file for others: CSV for a spreadsheet, JSON lines for a program."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import orjson

from backend.chat.ballots import is_blind
from backend.chat.sheets import Answer, Question, Sheet
from backend.errors import EngineError
from backend.files import replacing
from backend.workspace import Workspace

Format = Literal["csv", "jsonl"]

_PAGE = 50
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")


def export_sheet(workspace: Workspace, sheet: Sheet, kind: Format) -> Path:
    """Write a sheet into the cache, for a download.

    Raises:
        EngineError: it is being rated blind, and the file would say who is who; the disk does not
            take it.
    """
    if is_blind(workspace, sheet.id):
        raise EngineError("chat.many.errors.blind")
    path = workspace.cache / "exports" / f"{sheet.id}.{kind}"
    pieces = _csv(sheet) if kind == "csv" else _jsonl(sheet)
    try:
        with replacing(path, durable=False) as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineError("chat.many.errors.not_kept", reason=reason) from error
    return path


def _rows(sheet: Sheet) -> Iterator[tuple[int, Question, dict[str, Answer]]]:
    for start in range(0, sheet.count, _PAGE):
        end = min(start + _PAGE, sheet.count)
        answers = sheet.answers(start, end)
        for number, question in enumerate(sheet.questions(start, end), start):
            mine = {one.key: answers.get((number, one.key)) for one in sheet.columns}
            yield number, question, {key: one for key, one in mine.items() if one is not None}


def _jsonl(sheet: Sheet) -> Iterator[bytes]:
    """One line for each answer that there is, with its question and all that is known of both."""
    for number, question, answers in _rows(sheet):
        for column in sheet.columns:
            answer = answers.get(column.key)
            if answer is None:
                continue
            line = {
                "question": number + 1,
                "messages": question.messages(sheet.system),
                "origin": question.origin,
                "source": question.source,
                "row": question.row,
                "reference": question.reference,
                "model": column.label,
                "fingerprint": column.fingerprint,
                "template": column.template,
                "settings": sheet.settings,
                "reasoning": answer.reasoning,
                "answer": answer.text,
                "content": answer.content,
                "stats": answer.stats,
            }
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _csv(sheet: Sheet) -> Iterator[bytes]:
    """One line for each question; with the mark by which Excel knows UTF-8."""
    head: list[object] = ["number", "origin", "source", "row", "question", "reference"]
    for column in sheet.columns:
        name = f"{column.label} [{column.fingerprint}]" if column.fingerprint else column.label
        head += [f"{name} {part}" for part in ("answer", "reasoning", "tokens", "ended", "error")]
    yield b"\xef\xbb\xbf" + _line(head)
    for number, question, answers in _rows(sheet):
        cells: list[object] = [number + 1, question.origin, question.source, question.row]
        cells += [question.text, question.reference]
        for column in sheet.columns:
            cells += _cells(answers.get(column.key))
        yield _line(cells)


def _cells(answer: Answer | None) -> list[object]:
    if answer is None:
        return [""] * 5
    error = answer.stats.get("error") or {}
    stats = (answer.stats.get("tokens"), answer.stats.get("reason"), error.get("key"))
    return [answer.text, answer.reasoning, *stats]


def _line(cells: list[object]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([plain_cell(cell) for cell in cells])
    return written.getvalue().encode("utf-8", "replace")


def plain_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: one that begins like it gets a ``'`` before.

    What a model writes is foreign text, and a formula may open a program or send the sheet away
    (OWASP, "CSV Injection").
    """
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return "" if value is None else value
