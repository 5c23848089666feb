"""Lessons as LLaMA-Factory reads them: one JSON object each, and the entry that names the columns.

Every row of a dataset has the same keys with the same types, because Arrow settles on a type by the
first rows. Made for LLaMA-Factory 0.9.5 (``data/parser.py``, ``data/converter.py``), where naming
``columns`` unsets all that are not named. Knows nothing about columns of source files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, assert_never

from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.meaning.mapping import ColumnMap, Role, Shape


class Target(StrEnum):
    """The form of a prepared dataset's rows."""

    ALPACA = "alpaca"  # instruction, input, output, system
    SHAREGPT = "sharegpt"  # messages
    RANKING = "ranking"  # messages, chosen, rejected


_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def target_of(columns: ColumnMap) -> Target:
    """The form in which all lessons of a map of columns can be written."""
    match columns.shape:
        case Shape.CHAT:
            return Target.SHAREGPT
        case Shape.PREFERENCE:
            return Target.RANKING
        case Shape.ALPACA if columns.column(Role.HISTORY) is not None:
            # Not as alpaca's history: Arrow finds no type for a column whose first lists are empty.
            return Target.SHAREGPT
        case Shape.MEDICAL_O1 | Shape.ALPACA | Shape.QA | Shape.CHOICE:
            return Target.ALPACA
        case _:
            assert_never(columns.shape)


Record = dict[str, Any]


def record_of(lesson: Lesson, target: Target) -> Record:
    """The row of a lesson. For many rows ``recorder_of`` is faster.

    Raises:
        ValueError: it can't be written in that form; a fault of the program.
    """
    return recorder_of(target)(lesson)


def recorder_of(target: Target) -> Callable[[Lesson], Record]:
    """The function that makes rows of lessons; it raises ValueError as ``record_of`` does."""
    match target:
        case Target.ALPACA:
            return _alpaca
        case Target.SHAREGPT:
            return _sharegpt
        case Target.RANKING:
            return _ranking
        case _:
            assert_never(target)


def _alpaca(lesson: Lesson) -> Record:
    (asked, told), system, pair = lesson
    if pair is not None:
        raise ValueError(_NO_PAIR)
    return {"instruction": asked.content, "input": "", "output": told.content, "system": system}


def _sharegpt(lesson: Lesson) -> Record:
    if lesson.pair is not None:
        raise ValueError(_NO_PAIR)
    return {"messages": _messages(lesson)}


def _ranking(lesson: Lesson) -> Record:
    if lesson.pair is None:
        raise ValueError(_NO_PAIR)
    return {"messages": _messages(lesson), **_answers(lesson.pair)}


_NO_PAIR = "pairs, and only pairs, are written as ranking"


def lesson_from(record: Mapping[str, Any], target: Target) -> Lesson:
    """The lesson of a row that ``record_of`` made.

    Raises:
        KeyError, TypeError, ValueError: it is no such row.
    """
    if target is Target.ALPACA:
        halves = (record["instruction"], record["input"])
        asked = "\n".join(half for half in halves if half)
        turns = (Turn("user", asked), Turn("assistant", record["output"]))
        return Lesson(turns, record["system"])
    head, *rest = record["messages"]
    system = head["content"] if head["role"] == "system" else ""
    messages = rest if head["role"] == "system" else [head, *rest]
    said = tuple(Turn(message["role"], message["content"]) for message in messages)
    if target is Target.SHAREGPT:
        return Lesson(said, system)
    return Lesson(said, system, Pair(record["chosen"]["content"], record["rejected"]["content"]))


def entry_of(file_name: str, target: Target, *, system: bool) -> dict[str, Any]:
    """What LLaMA-Factory's ``dataset_info.json`` says of a dataset.

    Args:
        file_name: Its file, relative to the folder of ``dataset_info.json``.
        system: Some lesson has a system prompt. Without, the template's own is used; a prompt in
            the messages themselves needs no column.
    """
    match target:
        case Target.ALPACA:
            columns = {"prompt": "instruction", "query": "input", "response": "output"}
            if system:
                columns["system"] = "system"
            return {"file_name": file_name, "formatting": "alpaca", "columns": columns}
        case Target.SHAREGPT:
            return _sharegpt_entry(file_name, {"messages": "messages"})
        case Target.RANKING:
            columns = {"messages": "messages", "chosen": "chosen", "rejected": "rejected"}
            return {**_sharegpt_entry(file_name, columns), "ranking": True}
        case _:
            assert_never(target)


def _sharegpt_entry(file_name: str, columns: dict[str, str]) -> dict[str, Any]:
    named = {"file_name": file_name, "formatting": "sharegpt"}
    return {**named, "columns": columns, "tags": dict(_TAGS)}


def _messages(lesson: Lesson) -> list[dict[str, str]]:
    system = [_message("system", lesson.system)] if lesson.system else []
    return system + [_message(turn.speaker, turn.content) for turn in lesson.turns]


def _answers(pair: Pair) -> dict[str, dict[str, str]]:
    chosen, rejected = pair
    return {"chosen": _message("assistant", chosen), "rejected": _message("assistant", rejected)}


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
