"""Prepared datasets beside each other: what differs, what uses one, and deleting it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.registry import CHECKS
from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.recipe import Cutoff, PrepareSettings, Recipe
from backend.data.registry import list_prepared
from backend.data.versions import _flat, compare, delete_version, users_of_prepared
from backend.errors import DataError
from backend.files import write_json
from backend.text import LANGUAGES
from backend.training import layout
from backend.training.start_lock import one_at_a_time
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import COLUMNS, Record, put_prepared, record
from ui.components.prepared_shelf import _change
from ui.components.setting_words import setting_name

LONG_AGO = "2026-01-01T00:00:00+00:00"


def make_run(workspace: Workspace, name: str, dataset: str, *, active: bool = False) -> None:
    """A run that was interrupted long ago, or one that is starting now."""
    folder = workspace.runs / name
    folder.mkdir()
    created = datetime.now(UTC).isoformat() if active else LONG_AGO
    run = {"id": name, "created": created, "values": {"dataset": dataset}}
    write_json(folder / layout.RUN, run)


def records(*numbers: int) -> list[Record]:
    return [record(number) for number in numbers]


# --- Comparing ----------------------------------------------------------------------------------


def test_the_same_rows(workspace: Workspace) -> None:
    put_prepared(workspace, "old", records(1, 2))
    put_prepared(workspace, "new", records(1, 2))
    found = compare(workspace, "old", "new")
    assert (found.only_old, found.both, found.only_new) == (0, 2, 0)
    assert found.settings == ()
    assert (found.old.name, found.new.name) == ("old", "new")


def test_a_row_that_is_there_twice_counts_twice(workspace: Workspace) -> None:
    """Duplicates are what two versions mostly differ in; as a set of rows they would be equal."""
    put_prepared(workspace, "old", records(1, 1, 1, 2, 3))
    put_prepared(workspace, "new", records(1, 2, 2, 4))
    found = compare(workspace, "old", "new")
    assert (found.only_old, found.both, found.only_new) == (3, 2, 2)


def test_a_row_that_went_to_the_other_side_is_no_other_row(workspace: Workspace) -> None:
    put_prepared(workspace, "old", records(1, 2), records(3))
    put_prepared(workspace, "new", records(3, 1), records(2))
    found = compare(workspace, "old", "new")
    assert (found.only_old, found.both, found.only_new) == (0, 3, 0)


@settings(deadline=None, max_examples=25)
@given(
    old=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    new=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    aside=st.integers(0, 11),
)
def test_every_row_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, old: list[int], new: list[int], aside: int
) -> None:
    workspace = Workspace.open(tmp_path_factory.mktemp("w") / "w")
    put_prepared(workspace, "old", records(*old[aside:]), records(*old[:aside]))
    put_prepared(workspace, "new", records(*new))
    found = compare(workspace, "old", "new")
    assert found.both == (Counter(old) & Counter(new)).total()
    assert found.only_old == (Counter(old) - Counter(new)).total()
    assert found.only_new == (Counter(new) - Counter(old)).total()


def test_settings_that_differ(workspace: Workspace) -> None:
    """Those only: a list of all settings hides the one that matters."""
    put_prepared(
        workspace,
        "old",
        records(1, 2, 3),
        records(4),
        recipe=Recipe(COLUMNS, Decisions({"refusal": True}, frozenset({7, 3}))),
        source_sha256="a" * 64,
    )
    put_prepared(
        workspace,
        "new",
        records(1, 2, 3),
        records(4),
        recipe=Recipe(
            COLUMNS,
            Decisions({"refusal": False, "pii_name": True}),
            evaluation="exam.json",
            cutoff=Cutoff("org/model", "deepseekr1", 2048),
        ),
        settings=PrepareSettings("new", 0.25, seed=7),
        source_sha256="b" * 64,
    )
    differing = compare(workspace, "old", "new").settings
    assert [(one.name, one.old, one.new) for one in differing] == [
        ("cutoff.model", None, "org/model"),
        ("cutoff.template", None, "deepseekr1"),
        ("cutoff.tokens", None, 2048),
        ("decisions.excluded", [3, 7], []),
        ("decisions.remedies.pii_name", None, True),
        ("decisions.remedies.refusal", True, False),
        ("evaluation", "", "exam.json"),
        ("seed", 42, 7),
        ("source_sha256", "a" * 64, "b" * 64),
    ]
    said = [_change(one, "en") for one in differing]
    assert [(one.label, one.before, one.after) for one in said][3:7] == [
        ("Rows left out by hand", "3, 7", "–"),
        ("Acted on: Names of people", "as advised", "yes"),
        ("Acted on: Refusals", "yes", "no"),
        ("Evaluation file", "–", "exam.json"),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_has_a_name_in_words(language: str) -> None:
    """The page named them as the file does, "decisions.remedies.pii_name", in both languages."""
    every = {role: ("x",) for role in Role}
    recipe = Recipe(
        ColumnMap(Shape.CHOICE, every),
        Decisions({check.id: True for check in CHECKS}),
        cutoff=Cutoff("org/model", "deepseekr1", 2048),
    )
    names = [*_flat({**PrepareSettings("x").to_json(), **recipe.to_json()})]
    names += ["source", "source_sha256"]
    for name in set(names) - {"name"}:
        said = setting_name(language, name)
        assert said and "data." not in said and said != name


def test_two_long_lists_show_where_they_differ(workspace: Workspace) -> None:
    """Only the first twenty were shown: two lists that differ after them looked the same."""
    many = frozenset(range(1, 2001))
    for name, rows in (("old", many | {7001}), ("new", many - {1900} | {7002})):
        recipe = Recipe(COLUMNS, Decisions(excluded=rows))
        put_prepared(workspace, name, recipe=recipe)
    (one,) = compare(workspace, "old", "new").settings
    assert (one.old, one.new) == ([1900, 7001], [7002])


def test_rows_that_only_one_has_are_shown(workspace: Workspace) -> None:
    """The page has had a place for them that was never filled."""
    put_prepared(workspace, "old", records(1, 1, 2, 3), records(*range(10, 20)))
    put_prepared(workspace, "new", records(1, 4))
    found = compare(workspace, "old", "new")
    asked = [str(records(number)[0]["instruction"]) for number in (1, 2, 3, 10, 11)]
    assert found.examples_old == tuple(asked)
    assert found.examples_new == (str(records(4)[0]["instruction"]),)
    (workspace.prepared_datasets / "new" / "data.jsonl").write_text("changed by hand\n" * 2)
    assert compare(workspace, "old", "new").examples_new == ("changed by hand",) * 2


def test_a_long_list_is_shown_in_part(workspace: Workspace) -> None:
    """Ten thousand rows left out by hand must not be ten thousand numbers on the page."""
    decisions = Decisions(excluded=frozenset(range(1, 10_001)))
    put_prepared(workspace, "old")
    put_prepared(workspace, "new", recipe=Recipe(COLUMNS, decisions))
    ((one),) = compare(workspace, "old", "new").settings
    change = _change(one, "en")
    assert (one.name, change.before) == ("decisions.excluded", "–")
    assert change.after == ", ".join(map(str, range(1, 21))) + " … and 9,980 more"


@pytest.mark.parametrize("pair", [("x", "gone"), ("gone", "x")])
def test_one_that_is_not_there(workspace: Workspace, pair: tuple[str, str]) -> None:
    put_prepared(workspace, "x")
    with pytest.raises(DataError, match="no prepared dataset “gone”"):
        compare(workspace, *pair)


@pytest.mark.parametrize("damaged", ["old", "new"])
def test_one_whose_rows_are_gone_is_named(workspace: Workspace, damaged: str) -> None:
    put_prepared(workspace, "old")
    put_prepared(workspace, "new")
    (workspace.prepared_datasets / damaged / "data.jsonl").unlink()
    with pytest.raises(DataError, match=f"“{damaged}”"):
        compare(workspace, "old", "new")


# --- Deleting -----------------------------------------------------------------------------------


def test_runs_that_use_a_dataset(workspace: Workspace) -> None:
    put_prepared(workspace, "x")
    make_run(workspace, "before", "x")
    make_run(workspace, "now", "x", active=True)
    make_run(workspace, "other", "x_validation", active=True)
    assert users_of_prepared(workspace, "x") == (["now"], ["before"])
    assert users_of_prepared(workspace, "y") == ([], [])


def test_not_while_a_run_trains_on_it(workspace: Workspace) -> None:
    """LLaMA-Factory reads the rows minutes after its start: without them the run breaks off."""
    put_prepared(workspace, "x")
    make_run(workspace, "now", "x", active=True)
    with pytest.raises(DataError, match="trained on by the run “now”") as caught:
        delete_version(workspace, "x")
    assert "now" in caught.value.sentence("zh")
    assert [one.name for one in list_prepared(workspace)] == ["x"]


def test_a_run_that_is_being_started_is_waited_for(workspace: Workspace) -> None:
    put_prepared(workspace, "x")
    begun = threading.Event()

    def start() -> None:
        with one_at_a_time(workspace):
            begun.set()
            time.sleep(0.3)
            make_run(workspace, "now", "x", active=True)

    starting = threading.Thread(target=start)
    starting.start()
    begun.wait()
    with pytest.raises(DataError, match="trained on by the run “now”"):
        delete_version(workspace, "x")
    starting.join()


def test_after_its_runs_have_ended(workspace: Workspace) -> None:
    put_prepared(workspace, "x")
    put_prepared(workspace, "y")
    make_run(workspace, "before", "x")
    make_run(workspace, "now", "y", active=True)
    delete_version(workspace, "x")
    assert [one.name for one in list_prepared(workspace)] == ["y"]
    with pytest.raises(DataError, match="no prepared dataset"):
        delete_version(workspace, "x")
