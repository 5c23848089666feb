"""What a chart gets of long curves: few points, no spike lost, and then only what is new."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backend.training.chart import MOST_NEW, MOST_POINTS, Seen, View, news
from backend.training.curves import Curves, read_curves
from backend.training.downsampling import pick, pick_around
from backend.training.layout import METRICS, TRAINER_LOG
from backend.training.smoothing import smooth, smooth_end

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
some_values = arrays.arrays(
    np.float64, st.integers(1, 3000), elements=st.floats(-1e6, 1e6), fill=st.floats(-1e6, 1e6)
)


def log(folder: Path, steps: range, **more: Any) -> Curves:
    """A run's folder with a line for each step, loss ``1000 / step``, ten steps an epoch."""
    with (folder / TRAINER_LOG).open("a") as trainer, (folder / METRICS).open("a") as metrics:
        if steps[0] == 1:
            metrics.write(json.dumps({"step": 0, "time": 0.0, "total": 10**6}) + "\n")
        for step in steps:
            entry = {"current_steps": step, "total_steps": 10**6, "epoch": step / 10}
            trained = {**entry, "loss": 1000 / step, "lr": 1e-4, "total_tokens": 100 * step} | more
            trainer.write(json.dumps(trained) + "\n")
            metrics.write(json.dumps({"step": step, "time": 6.0 * step, "grad_norm": 1.0}) + "\n")
            if step % 100 == 0:
                trainer.write(json.dumps({**entry, "eval_loss": 1.0}) + "\n")
    return read_curves(folder)


def answered(curves: Curves, view: View | None = None, seen: Seen | None = None) -> dict[str, Any]:
    answer = news(curves, view or View(), seen)
    assert answer is not None
    json.dumps(answer, allow_nan=False)
    return answer


def seen_of(answer: dict[str, Any]) -> Seen:
    return Seen(answer["generation"], answer["rows"], answer["evaluations"])


# ---- choosing points ----


@relaxed
@given(some_values, st.integers(8, 400), st.booleans())
def test_few_points_keep_ends_smallest_and_largest(
    values: np.ndarray[Any, Any], most: int, log: bool
) -> None:
    places = pick(values, most, log=log)
    assert len(places) <= max(most, 8) and (np.diff(places) > 0).all()
    assert places[0] == 0 and places[-1] == len(values) - 1
    chosen = values[places]
    assert chosen.min() == values.min() and chosen.max() == values.max()


@relaxed
@given(st.integers(1001, 9_000), st.data())
def test_a_spike_stays_wherever_it_is(length: int, data: st.DataObject) -> None:
    """tsdownsample's MinMax leaves out the last of 1,008 values, LTTB one of two spikes."""
    up = data.draw(st.integers(0, length - 1))
    down = data.draw(st.integers(0, length - 1))
    values = 2 + np.sin(np.arange(length))
    values[up] += 1e3
    values[down] = 1e-9
    for log in (False, True):
        assert {up, down} - set(pick(values, 1000, log=log).tolist()) <= {up} & {down}


def test_neighbouring_spikes_up_and_down_both_stay_on_a_logarithmic_scale() -> None:
    """On a linear scale a loss of 1e-6 among losses of 1 is no spike; on the other it is one."""
    values = np.ones(100_000)
    values[50_000], values[50_001] = 100.0, 1e-6
    chosen = set(values[pick(values, 500, log=True)].tolist())
    assert {100.0, 1e-6} <= chosen


@relaxed
@given(st.integers(1, 5000), st.integers(60, 400), st.data())
def test_points_around_a_window(length: int, most: int, data: st.DataObject) -> None:
    x = np.arange(length) * 2.0
    begin = data.draw(st.floats(-10, 2 * length + 10))
    end = data.draw(st.floats(begin, 2 * length + 20))
    values = np.cos(x)
    places = pick_around(x, values, (begin, end), most)
    assert len(places) <= most and (np.diff(places) > 0).all()
    inside = np.flatnonzero((x >= begin) & (x <= end))
    if len(inside) <= most * 7 // 10:
        assert set(inside.tolist()) <= set(places.tolist()), "in the window nothing is left out"


# ---- smoothing ----


@given(
    arrays.arrays(
        np.float64, st.integers(0, 60), elements=st.floats(-1e3, 1e3) | st.just(math.nan)
    ),
    st.floats(0, 0.99),
)
def test_smoothing_is_tensorboards(values: np.ndarray[Any, Any], weight: float) -> None:
    """Its own loop, from TensorBoard's source, is the witness."""
    last, count, expected = 0.0, 0, []
    for value in values.tolist():
        if not math.isfinite(value):
            expected.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        expected.append(last / (1 - weight**count))
    np.testing.assert_allclose(smooth(values, weight), expected, rtol=1e-9, atol=1e-9)


@given(arrays.arrays(np.float64, st.integers(1, 400), elements=st.floats(0.1, 1e3)),
       st.sampled_from([0.0, 0.3, 0.6, 0.9, 0.99]), st.data())  # fmt: skip
def test_the_end_of_a_smoothed_curve_is_what_the_whole_has(
    values: np.ndarray[Any, Any], weight: float, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values)))
    np.testing.assert_allclose(
        smooth_end(values, weight, start), smooth(values, weight)[start:], rtol=1e-9
    )


def test_a_long_smoothed_curve_is_continued_from_near_its_end() -> None:
    values = np.random.default_rng(5).random(50_000)
    for weight in (0.6, 0.99):
        new = smooth_end(values, weight, 49_990)
        np.testing.assert_allclose(new, smooth(values, weight)[-10:], rtol=1e-9)


# ---- answers ----


def test_a_short_run_comes_whole(tmp_path: Path) -> None:
    answer = answered(log(tmp_path, range(1, 201)), View(smoothing=0.5))
    assert answer["fresh"] and answer["whole"]
    assert (answer["rows"], answer["evaluations"], answer["step"]) == (200, 2, 200)
    loss = answer["curves"]["loss"]
    assert loss["x"] == list(range(1, 201)) and loss["y"] == [1000 / x for x in range(1, 201)]
    assert answer["curves"]["eval_loss"]["x"] == [100, 200]
    assert answer["curves"]["speed"]["x"][0] == 2, "the first step has no speed"
    assert len(answer["curves"]["smoothed"]["y"]) == 200
    assert answer["epochs"] == [(n, pytest.approx(10.0 * n)) for n in range(1, 21)]


def test_nothing_new_is_no_answer_and_what_is_new_travels_alone(tmp_path: Path) -> None:
    view = View(smoothing=0.9)
    first = answered(log(tmp_path, range(1, 2001)), view)
    assert news(read_curves(tmp_path), view, seen_of(first)) is None
    second = answered(log(tmp_path, range(2001, 2006)), view, seen_of(first))
    assert not second["fresh"] and second["curves"]["loss"]["x"] == list(range(2001, 2006))
    assert second["epochs"] is None
    whole = smooth(read_curves(tmp_path).series.loss, 0.9)
    np.testing.assert_allclose(second["curves"]["smoothed"]["y"], whole[-5:])
    third = answered(log(tmp_path, range(2006, 2012)), view, seen_of(second))
    # Every ninth, so that there are not too many lines.
    assert third["epochs"][-1] == (198, pytest.approx(1980.0)) and len(third["epochs"]) == 22


def test_a_long_run_is_thinned_out_and_finer_within_a_window(tmp_path: Path) -> None:
    curves = log(tmp_path, range(1, 20_001))
    whole = answered(curves)
    assert not whole["whole"]
    for name, curve in whole["curves"].items():
        assert len(curve["x"]) == len(curve["y"]) <= MOST_POINTS, name
    near = answered(curves, View(window=(5000.0, 5500.0)))["curves"]["loss"]["x"]
    assert [x for x in near if 5000 <= x <= 5500] == list(range(5000, 5501))
    assert near[0] == 1 and near[-1] == 20_000 and len(near) <= MOST_POINTS
    shared = answered(curves, View(runs=8))["curves"]["loss"]["x"]
    assert len(shared) <= MOST_POINTS // 4


@pytest.mark.parametrize("seen", [("other", 10, 0), (None, 11, 0), (None, 10, 3)])
def test_a_chart_that_has_something_else_starts_over(tmp_path: Path, seen: Any) -> None:
    curves = log(tmp_path, range(1, 11))
    generation, rows, evaluations = seen
    asked = Seen(generation or curves.generation, rows, evaluations)
    assert answered(curves, seen=asked)["fresh"]


def test_a_chart_that_fell_behind_gets_all_thinned_out_anew(tmp_path: Path) -> None:
    first = answered(log(tmp_path, range(1, 11)))
    assert answered(log(tmp_path, range(11, 12 + MOST_NEW)), seen=seen_of(first))["fresh"]


def test_x_can_be_tokens_or_minutes(tmp_path: Path) -> None:
    curves = log(tmp_path, range(1, 201))
    tokens = answered(curves, View(axis="tokens"))
    assert tokens["curves"]["loss"]["x"][:2] == [100, 200]
    assert tokens["curves"]["loss"]["step"][:2] == [1, 2]
    assert tokens["curves"]["eval_loss"]["x"] == [10_000, 20_000]
    assert tokens["epochs"][0] == (1, pytest.approx(1000.0))
    minutes = answered(curves, View(axis="time"))
    assert minutes["curves"]["loss"]["x"][:2] == [pytest.approx(0.1), pytest.approx(0.2)]
    assert minutes["curves"]["eval_loss"]["x"] == [pytest.approx(10.0), pytest.approx(20.0)]


def test_a_run_that_logged_no_tokens_has_no_points_by_tokens(tmp_path: Path) -> None:
    curves = log(tmp_path, range(1, 201), total_tokens=None)
    answer = answered(curves, View(axis="tokens", smoothing=0.6))
    assert answer["rows"] == 200 and answer["epochs"] == []
    assert all(curve["x"] == [] for curve in answer["curves"].values())


def test_a_diverged_loss_is_a_gap(tmp_path: Path) -> None:
    log(tmp_path, range(1, 4))
    log(tmp_path, range(4, 7), loss=math.nan)
    answer = answered(log(tmp_path, range(7, 9)), View(smoothing=0.6))
    loss = answer["curves"]["loss"]
    assert loss["x"] == [1, 2, 3, 4, 7, 8] and loss["y"][3] is None
    assert answer["curves"]["smoothed"]["x"] == [1, 2, 3, 7, 8]


def test_no_run_begun_is_an_empty_answer(tmp_path: Path) -> None:
    answer = answered(read_curves(tmp_path))
    assert (answer["rows"], answer["step"], answer["epochs"]) == (0, None, [])
    assert news(read_curves(tmp_path), View(), seen_of(answer)) is None


@settings(relaxed, max_examples=25)
@given(
    st.sampled_from(["step", "tokens", "time"]),
    st.tuples(st.floats(-10, 300), st.floats(301, 600)) | st.none(),
    st.sampled_from([0.0, 0.6, 0.99]),
    st.lists(st.integers(1, 60), max_size=6),
)
def test_what_a_chart_puts_together_is_what_it_would_get_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    axis: Any, window: Any, smoothing: float, pieces: list[int],
) -> None:  # fmt: skip
    """Of a run that is not thinned out: no point twice, none missing, whatever the moments."""
    folder = tmp_path_factory.mktemp("run")
    view = View(axis, window, smoothing)
    seen, step, found = None, 1, {}  # type: ignore[var-annotated]
    for size in [1, *pieces]:
        answer = answered(log(folder, range(step, step + size)), view, seen)
        assert answer["fresh"] == (seen is None)
        for name, curve in answer["curves"].items():
            before = found.setdefault(name, {key: [] for key in curve})
            for key, values in curve.items():
                before[key] += values
        seen, step = seen_of(answer), step + size
    at_once = answered(read_curves(folder), view)["curves"]
    assert found.keys() == at_once.keys()
    for name, curve in at_once.items():
        for key, values in curve.items():
            np.testing.assert_allclose(found[name][key], values, rtol=1e-9, err_msg=name)
