"""The curves of a run: what its logs say, whatever the moments at which they were read."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.training import curves, follow
from backend.training.curves import RunCurves, read_curves, series_of
from backend.training.layout import METRICS, TRAINER_LOG
from backend.training.series import Series

# Lines of a real log (LLaMA-Factory 0.9.5), shortened.
TRAINED = {"current_steps": 5, "total_steps": 12, "loss": 6.9, "lr": 9e-05, "epoch": 0.625}
EVALUATED = {"current_steps": 5, "total_steps": 12, "eval_loss": 6.8, "epoch": 0.625}
LAST = {"current_steps": 12, "total_steps": 12, "epoch": 1.5, "percentage": 100.0}
BEGIN = {"step": 0, "time": 1000.0, "event": "begin", "total": 12}


def trained(step: int, **more: Any) -> dict[str, Any]:
    return {
        **TRAINED,
        "current_steps": step,
        "loss": float(step),
        "total_tokens": 100 * step,
    } | more


def noted(step: int, time: float, **more: Any) -> dict[str, Any]:
    return {"step": step, "time": time, "grad_norm": step / 10, "memory": 10**9, **more}


def text(lines: Sequence[Any]) -> str:
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)


def write(folder: Path, *lines: Any, name: str = TRAINER_LOG) -> None:
    (folder / name).write_text(text(lines), encoding="utf-8")


def append(folder: Path, *lines: Any, name: str = TRAINER_LOG) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(text(lines))


def values(series: Series) -> dict[str, Any]:
    """A series as lists that can be compared: NaN is None."""
    found = {}
    for field in fields(series):
        value = getattr(series, field.name)
        if isinstance(value, np.ndarray):
            value = [None if math.isnan(number) else number for number in value.tolist()]
        found[field.name] = value
    return found


def steps(folder: Path) -> list[float]:
    return series_of(folder).step.tolist()


def test_a_series_has_what_was_logged(tmp_path: Path) -> None:
    write(tmp_path, {**TRAINED, "total_tokens": 700}, EVALUATED, LAST)
    write(tmp_path, BEGIN, noted(5, 1010.0, gpu_memory=7, gpu_use=93), name=METRICS)
    assert values(series_of(tmp_path)) == {
        "step": [5.0],
        "loss": [6.9],
        "learning_rate": [9e-05],
        "epoch": [0.625],
        "tokens": [700.0],
        "time": [1010.0],
        "grad_norm": [0.5],
        "speed": [None],
        "memory": [1e9],
        "gpu_memory": [7.0],
        "gpu_use": [93.0],
        "eval_step": [5.0],
        "eval_loss": [6.8],
        "unusable": (),
        "total_steps": 12,
    }


def test_a_folder_without_logs_has_empty_curves(tmp_path: Path) -> None:
    series = series_of(tmp_path / "nowhere")
    assert len(series.step) == len(series.speed) == len(series.eval_step) == series.total_steps == 0


def test_what_is_unchanged_is_not_made_again(tmp_path: Path) -> None:
    write(tmp_path, TRAINED)
    write(tmp_path, BEGIN, name=METRICS)
    first = read_curves(tmp_path)
    assert read_curves(tmp_path) is first
    append(tmp_path, trained(6))
    second = read_curves(tmp_path)
    assert second.series.step.tolist() == [5, 6] and first.series.step.tolist() == [5]
    assert second.generation == first.generation


def test_the_total_is_known_before_the_first_step(tmp_path: Path) -> None:
    write(tmp_path, BEGIN, name=METRICS)
    assert series_of(tmp_path).total_steps == 12
    # Resumed with more steps to do: the trainer's log knows of these with its next line only.
    write(tmp_path, trained(10), trained(12))
    append(tmp_path, {"step": 12, "time": 2000.0, "total": 24}, name=METRICS)
    assert series_of(tmp_path).total_steps == 24


def test_speed_is_that_since_the_entry_before(tmp_path: Path) -> None:
    """LLaMA-Factory divides all tokens by the time since a resume: far too fast."""
    write(tmp_path, *[trained(step) for step in (10, 20, 30, 40)])
    write(
        tmp_path, BEGIN, noted(10, 1010.0), noted(20, 1015.0),
        {"step": 20, "time": 9000.0, "event": "begin", "total": 40},
        noted(30, 9004.0), noted(40, 9014.0), name=METRICS,
    )  # fmt: skip
    read = read_curves(tmp_path)
    assert values(read.series)["speed"] == [None, 200.0, None, 100.0]
    assert read.elapsed.tolist() == [10.0, 15.0, 19.0, 29.0], "a pause is no training"


def test_a_clock_that_was_set_back_gives_no_speed(tmp_path: Path) -> None:
    write(tmp_path, trained(1), trained(2), trained(3))
    write(tmp_path, BEGIN, *[noted(n, t) for n, t in ((1, 1010), (2, 900), (3, 910))], name=METRICS)
    assert values(series_of(tmp_path))["speed"] == [None, None, 10.0]
    assert read_curves(tmp_path).elapsed.tolist() == [10.0, 10.0, 20.0]


def test_a_partial_line_is_left_for_the_next_look(tmp_path: Path) -> None:
    write(tmp_path, TRAINED)
    with (tmp_path / TRAINER_LOG).open("a", encoding="utf-8") as file:
        file.write('{"current_steps": 6, "lo')
        file.flush()
        assert steps(tmp_path) == [5]
        file.write('ss": 1.5}\n')
    assert steps(tmp_path) == [5, 6]


def test_a_number_that_comes_late_is_found(tmp_path: Path) -> None:
    """A chart that has drawn the step must learn of it: the generation is another."""
    write(tmp_path, trained(1), trained(2))
    before = read_curves(tmp_path)
    write(tmp_path, BEGIN, noted(1, 1010.0), noted(2, 1020.0), name=METRICS)
    after = read_curves(tmp_path)
    assert after.series.grad_norm.tolist() == [0.1, 0.2]
    assert np.isnan(before.series.grad_norm).all(), "what was handed out stays as it was"
    assert after.generation != before.generation


def test_a_step_that_is_trained_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """The bare command resumes into the same log: the curve went back and drew a second line."""
    write(tmp_path, *[trained(step) for step in (1, 2, 3, 4)], {**EVALUATED, "current_steps": 4})
    write(tmp_path, BEGIN, *[noted(step, 1000.0 + step) for step in (1, 2, 3, 4)], name=METRICS)
    before = read_curves(tmp_path)
    append(tmp_path, trained(3, loss=30.0))
    after = read_curves(tmp_path)
    assert after.series.loss.tolist() == [1.0, 2.0, 30.0]
    assert before.series.loss.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert after.generation != before.generation
    append(tmp_path, {**EVALUATED, "current_steps": 2, "eval_loss": 1.0})
    again = read_curves(tmp_path)
    assert again.series.eval_step.tolist() == [2] and again.generation != after.generation


def shrink(path: Path, content: str) -> None:
    """Emptied and written anew in place, as a shell's ``>`` does."""
    path.write_text(content, encoding="utf-8")


def exchange(path: Path, content: str) -> None:
    """Another file by the same name, whole at once."""
    path.with_suffix(".new").write_text(content, encoding="utf-8")
    os.replace(path.with_suffix(".new"), path)


def remake(path: Path, content: str) -> None:
    """Deleted and made again: the new file often gets the number of the old one."""
    path.unlink()
    path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize("replace", [shrink, exchange, remake])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_a_replaced_log_starts_over(tmp_path: Path, replace: Any, length: int) -> None:
    """Shorter, as long as before to the byte, or longer: only a longer one could seem to go on."""
    write(tmp_path, *[trained(step) for step in (4, 5, 6)])
    before = read_curves(tmp_path)
    replace(tmp_path / TRAINER_LOG, text([trained(step) for step in range(1, 1 + length)]))
    os.utime(tmp_path / TRAINER_LOG, ns=(0, length))
    after = read_curves(tmp_path)
    assert after.series.step.tolist() == list(range(1, 1 + length))
    assert after.generation != before.generation


def test_a_log_cut_to_a_checkpoint_goes_on_from_there(tmp_path: Path) -> None:
    lines = [trained(step) for step in range(1, 9)]
    write(tmp_path, *lines)
    assert len(steps(tmp_path)) == 8
    exchange(tmp_path / TRAINER_LOG, text(lines[:5]))
    assert steps(tmp_path) == [1, 2, 3, 4, 5]
    append(tmp_path, trained(6, loss=0.5))
    assert series_of(tmp_path).loss.tolist()[-2:] == [5.0, 0.5]


def test_a_log_that_was_removed_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, TRAINED, {**TRAINED, "current_steps": 6, "loss": math.nan})
    assert series_of(tmp_path).unusable == (6,)
    (tmp_path / TRAINER_LOG).unlink()
    assert steps(tmp_path) == [] and series_of(tmp_path).unusable == ()


def test_what_is_no_entry_gives_no_point(tmp_path: Path) -> None:
    write(
        tmp_path, "junk", "[1]", "null", "", '{"loss": 1.0}', {"current_steps": True, "loss": 1.0},
        {"current_steps": -1, "loss": 1.0}, {"current_steps": 1.5, "loss": 1.0}, "\x00\x00",
        {"current_steps": 10**30, "loss": 1.0}, "[" * 100_000, TRAINED,
    )  # fmt: skip
    assert steps(tmp_path) == [5]


def test_what_is_no_number_is_a_gap(tmp_path: Path) -> None:
    huge = '{"current_steps": 6, "loss": 1' + "0" * 400 + ', "lr": NaN}'
    write(tmp_path, {**TRAINED, "loss": "low", "lr": None, "epoch": True}, huge)
    series = series_of(tmp_path)
    assert np.isnan([*series.loss, *series.learning_rate, series.epoch[0]]).all()
    assert series.unusable == ()


def test_a_diverged_loss_is_a_gap_and_told(tmp_path: Path) -> None:
    """Python's json writes a bare NaN, which strict readers refuse: the chart lost those steps."""
    write(tmp_path, trained(1), trained(2, loss=math.nan), trained(3, loss=math.inf), trained(4))
    series = series_of(tmp_path)
    assert values(series)["loss"] == [1.0, None, None, 4.0]
    assert series.unusable == (2, 3)
    append(tmp_path, trained(5, loss=math.nan), trained(3))
    assert series_of(tmp_path).unusable == (2,)


def test_a_long_log_comes_in_parts(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(follow, "CHUNK", 150)
    write(tmp_path, *[trained(step) for step in range(200)], "x" * 1000, trained(300))
    assert steps(tmp_path) == [*range(200), 300]


def test_runs_that_nobody_asks_for_are_forgotten(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(curves, "MOST_RUNS", 3)
    kept = curves._Kept()
    folders = [tmp_path / str(number) for number in range(5)]
    first = kept.of(folders[0])
    for folder in folders[1:3]:
        kept.of(folder)
    assert kept.of(folders[0]) is first
    for folder in folders[3:]:
        kept.of(folder)
    assert kept.of(folders[0]) is first and len(kept._runs) == 3


def test_many_rows_are_forgotten_only_when_nobody_looks(tmp_path: Path, monkeypatch: Any) -> None:
    """Two long runs laid over each other must not push each other out at every look."""
    monkeypatch.setattr(curves, "MOST_ROWS", 3)
    kept = curves._Kept()
    for name in "ab":
        (tmp_path / name).mkdir()
        write(tmp_path / name, *[trained(step) for step in range(4)])
        kept.of(tmp_path / name).now()
    assert len(kept._runs) == 2
    monkeypatch.setattr(curves, "LOOKED_AT_SECONDS", -1.0)
    kept.of(tmp_path / "b").now()
    assert list(kept._runs) == [tmp_path / "b"]


def test_threads_see_whole_curves(tmp_path: Path) -> None:
    """Every page asks in a thread of its own."""
    write(tmp_path)
    write(tmp_path, BEGIN, name=METRICS)
    wrong: list[str] = []
    done = threading.Event()

    def look() -> None:
        longest = 0
        while not done.is_set():
            series = series_of(tmp_path)
            if series.step.tolist() != list(range(len(series.step))):
                wrong.append("steps")
            if series.loss.tolist() != series.step.tolist() or len(series.step) < longest:
                wrong.append("losses")
            longest = len(series.step)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for step in range(500):
        append(tmp_path, noted(step, 1000.0 + step), name=METRICS)
        append(tmp_path, trained(step))
    done.set()
    for looker in lookers:
        looker.join()
    assert not wrong and len(series_of(tmp_path).step) == 500


# ---- any log, written in any pieces ----

numbers = st.one_of(st.floats(), st.integers(-(10**20), 10**20), st.none(), st.booleans())
some_steps = st.integers(0, 12)
trainer_lines = st.fixed_dictionaries(
    {"current_steps": some_steps},
    optional={
        "total_steps": st.integers(1, 99),
        "loss": numbers,
        "eval_loss": numbers,
        "lr": numbers,
        "epoch": numbers,
        "total_tokens": st.integers(0, 10**6),
        "elapsed_time": st.text(max_size=5),
    },
)
metric_lines = st.fixed_dictionaries(
    {"step": some_steps},
    optional={
        "time": st.floats(0, 1e9),
        "grad_norm": numbers,
        "memory": st.integers(0, 10**12),
        "total": st.integers(1, 99),
    },
)
noise = st.binary(max_size=20).map(lambda one: one.replace(b"\n", b""))


def logs(entries: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    line = st.one_of(entries.map(lambda entry: json.dumps(entry).encode()), noise)
    return st.lists(line, max_size=25).map(lambda some: b"".join(one + b"\n" for one in some))


pieces = st.lists(st.tuples(st.booleans(), st.integers(1, 150)), max_size=40)
relaxed = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def at_once(folder: Path, trainer: bytes, metrics: bytes) -> tuple[dict[str, Any], list[float]]:
    (folder / TRAINER_LOG).write_bytes(trainer)
    (folder / METRICS).write_bytes(metrics)
    read = RunCurves(folder).now()
    return values(read.series), np.nan_to_num(read.elapsed, nan=-1).tolist()


@relaxed
@given(logs(trainer_lines), logs(metric_lines), pieces)
def test_any_chopping_into_writes_gives_the_same_series(
    tmp_path: Path, trainer: bytes, metrics: bytes, sizes: list[tuple[bool, int]]
) -> None:
    expected = at_once(tmp_path, trainer, metrics)
    (tmp_path / TRAINER_LOG).write_bytes(b"")
    (tmp_path / METRICS).write_bytes(b"")
    reader = RunCurves(tmp_path)
    left = {TRAINER_LOG: trainer, METRICS: metrics}
    for is_trainer, size in [*sizes, (True, len(trainer)), (False, len(metrics))]:
        name = TRAINER_LOG if is_trainer else METRICS
        with (tmp_path / name).open("ab") as file:
            file.write(left[name][:size])
        left[name] = left[name][size:]
        handed_out = reader.now()
        before = values(handed_out.series)
    read = reader.now()
    assert (values(read.series), np.nan_to_num(read.elapsed, nan=-1).tolist()) == expected
    assert values(handed_out.series) == before


@relaxed
@given(logs(trainer_lines), logs(trainer_lines), logs(metric_lines), st.booleans())
def test_any_log_in_the_place_of_any_other_is_read_anew(
    tmp_path: Path, first: bytes, second: bytes, metrics: bytes, in_place: bool
) -> None:
    expected = at_once(tmp_path, second, metrics)
    (tmp_path / TRAINER_LOG).write_bytes(first)
    reader = RunCurves(tmp_path)
    reader.now()
    if in_place:
        (tmp_path / TRAINER_LOG).write_bytes(second)
        # Two writes within one tick of the file system's clock are none that anyone could see.
        os.utime(tmp_path / TRAINER_LOG, ns=(0, 1))
    else:
        (tmp_path / "new").write_bytes(second)
        os.replace(tmp_path / "new", tmp_path / TRAINER_LOG)
    assert values(reader.now().series) == expected[0]


@relaxed
@given(logs(trainer_lines), logs(metric_lines))
def test_steps_rise_and_all_curves_are_as_long(
    tmp_path: Path, trainer: bytes, metrics: bytes
) -> None:
    at_once(tmp_path, trainer, metrics)
    series = RunCurves(tmp_path).now().series
    assert (np.diff(series.step) > 0).all() and (np.diff(series.eval_step) > 0).all()
    assert len({len(getattr(series, name.name)) for name in fields(series)[:10]}) == 1
    assert set(series.unusable) <= set(series.step[np.isnan(series.loss)].tolist())
