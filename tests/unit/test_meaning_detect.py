"""Files as they are really published, and how they are understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.convert import maker_of
from backend.data.meaning.detect import Candidate, detect
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.templates import check_template

TAUGHT = "<think>\nLet me see.\n</think>\n\nBecause."
CHAT = {
    "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}],
    "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "bad"}],
}
MEDQA = {
    "question": "Which one?",
    "answer": "Two",
    "options": {"A": "One", "B": "Two", "C": "Three"},
    "meta_info": "step1",
    "answer_idx": "B",
}
MEDMCQA = {
    "id": "e9ad821a",
    "question": "Which one?",
    "opa": "One",
    "opb": "Two",
    "opc": "Three",
    "opd": "Four",
    "cop": 2,
    "choice_type": "single",
    "exp": "Because.",
    "subject_name": "Anatomy",
    "topic_name": None,
}
CMEXAM = {
    "Question": "下列正确的是",
    "Options": "A 甲\nB 乙\nC 丙\nD 丁\nE 戊",
    "Answer": "BD",
    "Explanation": "乙和丁对。",
}
CMB = {
    "exam_type": "医师考试",
    "exam_class": "执业医师",
    "exam_subject": "口腔执业医师",
    "question": "下列正确的是",
    "answer": "ABD",
    "question_type": "多项选择题",
    "option": {"A": "甲", "B": "乙", "C": "丙", "D": "丁", "E": ""},
}
PUBMEDQA = {
    "pubid": 21645374,
    "question": "Do mitochondria play a role?",
    "context": {
        "contexts": ["First.", "Second."],
        "labels": ["BACKGROUND"],
        "meshes": ["Alismataceae"],
    },
    "long_answer": "They do.",
    "final_decision": "yes",
}
THREE = "Which one?\n\nA. One\nB. Two\nC. Three"

# Name of the dataset, a row, the shape, and the prompt and the output that it teaches.
PUBLISHED: list[tuple[str, dict[str, Any], Shape, str, str]] = [
    (
        "FreedomIntelligence/medical-o1-reasoning-SFT",
        {"Question": "Why?", "Complex_CoT": "Let me see.", "Response": "Because."},
        Shape.MEDICAL_O1,
        "Why?",
        TAUGHT,
    ),
    (
        "FreedomIntelligence/medical-o1-verifiable-problem",
        {"Open-ended Verifiable Question": "Why?", "Ground-True Answer": "Because."},
        Shape.QA,
        "Why?",
        "Because.",
    ),
    (
        "FreedomIntelligence/Medical-R1-Distill-Data",
        {
            "question": "Why?",
            "reasoning (reasoning_content)": "Let me see.",
            "response (content)": "Because.",
        },
        Shape.MEDICAL_O1,
        "Why?",
        TAUGHT,
    ),
    (
        "krisfu/delicate_medical_r1_data",
        {
            "instruction": "You are a doctor.",
            "question": "Why?",
            "think": "Let me see.",
            "answer": "Because.",
            "metrics": "{}",
        },
        Shape.MEDICAL_O1,
        "Why?",
        TAUGHT,
    ),
    (
        "a distilled file in Chinese",
        {"问题": "Why?", "思考过程": "Let me see.", "回答": "Because."},
        Shape.MEDICAL_O1,
        "Why?",
        TAUGHT,
    ),
    (
        "alpaca with reasoning",
        {"instruction": "Why?", "input": "Tell.", "reasoning": "Let me see.", "output": "Because."},
        Shape.MEDICAL_O1,
        "Why?\nTell.",
        TAUGHT,
    ),
    (
        "alpaca",
        {"instruction": "Why?", "input": "Tell.", "output": "Because.", "source": "web"},
        Shape.ALPACA,
        "Why?\nTell.",
        "Because.",
    ),
    (
        "Chinese-medical-dialogue",
        {"department": "内科", "title": "头痛", "ask": "Why?", "answer": "Because."},
        Shape.QA,
        "Why?",
        "Because.",
    ),
    ("GBaker/MedQA-USMLE-4-options", MEDQA, Shape.CHOICE, THREE, "B. Two"),
    (
        "openlifescienceai/medmcqa",
        MEDMCQA,
        Shape.CHOICE,
        f"{THREE}\nD. Four",
        "<think>\nBecause.\n</think>\n\nC. Three",
    ),
    (
        "CMExam",
        CMEXAM,
        Shape.CHOICE,
        "下列正确的是\n\nA. 甲\nB. 乙\nC. 丙\nD. 丁\nE. 戊",
        "<think>\n乙和丁对。\n</think>\n\nB. 乙\nD. 丁",
    ),
    (
        "FreedomIntelligence/CMB",
        CMB,
        Shape.CHOICE,
        "下列正确的是\n\nA. 甲\nB. 乙\nC. 丙\nD. 丁",
        "A. 甲\nB. 乙\nD. 丁",
    ),
    (
        "MMLU",
        {"question": "Which one?", "subject": "anatomy", "choices": ["One", "Two"], "answer": 1},
        Shape.CHOICE,
        "Which one?\n\nA. One\nB. Two",
        "B. Two",
    ),
    (
        "ceval",
        {"question": "Which one?", "A": "One", "B": "Two", "answer": "B", "explanation": ""},
        Shape.CHOICE,
        "Which one?\n\nA. One\nB. Two",
        "B. Two",
    ),
    (
        "hw-hwei/MedThoughts-8K",
        {**MEDQA, "ds_answer": "It is B.", "ds_think": "Let me see."},
        Shape.CHOICE,
        THREE,
        "<think>\nLet me see.\n</think>\n\nB. Two",
    ),
    (
        "qiaojin/PubMedQA",
        PUBMEDQA,
        Shape.QA,
        "First.\nSecond.\n\nDo mitochondria play a role?",
        "They do.\n\nyes",
    ),
    (
        "preference pairs of texts",
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        Shape.PREFERENCE,
        "q",
        "good",
    ),
    (
        "LLaMA-Factory's preference pairs in alpaca's form",
        {"instruction": "q", "input": "r", "chosen": "good", "rejected": "bad"},
        Shape.PREFERENCE,
        "q\nr",
        "good",
    ),
    ("preference pairs of messages", {"prompt": "q", **CHAT}, Shape.PREFERENCE, "q", "good"),
    (
        "preference pairs behind ShareGPT's conversations",
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
        Shape.PREFERENCE,
        "q",
        "good",
    ),
]


def understood(rows: list[dict[str, Any]]) -> ColumnMap:
    best = detect(rows).best
    assert best is not None
    return best


def taught(row: dict[str, Any]) -> Lesson:
    return maker_of(understood([row]))(row)


@pytest.mark.parametrize(
    ("row", "shape", "prompt", "output"),
    [one[1:] for one in PUBLISHED],
    ids=[one[0] for one in PUBLISHED],
)
def test_published_files(row: dict[str, Any], shape: Shape, prompt: str, output: str) -> None:
    found = detect([row] * 3)
    assert found.best is not None and found.best.shape is shape
    assert (found.candidates[0].matched, found.candidates[0].rows) == (3, 3)
    assert found.columns == tuple(row)
    lesson = taught(row)
    assert (lesson.question, lesson.output) == (prompt, output)


@pytest.mark.parametrize(
    "row",
    [
        {
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "q"},
                {"from": "gpt", "value": "a"},
            ]
        },
        {
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
            "system": "Be brief.",
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "a"},
            ]
        },
        {
            "id": 7,
            "turns_of_talk": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "a"},
            ],
            "system_prompt": "Be brief.",
        },
        {"instruction": "q", "input": "", "output": "a", "system": "Be brief.", "history": []},
    ],
)
def test_conversations_and_system_prompts(row: dict[str, Any]) -> None:
    lesson = taught(row)
    assert (lesson.system, lesson.question, lesson.output) == ("Be brief.", "q", "a")


def test_real_rows_are_medical_o1(real_rows: Path) -> None:
    """They also have the columns of an exam and of an open question of the same case."""
    rows = json.loads(real_rows.read_text(encoding="utf-8"))
    found = detect(rows)
    assert found.best == ColumnMap(
        Shape.MEDICAL_O1,
        {
            Role.QUESTION: ("Question",),
            Role.REASONING: ("Complex_CoT",),
            Role.ANSWER: ("Response",),
        },
    )
    assert found.candidates[0] == Candidate(found.best, 100, 100)
    assert {one.map.shape for one in found.candidates} >= {Shape.CHOICE, Shape.QA}
    for candidate in found.candidates:
        make = maker_of(candidate.map)
        assert all(make(row).output for row in rows)


@pytest.mark.parametrize(
    ("numbers", "one_based"),
    [([1, 2, 3], False), ([0, 1, 4], False), ([1, 4], True), (["1", "4"], True), ([1, 5], True)],
)
def test_numbers_of_options_are_read_from_the_whole_file(
    numbers: list[Any], one_based: bool
) -> None:
    """One row with "2" can't tell; taken wrongly, every answer of the file would be wrong."""
    assert understood([{**MEDMCQA, "cop": n} for n in numbers]).one_based is one_based


def test_the_column_that_resolves_names_the_right_option() -> None:
    """A column "label" often is the subject, not the answer."""
    row = {"question": "q", "options": ["x", "y"], "label": "surgery", "answer": "B"}
    assert understood([row]).column(Role.CORRECT) == "answer"


def test_rows_without_reasoning_are_counted() -> None:
    """The file is still medical-o1: its reasoning must not be lost for the rows that lack it."""
    row = {"Question": "q", "Complex_CoT": "r", "Response": "a"}
    found = detect([row, {**row, "Complex_CoT": ""}, {**row, "Response": None}])
    assert found.candidates[0].map.shape is Shape.MEDICAL_O1
    assert (found.candidates[0].matched, found.candidates[0].rows) == (1, 3)


def test_a_few_broken_rows_do_not_change_the_shape() -> None:
    """Else one empty answer would turn a file of reasoning into an exam without any."""
    row = {**MEDQA, "Question": "q", "Complex_CoT": "r", "Response": "a"}
    assert understood([row] * 19 + [{**row, "Response": ""}]).shape is Shape.MEDICAL_O1


def test_names_in_other_writings() -> None:
    row = {"QUESTION": "q", "Reasoning-Content": "r", "final answer": "a"}
    assert understood([row]).columns == {
        Role.QUESTION: ("QUESTION",),
        Role.REASONING: ("Reasoning-Content",),
        Role.ANSWER: ("final answer",),
    }


def test_a_passage_goes_before_its_question() -> None:
    row = {"passage": "A man of 40 …", "question": "Why?", "answer": "Because."}
    assert taught(row).question == "A man of 40 …\n\nWhy?"
    assert understood([row, {**row, "passage": ""}]).prompt == ""


@pytest.mark.parametrize("rows", [[], [{}], [{"text": "x"}], [{"prompt": "q", "rating": 5}]])
def test_what_fits_no_shape(rows: list[dict[str, Any]]) -> None:
    found = detect(rows)
    assert found.best is None and found.candidates == ()
    assert found.columns == tuple(rows[0] if rows else ())


def test_only_the_first_hundred_rows_are_looked_at() -> None:
    row = {"question": "q", "answer": "a"}
    assert detect([row] * 250).candidates[0].rows == 100


@pytest.mark.parametrize("row", [one[1] for one in PUBLISHED])
def test_maps_survive_their_file(row: dict[str, Any]) -> None:
    found = understood([row])
    assert ColumnMap.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_shapes_and_roles_have_names() -> None:
    for one in (*Shape, *Role):
        assert one.label("en") and one.label("zh") != one.label("en")


NAMES = st.sampled_from(
    ["question", "Question", "instruction", "input", "output", "answer", "think", "options", "A"]
    + ["B", "opa", "opb", "cop", "label", "messages", "chosen", "rejected", "context", "{x}", ""]
)
VALUES = st.one_of(
    st.sampled_from(
        ["x", "", "A", "A. x\nB. y", None, 1, 4.0, True, [], {}, ["x", "y"], {"A": "x"}]
    ),
    st.just([{"role": "user", "content": "q"}]),
    st.just({"contexts": ["x"]}),
)


@settings(deadline=None, max_examples=150)
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, max_size=8), max_size=3))
def test_any_rows_are_looked_at(rows: list[dict[str, Any]]) -> None:
    """The page asks this of whatever file a person chooses; every answer must be a usable map."""
    for candidate in detect(rows).candidates:
        assert 0 <= candidate.matched <= candidate.rows == len(rows)
        maker_of(candidate.map)
        for template in (candidate.map.prompt, candidate.map.answer):
            check_template(template, columns=detect(rows).columns, shape=candidate.map.shape)
