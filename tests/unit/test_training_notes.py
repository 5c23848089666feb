"""Tags and notes of runs: what is typed is what is kept, whatever was there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import RunError
from backend.training.notes import NOTE, Note, read_note, write_note


def test_a_run_without_a_note_has_an_empty_one(tmp_path: Path) -> None:
    assert read_note(tmp_path) == Note()


@pytest.mark.parametrize("damage", ["", "[]", '{"tags": 3, "note": "x"}', "{"])
def test_a_damaged_note_is_an_empty_one(tmp_path: Path, damage: str) -> None:
    (tmp_path / NOTE).write_text(damage, encoding="utf-8")
    assert read_note(tmp_path) == Note()


def test_tags_are_separated_by_commas_of_either_language(tmp_path: Path) -> None:
    kept = write_note(tmp_path, " baseline，低学习率, baseline ; v2 ", "  the first \n")
    assert kept == Note(("baseline", "低学习率", "v2"), "the first")
    assert read_note(tmp_path) == kept


def test_too_much_is_refused_and_the_old_note_stays(tmp_path: Path) -> None:
    kept = write_note(tmp_path, "one", "note")
    for tags, note in (("x" * 31, ""), (",".join(map(str, range(13))), ""), ("", "n" * 2001)):
        with pytest.raises(RunError):
            write_note(tmp_path, tags, note)
    assert read_note(tmp_path) == kept


@given(st.lists(st.text("ab-中 ", min_size=1, max_size=30), max_size=12), st.text(max_size=200))
def test_what_is_kept_is_kept_when_it_is_saved_again(
    tmp_path_factory: pytest.TempPathFactory, tags: list[str], note: str
) -> None:
    folder = tmp_path_factory.mktemp("note")
    kept = write_note(folder, ",".join(tags), note)
    assert write_note(folder, ", ".join(kept.tags), kept.note) == kept == read_note(folder)
