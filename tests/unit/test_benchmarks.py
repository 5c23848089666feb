"""The benchmarks' own machinery: table, file, and what a failing benchmark does to the others."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.training.curves import series_of
from backend.training.runs import RunState, find_run
from backend.workspace import Workspace
from benchmarks import (
    chat_columns,
    chat_memory,
    chat_overhead,
    chat_switch,
    data_lengths,
    data_pages,
    data_rows,
    downloads,
    page_open,
    page_tabs,
    page_typing,
    pages,
    soak,
)
from benchmarks.chat_programs import Answered
from benchmarks.common import Result, at_most, at_most_times, broken, shown_beside, table
from benchmarks.data_processes import Spent, in_turns, ratio, timed, weighed
from benchmarks.run_all import Measure, benchmarks, main, run, write
from benchmarks.watched_run import Trainer, a_living_run
from tests.fakes.trainers import wait_until


def test_a_promise_is_held_or_not() -> None:
    assert at_most_times("start", 1.4, "s", 1.0, 1.4).holds
    assert not at_most_times("start", 1.5, "s", 1.0, 1.4).holds
    assert at_most("memory", 300, "MB", 300).holds
    assert not at_most("memory", 301, "MB", 300).holds
    assert shown_beside("memory", 9, "MB", 3) == Result("memory", 9, "MB", 3, 3.0, "", True)


def test_the_table_has_aligned_columns_in_any_script() -> None:
    lines = table([at_most("启动", 2, "s", 3), at_most("start", 20000, "s", 3)]).splitlines()
    assert len(lines) == 4
    assert "holds" in lines[2] and "FAILS" in lines[3]
    # A Chinese letter is two columns wide.
    assert lines[2].index("≤") + 2 == lines[3].index("≤")


def test_a_benchmark_that_fails_is_a_row_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It left no row, so that the file looked as if all promises held."""

    def find(name: str) -> Measure:
        def measure() -> list[Result]:
            if name == "broken":
                raise RuntimeError("the server never got ready")
            return [at_most(name, 1, "s", 2)]

        return measure

    results = run(["first", "broken", "last"], find)
    held = [(one.name, one.holds) for rows in results.values() for one in rows]
    assert held == [("first", True), ("broken came to an end", False), ("last", True)]
    assert "the server never got ready" in capsys.readouterr().err


def test_the_file_is_a_list_with_the_agreed_fields(tmp_path: Path) -> None:
    write({"startup": [at_most_times("start", 1, "s", 2, 1.4)]}, tmp_path / "new", ["startup"])
    (row,) = rows_in(tmp_path / "new")
    assert datetime.fromisoformat(row.pop("measured")).tzinfo
    assert row == {
        "benchmark": "startup",
        "name": "start",
        "value": 1,
        "unit": "s",
        "baseline": 2,
        "ratio": 0.5,
        "goal": "≤ 1.4 ×",
        "holds": True,
    }


def test_one_benchmark_alone_leaves_the_others_rows_in_the_file(tmp_path: Path) -> None:
    """``make bench ARGS=startup`` threw away what an hour of the others had measured."""
    file, known = tmp_path / "latest.json", ["downloads", "startup"]
    old = {
        "startup": [at_most("start", 1, "s", 2)],
        "downloads": [at_most("fetch", 3, "s", 4)],
        "gone": [at_most("of a module that is no more", 3, "s", 4)],
    }
    write(old, file, [*known, "gone"])
    write({"startup": [broken("startup")]}, file, known)
    assert [row["name"] for row in rows_in(file)] == ["fetch", "startup came to an end"]
    for damaged in ("{", "{}", "[1]", '[{"name": "of a time without names of benchmarks"}]'):
        file.write_text(damaged)
        write(old, file, known)
        assert [row["name"] for row in rows_in(file)] == ["fetch", "start"]


def rows_in(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def test_a_download_that_is_too_slow_fails_where_both_check_the_same() -> None:
    ours = [downloads.Timing(whole, 1) for whole in (2.5, 2, 9)]
    bare = [downloads.Timing(2, 1)] * 3
    client = SimpleNamespace()
    for same, held in ((True, False), (False, True)):
        pair = downloads.Pair("ModelScope", client, client, same_checks=same)
        whole, moved = downloads.compared(pair, ours, bare)
        assert (whole.value, whole.baseline, whole.ratio) == (400, 500, 0.8)
        assert (whole.holds, bool(whole.goal)) == (held, same)
        assert (moved.ratio, moved.goal) == (1, "")


def test_made_rows_are_as_long_as_real_ones_and_all_different() -> None:
    """A file of one row over and over would be all duplicates, which take another path."""
    made = list(islice(data_rows.rows(), 400))
    assert made == list(islice(data_rows.rows(), 400))
    for column in ("Question", "Complex_CoT", "Response"):
        assert len({row[column] for row in made}) == 400
    size = sum(len(json.dumps(row, ensure_ascii=False, indent=2).encode()) for row in made) / 400
    assert 3200 < size < 3400


def test_a_large_file_has_the_size_and_the_rows_it_says(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    number = data_rows.write_large(file, 1_000_000)
    rows = json.loads(file.read_bytes())
    assert file.stat().st_size >= 1_000_000
    assert len(rows) == len({row["Question"] for row in rows}) == number


def test_the_tutorials_script_and_medtune_convert_the_same(
    workspace: Workspace, tmp_path: Path
) -> None:
    """But for the tag that the tutorial does not close."""
    source, theirs = tmp_path / "rows.json", tmp_path / "theirs.json"
    data_rows.write_file(source, 20)
    timed([sys.executable, "benchmarks/tutorial_convert.py", source, theirs])
    prepare_now(workspace, source, PrepareSettings("mine", validation_share=0))
    mine = workspace.prepared_datasets / "mine" / "data.jsonl"
    expected = json.loads(theirs.read_bytes())
    found = [json.loads(line) for line in mine.read_bytes().splitlines()]
    assert len(found) == 20
    for one, other in zip(found, expected, strict=True):
        assert (one["instruction"], one["input"]) == (other["instruction"], other["input"])
        assert tagless(one["output"]) == tagless(other["output"])


def tagless(text: str) -> str:
    return "".join(text.replace("<think>", "").replace("</think>", "").split())


def test_a_command_is_timed_and_weighed_and_one_that_fails_says_why() -> None:
    working = [sys.executable, "-c", "import time; b = 60_000_000 * b'x'; time.sleep(0.3)"]
    assert timed(working).wall >= 0.3
    assert 60 < weighed(working) < 160
    with pytest.raises(RuntimeError, match="the disk is full"):
        timed([sys.executable, "-c", "raise SystemExit('the disk is full')"])


def test_a_command_is_timed_until_something_is_reached(tmp_path: Path) -> None:
    """What comes behind it does not count, and nothing of it goes on."""
    here, gone = tmp_path / "here", tmp_path / "gone"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(gone)!r}).touch()"
    program = (
        "import pathlib, subprocess, sys, time; time.sleep(0.2); b = 60_000_000 * b'x'\n"
        f"pathlib.Path({str(here)!r}).touch(); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    command = [sys.executable, "-c", program]
    assert 0.2 <= timed(command, until=here.exists).wall < 2
    here.unlink()
    # Looked at every few milliseconds: on a busy machine the last look is before the peak.
    assert weighed(command, until=here.exists) > 30
    for measure in (timed, weighed):
        with pytest.raises(RuntimeError, match="ended with 0"):
            measure([sys.executable, "-c", ""], until=(tmp_path / "never").exists)
    time.sleep(2)
    assert not gone.exists()


def test_rounds_are_compared_with_each_other_and_the_first_is_not_counted() -> None:
    """A busy minute hits both ways of a round: their ratio says more than that of two medians."""
    first, other = iter((9, 1, 10, 3)), iter((9, 2, 20, 3))
    ours, theirs = in_turns(3, lambda: Spent(next(first), 0), lambda: Spent(next(other), 0))
    assert [one.wall for one in ours] == [1, 10, 3]
    assert ratio(ours, theirs) == 0.5


def test_idle_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert data_lengths.busy(Spent(wall=10, processor=32)).holds
    assert not data_lengths.busy(Spent(wall=10, processor=31)).holds


def test_one_slow_page_breaks_the_promise() -> None:
    times = {"pages": [0.01, 0.02, 0.2], "opening": 0.5, "scan": 3}
    worst, median, opening, _ = data_pages.results(times, whole=10, size=10**9)
    assert (worst.value, worst.ratio, worst.holds) == (200, 0.02, False)
    assert (median.value, opening.holds) == (20, True)


def test_a_run_that_is_watched_logs_until_its_block_ends(workspace: Workspace) -> None:
    with a_living_run(workspace, 3) as folder:
        with Trainer(folder, 3, 0.01) as trainer:
            wait_until(lambda: trainer.step > 4)
            assert find_run(workspace, folder.name).state is RunState.RUNNING
        assert series_of(folder).step.tolist() == list(range(1, trainer.step + 1))
        time.sleep(0.1)
        assert len(series_of(folder).step) == trainer.step
    assert find_run(workspace, folder.name).state is RunState.INTERRUPTED


def test_a_small_disk_gets_a_smaller_file_and_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free = SimpleNamespace(free=1_500_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    assert data_pages.size_for(workspace) == 250_000_000
    assert "a file of 250 MB" in capsys.readouterr().out
    free.free = 2_000_000_000
    assert data_pages.size_for(workspace) == 1_000_000_000


def test_columns_at_once_are_compared_round_by_round() -> None:
    def took(seconds: float) -> Answered:
        return Answered(seconds, None, [])

    rounds = [(took(ours), took(alone), took(8)) for ours, alone in ((3, 10), (4, 10), (50, 100))]
    ours, mixed = chat_columns.compared(rounds)
    assert (ours.value, ours.baseline, ours.ratio, ours.holds) == (4, 10, 0.4, True)
    assert (mixed.ratio, mixed.goal) == (0.8, "")
    assert not chat_columns.compared([(took(4.1), took(10), took(8))])[0].holds


def test_an_answer_with_another_token_breaks_the_promise() -> None:
    said, same = Answered(1, 1, [["w5", "w6"], ["w7"]]), Answered(2, 2, [["w5", "w6"], ["w7"]])
    other = Answered(2, 2, [["w5", "w6"], ["w8"]])
    assert chat_columns.same_tokens(chat_columns.different(said, same)).holds
    assert not chat_columns.same_tokens(chat_columns.different(said, other)).holds
    with pytest.raises(RuntimeError, match="say the same"):
        chat_columns.different(said, Answered(1, 1, [["w5"], ["w5"]]))


def test_the_api_may_cost_a_tenth() -> None:
    assert chat_overhead.against_generate("first", [(1.1, 1), (9, 1), (1, 1)]).holds
    assert not chat_overhead.against_generate("first", [(1.2, 1), (9, 1), (1, 1)]).holds


def test_memory_of_columns_is_taken_at_its_peak(tmp_path: Path) -> None:
    levels = iter([1, 5])
    assert chat_memory.peak_of(lambda: next(levels, 2), lambda: time.sleep(0.1)) == 5
    config = {
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 3,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    # Keys and values of three layers, two heads of 16 numbers of four bytes.
    assert chat_memory.cache(tmp_path, 10) == 10 * 2 * 3 * 2 * 16 * 4


def test_openings_are_compared_round_by_round() -> None:
    def took(ours: float, theirs: float) -> tuple[page_open.Opening, page_open.Opening]:
        return page_open.Opening(ours, 0.6), page_open.Opening(theirs, 0.2)

    result, work = page_open.compared([took(1.4, 1), took(15, 10), took(3.2, 2)])
    assert (result.value, result.baseline, result.ratio, result.holds) == (3.2, 2, 1.5, True)
    assert (work.value, work.baseline, work.goal) == (600, 200, "")
    assert not page_open.compared([took(1.6, 1)])[0].holds


def test_one_slow_tab_in_twenty_is_forgiven_and_a_second_is_not() -> None:
    assert pages.percentile([1, 2, 3], 95) == 3
    assert pages.percentile([*range(1, 101)], 95) == 95
    quick = {"data": [100.0] * 18 + [900.0], "chat": [100.0]}
    first, *_ = page_tabs.compared(quick, quick, [50.0])
    assert (first.value, first.holds) == (100, True)
    slow = {**quick, "chat": [151.0]}
    assert [one.holds for one in page_tabs.compared(quick, slow, [50.0]) if one.goal] == [1, 0]


def test_a_key_that_waits_for_a_script_of_ours_is_told() -> None:
    keys, beside, *fields = page_typing.compared({"name": [10.0] * 19 + [90.0]}, [5.0] * 20)
    assert (keys.value, keys.holds, beside.ratio) == (10, True, 2)
    assert [one.value for one in fields] == [10]
    assert page_typing.long_tasks(50).holds and not page_typing.long_tasks(51).holds


def test_memory_that_grows_and_browsers_that_hinder_each_other_are_told() -> None:
    def watch(refreshes: int, seconds: float, megabytes: list[float]) -> soak.Watch:
        return soak.Watch(refreshes, 10, seconds, megabytes)

    idle, alone = watch(0, 0.5, [1]), watch(10, 0.6, [1])
    flat, cost, *_ = soak.results(idle, alone, watch(200, 2.5, [99, 100, 105]))
    assert (flat.ratio, flat.holds) == (1.05, True)
    assert round(cost.value) == round(cost.baseline or 0) == 10 and cost.holds
    flat, cost, *_ = soak.results(idle, alone, watch(200, 3.5, [99, 100, 106]))
    assert (flat.holds, cost.holds) == (False, False)


def test_a_client_asks_for_what_comes_behind_an_answer() -> None:
    """As the chart's script does: it would get all points each time, which is no watching."""
    body: Any = {"data": {"rides": {"run-chart": {"since": {"one": ["g", 4, 0]}}}}}
    soak.follow(body, {"rides": {"run-chart": {"runs": {}}}})
    assert body["data"]["rides"]["run-chart"]["since"] == {"one": ["g", 4, 0]}
    news = {"generation": "g", "rows": 6, "evaluations": 1}
    soak.follow(body, {"rides": {"run-chart": {"runs": {"one": news}}}})
    assert body["data"]["rides"]["run-chart"]["since"] == {"one": ["g", 6, 1]}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_chat_benchmarks_run_with_a_tiny_model() -> None:
    """The engine says what plain PEFT says, and each measures what it promises to."""
    measured = [
        *chat_columns.measure("tiny", 8),
        *chat_overhead.measure("tiny", 8),
        *chat_switch.measure("tiny"),
        *chat_memory.measure(("tiny", "tiny"), 8),
    ]
    assert all(result.value > 0 for result in measured if result.unit != "answers")
    assert [result.value for result in measured if result.unit == "answers"] == [0, 0]


def test_every_benchmark_is_found_and_an_unknown_one_refused() -> None:
    chat = {"chat_columns", "chat_memory", "chat_overhead", "chat_switch"}
    data = {"data_checks", "data_convert", "data_lengths", "data_pages"}
    watching = {"chart_latency", "refresh_cost", "watching_cpu"}
    page = {"page_open", "page_tabs", "page_typing", "soak"}
    assert {"downloads", "quick_demo", "startup", *chat, *data, *watching, *page} <= set(
        benchmarks()
    )
    assert not {"data_by_page", "data_processes", "data_rows"} & set(benchmarks())
    helpers = {"bare_download", "common", "fetching", "run_all", "servers", "trainings"}
    helpers |= {"lived_in", "minimal_app", "pages"}
    helpers |= {"chat_bare", "chat_model", "chat_programs", "training_logs", "watched_run"}
    assert not helpers & set(benchmarks())
    assert main(["no-such"]) == 2
