"""Lessons as rows that LLaMA-Factory reads, and back."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.convert import compile_map
from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.records import Target, entry_of, lesson_from, record_of, target_of
from backend.problems import Problem

WORDS = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()))
SYSTEM = st.one_of(st.just(""), WORDS)


class Row(NamedTuple):
    """A row as a reader gives it."""

    number: int
    value: dict[str, Any] | None
    problem: Problem | None = None


def roles(**names: str) -> dict[Role, tuple[str, ...]]:
    return {Role(role): (name,) for role, name in names.items()}


ASKED = {"question": "q", "system": "s"}
MAPS = {
    Shape.MEDICAL_O1: ColumnMap(Shape.MEDICAL_O1, roles(**ASKED, reasoning="r", answer="a")),
    Shape.QA: ColumnMap(Shape.QA, roles(**ASKED, answer="a")),
    Shape.ALPACA: ColumnMap(Shape.ALPACA, roles(**ASKED, input="r", answer="a")),
    Shape.CHOICE: ColumnMap(Shape.CHOICE, roles(**ASKED, options="o", correct="c", reasoning="r")),
    Shape.CHAT: ColumnMap(Shape.CHAT, roles(messages="m", system="s")),
    Shape.PREFERENCE: ColumnMap(Shape.PREFERENCE, roles(**ASKED, chosen="a", rejected="r")),
}
WITH_HISTORY = ColumnMap(Shape.ALPACA, roles(**ASKED, answer="a", history="h"))


@settings(deadline=None, max_examples=60)
@given(question=WORDS, reasoning=WORDS, answer=WORDS, system=SYSTEM, earlier=WORDS)
@pytest.mark.parametrize("columns", [*MAPS.values(), WITH_HISTORY])
def test_any_row_survives_as_a_lesson_and_as_a_record(
    columns: ColumnMap, question: str, reasoning: str, answer: str, system: str, earlier: str
) -> None:
    """Through the very bytes of the file: a line end such as U+2028 must not part a row in two."""
    talk = [("human", question), ("gpt", earlier), ("human", earlier), ("gpt", answer)]
    row = {
        **{"q": question, "r": reasoning, "a": answer, "s": system},
        **{"o": [answer, earlier + " "], "c": 0, "h": [[earlier, earlier]]},
        "m": [{"from": side, "value": words} for side, words in talk],
    }
    lesson = compile_map(columns)(Row(1, row)).lesson  # type: ignore[arg-type]
    assert lesson is not None and lesson.system == system
    target = target_of(columns)
    line = orjson.dumps(record_of(lesson, target))
    assert b"\n" not in line
    assert lesson_from(json.loads(line), target) == lesson


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.floats(),
    st.sampled_from(["", " ", "A", "[", '{"A": 1}', "user", "assistant", "gpt", "A. x\nB. y"]),
)
KEYS = st.sampled_from(["role", "content", "from", "value", "A", "B", "key", "text", "label"])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3), st.just([["q", "a"]])
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(row=st.dictionaries(st.sampled_from("qrasocmh"), ANYTHING))
def test_whatever_a_row_holds_is_a_lesson_or_a_problem(row: dict[str, Any]) -> None:
    """Anything else would end the pass over the whole file at that row."""
    for columns in (*MAPS.values(), WITH_HISTORY):
        made = compile_map(columns)(Row(1, row))  # type: ignore[arg-type]
        assert (made.lesson is None) != (made.problem is None)
        if made.problem:
            assert made.problem.sentence("en") and made.problem.sentence("zh")
        if made.lesson:
            target = target_of(columns)
            assert lesson_from(record_of(made.lesson, target), target) == made.lesson


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        (MAPS[Shape.MEDICAL_O1], Target.ALPACA),
        (MAPS[Shape.QA], Target.ALPACA),
        (MAPS[Shape.CHOICE], Target.ALPACA),
        (MAPS[Shape.ALPACA], Target.ALPACA),
        (WITH_HISTORY, Target.SHAREGPT),
        (MAPS[Shape.CHAT], Target.SHAREGPT),
        (MAPS[Shape.PREFERENCE], Target.RANKING),
    ],
)
def test_targets(columns: ColumnMap, target: Target) -> None:
    assert target_of(columns) is target


ONE = (Turn("user", "q"), Turn("assistant", "a"))


def test_records() -> None:
    assert record_of(Lesson(ONE), Target.ALPACA) == {
        "instruction": "q",
        "input": "",
        "output": "a",
        "system": "",
    }
    assert record_of(Lesson(ONE, "Be brief."), Target.SHAREGPT) == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a"},
        ]
    }
    assert record_of(Lesson(ONE[:1], "", Pair("good", "bad")), Target.RANKING) == {
        "messages": [{"role": "user", "content": "q"}],
        "chosen": {"role": "assistant", "content": "good"},
        "rejected": {"role": "assistant", "content": "bad"},
    }


@pytest.mark.parametrize(
    ("lesson", "target"),
    [
        (Lesson(ONE), Target.RANKING),
        (Lesson(ONE[:1], "", Pair("x", "y")), Target.ALPACA),
        (Lesson(ONE[:1], "", Pair("x", "y")), Target.SHAREGPT),
        (Lesson((*ONE, *ONE)), Target.ALPACA),
    ],
)
def test_what_a_form_has_no_place_for_is_refused(lesson: Lesson, target: Target) -> None:
    """Rather than written without its earlier turns or its second answer."""
    with pytest.raises(ValueError):
        record_of(lesson, target)


def test_an_alpaca_record_that_a_person_edited() -> None:
    record = {"instruction": "q", "input": "r", "output": "a", "system": ""}
    assert lesson_from(record, Target.ALPACA).question == "q\nr"


@pytest.mark.parametrize("record", [{}, {"messages": []}, {"instruction": "q"}])
@pytest.mark.parametrize("target", Target)
def test_what_is_no_record(record: dict[str, Any], target: Target) -> None:
    with pytest.raises((KeyError, ValueError)):
        lesson_from(record, target)


def test_entries_name_every_column_that_is_needed() -> None:
    """Naming one column unsets LLaMA-Factory's defaults for all others."""
    alpaca = {"prompt": "instruction", "query": "input", "response": "output"}
    assert entry_of("x.jsonl", Target.ALPACA, system=False)["columns"] == alpaca
    with_system = {**alpaca, "system": "system"}
    assert entry_of("x.jsonl", Target.ALPACA, system=True)["columns"] == with_system
    assert "ranking" not in entry_of("x.jsonl", Target.SHAREGPT, system=True)
    assert entry_of("x.jsonl", Target.RANKING, system=True)["ranking"] is True
