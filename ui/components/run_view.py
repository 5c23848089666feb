"""A run as figures and words: state, progress, checkpoints, log."""

from __future__ import annotations

from collections.abc import Sequence

from backend.text import text
from backend.training.checkpoints import FINAL
from backend.training.runs import Checkpoint, Progress, Run, RunState, log_tail, read_progress
from ui.html import Safe, badge, count, duration, element, empty, facts, figure, join, table

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
    if run.failure is not None:
        pieces.append(element("p", run.failure.sentence(language), cls="mt-bad"))
    elif run.state is RunState.QUEUED:
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
        role="status",
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


def checkpoints_table(checkpoints: Sequence[Checkpoint], language: str) -> Safe:
    if not checkpoints:
        return empty(language, "training.checkpoints.empty")
    headers = [text(language, f"training.checkpoints.{name}") for name in ("name", "step", "state")]
    rows = [
        [
            element("span", checkpoint_words(one.name, language), cls="mt-name"),
            count(one.step),
            badge(text(language, "training.checkpoints.complete"), "good")
            if one.complete
            else badge(text(language, "training.checkpoints.incomplete"), "bad"),
        ]
        for one in checkpoints
    ]
    return table(headers, rows, numeric=frozenset({1}))


def log_view(run: Run, language: str) -> Safe:
    tail = log_tail(run)
    if not tail.strip():
        return empty(language, "training.log.empty")
    # The box is laid out from its end, so that the newest lines are in view without a script.
    return element("div", element("pre", tail), cls="mt-log", tabindex=0)
