"""Templates with placeholders."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.mapping import Shape
from backend.data.meaning.templates import (
    DEFAULT_ANSWER,
    DEFAULT_PROMPT,
    check_template,
    fill,
)
from backend.errors import DataError

COLUMNS = ("Question", "reasoning (reasoning_content)", "exp", "context", "a.b")


@pytest.mark.parametrize(
    ("template", "values", "filled"),
    [
        ("{question}", {"question": "Why?"}, "Why?"),
        ("Q: {q}\nA: {a}!", {"q": "x", "a": "y"}, "Q: x\nA: y!"),
        ("{{{q}}} {{q}}", {"q": "x"}, "{x} {q}"),
        ("no placeholder", {}, "no placeholder"),
        ("", {}, ""),
        ("{reasoning (reasoning_content)}", {"reasoning (reasoning_content)": "r"}, "r"),
        ("{a.b}", {"a.b": "column", "a": {"b": "inside"}}, "column"),
        ("{a.b}", {"a": {"b": ["x", "y"]}}, "x\ny"),
        ("{a.b}", {"a": None}, ""),
        ("{v}", {"v": None}, ""),
        ("{v}", {"v": 1.50}, "1.5"),
        ("{v}", {"v": 12}, "12"),
        ("{v}", {"v": True}, "true"),
        ("{v}", {"v": ["x", 2, None]}, "x\n2\n"),
        ("{v}", {"v": {"A": "x", "B": 2}}, "A. x\nB. 2"),
    ],
)
def test_filling(template: str, values: dict[str, Any], filled: str) -> None:
    assert fill(template, values) == filled


@settings(deadline=None)
@given(words=st.text())
def test_what_a_column_says_is_never_a_template(words: str) -> None:
    """A question with {answer} in it would give it away, and one with a brace would fail."""
    assert fill("<{q}>{q}", {"q": words, "answer": "secret"}) == f"<{words}>{words}"


@settings(deadline=None)
@given(words=st.text())
def test_doubled_braces_are_braces(words: str) -> None:
    assert fill(words.replace("{", "{{").replace("}", "}}"), {}) == words


class Anything(dict[str, str]):
    """An object that has every key."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> str:
        return "x"


@settings(max_examples=300, deadline=None)
@given(words=st.text(alphabet="{}ab. ", max_size=12))
def test_any_text_is_filled_or_refused_with_a_sentence(words: str) -> None:
    try:
        check_template(words, columns=("a", "b"), shape=Shape.QA)
    except DataError as error:
        assert error.sentence("en") and error.sentence("zh")
    else:
        # Only a key inside a column may still be lacking, in this row or that.
        assert isinstance(fill(words, {"a": Anything(), "b": Anything()}), str)


def test_a_placeholder_without_a_value() -> None:
    with pytest.raises(KeyError, match="gone"):
        fill("{gone}", {"q": "x"})


@pytest.mark.parametrize("shape", DEFAULT_PROMPT)
def test_the_defaults_need_no_column(shape: Shape) -> None:
    check_template(DEFAULT_PROMPT[shape], columns=(), shape=shape)
    check_template(DEFAULT_ANSWER[shape], columns=(), shape=shape)


@pytest.mark.parametrize("name", [*COLUMNS, "context.contexts", "question", "answer", "system"])
def test_columns_and_roles_can_be_used(name: str) -> None:
    check_template(f"x {{{name}}}", columns=COLUMNS, shape=Shape.QA)


@pytest.mark.parametrize("name", ["letter", "options", "Questions", "", " exp", "gone.exp"])
def test_unknown_placeholders_are_named_with_those_that_exist(name: str) -> None:
    with pytest.raises(DataError) as caught:
        check_template(f"x {{{name}}}", columns=COLUMNS, shape=Shape.QA)
    for language in ("en", "zh"):
        sentence = caught.value.sentence(language)
        assert f"“{{{name}}}”" in sentence and "{question}, " in sentence and "{exp}" in sentence


@pytest.mark.parametrize("template", ["{", "}", "{question", "question}", "{{question}", "{a{b}}"])
def test_single_braces_are_refused(template: str) -> None:
    with pytest.raises(DataError, match="single “[{}]”"):
        check_template(template, columns=(), shape=Shape.QA)
