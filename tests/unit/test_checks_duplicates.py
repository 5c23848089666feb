"""Relatives of lessons: the same, the same question, nearly the same, whatever the rows' order."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks import likeness
from backend.data.checks.duplicates import Duplicates, Sketches, find_duplicates
from backend.data.checks.grouping import first_of_same
from backend.data.checks.passages import text_of
from backend.data.checks.units import units_of
from backend.data.meaning.lesson import Lesson, Pair, Turn

VIGNETTE = (
    "A 45-year-old woman comes to the emergency department because of severe crushing chest pain "
    "that began two hours ago while she was climbing stairs at work and that now radiates to her "
    "left arm and jaw. She has smoked a pack a day for twenty years and takes no medicine. Her "
    "blood pressure is 180/100 mmHg and her pulse is regular. What is the next step?"
)
OTHER = (
    "A 62-year-old farmer is brought in by his daughter after a fall from a ladder with confusion, "
    "vomiting and a growing headache. He drinks heavily and bleeds easily. One pupil is wide and "
    "does not react to light. Which vessel has most likely been torn in this man by the fracture?"
)
CHINESE = (
    "男性，55岁，反复胸痛三个月，加重半小时，伴大汗、恶心，含服硝酸甘油不能缓解，既往有高血压病史十年，"
    "心电图示前壁导联抬高，到院后首先应当采取什么处理措施？"
)


def asked(question: str, answer: str = "Record an electrocardiogram.") -> Lesson:
    return Lesson((Turn("user", question), Turn("assistant", answer)))


def relatives(*lessons: Lesson, threshold: float = 0.85) -> Duplicates:
    return find_duplicates(sketched(lessons), threshold=threshold)


def sketched(lessons: list[Lesson] | tuple[Lesson, ...]) -> Sketches:
    sketches = Sketches()
    for one in lessons:
        sketches.add(one, text_of(one).data)
    return sketches


def near(question: str, other: str) -> bool:
    twins = relatives(asked(question), asked(other))
    assert (twins.near_of[1] == 0) == (twins.cluster[0] == twins.cluster[1])
    return bool(twins.near_of[1] == 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=30))
def test_the_first_row_with_the_same_keys(rows: list[tuple[int, int]]) -> None:
    ones, others = np.array(rows, dtype=np.uint64).reshape(-1, 2).T
    assert first_of_same(ones, others).tolist() == [rows.index(row) for row in rows]
    assert first_of_same(ones).tolist() == [ones.tolist().index(one) for one in ones]


def test_no_lessons_have_no_relatives() -> None:
    twins = find_duplicates(Sketches())
    assert len(twins.cluster) == len(twins.exact_of) == len(twins.near_of) == 0


def test_relatives_of_each_kind() -> None:
    twins = relatives(
        asked(VIGNETTE),
        asked(OTHER),
        asked(VIGNETTE),
        asked(VIGNETTE.upper().replace(" ", "  "), "Measure troponin."),
        asked(VIGNETTE.replace("45", "54"), "Measure troponin."),
        asked(CHINESE),
    )
    assert twins.exact_of.tolist() == [-1, -1, 0, -1, -1, -1]
    assert twins.same_question.tolist() == [-1, -1, -1, 0, -1, -1]
    assert twins.near_of.tolist() == [-1, -1, -1, -1, 0, -1]
    assert twins.cluster.tolist() == [0, 1, 0, 0, 0, 2]
    assert {array.dtype for array in vars(twins).values()} == {np.dtype(np.int32)}


@pytest.mark.parametrize(
    "other",
    [
        VIGNETTE.replace("45", "46"),
        VIGNETTE.replace("severe", "terrible"),
        VIGNETTE.replace("smoked a pack", "smoked half a pack"),
        VIGNETTE + " Explain.",
        VIGNETTE.replace(", ", " , ").replace(".", " ."),
    ],
)
def test_a_word_of_a_long_question_makes_no_other_question(other: str) -> None:
    twins = relatives(asked(VIGNETTE), asked(other))
    assert twins.cluster.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("question", "other"),
    [
        (
            "How much aspirin is given to a man of 50 kg?",
            "How much aspirin is given to a man of 70 kg?",
        ),
        ("口服阿司匹林100mg的患者能否手术？", "口服阿司匹林300mg的患者能否手术？"),
        ("体温38.5℃如何处理？", "体温39.2℃如何处理？"),
        (CHINESE, CHINESE.replace("55", "58")),
        (CHINESE, CHINESE.replace("反复", "反覆")),
    ],
)
def test_one_number_makes_no_other_question(question: str, other: str) -> None:
    """Shingles alone call short questions different that differ in an age, and both sides of a
    split got one of them."""
    assert near(question, other)


@pytest.mark.parametrize(
    ("question", "other"),
    [
        (VIGNETTE, OTHER),
        (
            "Which of the following is the drug of choice in a patient with acute gout?",
            "Which of the following is the drug of choice in a patient with acute mania?",
        ),
        ("Does a man of 50 kg need 5 mg of it?", "Does a man of 70 kg need 10 mg of it?"),
        ("What does vitamin B12 do?", "What does vitamin B6 do?"),
        ("糖尿病患者首选哪种降糖药？", "高血压患者首选哪种降压药？"),
        ("急性阑尾炎的首选治疗方法是什么？", "急性胰腺炎的首选治疗方法是什么？"),
    ],
)
def test_another_patient_is_another_question(question: str, other: str) -> None:
    assert not near(question, other)


def test_the_wording_of_a_task_makes_no_questions_alike() -> None:
    """With a long instruction before each question all 300 rows were one cluster, and a split had
    nothing to put on its other side."""
    task = (
        "Please read the following medical question with great care, think about it step by step, "
        "weigh all of the findings that are given, name the single most likely answer and explain "
        "in a few sentences why the other answers are less likely than the one that you name. "
    )
    names = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    lessons = [asked(f"{task} What is {one}{two}itis?") for one in names for two in names[:4]]
    twins = relatives(*lessons)
    assert len(lessons) > 300
    assert len(set(twins.cluster.tolist())) == len(lessons)


def test_go_on_is_another_question_in_another_conversation() -> None:
    turns = [
        (
            Turn("user", one),
            Turn("assistant", "Yes."),
            Turn("user", "Go on."),
            Turn("assistant", "No."),
        )
        for one in (VIGNETTE, OTHER)
    ]
    twins = relatives(*map(Lesson, turns))
    assert twins.cluster.tolist() == [0, 1]
    assert twins.same_question.tolist() == [-1, -1]


def test_questions_of_white_space_are_no_relatives() -> None:
    twins = relatives(
        asked(" ", "One."), asked("\n", "Two."), asked("", "Three."), asked("", "Three.")
    )
    assert twins.cluster.tolist() == [0, 1, 2, 2]
    assert twins.same_question.tolist() == [-1, -1, -1, -1]


def test_pairs_with_other_answers_are_not_the_same() -> None:
    one = Lesson((Turn("user", VIGNETTE),), pair=Pair("Yes.", "No."))
    two = Lesson((Turn("user", VIGNETTE),), pair=Pair("Yes.No", "."))
    assert relatives(one, two, one).exact_of.tolist() == [-1, -1, 0]
    assert relatives(one, two, one).same_question.tolist() == [-1, 0, -1]


def test_near_copies_are_found_among_many(real_rows: Path) -> None:
    """Questions of up to 400 words, so that sketches are cut: each copy with one word changed."""
    rows = json.loads(real_rows.read_text(encoding="utf-8"))
    questions = [row["Question"] for row in rows]
    long = [" ".join(questions[place : place + 8]) for place in range(0, 160, 8)]
    lessons = [asked(one) for one in long] + [asked(one + " Indeed.") for one in reversed(long)]
    twins = relatives(*lessons)
    assert twins.near_of.tolist() == [-1] * 20 + list(reversed(range(20)))


def test_real_questions_are_different(real_rows: Path) -> None:
    rows = json.loads(real_rows.read_text(encoding="utf-8"))
    twins = relatives(*(asked(row["Question"]) for row in rows))
    assert len(set(twins.cluster.tolist())) == len({row["Question"] for row in rows})


def test_many_variants_of_a_question_are_one_cluster() -> None:
    """Each pair of them shares rare words. With ten thousand, comparing all fifty million pairs
    took minutes and gigabytes; now each is compared with the first, and what is left with the next.
    """
    rng = random.Random(5)
    names = ["".join(rng.sample("bcdfgaeiou", 6)) for _ in range(4600)]
    others = [asked(" ".join(names[place : place + 9])) for place in range(0, 4400)]
    variants = [asked(VIGNETTE.replace("crushing", name)) for name in names[4400:]]
    twins = relatives(*others, *variants)
    assert len(set(twins.cluster[:4400].tolist())) > 4300
    assert set(twins.cluster[4400:].tolist()) == {int(twins.cluster[4400])}
    assert set(twins.near_of[4401:][twins.same_question[4401:] < 0].tolist()) == {4400}


@pytest.mark.parametrize("at_once", [1 << 24, 3])
def test_work_in_pieces_is_the_same_work(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Files of a million rows are sketched and compared in pieces; these few rows in pieces too.

    Of files of more elements than ``_AT_ONCE`` all sets go through the bands, piece by piece.
    """
    rng = random.Random(7)
    texts = [rng.choice((VIGNETTE, OTHER, CHINESE)) for _ in range(40)]
    lessons = [asked(text.replace("a", rng.choice("ao"), rng.randrange(9))) for text in texts]
    lessons.append(asked("Which vitamin is lacking where scurvy is seen in sailors?"))
    whole = relatives(*lessons)
    monkeypatch.setattr(likeness, "_CHUNK", 100)
    monkeypatch.setattr(likeness, "_BLOCK", 3)
    monkeypatch.setattr(likeness, "_AT_ONCE", at_once)
    blocks: list[int] = []
    block_keys = likeness._block_keys

    def counted(block: tuple[Any, Any]) -> Any:
        blocks.append(len(block[1]) - 1)
        return block_keys(block)

    monkeypatch.setattr(likeness, "_block_keys", counted)
    pieces = relatives(*lessons)
    assert max(whole.cluster) < 39
    different = int(((whole.exact_of < 0) & (whole.same_question < 0)).sum())
    assert sum(blocks) == (different if at_once == 3 else different - 1), "but the one alone"
    for name, array in vars(whole).items():
        assert np.array_equal(array, getattr(pieces, name))


# --- Properties ---------------------------------------------------------------------------------

BASES = [VIGNETTE, OTHER, CHINESE, "What is 5 mg of it?", "Go on."]
CHANGES: list[Callable[[str], str]] = [
    lambda text: text,
    lambda text: text.upper(),
    lambda text: text.replace("5", "7"),
    lambda text: text.replace("the", "a", 1),
    lambda text: text.replace("is", "was", 1),
    lambda text: text + " Thanks.",
    lambda text: text.replace("，", ","),
]
Change = Callable[[str], str]
Row = tuple[str, Change, Change, bool]

ROWS = st.lists(
    st.tuples(
        st.sampled_from(BASES), st.sampled_from(CHANGES), st.sampled_from(CHANGES), st.booleans()
    ),
    max_size=14,
)


def lessons_of(rows: list[Row]) -> list[Lesson]:
    return [asked(two(one(base)), "Yes." if same else "No.") for base, one, two, same in rows]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_makes_no_difference(rows: list[Row], rng: random.Random) -> None:
    lessons = lessons_of(rows)
    order = list(range(len(lessons)))
    rng.shuffle(order)
    straight = relatives(*lessons).cluster
    shuffled = relatives(*(lessons[place] for place in order)).cluster
    assert partition(straight.tolist()) == partition(
        [int(shuffled[order.index(place)]) for place in range(len(order))]
    )


def partition(labels: list[int]) -> set[frozenset[int]]:
    return {
        frozenset(place for place, other in enumerate(labels) if other == label) for label in labels
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=4))
def test_parts_merged_are_the_whole(parts: list[list[Row]]) -> None:
    """Parts come from other processes, and a part may be empty."""
    lessons = [lessons_of(rows) for rows in parts]
    sent = [pickle.loads(pickle.dumps(sketched(one))) for one in lessons]
    merged = find_duplicates(Sketches.merge(sent))
    whole = relatives(*(one for part in lessons for one in part))
    for name, array in vars(whole).items():
        assert np.array_equal(array, getattr(merged, name))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_relatives_come_earlier_and_share_a_cluster(rows: list[Row]) -> None:
    lessons = lessons_of(rows)
    twins = relatives(*lessons)
    for of in (twins.exact_of, twins.near_of, twins.same_question):
        for place, first in enumerate(of.tolist()):
            assert -1 <= first < place
            assert first < 0 or twins.cluster[first] == twins.cluster[place]
    for place, first in enumerate(twins.exact_of.tolist()):
        earlier = [other for other in range(place) if lessons[other] == lessons[place]]
        assert first == (earlier[0] if earlier else -1)
    firsts = [twins.cluster.tolist().index(label) for label in sorted(set(twins.cluster.tolist()))]
    assert firsts == sorted(firsts)


WORDS = st.lists(
    st.sampled_from(["acute", "chest", "pain", "of", "the", "heart", "5", "mg", "病", "人", "B12"]),
    min_size=20,
    max_size=60,
)
EDITS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["", "new", "又", "new new", "pain"])), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(WORDS, EDITS)
def test_near_is_what_counting_shingles_says(
    words: list[str], edits: list[tuple[int, str]]
) -> None:
    """The bands of MinHashes and the bits after them leave no pair out; 0.85 is met from 35
    words on."""
    other = list(words)
    for place, word in edits:
        other[place % len(other) : place % len(other) + 1] = [word]
    first, second = " ".join(words), " ".join(other)
    if pieces(first) != pieces(second):
        assert near(first, second) == (jaccard(pieces(first), pieces(second)) >= 0.85)


def pieces(text: str) -> list[int]:
    return units_of([text]).hashes.tolist()


def jaccard(one: list[int], other: list[int]) -> float:
    both = [
        {tuple(padded[place : place + 3]) for place in range(len(padded) - 2)}
        for padded in ([0, 0, *one, 0, 0], [0, 0, *other, 0, 0])
    ]
    return len(both[0] & both[1]) / len(both[0] | both[1])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_units_do_not_depend_on_their_neighbours(texts: list[str]) -> None:
    together = units_of(texts)
    for place, text in enumerate(texts):
        row = slice(int(together.rows[place]), int(together.rows[place + 1]))
        assert together.hashes[row].tolist() == units_of([text]).hashes.tolist()
        assert together.kinds[row].tolist() == units_of([text]).kinds.tolist()


def test_units_are_words_numbers_characters_and_marks() -> None:
    def count(text: str) -> int:
        return len(units_of([text]).hashes)

    assert count("Acute chest-pain, 12.5mg B12.") == 9
    assert count("急性胃炎2型") == 6
    assert units_of(["ＡＢＣ １２"]).hashes.tolist() == units_of(["abc 12"]).hashes.tolist()
    assert units_of([""]).hashes.tolist() == []
