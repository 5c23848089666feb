"""Health and failures as HTML: everything is escaped, and colours never stand alone."""

from __future__ import annotations

import pytest

from backend.problems import Problem
from backend.text import LANGUAGES, text
from backend.training.failures import Explanation
from backend.training.health import Finding
from backend.training.remedies import Remedy
from ui.components.failure_view import failure_view
from ui.components.health_view import health_view

EVIL = "<script>alert('x')</script>"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_finding_says_its_tone_in_words(language: str) -> None:
    finding = Finding(
        "too_few",
        "quiet",
        Problem("training.health.too_few.seen", {"points": 3, "needed": 20}),
        Problem("training.health.too_few.advice"),
    )
    shown = health_view([finding], language)
    assert text(language, "training.health.tones.quiet") in shown
    assert finding.problem.sentence(language) in shown and "mt-edge-quiet" in shown
    assert text(language, "training.health.none") in health_view([], language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_shows_its_lines_and_a_button_for_each_remedy(language: str) -> None:
    explanation = Explanation(
        "error",
        Problem("training.failures.error", {"line": EVIL}),
        (EVIL,),
        (
            Remedy("resume", Problem("training.failures.remedies.resume", {"checkpoint": EVIL})),
            Remedy("data", Problem("training.failures.remedies.data")),
        ),
    )
    shown = failure_view(explanation, language)
    assert "<script" not in shown and shown.count("&lt;script") == 3
    assert 'data-action="remedy"' in shown and 'data-target="1"' in shown
    assert shown.count("mt-button-primary") == 1


def test_nothing_to_explain_shows_nothing() -> None:
    assert failure_view(None, "en") == ""
