"""A run as figures and words: what would start, state and progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backend.text import text
from backend.training.asking import just_asked_to_stop
from backend.training.checkpoints import FINAL
from backend.training.layout import LOG, TRAINER_LOG
from backend.training.runs import Progress, Run, RunState, read_progress
from ui.components.form import choice_words
from ui.components.speaking import says, state_said
from ui.html import Safe, badge, count, duration, element, empty, facts, figure, join, linked

TONES = {
    RunState.QUEUED: "quiet",
    RunState.STARTING: "busy",
    RunState.RUNNING: "busy",
    RunState.STOPPING: "busy",
    RunState.FINISHED: "good",
    RunState.STOPPED: "quiet",
    RunState.FAILED: "bad",
    RunState.INTERRUPTED: "bad",
}


def state_words(run: Run, language: str) -> str:
    return text(language, f"training.states.{run.state.value}")


def status_card(run: Run, language: str) -> Safe:
    """State, how far, and the figures logged last."""
    progress = read_progress(run)
    head = element(
        "div",
        element("strong", run.id),
        badge(state_words(run, language), TONES[run.state]),
        cls="mt-run-head",
    )
    pieces = [head]
    if run.checkpoint_asked:
        pieces.append(element("p", text(language, "training.saving"), cls="mt-quiet"))
    if run.state is RunState.QUEUED:
        pieces.append(element("p", text(language, "training.queued"), cls="mt-quiet"))
    elif run.state is RunState.STARTING:
        pieces.append(element("p", text(language, "training.starting"), cls="mt-quiet"))
    elif run.state is RunState.STOPPING:
        pieces.append(element("p", text(language, "training.stopping"), cls="mt-quiet"))
    pieces.append(_progress(progress, language, running=run.state.active))
    return element(
        "div",
        join(pieces),
        cls="mt-run",
        **says(f"run {run.id}", state_said(language, run.id, state_words(run, language))),
        data_state=run.state.value,
        data_step=progress.step if progress else 0,
    )


def _progress(progress: Progress | None, language: str, *, running: bool) -> Safe:
    """Always the same figures in the same places, so that nothing jumps when they come."""
    step = progress.step if progress else 0
    total = progress.total if progress else 0
    bar = element(
        "progress",
        value=step,
        max=max(total, 1),
        aria_label=text(language, "training.figures.step"),
    )
    remaining = progress.remaining_seconds if progress and running else None
    figures = [
        ("step", f"{count(step)} / {count(total)}" if progress else "–"),
        ("loss", figure(progress.loss if progress else None)),
        ("learning_rate", figure(progress.learning_rate if progress else None, 3)),
        ("epoch", figure(progress.epoch if progress else None, 3)),
        ("elapsed", duration(progress.elapsed_seconds if progress else None)),
        ("remaining", duration(remaining)),
        ("speed", count(progress.tokens_per_second if progress else None)),
    ]
    labelled = [(text(language, f"training.figures.{name}"), value) for name, value in figures]
    return join([bar, facts(labelled)])


def checkpoint_words(name: str, language: str) -> str:
    """A checkpoint's name as it is read: its folder's, or words for what the run saved last."""
    return text(language, "training.checkpoints.final") if name == FINAL else name


def no_run(language: str) -> Safe:
    """What is said where there is no run to show."""
    return empty(language, "training.empty", "hyperparameters#field-dataset")


def plan_card(values: Mapping[str, Any], language: str) -> Safe:
    """What the start button would start."""
    if not values.get("dataset") or not values.get("model"):
        words = text(language, "training.plan_missing")
        return element("p", linked(words, "hyperparameters#field-dataset"), cls="mt-notice")
    method = choice_words("finetuning_type", values["finetuning_type"], language)
    return facts(
        [
            (text(language, "fields.model.label"), values["model"]),
            (text(language, "fields.dataset.label"), values["dataset"]),
            (text(language, "fields.finetuning_type.label"), method),
            (text(language, "fields.template.label"), values["template"] or "–"),
        ]
    )


def stamp(runs: Sequence[Run], chosen: Run | None) -> str:
    """Changes when the page is to be drawn anew: with a state, a checkpoint, or another attempt.

    What a run logs goes on without it.
    """
    states = ",".join(f"{one.id}:{one.state.value}" for one in runs)
    if chosen is None:
        return states
    checkpoints = [(one.name, one.complete) for one in chosen.checkpoints()]
    asked = (chosen.checkpoint_asked, just_asked_to_stop(chosen))
    return f"{states}|{chosen.id}|{chosen.attempts}|{checkpoints}|{asked}"


def log_sizes(runs: Sequence[Run]) -> str:
    """Changes when a run that goes on has logged or printed something."""
    sizes = [_size(one, name) for one in runs if one.state.active for name in (TRAINER_LOG, LOG)]
    return str(sizes)


def _size(run: Run, name: str) -> int:
    try:
        return (run.folder / name).stat().st_size
    except FileNotFoundError:
        return 0
