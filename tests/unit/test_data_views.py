"""What the data tab shows: HTML of rows, of checks, and of facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.registry import CHECKS, Check, find_check
from backend.data.checks.values import Finding
from backend.data.meaning.lesson import Lesson, Pair, Turn, output_of
from backend.data.meaning.mapping import Shape
from backend.data.study_values import Count, Fate
from backend.problems import Problem
from backend.text import LANGUAGES, catalogue
from tests.fakes.html_page import Page
from ui.components.check_list import CheckLine, check_list
from ui.components.data_facts import Fit, Source, Work, evidence, selection_facts, source_facts
from ui.components.data_rows import ShownRow, rows_view
from ui.components.marking import SHOWN_CHARACTERS, marked, visible
from ui.components.prepared_view import (
    Change,
    Comparison,
    DeleteQuestion,
    PreparedCard,
    comparison_view,
    prepared_list,
    registry_broken,
)

ANY_TEXT = st.text(st.characters(exclude_characters="\r"), max_size=40)
"""Halves of surrogate pairs and control characters included, as JSON files have them."""


@pytest.fixture(autouse=True)
def check_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short words for each check, whatever the real ones are."""
    for language, check in itertools.product(LANGUAGES, CHECKS):
        words: Any = catalogue(language)
        for name in ("name", "why", "found"):
            monkeypatch.setitem(words, f"data.checks.{check.id}.{name}", f"{name} of {check.id}")
    yield


# --- Marks --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(ANY_TEXT, st.lists(ANY_TEXT, max_size=3), ANY_TEXT)
def test_marking_loses_no_character(content: str, found: list[str], words: str) -> None:
    html = marked(content, evidence=found, words=words)
    page = Page(html)
    assert page.text == visible(content) and len(page.text) == len(content)
    assert {tag for tag, _, _ in page.elements} <= {"mark"}
    html.encode("utf-8")  # half of a surrogate pair could not be sent to the browser


def test_control_characters_are_seen() -> None:
    """A browser drops them, so a row that a check complains of would look like any other."""
    assert visible("a\x00b\x7f\ud800\n\t") == "a␀b␡�\n\t"


def test_marks_may_overlap() -> None:
    page = Page(marked("x <think> chest pain", evidence=["<think> chest"], words="CHEST PAIN"))
    assert page.of("mark", "mt-tag") == ["<think>"]
    assert "".join(page.of("mark", "mt-found")) == "<think> chest"
    assert "".join(page.of("mark", "mt-hit")) == "chest pain"


# --- Rows ---------------------------------------------------------------------------------------

LESSON = Lesson((Turn("user", "Why?"), Turn("assistant", output_of("I think so.", "Because."))))


def row(**changed: Any) -> ShownRow:
    values: dict[str, Any] = {
        "number": 12,
        "raw": {"Question": "Why?", "Response": "Because."},
        "lesson": LESSON,
        "problem": None,
        "fate": Fate.TAUGHT,
        "findings": (),
    }
    return ShownRow(**(values | changed))


def shown(*rows: ShownRow, language: str = "en", words: str = "") -> Page:
    return Page(rows_view(rows, language, words=words))


def test_reasoning_stands_apart_from_the_answer() -> None:
    page = shown(row())
    values = page.of(cls="mt-field-value")
    assert values == ["Why?", "Because.", "Why?", "<think>\nI think so.\n</think>", "Because."]
    assert page.of("mark", "mt-tag") == ["<think>", "</think>"]


def test_all_turns_system_and_both_answers_of_a_pair_are_shown() -> None:
    earlier = (Turn("user", "Hello"), Turn("assistant", "Hi"), Turn("user", "Why?"))
    pair = Pair(output_of("well", "good"), "bad")
    page = shown(row(raw={}, lesson=Lesson(earlier, system="A doctor.", pair=pair)))
    names = page.of(cls="mt-lesson-name")
    assert names == [
        "System prompt", "User", "Assistant", "User",
        "Better answer: reasoning", "Better answer", "Worse answer",
    ]  # fmt: skip
    assert page.of(cls="mt-field-value")[-1] == "bad"


@pytest.mark.parametrize(
    ("fate", "actions"),
    [
        (Fate.TAUGHT, ["tokens", "exclude"]),
        (Fate.BY_HAND, ["tokens", "restore"]),
        (Fate.BY_CHECK, ["tokens", "restore"]),
        (Fate.OVER_CUTOFF, ["tokens", "restore"]),
    ],
)
def test_buttons_follow_from_what_becomes_of_a_row(fate: Fate, actions: list[str]) -> None:
    assert shown(row(fate=fate)).buttons == [(action, "12") for action in actions]


def test_a_row_that_cannot_be_used_says_why_and_can_not_be_put_back() -> None:
    problem = Problem("data.problems.empty_question", {"column": "Question"})
    page = shown(row(lesson=None, problem=problem, fate=Fate.UNUSABLE))
    assert page.buttons == []
    assert problem.sentence("en") in page.text and "Nothing can be taught" in page.text


def test_a_row_that_cannot_be_read_has_no_columns() -> None:
    problem = Problem("data.problems.row_not_json", {"near": "{"})
    page = shown(row(raw=None, lesson=None, problem=problem, fate=Fate.UNUSABLE))
    assert "This row can't be read." in page.text


def test_a_twin_can_be_jumped_to() -> None:
    assert shown(row(twin=3)).buttons[0] == ("jump", "3")


def test_evidence_is_marked_in_its_part_only_and_the_sentence_stands_there() -> None:
    lesson = LESSON.with_output(output_of("call 555", "call 555"))
    page = shown(row(raw={}, lesson=lesson, findings=[Finding("refusal", "answer", "555")]))
    assert page.of("mark", "mt-found") == ["555"]
    assert page.of(cls="mt-field")[-1].endswith("found of refusal")


def test_what_was_repaired_is_marked_where_it_still_is() -> None:
    """The lesson shows the mended text: the fault was marked nowhere, its sentence was lost."""
    page = shown(row(raw={"a": "naÃ¯ve"}, findings=[Finding("mojibake", "answer", "Ã¯")]))
    assert page.of("mark", "mt-found") == ["Ã¯"]
    assert "“Ã¯”" not in page.text


def test_evidence_that_is_nowhere_on_the_page_is_quoted() -> None:
    page = shown(row(findings=[Finding("repetition", "answer", "again and again")]))
    assert page.of("mark", "mt-found") == []
    assert "found of repetition “again and again”" in page.text


def test_a_finding_in_a_part_that_the_lesson_lacks_is_said_of_the_row() -> None:
    plain = Lesson((Turn("user", "Why?"), Turn("assistant", "Because.")))
    page = shown(row(lesson=plain, findings=[Finding("no_reasoning", "reasoning")]))
    assert "found of no_reasoning" in page.of(cls="mt-lesson-said")[0]


def test_searched_words_are_marked_on_both_sides() -> None:
    assert shown(row(), words="because").of("mark", "mt-hit") == ["Because", "Because"]


def test_a_very_long_field_is_cut_with_a_sentence() -> None:
    page = shown(row(raw={"a": "x" * (SHOWN_CHARACTERS + 1500)}, lesson=None))
    assert page.of(cls="mt-field-value") == ["x" * SHOWN_CHARACTERS]
    assert "1,500 more characters" in page.text


def test_columns_that_are_no_text_are_shown_as_json() -> None:
    """A parquet file has values that JSON has not; a row of them must not take the page down."""
    page = shown(row(raw={"a": [{"b": "ä"}], "c": None, "d": {1}, "e": b"\x00"}, lesson=None))
    assert page.of(cls="mt-field-value")[:2] == ['[\n  {\n    "b": "ä"\n  }\n]', "null"]


def test_a_list_keeps_its_cards_apart_by_their_numbers() -> None:
    page = shown(row(number=1), row(number=2))
    assert [one["data-key"] for tag, one, _ in page.elements if tag == "article"] == [
        "row-1",
        "row-2",
    ]


def test_no_row_says_what_to_do() -> None:
    assert "Change the search" in shown().text


@settings(max_examples=40, deadline=None)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from(LANGUAGES))
def test_nothing_of_a_row_becomes_html(one: str, two: str, three: str, language: str) -> None:
    lesson = Lesson((Turn("user", one), Turn("assistant", two)), system=three)
    findings = [Finding("refusal", "answer", two), Finding("boilerplate", "row", three)]
    html = rows_view([row(raw={one: two}, lesson=lesson, findings=findings)], language)
    html.encode("utf-8")  # half of a surrogate pair could not be sent to the browser
    page = Page(html)
    tags = {"div", "article", "strong", "span", "button", "code", "mark", "ul", "li", "p"}
    assert {tag for tag, _, _ in page.elements} <= tags


# --- Checks -------------------------------------------------------------------------------------


def line(id: str, rows: int, *, applied: bool | None = None) -> CheckLine:
    check = find_check(id)
    first = tuple(range(1, min(rows, 5) + 1))
    return CheckLine(check, Count(rows, first), check.advised if applied is None else applied)


def checks(*lines: CheckLine, unusable: Sequence[tuple[Problem, Count]] = ()) -> Page:
    return Page(check_list(lines, unusable, "en"))


def test_an_applied_check_can_be_spared_and_another_one_applied() -> None:
    page = checks(line("think_typo", 2), line("boilerplate", 1))
    assert page.buttons == [
        ("spare", "think_typo"), ("show", "think_typo"), ("jump", "1"), ("jump", "2"),
        ("apply", "boilerplate"), ("show", "boilerplate"), ("jump", "1"),
    ]  # fmt: skip
    assert page.of(cls="mt-badge") == ["repaired", "kept as it is"]
    assert page.of(cls="mt-check-rows") == ["2 rows", "1 row"]


def test_a_decision_against_the_advice_is_said_to_be_one() -> None:
    page = checks(line("think_typo", 2, applied=False), line("refusal", 2))
    assert page.of(cls="mt-check-advice") == ["advised: repair"]


def test_examples_are_said_to_be_few_of_many() -> None:
    page = checks(line("refusal", 4213))
    assert "4,213 rows" in page.text and "and 4,208 more" in page.text
    assert sum(action == "jump" for action, _ in page.buttons) == 5


def test_checks_that_found_nothing_are_named() -> None:
    page = checks(line("refusal", 1), line("mojibake", 0), line("pii_email", 0))
    assert "Nothing found by 2 of the checks" in page.text
    silent = page.of(cls="mt-check-silent")[0]
    assert "name of mojibake" in silent and "name of refusal" not in silent


def test_rows_that_cannot_be_used_come_first_with_their_reasons() -> None:
    problems = [
        (Problem("data.problems.empty_question", {"column": "Q"}), Count(1200, (3, 4))),
        (Problem("data.problems.think_unclosed"), Count(1, (9,))),
    ]
    page = checks(line("refusal", 1), unusable=problems)
    assert "Rows that can't be used: 1,201" in page.text
    asked = [target for action, target in page.buttons if action == "show_problem"]
    assert asked == ["0", "1"]
    assert page.text.index("1,200 rows") < page.text.index("name of refusal")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
@pytest.mark.parametrize("applied", [True, False])
def test_every_check_has_words_for_what_is_done(check: Check, applied: bool) -> None:
    lines = [CheckLine(check, Count(1, (1,)), applied)]
    for language in LANGUAGES:
        page = Page(check_list(lines, (), language))
        assert page.buttons[0] == ("spare" if applied else "apply", check.id)


# --- Facts --------------------------------------------------------------------------------------


def test_a_file_that_is_being_studied_has_a_bar_and_can_be_left() -> None:
    work = Work("task-1", "Studying", share=0.43, rows=18000, seconds_left=72)
    source = Source("a.json", "JSON array", "UTF-8", 139_000_000, shape=Shape.CHAT)
    page = Page(source_facts(source, "en", work=work))
    assert page.buttons == [("cancel", "task-1")]
    assert "43 % · 18,000 rows so far · 1:12 left" in page.text
    (bar,) = [one for tag, one, _ in page.elements if tag == "progress"]
    assert bar["value"] == "0.4300"


def test_a_bar_without_a_share_makes_none_up() -> None:
    page = Page(source_facts(Source("a", "CSV", "", 1), "en", work=Work("t", "Studying")))
    (bar,) = [one for tag, one, _ in page.elements if tag == "progress"]
    assert "value" not in bar and "Encoding" not in page.text


def test_work_that_failed_says_why_and_can_be_tried_again() -> None:
    problem = Problem("data.problems.think_unclosed")
    work = Work("t", "Studying", problem=problem)
    page = Page(source_facts(Source("a", "CSV", "UTF-8", 1, rows=1000), "en", work=work))
    assert page.buttons == [("retry", "t")] and problem.sentence("en") in page.text


def test_the_chosen_shape_is_marked_among_those_that_fit() -> None:
    page = Page(evidence([Fit(Shape.QA, 97, 100), Fit(Shape.CHAT, 0, 100)], "en", chosen=Shape.QA))
    assert [name.endswith("chosen") for name in page.of(cls="mt-fit-name")] == [True, False]
    assert "fits 97 of the first 100 rows" in page.text


def counted(**rows: int) -> dict[Fate, int]:
    return {fate: rows.get(fate.name.lower(), 0) for fate in Fate}


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (counted(taught=1200), "All 1,200 rows will be taught."),
        (counted(taught=1, by_hand=1), "1 of 2 rows will be taught.Left out:1 by hand"),
        (counted(by_check=2, over_cutoff=1), "None of 3 rows would be taught."),
    ],
)
def test_what_will_be_taught_is_one_sentence(counts: Mapping[Fate, int], said: str) -> None:
    assert Page(selection_facts(counts, "en")).text.startswith(said)


CARDS = [PreparedCard(name, 90, 10, 1, 2, "raw.json") for name in ("one", "two")]


def test_deleting_is_asked_in_place_of_the_buttons_and_names_the_runs() -> None:
    question = DeleteQuestion("two", ("run <1>",))
    page = Page(prepared_list(CARDS, "en", question=question))
    assert page.buttons == [
        ("compare", "one"),
        ("delete", "one"),
        ("delete_now", "two"),
        ("keep", "two"),
    ]
    assert page.of("li") == ["run <1>"]


def test_the_first_of_a_comparison_is_marked_and_the_other_names_it() -> None:
    page = Page(prepared_list(CARDS, "en", comparing="one"))
    assert page.of("button")[0] == "Don't compare"
    assert page.of("button")[2] == "Compare with “one”"


def test_a_comparison_names_settings_and_rows() -> None:
    change = Change("Cutoff length", "1024", "2048")
    page = Page(comparison_view(Comparison("a", "b", [change], 12, 3400, 5, ["Why?"]), "en"))
    assert page.of("td") == ["Cutoff length", "1024", "→ 2048"]
    assert page.of("dd") == ["12", "5", "3,400"]
    assert page.of("details") == ["Some of the rows only in “a”Why?"]
    same = Page(comparison_view(Comparison("a", "b", [], 0, 0, 5), "en"))
    assert "the same settings" in same.text


@pytest.mark.parametrize(("line_number", "said"), [(14, "at line 14"), (0, "can't be read")])
def test_a_broken_registry_says_where_and_can_be_repaired(line_number: int, said: str) -> None:
    page = Page(registry_broken("/w/dataset_info.json", line_number, "Expecting ','", "en"))
    assert said in page.text and "Expecting ','" in page.text
    assert page.buttons == [("repair", "/w/dataset_info.json")]
