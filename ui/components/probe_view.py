"""A probe on the page: a button that starts it, how far it is, or why it failed."""

from __future__ import annotations

from backend.text import text
from backend.training.failures import explain
from backend.training.probing import STEPS
from backend.training.runs import Run, RunState, read_progress
from ui.components.actions import action_button
from ui.components.speaking import says
from ui.html import Safe, element, join

PROBE, STOP = "probe", "stop_probe"
"""The buttons' actions."""


def probe_view(run: Run | None, language: str) -> Safe:
    """A probe for an ``action_slot``; what can be started where there is none."""
    if run is None:
        return join([_button("start", PROBE, language), _small("help", language)])
    if run.state.active:
        return _under_way(run, language)
    explanation = explain(run)
    why = explanation.problem.sentence(language) if explanation else ""
    pieces = [element("p", text(language, "planning.probe.failed", why=why), cls="mt-bad")]
    if explanation and explanation.evidence:
        lines = element("pre", "\n".join(explanation.evidence), cls="mt-failure-lines")
        title = element("summary", text(language, "training.failures.evidence"))
        pieces.append(element("details", title, lines, data_key="evidence"))
    pieces.append(_button("again", PROBE, language))
    pieces.append(_button("close", STOP, language))
    return element("div", join(pieces), cls="mt-probe mt-failure", role="alert")


def _under_way(run: Run, language: str) -> Safe:
    progress = read_progress(run)
    step = progress.step if progress else 0
    if run.state is RunState.RUNNING and step:
        said = text(language, "planning.probe.step", step=step, steps=STEPS)
    else:
        said = text(language, "planning.probe.loading")
    bar = element("progress", value=step, max=STEPS, aria_label=said)
    pieces = [element("p", said), bar, _button("cancel", STOP, language)]
    return element("div", join(pieces), cls="mt-probe", data_step=step, **says("probe", said))


def _button(name: str, action: str, language: str) -> Safe:
    return action_button(text(language, f"planning.probe.{name}"), action, name, data_key=name)


def _small(name: str, language: str) -> Safe:
    return element("p", text(language, f"planning.probe.{name}"), cls="mt-quiet mt-small")
