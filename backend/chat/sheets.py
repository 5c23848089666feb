"""Sheets: a list of questions, and what each of some columns has answered to each.

A sheet is a folder of the workspace: ``sheet.json`` says who is asked and how, ``questions.jsonl``
has a question a line, ``answers.jsonl`` an answer a line, as they come. Nothing is ever changed
there: asked again, the later answer counts. Knows nothing about engines and pages.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from backend.chat.lines import JsonLines
from backend.chat.settings import Settings
from backend.errors import EngineError
from backend.files import read_json, write_json
from backend.staging import staging
from backend.workspace import Workspace, check_name

VERSION = 1
MOST_QUESTIONS = 10_000
_HEAD, _QUESTIONS, _ANSWERS = "sheet.json", "questions.jsonl", "answers.jsonl"


@dataclass(frozen=True)
class Contestant:
    """A column as a sheet knows it, for good: what it was when it was asked.

    Attributes:
        key: The column's key in the room.
        label: Its name, in no language.
        kind: "base", "lora", "full", "imported" or "remote".
        model: The model's id, or the name of a remote one.
        template: The chat template that made its prompts.
        fingerprint: Of the weights; empty where that can't be known.
        address: Of a remote model, up to and with ``/v1``.
    """

    key: str
    label: str
    kind: str = "base"
    model: str = ""
    template: str = ""
    fingerprint: str = ""
    address: str = ""

    @property
    def identity(self) -> str:
        """What tells its weights from all others; a remote model only has its name."""
        return self.fingerprint or self.key


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        text: What the user says last.
        origin: "own", "typed", "file", "trained", "validation" or "left_out".
        source: The dataset or the file that it is from.
        row: Its row there, from 1.
        reference: The answer that is there, reasoning included; empty where there is none.
        system: A system prompt of its own.
        before: What was said before, as pairs of role and content.
    """

    text: str
    origin: str = "typed"
    source: str = ""
    row: int | None = None
    reference: str = ""
    system: str = ""
    before: tuple[tuple[str, str], ...] = ()

    def messages(self, system: str = "") -> list[dict[str, str]]:
        """What a model is told; ``system`` where the question has no system prompt of its own."""
        said = [("system", self.system or system), *self.before, ("user", self.text)]
        return [{"role": role, "content": content} for role, content in said if content]


@dataclass(frozen=True)
class Answer:
    """What a column has answered.

    Attributes:
        question: Number of the question, counted from 0.
        column: Key of the column.
        content: As the model wrote it, tags included.
        reasoning, text: Its parts.
        stats: Tokens, seconds, why it ended; an "error" with its key and params where it failed.
    """

    question: int
    column: str
    content: str = ""
    reasoning: str = ""
    text: str = ""
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return bool(self.stats.get("error"))

    @property
    def whole(self) -> bool:
        """The model ended it by itself, with all reasoning closed."""
        ended = self.stats.get("reason") == "stop" and not self.failed
        return ended and self.stats.get("reasoning_closed") is not False


@dataclass(frozen=True)
class Sheet:
    """A sheet's head.

    Attributes:
        id: Name of its folder.
        title: For people.
        count: Number of its questions.
        single: It is one question that was asked blind, not a list.
    """

    id: str
    folder: Path
    title: str
    created: str
    columns: tuple[Contestant, ...]
    settings: Settings
    count: int
    single: bool = False

    @property
    def system(self) -> str:
        """The system prompt of questions without one."""
        return self.settings.system

    @property
    def pairs(self) -> int:
        """So many answers there are when it is complete."""
        return self.count * len(self.columns)

    def column(self, key: str) -> Contestant | None:
        return next((one for one in self.columns if one.key == key), None)

    # Questions

    def questions(self, start: int, end: int) -> list[Question]:
        """The questions from ``start`` to before ``end``, counted from 0."""
        return [_question(one) for one in _lines(self.folder / _QUESTIONS).read(start, end)]

    # Answers

    def answers(self, start: int, end: int) -> dict[tuple[int, str], Answer]:
        """What was answered to these questions, by question and column."""
        book = _answers(self.folder / _ANSWERS)
        latest = book.latest()
        wanted = [(number, one.key) for number in range(start, end) for one in self.columns]
        found = [latest[pair].number for pair in wanted if pair in latest]
        return {(one.question, one.column): one for one in map(_answer, book.pick(found))}

    def answered(self) -> dict[tuple[int, str], bool]:
        """Which answers there are; True for one that failed."""
        latest = _answers(self.folder / _ANSWERS).latest()
        pairs = ((number, one.key) for number in range(self.count) for one in self.columns)
        return {pair: bool(latest[pair].fact) for pair in pairs if pair in latest}

    def size(self) -> int:
        """Bytes of the answers so far: by which a change is seen at no cost."""
        try:
            return (self.folder / _ANSWERS).stat().st_size
        except OSError:
            return 0

    def add(self, answer: Answer) -> None:
        """Keep an answer.

        Raises:
            WorkspaceError: this dashboard only reads.
            OSError: the disk does not take it.
        """
        _answers(self.folder / _ANSWERS).append([asdict(answer)])


# --- The workspace ------------------------------------------------------------------------------


def sheets_folder(workspace: Workspace) -> Path:
    return workspace.chats / "sheets"


def make_sheet(
    workspace: Workspace,
    questions: Sequence[Question],
    columns: Sequence[Contestant],
    settings: Settings,
    *,
    title: str = "",
    single: bool = False,
) -> Sheet:
    """Make a sheet, whole or not at all.

    Args:
        title: The first question, where it is empty.

    Raises:
        EngineError: there is no question, or there are too many; nobody is there to be asked; the
            disk does not take it.
        WorkspaceError: this dashboard only reads.
    """
    asked = [question for question in questions if question.text.strip()]
    if not asked:
        raise EngineError("chat.many.errors.no_question")
    if len(asked) > MOST_QUESTIONS:
        raise EngineError("chat.many.errors.too_many", count=len(asked), most=MOST_QUESTIONS)
    if not columns:
        raise EngineError("chat.many.errors.no_columns")
    sheet_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    head = {
        "version": VERSION,
        "title": title.strip() or " ".join(asked[0].text.split())[:80],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "columns": [asdict(column) for column in columns],
        "settings": asdict(settings),
        "count": len(asked),
        "single": single,
    }
    workspace.check_writable()
    parent = sheets_folder(workspace)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with staging(parent, ".making-") as folder:
            JsonLines(folder / _QUESTIONS).append(asdict(question) for question in asked)
            write_json(folder / _HEAD, head)
            folder.rename(parent / sheet_id)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineError("chat.many.errors.not_kept", reason=reason) from error
    return find_sheet(workspace, sheet_id)


def find_sheet(workspace: Workspace, sheet_id: str) -> Sheet:
    """
    Raises:
        EngineError: there is no such sheet, or it can't be read.
        WorkspaceError: the id is no file name.
    """
    found = _read(workspace.inside(sheets_folder(workspace) / check_name(sheet_id)))
    if found is None:
        raise EngineError("chat.many.errors.missing", name=sheet_id[:80])
    return found


def list_sheets(workspace: Workspace) -> list[Sheet]:
    """All sheets, newest first, those of one question asked blind included."""
    folders = sorted(sheets_folder(workspace).glob("[!.]*"), reverse=True)
    return [sheet for folder in folders if (sheet := _read(folder)) is not None]


def delete_sheet(workspace: Workspace, sheet_id: str) -> None:
    """Delete a sheet with its answers. Votes are kept: they have what they need of it.

    Raises:
        EngineError: there is no such sheet.
        WorkspaceError: this dashboard only reads, or the id is no file name.
    """
    workspace.check_writable()
    shutil.rmtree(find_sheet(workspace, sheet_id).folder, ignore_errors=True)


def _read(folder: Path) -> Sheet | None:
    try:
        status = (folder / _HEAD).stat()
    except OSError:
        return None
    return _head(folder, status.st_ino, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _head(folder: Path, _inode: int, _modified: int) -> Sheet | None:
    value = read_json(folder / _HEAD)
    try:
        return Sheet(
            id=folder.name,
            folder=folder,
            title=str(value["title"]),
            created=str(value["created"]),
            columns=tuple(contestant_from(one) for one in value["columns"]),
            settings=_settings(value["settings"]),
            count=int(value["count"]),
            single=bool(value.get("single", False)),
        )
    except (AttributeError, KeyError, TypeError, ValueError, EngineError):
        return None


def contestant_from(value: Mapping[str, Any]) -> Contestant:
    """The contestant in a file.

    Raises:
        KeyError, AttributeError, TypeError: it is none.
    """
    known = ("kind", "model", "template", "fingerprint", "address")
    more = {name: str(value[name]) for name in known if name in value}
    return Contestant(str(value["key"]), str(value["label"]), **more)


def _settings(value: Mapping[str, Any]) -> Settings:
    known = {one.name for one in fields(Settings)}
    return Settings(**{name: one for name, one in value.items() if name in known})


def _question(value: Mapping[str, Any]) -> Question:
    before = tuple((str(role), str(content)) for role, content in value.get("before", ()))
    return Question(**{**value, "before": before})


def _answer(value: Mapping[str, Any]) -> Answer:
    return Answer(**value)


# A sheet is looked at again and again while it fills.


@lru_cache(maxsize=64)
def _lines(path: Path) -> JsonLines:
    return JsonLines(path)


@lru_cache(maxsize=64)
def _answers(path: Path) -> JsonLines:
    return JsonLines(
        path,
        key=lambda one: (one["question"], one["column"]),
        fact=lambda one: bool(one["stats"].get("error")),
    )
