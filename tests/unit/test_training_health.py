"""Health: few false alarms on healthy curves, faults found, too few points said to be so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.training.diagnoses import LONGEST_SECONDS, Diagnoses
from backend.training.health import FEWEST, Finding, diagnose
from backend.training.series import Series
from tests.conftest import ROOT
from tests.fakes import curves

CURVES = ROOT / "tests" / "data" / "curves"
SEEDS = 500
FAULTY_SEEDS = 100


def kinds(series: Series) -> set[str]:
    return {finding.kind for finding in diagnose(series)}


def alarms(findings: list[Finding]) -> set[str]:
    return {finding.kind for finding in findings if finding.tone in ("warning", "bad")}


def found(series: Series, kind: str) -> Finding:
    return next(finding for finding in diagnose(series) if finding.kind == kind)


def number(finding: Finding, name: str) -> float:
    return float(str(finding.problem.params[name]).replace(",", ""))


def of_losses(*losses: float, evaluations: dict[int, float] | None = None) -> Series:
    """A series of losses at steps 1, 2, … and of evaluations by step; all else is unknown."""
    unknown = np.full(len(losses), np.nan)
    evaluated = evaluations or {}
    return Series(
        step=np.arange(1.0, len(losses) + 1),
        loss=np.array(losses, float),
        learning_rate=unknown,
        epoch=unknown,
        tokens=unknown,
        time=unknown,
        grad_norm=unknown,
        speed=unknown,
        memory=unknown,
        gpu_memory=unknown,
        gpu_use=unknown,
        eval_step=np.array(list(evaluated), float),
        eval_loss=np.array(list(evaluated.values()), float),
    )


# --- How often it is wrong ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_healthy() -> list[list[Finding]]:
    """500 healthy curves: noisy, short, long, with warm-up, stairs at epochs, single outliers."""
    return [diagnose(curves.healthy(seed)) for seed in range(SEEDS)]


def test_few_false_alarms(of_healthy: list[list[Finding]]) -> None:
    wrong = {seed: alarms(findings) for seed, findings in enumerate(of_healthy) if alarms(findings)}
    assert len(wrong) <= 0.02 * SEEDS, wrong


def test_a_healthy_loss_is_mostly_seen_to_fall(of_healthy: list[list[Finding]]) -> None:
    """Saying nothing of any curve would also give no false alarm."""
    fell = sum("falling" in {one.kind for one in findings} for findings in of_healthy)
    assert fell >= 0.9 * SEEDS


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("diverging", curves.diverging),
        ("flat", curves.flat),
        ("not_a_number", curves.not_a_number),
        ("spikes", curves.spiking),
        ("overfitting", curves.overfitting),
        ("slower", curves.slowing),
    ],
)
def test_faults_are_found(kind: str, make: Callable[[int], Series]) -> None:
    missed = [seed for seed in range(FAULTY_SEEDS) if kind not in kinds(make(seed))]
    assert len(missed) <= 0.05 * FAULTY_SEEDS, missed


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 600),
    st.floats(0.0, 2.0),
    st.sampled_from(["loss", "grad_norm", "speed", "learning_rate", "eval_loss"]),
    st.sampled_from([np.nan, 0.0, 1e300, -1.0]),
)
def test_nothing_makes_it_fail(seed: int, points: int, noise: float, name: str, odd: float) -> None:
    """Any length, any noise, and values that no training should have logged."""
    series = curves.healthy(seed, points=points, noise=noise)
    values = getattr(series, name).copy()
    values[seed % 7 :: 7] = odd
    findings = diagnose(replace(series, **{name: values}))
    assert findings and len({one.kind for one in findings}) == len(findings)
    for finding in findings:
        for language in ("en", "zh"):
            assert "{" not in finding.problem.sentence(language)
            assert finding.advice.sentence(language)


# --- What it says -------------------------------------------------------------------------------


def test_too_few_points_are_said_to_be_too_few() -> None:
    for points in (0, 1, FEWEST - 1):
        (finding,) = diagnose(of_losses(*[30.0 - n for n in range(points)]))
        assert (finding.kind, finding.tone) == ("too_few", "quiet")
        assert finding.problem.params["points"] == points


def test_noise_without_a_trend_is_not_called_flat_from_thirty_points() -> None:
    draw = np.random.default_rng(1)
    (finding,) = diagnose(of_losses(*(2 + 0.4 * draw.standard_normal(30))))
    assert (finding.kind, finding.tone) == ("unclear", "quiet")


def test_losses_of_exactly_zero_are_what_is_left_of_nan() -> None:
    """transformers logs 0 in place of NaN: a dead training's chart looked like a perfect one."""
    finding = found(of_losses(*[2.0 - 0.01 * n for n in range(50)], *[0.0] * 10), "not_a_number")
    assert finding.tone == "bad"
    assert number(finding, "step") == 51 and number(finding, "last") == 1.51


def test_a_nan_is_said_even_of_three_points() -> None:
    series = replace(of_losses(2.0, np.nan, np.nan), unusable=(2, 3))
    assert [one.kind for one in diagnose(series)] == ["not_a_number", "too_few"]


def test_a_divergence_names_the_step_of_the_lowest_loss() -> None:
    fall = [2.0 - 0.01 * n for n in range(100)]
    finding = found(of_losses(*fall, *[1.0 + 0.1 * n for n in range(40)]), "diverging")
    assert 90 <= number(finding, "step") <= 112 and number(finding, "now") > 3


def test_a_late_explosion_of_a_long_run_is_seen_within_a_hundred_steps() -> None:
    """Looked at in twentieths, a run of 100,000 steps would have to burn 10,000 more first."""
    series = curves.healthy(3, points=100_000, noise=0.1)
    loss = series.loss.copy()
    loss[-60:] = 9.0
    assert "diverging" in kinds(replace(series, loss=loss))


def test_a_bump_that_is_over_is_no_divergence() -> None:
    loss = np.array([2.0 - 0.01 * n for n in range(100)] + [0.9] * 100)
    loss[110:140] = 4.0
    assert not alarms(diagnose(of_losses(*loss)))


def test_overfitting_names_the_step_of_the_best_evaluation() -> None:
    fall = [2.0 / (1 + 0.05 * n) for n in range(100)]
    evaluations = {10: 1.8, 20: 1.5, 30: 1.3, 40: 1.25, 50: 1.32, 60: 1.4, 80: 1.6, 100: 1.9}
    finding = found(of_losses(*fall, evaluations=evaluations), "overfitting")
    assert number(finding, "step") == 40 and number(finding, "low") == 1.25


def test_both_losses_rising_is_not_overfitting() -> None:
    turned = [2.0 - 0.02 * n for n in range(50)] + [1.0 + 0.05 * n for n in range(50)]
    evaluations = {10: 1.9, 30: 1.5, 50: 1.1, 70: 2.0, 90: 3.0, 100: 3.5}
    assert kinds(of_losses(*turned, evaluations=evaluations)) == {"diverging"}


def test_the_worst_comes_first() -> None:
    series = curves.diverging(1)
    speed = series.speed.copy()
    speed[len(speed) * 2 // 3 :] *= 0.2
    tones = [one.tone for one in diagnose(replace(series, speed=speed))]
    assert tones[0] == "bad" and "warning" in tones


# --- Recorded curves ----------------------------------------------------------------------------


def recorded(name: str) -> Series:
    """A real training by LLaMA-Factory, see tests/data/curves/README.md."""
    entries = lines(CURVES / f"{name}.trainer_log.jsonl")
    metrics = {entry["step"]: entry for entry in lines(CURVES / f"{name}.metrics.jsonl")}
    trained = [entry for entry in entries if "loss" in entry]
    evaluated = {e["current_steps"]: e["eval_loss"] for e in entries if "eval_loss" in e}
    series = of_losses(*[entry["loss"] for entry in trained], evaluations=evaluated)
    steps = [entry["current_steps"] for entry in trained]
    time = np.array([metrics[step]["time"] for step in steps])
    tokens = np.array([entry["total_tokens"] for entry in trained], float)
    return replace(
        series,
        step=np.array(steps, float),
        learning_rate=np.array([entry["lr"] for entry in trained]),
        grad_norm=np.array([metrics[step]["grad_norm"] or np.nan for step in steps], float),
        speed=np.concatenate([[np.nan], np.diff(tokens) / np.diff(time)]),
    )


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_real_training_that_learned_its_rows_by_heart() -> None:
    findings = diagnose(recorded("overfitting"))
    assert {one.kind for one in findings} >= {"falling", "overfitting"}
    assert number(found(recorded("overfitting"), "overfitting"), "step") == 72


def up_to(whole: Series, step: float) -> Series:
    """What was known of a recorded training when it had come so far."""
    until, first = whole.step <= step, whole.eval_step <= step
    names = ("step", "loss", "learning_rate", "grad_norm", "speed")
    cut = {name: getattr(whole, name)[until] for name in names}
    cut |= {"eval_step": whole.eval_step[first], "eval_loss": whole.eval_loss[first]}
    return replace(whole, **cut)


def test_the_same_training_up_to_its_best_step_is_healthy() -> None:
    findings = diagnose(up_to(recorded("overfitting"), 72))
    assert not alarms(findings) and "falling" in {one.kind for one in findings}


def test_a_real_healthy_training_raises_no_alarm_at_any_step() -> None:
    """The quick demo, on a machine that was so busy that some steps took ten times as long."""
    whole = recorded("quick_demo")
    for step in whole.step:
        findings = diagnose(up_to(whole, step))
        assert not alarms(findings), step
        kind = "too_few" if step < FEWEST else "falling"
        assert {one.kind for one in findings} == {kind}, step


def test_a_validation_loss_that_rises_from_its_first_evaluation_on() -> None:
    whole = recorded("by_heart")
    for step in whole.step:
        findings = diagnose(up_to(whole, step))
        assert alarms(findings) == ({"overfitting"} if step >= 40 else set()), step
    assert number(found(whole, "overfitting"), "step") == 10


def test_a_real_training_with_far_too_high_a_learning_rate() -> None:
    """It was lost within four steps, and lay at the loss of a model that knows nothing."""
    whole = recorded("diverging")
    for step in whole.step[whole.step >= 24]:
        assert diagnose(up_to(whole, step))[0].kind == "diverging", step
    assert number(found(whole, "diverging"), "step") == 4


# --- How often it looks -------------------------------------------------------------------------


def test_findings_are_made_anew_only_for_new_points_and_not_all_the_time() -> None:
    """A page asks every second; the diagnosis of 100,000 points must not take a tenth of a core."""
    clock = Clock()
    diagnoses = Diagnoses(clock=clock)
    short, longer = of_losses(*[30.0 - n for n in range(25)]), of_losses(*[9.0] * 60)
    clock.cost = 0.05
    first = diagnoses.of("run", short)
    clock.now += 1000
    assert diagnoses.of("run", of_losses(*short.loss)) is first
    assert diagnoses.of("other", longer) != first
    again = diagnoses.of("run", longer)
    assert again is not first
    clock.now += LONGEST_SECONDS - 1  # a quick one would be due after 1,000 times its cost
    assert diagnoses.of("run", short) is again
    clock.now += 1
    clock.cost = 0.002
    assert diagnoses.of("run", short) == first
    clock.now += 1.9
    assert diagnoses.of("run", longer) == first
    clock.now += 0.1
    assert diagnoses.of("run", longer) == again
    clock.now += 2
    assert diagnoses.of("run", short) == first
    # Of a run that is over nothing comes that would have it looked at again.
    last = diagnoses.of("run", longer, over=True)
    assert last == again != first
    clock.now += 1
    assert diagnoses.of("run", longer, over=True) is last


class Clock:
    """Each look at it costs the time that a diagnosis does."""

    def __init__(self) -> None:
        self.now, self.cost = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.cost
        return self.now
