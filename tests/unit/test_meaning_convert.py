"""From the columns of a row to a lesson, and the rows that can't be taught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.convert import Converted, compile_map, convert
from backend.data.meaning.lesson import Lesson, Pair, Turn, parts_of
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.errors import DataError
from backend.problems import Problem

TAUGHT = "<think>\nLet me see.\n</think>\n\nBecause."

# Text that says something.
WORDS = st.text(min_size=1).filter(lambda text: bool(text.strip()))


class Row(NamedTuple):
    """A row as a reader gives it."""

    number: int
    value: dict[str, Any] | None
    problem: Problem | None = None


def columns(shape: Shape, more: dict[str, Any] | None = None, /, **roles: str) -> ColumnMap:
    mapped = {Role(role): tuple(names.split(",")) for role, names in roles.items()}
    return ColumnMap(shape, mapped, **(more or {}))


O1 = columns(Shape.MEDICAL_O1, question="Question", reasoning="Complex_CoT", answer="Response")
QA = columns(Shape.QA, question="q", answer="a", system="s")
ALPACA = columns(
    Shape.ALPACA,
    question="instruction",
    input="input",
    answer="output",
    system="system",
    history="history",
)
CHAT = columns(Shape.CHAT, messages="messages", system="system")
CHOICE = columns(Shape.CHOICE, question="q", options="o", correct="c", reasoning="exp")
PAIRS = columns(
    Shape.PREFERENCE, question="prompt", chosen="chosen", rejected="rejected", system="system"
)
MEDICAL = {"Question": "Why?", "Complex_CoT": "Let me see.", "Response": "Because."}
EXAM = {"q": "Which?", "o": {"A": "x", "B": "y", "C": "z"}, "c": "B", "exp": "Let me see."}


def converted(value: dict[str, Any], by: ColumnMap) -> Converted:
    return convert(Row(1, value), by)  # type: ignore[arg-type]


def taught(value: dict[str, Any], by: ColumnMap) -> Lesson:
    one = converted(value, by)
    assert one.problem is None and one.lesson is not None, one.problem
    return one.lesson


def reason(value: dict[str, Any], by: ColumnMap) -> str:
    """Why a row teaches nothing; the reason must be there in both languages."""
    one = converted(value, by)
    assert one.lesson is None and one.problem is not None
    assert one.problem.sentence("zh")
    return one.problem.sentence("en")


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def talk(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


# --- medical-o1 and plain questions ---------------------------------------------------------------


def test_medical_o1() -> None:
    row = Row(1, {**MEDICAL, "question": "another column"})
    lesson = Lesson((Turn("user", "Why?"), Turn("assistant", TAUGHT)))
    assert convert(row, O1) == Converted(row, lesson, None)  # type: ignore[arg-type]


@settings(deadline=None)
@given(question=WORDS, reasoning=WORDS, answer=WORDS)
def test_medical_o1_keeps_every_character(question: str, reasoning: str, answer: str) -> None:
    row = {"Question": question, "Complex_CoT": reasoning, "Response": answer}
    lesson = taught(row, O1)
    assert lesson.question == question
    inside = reasoning.strip("\r\n")
    assert lesson.output == f"<think>\n{inside}\n</think>\n\n{answer}"
    if "think>" not in reasoning:
        assert parts_of(lesson.output) == (inside, answer.lstrip("\r\n"))


@pytest.mark.parametrize("empty", ["", " \n\t\u3000", None])
def test_empty_fields(empty: str | None) -> None:
    assert reason({**MEDICAL, "Question": empty}, O1) == "The question (Question) is empty."
    assert reason({**MEDICAL, "Response": empty}, O1) == "The answer (Response) is empty."


@pytest.mark.parametrize("empty", ["", " \n\t", None])
def test_without_reasoning_there_is_no_think_block(empty: str | None) -> None:
    """That is taught as it is, and a check tells how many rows it concerns."""
    assert taught({**MEDICAL, "Complex_CoT": empty}, O1).output == "Because."
    assert taught({"Question": "Why?", "Response": "Because."}, O1).output == "Because."


def test_reasoning_can_be_left_out() -> None:
    by = ColumnMap(O1.shape, O1.columns, reasoning=False)
    assert taught(MEDICAL, by).output == "Because."


@pytest.mark.parametrize("column", ["Question", "Response"])
def test_missing_columns(column: str) -> None:
    rest = {name: text for name, text in MEDICAL.items() if name != column}
    assert reason(rest, O1) == f"The column {column} is missing."


@pytest.mark.parametrize("column", MEDICAL)
@pytest.mark.parametrize("value", [7, True, ["text"], {"text": "x"}])
def test_columns_that_hold_no_text(column: str, value: object) -> None:
    assert reason({**MEDICAL, column: value}, O1) == f"The column {column} holds no text."


def test_tags_inside_the_fields_are_for_the_checks() -> None:
    lesson = taught({**MEDICAL, "Response": "a </think> b"}, O1)
    assert lesson.output.endswith("\n\na </think> b")


def test_unreadable_row_keeps_its_reason() -> None:
    row = Row(3, None, Problem("data.problems.row_not_json", {"near": "oops"}))
    assert convert(row, O1) == Converted(row, None, row.problem)  # type: ignore[arg-type]


def test_system_column() -> None:
    assert taught({"q": "Why?", "a": "x", "s": "Be brief."}, QA).system == "Be brief."
    assert taught({"q": "Why?", "a": "x", "s": " "}, QA).system == ""
    assert taught({"q": "Why?", "a": "x"}, QA).system == ""
    assert reason({"q": "Why?", "a": "x", "s": 1}, QA) == "The column s holds no text."


FIELDS = st.one_of(WORDS, st.sampled_from(["", " \n", "\u3000", "\r\nso\r\n", None, 5, ["a"]]))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["Question", "Complex_CoT", "Response"]), FIELDS),
    st.sampled_from((Shape.MEDICAL_O1, Shape.QA)),
    st.booleans(),
)
def test_the_quick_way_is_the_usual_way(row: dict[str, Any], shape: Shape, reasoning: bool) -> None:
    """Rows of texts that all say something are converted by a way of their own; not where there is
    a system prompt, though no row has one."""
    roles = {"question": "Question", "reasoning": "Complex_CoT", "answer": "Response"}
    if shape is Shape.QA:
        del roles["reasoning"]
    quick = replace(columns(shape, **roles), reasoning=reasoning)
    usual = replace(columns(shape, **roles, system="none"), reasoning=reasoning)
    assert converted(row, quick)[1:] == converted(row, usual)[1:]


def test_templates_of_ones_own() -> None:
    more = {"prompt": "{n}. {Question}\n{question}", "answer": "**{answer}** ({tags})"}
    by = columns(
        Shape.MEDICAL_O1, more, question="Question", reasoning="Complex_CoT", answer="Response"
    )
    lesson = taught({**MEDICAL, "n": 4, "tags": ["x", "y"], "question": "other"}, by)
    assert lesson.question == "4. Why?\nWhy?"
    assert lesson.output == TAUGHT.replace("Because.", "**Because.** (x\ny)")
    assert reason({**MEDICAL, "n": 4}, by) == "The column tags is missing."


def test_a_template_that_says_nothing() -> None:
    row = {"q": "Why?", "a": "x", "note": None}
    for side in ("prompt", "answer"):
        by = columns(Shape.QA, {side: " {note}\n"}, question="q", answer="a")
        assert f"The {side}'s template gives nothing" in reason(row, by)


def test_an_instruction_and_its_input() -> None:
    by = columns(Shape.QA, question="instruction", input="input", answer="a")
    row = {"instruction": "Sum up:", "input": "…", "a": "x"}
    assert taught(row, by).question == "Sum up:\n…"
    assert taught({**row, "input": None}, by).question == "Sum up:"
    both = columns(
        Shape.QA,
        {"prompt": "{input}|{question}"},
        question="instruction",
        input="input",
        answer="a",
    )
    assert taught(row, both).question == "…|Sum up:"


@pytest.mark.parametrize("shape", Shape)
def test_a_role_without_its_column_is_said(shape: Shape) -> None:
    with pytest.raises(DataError, match="No column is chosen") as caught:
        compile_map(ColumnMap(shape))
    assert caught.value.sentence("zh")


# --- alpaca ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output",
    [
        TAUGHT,
        "<think>a</think>b",
        "\n" + TAUGHT,
        "No reasoning. ",
        "<think>a<think>\n\nb",
        "x</think>",
    ],
)
def test_alpaca_outputs_stay_as_they_are(output: str) -> None:
    lesson = taught({"instruction": "Why?", "output": output}, ALPACA)
    assert lesson == Lesson((Turn("user", "Why?"), Turn("assistant", output)))


@pytest.mark.parametrize(
    ("instruction", "given", "question"),
    [
        ("Why?", "Now.", "Why?\nNow."),
        ("", "Why?", "Why?"),
        (None, "Why?", "Why?"),
        ("Why? ", None, "Why? "),
        (" ", "Why?", " \nWhy?"),
    ],
)
def test_alpaca_questions_are_joined_as_llamafactory_does(
    instruction: str | None, given: str | None, question: str
) -> None:
    row = {"instruction": instruction, "input": given, "output": "x"}
    assert taught(row, ALPACA).question == question


def test_alpaca_with_earlier_turns_and_a_system_prompt() -> None:
    row = {"instruction": "q3", "output": "a3", "system": "Be brief."}
    lesson = taught({**row, "history": [["q1", "a1"], ["q2", "a2"]]}, ALPACA)
    said = [f"{turn.speaker[0]}:{turn.content}" for turn in lesson.turns]
    assert said == ["u:q1", "a:a1", "u:q2", "a:a2", "u:q3", "a:a3"]
    assert lesson.system == "Be brief."


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"instruction": " "}, "The question (instruction) is empty"),
        ({"instruction": 1}, "The column instruction holds no text"),
        ({"input": ["x"]}, "The column input holds no text"),
        ({"output": None}, "The answer (output) is empty"),
        ({"output": ["x"]}, "The column output holds no text"),
        ({"system": ["x"]}, "The column system holds no text"),
        ({"history": "q"}, "no pairs of a question and an answer"),
        ({"history": [["q"]]}, "no pairs of a question and an answer"),
        ({"history": [["q", None]]}, "no pairs of a question and an answer"),
        ({"history": [["q", " "]]}, "no pairs of a question and an answer"),
    ],
)
def test_alpaca_rows_that_cannot_be_taught(more: dict[str, Any], sentence: str) -> None:
    assert sentence in reason({"instruction": "Why?", "output": "x", **more}, ALPACA)


def test_alpaca_without_a_column() -> None:
    assert "instruction" in reason({"output": "x"}, ALPACA)
    assert "output" in reason({"instruction": "x"}, ALPACA)


# --- Messages -------------------------------------------------------------------------------------


def test_openai_messages() -> None:
    system = {"role": "system", "content": "Be brief.\n"}
    row = talk(system, user("q1 "), assistant("a1"), user("q2"), assistant("\n" + TAUGHT))
    lesson = taught({**row, "system": "another"}, CHAT)
    assert lesson.system == "Be brief.\n"
    assert [turn.content for turn in lesson.turns] == ["q1 ", "a1", "q2", "\n" + TAUGHT]


def test_sharegpt_with_a_system_column() -> None:
    messages = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    lesson = taught({"messages": messages, "system": "Be brief."}, CHAT)
    assert lesson == Lesson((Turn("user", "q"), Turn("assistant", "a")), "Be brief.")


def test_reasoning_beside_the_content() -> None:
    row = talk(user("Why?"), assistant("Because.", reasoning_content="\nLet me see.\n"))
    assert taught(row, CHAT).output == TAUGHT
    without = ColumnMap(CHAT.shape, CHAT.columns, reasoning=False)
    assert taught(row, without).output == "Because."
    plain = talk(user("Why?"), assistant("Because.", reasoning_content=None))
    assert taught(plain, CHAT).output == "Because."


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "Why"}, {"type": "text", "text": "?"}]
    assert taught(talk(user(parts), assistant("a")), CHAT).question == "Why?"


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        (None, "holds no messages"),
        ("hello", "holds no messages"),
        ([], "holds no messages"),
        ([{"role": "system", "content": "x"}], "holds no messages"),
        (["hello"], "has no role"),
        ([{"content": "q"}], "has no role"),
        ([{"role": "critic", "content": "q"}], "the role “critic”"),
        ([{"role": None, "content": "q"}], "the role “None”"),
        ([assistant("a")], "start with the assistant"),
        ([assistant("a"), user("q")], "start with the assistant"),
        ([user("q")], "end with the user"),
        ([user("q"), assistant("a"), user("q")], "end with the user"),
        ([user("q"), user("q"), assistant("a")], "Two messages of the user"),
        ([user("q"), assistant("a"), assistant("a")], "Two messages of the assistant"),
        ([user("q"), {"role": "system", "content": "x"}, assistant("a")], "than at the start"),
        ([user("q"), assistant("", tool_calls=[{"id": 1}])], "call tools or functions"),
        ([user("q"), assistant("a", function_call={"name": "f"})], "call tools or functions"),
        ([user("q"), {"from": "function_call", "value": "{}"}], "call tools or functions"),
        ([user("q"), {"role": "tool", "content": "5"}], "call tools or functions"),
        ([user("q"), assistant(" ")], "The answer (messages) is empty"),
        ([user("q"), assistant(None, reasoning_content="x")], "The answer (messages) is empty"),
        ([user(""), assistant("a")], "The question (messages) is empty"),
        ([user([{"type": "image_url", "image_url": "…"}]), assistant("a")], "such as an image"),
        ([user(5), assistant("a")], "other than text"),
    ],
)
def test_messages_that_cannot_be_taught(messages: Any, sentence: str) -> None:
    """LLaMA-Factory drops most of these with a warning in its log, where nobody reads it."""
    assert sentence in reason({"messages": messages}, CHAT)


def test_empty_calls_are_no_calls() -> None:
    """Arrow gives every message of a file the keys of all of them."""
    row = talk(user("q", tool_calls=None), assistant("a", tool_calls=[], function_call=None))
    assert taught(row, CHAT).output == "a"


# --- Choice ---------------------------------------------------------------------------------------


def test_choice() -> None:
    lesson = taught(EXAM, CHOICE)
    assert lesson.question == "Which?\n\nA. x\nB. y\nC. z"
    assert lesson.output == "<think>\nLet me see.\n</think>\n\nB. y"
    assert taught({**EXAM, "exp": None, "c": "CB"}, CHOICE).output == "B. y\nC. z"


@pytest.mark.parametrize(
    ("template", "correct", "answer"),
    [
        ("Answer: {letter}", "B", "Answer: B"),
        ("答案：{letter}\n{letter}. {option}", "AC", "答案：AC\nA. x\nC. z"),
        ("{exp}\n\n{option}", "B", "Let me see.\n\ny"),
        ("{correct}", "B", "B"),
        ("{options}\n{{{letter}}}", "B", "A. x\nB. y\nC. z\n{B}"),
    ],
)
def test_choice_with_a_template(template: str, correct: str, answer: str) -> None:
    by = ColumnMap(CHOICE.shape, CHOICE.columns, answer=template, reasoning=False)
    assert taught({**EXAM, "c": correct}, by).output == answer


def test_options_that_look_like_templates() -> None:
    row = {**EXAM, "o": ["{letter}", "{{}}"], "exp": ""}
    lesson = taught(row, CHOICE)
    assert (lesson.question, lesson.output) == ("Which?\n\nA. {letter}\nB. {{}}", "B. {{}}")


def test_choice_in_columns_with_numbers() -> None:
    by = columns(
        Shape.CHOICE, {"one_based": True}, question="q", options="opa,opb,opc", correct="cop"
    )
    row = {"q": "Which?", "opa": "x", "opb": "y", "opc": None, "cop": 2}
    assert taught(row, by).output == "B. y"
    assert taught(row, by).question == "Which?\n\nA. x\nB. y"
    assert "names none of the options" in reason({**row, "cop": 3}, by)
    assert "can be made out in opa, opb, opc" in reason({**row, "opb": ""}, by)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"q": ""}, "The question (q) is empty"),
        ({"o": "no options"}, "No two different options can be made out in o"),
        ({"c": "E"}, "What c says names none of the options"),
        ({"c": None}, "What c says names none of the options"),
        ({"exp": 4}, "The column exp holds no text"),
    ],
)
def test_choices_that_cannot_be_taught(more: dict[str, Any], sentence: str) -> None:
    assert sentence in reason({**EXAM, **more}, CHOICE)


@pytest.mark.parametrize("column", ["q", "o", "c"])
def test_choice_without_a_column(column: str) -> None:
    rest = {name: value for name, value in EXAM.items() if name != column}
    assert reason(rest, CHOICE) == f"The column {column} is missing."


# --- Preference pairs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": [user("q")], "chosen": [assistant("good")], "rejected": assistant("bad")},
        {
            "prompt": {"from": "human", "value": "q"},
            "chosen": [user("q"), assistant("good")],
            "rejected": [user("q"), assistant("bad")],
        },
    ],
)
def test_preference_pairs(row: dict[str, Any]) -> None:
    lesson = taught({**row, "system": "Be brief."}, PAIRS)
    assert lesson == Lesson((Turn("user", "q"),), "Be brief.", Pair("good", "bad"))


def test_preference_pairs_of_several_turns() -> None:
    before = [user("q1"), assistant("a1"), user("q2")]
    answers = {"chosen": [assistant("good")], "rejected": [assistant("bad")]}
    lesson = taught({"prompt": before, **answers}, PAIRS)
    assert [turn.content for turn in lesson.turns] == ["q1", "a1", "q2"]
    whole = {"chosen": [*before, assistant("good")], "rejected": [*before, assistant("bad")]}
    for prompt in (before, "q1", "q2"):
        assert taught({"prompt": prompt, **whole}, PAIRS) == lesson


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"prompt": ""}, "The question (prompt) is empty"),
        ({"prompt": [user("q"), assistant("a")]}, "end with the assistant, where a question"),
        ({"prompt": []}, "The column prompt holds no messages"),
        ({"prompt": 5}, "The column prompt holds no messages"),
        ({"chosen": None}, "The answer (chosen) is empty"),
        ({"rejected": [assistant("")]}, "The answer (rejected) is empty"),
        ({"rejected": [user("q")]}, "The messages in rejected end with the user"),
        ({"rejected": {"role": "system", "content": "x"}}, "than at the start"),
        ({"chosen": [user("other"), assistant("good")]}, "is not the one of the prompt"),
        ({"chosen": 5}, "The column chosen holds no messages"),
    ],
)
def test_pairs_that_cannot_be_taught(more: dict[str, Any], sentence: str) -> None:
    assert sentence in reason({"prompt": "q", "chosen": "good", "rejected": "bad", **more}, PAIRS)


def test_maps_one_after_the_other() -> None:
    """The function of the map used last is kept, and must not be taken for another's."""
    for _ in range(2):
        assert taught(MEDICAL, O1).output == TAUGHT
        assert taught({"q": "Why?", "a": "x"}, QA).output == "x"
