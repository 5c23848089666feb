"""Blind votes, what they say of checkpoints, and the pairs that come of them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chat.ballots import Ballot, ballot_of, is_blind, open_ballot, reveal, votes_folder
from backend.chat.preferences import pairs_of, save_pairs
from backend.chat.sheets import Sheet, delete_sheet
from backend.chat.tally import Share, tally, votes_needed, wilson
from backend.chat.votes import Rated, Vote, all_votes, mark, say, verdicts, vote_on
from backend.data.meaning.convert import convert
from backend.data.meaning.detect import detect
from backend.data.meaning.mapping import Shape
from backend.data.meaning.records import Target, target_of
from backend.data.preparing import prepare_now
from backend.data.reading.reader import RowReader
from backend.data.recipe import PrepareSettings
from backend.data.registry import find_prepared, lessons_of
from backend.errors import EngineError
from backend.workspace import Workspace
from tests.fakes.sheets import BASE, OTHER, TUNED, answer, put_sheet

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def letter_of(ballot: Ballot, question: int, place: int, count: int = 3) -> int:
    return ballot.order(question, count).index(place)


def votes(*said: tuple[Any, Any], columns: tuple[Any, ...] = (BASE, TUNED)) -> list[Vote]:
    """Votes on two columns or more: "tie", "bad", or the place of the best."""
    rated = tuple(Rated(column, column.label, "", column.label) for column in columns)
    made = []
    for number, (verdict, times) in enumerate(said):
        best = verdict if isinstance(verdict, int) else None
        word = "best" if best is not None else verdict
        made += [Vote("s", number, word, best, ({"role": "user", "content": "?"},), rated)] * times
    return made


# --- Voting -------------------------------------------------------------------------------------


def test_a_vote_is_for_the_answer_behind_the_letter(workspace: Workspace) -> None:
    sheet = put_sheet(workspace)
    ballot = open_ballot(workspace, sheet)
    say(workspace, sheet, 0, "best", letter_of(ballot, 0, 2))
    kept = vote_on(workspace, sheet, 0)
    assert kept is not None and kept.best == 2
    assert kept.answers[2].column == OTHER and kept.answers[2].text == "first · 40 on 0"
    assert kept.asked == ({"role": "user", "content": "Tired and pale?"},)


def test_the_last_word_counts_and_marks_stay(workspace: Workspace) -> None:
    sheet = put_sheet(workspace)
    ballot = open_ballot(workspace, sheet)
    letter = letter_of(ballot, 0, 0)
    mark(workspace, sheet, 0, letter, "unsafe")
    assert verdicts(workspace, sheet) == {0: ""}, "a mark alone is no verdict"
    say(workspace, sheet, 0, "best", letter)
    say(workspace, sheet, 0, "tie")
    kept = vote_on(workspace, sheet, 0)
    assert kept is not None and (kept.verdict, kept.best) == ("tie", None)
    assert kept.answers[0].marks == {"unsafe"}
    mark(workspace, sheet, 0, letter, "unsafe")
    kept = vote_on(workspace, sheet, 0)
    assert kept is not None and kept.answers[0].marks == frozenset()


def test_each_row_has_an_order_of_its_own_which_stays(workspace: Workspace) -> None:
    sheet = put_sheet(workspace)
    ballot = open_ballot(workspace, sheet)
    orders = [tuple(ballot.order(row, 4)) for row in range(40)]
    assert len(set(orders)) > 10
    again = ballot_of(workspace, sheet.id)
    assert again is not None and [tuple(again.order(row, 4)) for row in range(40)] == orders
    assert ballot.secret not in repr(ballot)


def test_nothing_is_counted_or_shown_before_the_names_are(workspace: Workspace) -> None:
    """A tally that moves with each vote tells who was who."""
    sheet = put_sheet(workspace)
    assert not is_blind(workspace, sheet.id)
    open_ballot(workspace, sheet)
    say(workspace, sheet, 0, "best", 0)
    assert is_blind(workspace, sheet.id) and all_votes(workspace) == []
    reveal(workspace, sheet.id)
    assert len(all_votes(workspace)) == 1
    with pytest.raises(EngineError, match="names"):
        say(workspace, sheet, 1, "tie")
    with pytest.raises(EngineError, match="names"):
        mark(workspace, sheet, 1, 0, "unsafe")


def test_what_can_be_no_vote_is_refused(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, answered=False)
    with pytest.raises(EngineError, match="begun"):
        say(workspace, sheet, 0, "tie")
    with pytest.raises(EngineError, match="begun"):
        reveal(workspace, sheet.id)
    open_ballot(workspace, sheet)
    with pytest.raises(EngineError, match="not all"):
        say(workspace, sheet, 0, "tie")
    for column in sheet.columns:
        sheet.add(answer(0, column, "Rest."))
    for verdict, letter in (("best", None), ("best", 3), ("best", -1), ("tie", 0), ("good", 0)):
        with pytest.raises(EngineError, match="no such"):
            say(workspace, sheet, 0, verdict, letter)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="no such"):
        mark(workspace, sheet, 0, 0, "ugly")
    with pytest.raises(EngineError, match="two"):
        open_ballot(workspace, put_sheet(workspace, [BASE]))


def test_votes_outlive_the_sheet(workspace: Workspace) -> None:
    sheet = put_sheet(workspace)
    open_ballot(workspace, sheet)
    say(workspace, sheet, 0, "best", 1)
    reveal(workspace, sheet.id)
    delete_sheet(workspace, sheet.id)
    (vote,) = all_votes(workspace)
    assert {one.column.fingerprint for one in vote.answers} == {
        *(BASE.fingerprint, TUNED.fingerprint, OTHER.fingerprint)
    }


@given(st.lists(JSON | st.binary(), max_size=6), st.booleans())
def test_any_file_can_lie_where_votes_lie(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Any], shaped: bool
) -> None:
    workspace = Workspace.open(tmp_path_factory.mktemp("votes"))
    file = votes_folder(workspace) / "20260101-000000-abc.jsonl"
    file.parent.mkdir()
    with file.open("wb") as written:
        for number, one in enumerate(lines):
            if not isinstance(one, bytes):
                known = {"question": number, "verdict": "best", "best": 0}
                value = {**known, "answers": one, "asked": one} if shaped else one
                one = json.dumps(value).encode()
            written.write(one + b"\n")
    found = all_votes(workspace)
    tally(found)
    pairs_of(found)


# --- The tally ----------------------------------------------------------------------------------


def test_the_interval_is_wilsons() -> None:
    """The values of R's ``prop.test(x, n, correct = FALSE)``."""
    for hits, count, low, high in ((1, 10, 0.017876, 0.404150), (15, 30, 0.331543, 0.668457)):
        share = wilson(hits, count)
        assert share.low == pytest.approx(low, abs=5e-6)
        assert share.high == pytest.approx(high, abs=5e-6)
    assert wilson(0, 0) == Share(None, 0.0, 1.0, 0)
    assert wilson(0, 10).low == 0.0 and wilson(10, 10).high == 1.0


@given(st.integers(1, 400), st.floats(0, 1))
def test_an_interval_holds_its_share(count: int, part: float) -> None:
    share = wilson(part * count, count)
    assert share.value is not None
    assert 0 <= share.low <= share.value <= share.high <= 1


@given(st.integers(1, 2000), st.data())
def test_so_many_votes_are_needed_and_not_one_less(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    rate = hits / count
    needed = votes_needed(rate)
    if needed is None:
        assert abs(rate - 0.5) < 0.004
        return
    beyond = wilson(rate * needed, needed)
    assert not beyond.low <= 0.5 <= beyond.high
    if needed > 1:
        within = wilson(rate * (needed - 1), needed - 1)
        assert within.low <= 0.5 <= within.high


def test_three_of_five_need_97_votes() -> None:
    assert votes_needed(0.6) == 97 and votes_needed(0.7) == 25 and votes_needed(1.0) == 4


def test_ties_count_half_against_the_base() -> None:
    base, tuned = tally(votes((1, 6), (0, 2), ("tie", 1), ("bad", 1)))
    assert base.column == BASE and base.against is None
    assert tuned.against is not None and tuned.against.value == pytest.approx(0.7)
    assert (tuned.best, tuned.ties, tuned.bad, tuned.rated) == (6, 1, 1, 10)
    assert tuned.clear is False and tuned.needed == 25
    (_, sure) = tally(votes((1, 20), (0, 2)))
    assert sure.clear is True


def test_a_third_that_is_the_best_says_nothing_of_two() -> None:
    standings = tally(votes((2, 5), (1, 3), columns=(BASE, TUNED, OTHER)))
    rates = {one.column.key: one.against for one in standings}
    assert rates[TUNED.key] == wilson(3, 3)
    assert rates[OTHER.key] == wilson(5, 5)


def test_a_run_trained_anew_inherits_no_votes() -> None:
    anew = replace(TUNED, fingerprint="e" * 12)
    old = votes((1, 4))
    new = votes((0, 1), columns=(BASE, anew))
    counts = {one.column.fingerprint: one.rated for one in tally([*old, *new])}
    assert counts == {BASE.fingerprint: 5, TUNED.fingerprint: 4, anew.fingerprint: 1}


def test_one_checkpoint_under_two_names_is_one() -> None:
    final = replace(TUNED, key="first/final", label="first · final")
    standings = tally([*votes((1, 2)), *votes((1, 2), columns=(BASE, final))])
    assert [one.rated for one in standings] == [4, 4]
    assert standings[1].column.label == "first · final"


def test_marks_are_shares_of_the_answers() -> None:
    (vote,) = votes((0, 1))
    marked = replace(vote.answers[1], marks=frozenset({"unsafe"}))
    _, tuned = tally([vote, replace(vote, answers=(vote.answers[0], marked))])
    assert tuned.marks["unsafe"] == wilson(1, 2) and tuned.marks["unsupported"] == wilson(0, 2)


def test_another_reference_can_be_chosen() -> None:
    first, second = tally(votes((1, 3)), TUNED.identity)
    assert first.column == TUNED and second.against == wilson(0, 3)
    no_base = tally(votes((1, 3), columns=(TUNED, OTHER)))
    assert all(one.against is None for one in no_base)


# --- Pairs --------------------------------------------------------------------------------------


def rated_sheet(workspace: Workspace, *, seed: int = 0) -> Sheet:
    sheet = put_sheet(workspace)
    ballot = open_ballot(workspace, sheet)
    chance = random.Random(seed)
    for question in range(sheet.count):
        say(workspace, sheet, question, "best", letter_of(ballot, question, chance.randrange(3)))
    return sheet


def test_votes_become_lessons_that_rank(workspace: Workspace) -> None:
    """The Data tab finds by itself what the columns are, and prepares them for DPO."""
    sheet = rated_sheet(workspace)
    with pytest.raises(EngineError, match="prefers"):
        save_pairs(workspace)
    reveal(workspace, sheet.id)
    path, pairs = save_pairs(workspace)
    assert len(pairs.rows) == 4 and path.parent == workspace.raw_datasets
    rows = list(RowReader.open(path, cache=workspace.cache))
    found = detect([row.value for row in rows if row.value])
    assert found.best is not None and found.best.shape is Shape.PREFERENCE
    assert target_of(found.best) is Target.RANKING
    assert found.candidates[0].matched == 4
    lesson = convert(rows[0], found.best).lesson
    assert lesson is not None and lesson.pair is not None
    assert lesson.question == "Tired and pale?"
    assert lesson.pair.chosen.startswith("<think>\nhm\n</think>\n\n")
    prepare_now(workspace, path, PrepareSettings(name="votes", validation_share=0.0))
    prepared = find_prepared(workspace, "votes")
    assert prepared.report.target is Target.RANKING
    assert all(one.pair is not None for one in lessons_of(prepared))


def test_what_must_not_be_taught_is_no_better_answer() -> None:
    (vote,) = votes((1, 1))
    best = vote.answers[1]
    for unfit in (
        replace(best, marks=frozenset({"unsafe"})),
        replace(best, whole=False),
        replace(best, text=" "),
    ):
        pairs = pairs_of([replace(vote, answers=(vote.answers[0], unfit))])
        assert (pairs.rows, pairs.unfit) == ((), 1)
    pairs = pairs_of(votes(("tie", 2), ("bad", 1)))
    assert (pairs.rows, pairs.undecided) == ((), 3)
    same = replace(vote.answers[0], column=TUNED)
    assert pairs_of([replace(vote, answers=(vote.answers[0], same))]).rows == ()
