"""What a run's curves show, in words: each finding with its evidence and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from backend.text import text
from backend.training.health import Finding, Tone
from ui.components.speaking import says, state_said
from ui.html import Safe, badge, element, empty, join

_LOOK: dict[Tone, str] = {"good": "good", "warning": "busy", "bad": "bad", "quiet": "quiet"}
"""The page's tones by a finding's; the badge's words carry the meaning."""


def health_view(findings: Sequence[Finding], language: str, *, run: str = "") -> Safe:
    """The findings in their order; without any it says that no run is shown."""
    if not findings:
        return empty(language, "training.health.none")
    items = join(_finding(finding, language) for finding in findings)
    words = text(language, "training.health.title")
    title = element("h3", words)
    tones = [text(language, f"training.health.tones.{finding.tone}") for finding in findings]
    # Which figures its sentences have changes with each step.
    heard = says(f"health {run}", state_said(language, words, " · ".join(tones)))
    return element("section", title, element("ul", items, cls="mt-health"), **heard)


def _finding(finding: Finding, language: str) -> Safe:
    look = _LOOK[finding.tone]
    return element(
        "li",
        badge(text(language, f"training.health.tones.{finding.tone}"), look),
        element("p", finding.problem.sentence(language), cls="mt-health-seen"),
        element("p", finding.advice.sentence(language), cls="mt-quiet mt-small"),
        cls=f"mt-finding mt-edge-{look}",
        data_key=finding.kind,
        data_kind=finding.kind,
    )
