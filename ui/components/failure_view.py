"""Why a run ended badly: one sentence, the lines that show it, and buttons for what can be done."""

from __future__ import annotations

from backend.text import text
from backend.training.failures import Explanation
from ui.components.actions import action_button
from ui.html import Safe, element, join

REMEDY = "remedy"
"""The buttons' action; the target is the remedy's place in ``Explanation.remedies``."""


def failure_view(explanation: Explanation | None, language: str) -> Safe:
    """An explanation for an ``action_slot``; nothing where there is nothing to explain."""
    if explanation is None:
        return Safe("")
    return element(
        "div",
        element("p", explanation.problem.sentence(language), cls="mt-bad"),
        _evidence(explanation, language),
        _remedies(explanation, language),
        cls="mt-failure mt-edge-bad",
        role="alert",
        data_kind=explanation.kind,
    )


def _evidence(explanation: Explanation, language: str) -> Safe:
    if not explanation.evidence:
        return Safe("")
    return element(
        "details",
        element("summary", text(language, "training.failures.evidence")),
        element("pre", "\n".join(explanation.evidence), cls="mt-failure-lines"),
        data_key="evidence",
    )


def _remedies(explanation: Explanation, language: str) -> Safe:
    if not explanation.remedies:
        return Safe("")
    buttons = join(
        action_button(
            remedy.label.sentence(language),
            REMEDY,
            str(place),
            tone="primary" if place == 0 else "",
            data_key=f"{REMEDY}-{place}",
        )
        for place, remedy in enumerate(explanation.remedies)
    )
    words = text(language, "training.failures.remedies.title")
    title = element("p", words, cls="mt-quiet mt-small")
    return join([title, element("div", buttons, cls="mt-buttons")])
