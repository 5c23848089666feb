"""Health and failures as HTML: everything is escaped, and colours never stand alone."""

from __future__ import annotations

import gradio as gr
import pytest

from backend.files import write_json
from backend.problems import Problem
from backend.text import LANGUAGES, text
from backend.training import layout
from backend.training.failures import Explanation
from backend.training.health import Finding
from backend.training.remedies import Remedy
from backend.workspace import Workspace
from ui.components.failure_view import failure_view
from ui.components.health_view import health_view
from ui.components.log_viewer import LogViewer
from ui.i18n import Words

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


# --- The log viewer -----------------------------------------------------------------------------


@pytest.fixture
def viewer(workspace: Workspace) -> LogViewer:
    """A viewer on a workspace whose run ``first`` has logged 500 lines, every tenth an error."""
    folder = workspace.runs / "first"
    folder.mkdir()
    write_json(folder / layout.RUN, {"created": "2026-01-01T00:00:00+00:00", "values": {}})
    lines = (f"{'Error' if n % 10 == 0 else 'line'} {n} <b>\n" for n in range(1, 501))
    (folder / layout.LOG).write_text("".join(lines), encoding="utf-8")
    with gr.Blocks():
        return LogViewer(Words("en"), workspace)


def log_more(workspace: Workspace, content: str) -> None:
    with (workspace.runs / "first" / layout.LOG).open("a", encoding="utf-8") as file:
        file.write(content)


def test_the_log_opens_at_its_end_and_escapes_it(viewer: LogViewer) -> None:
    said, lines, place = viewer.show("en", "first", "", False, None)
    assert "301 to 500 of 500" in said
    assert "<b>" not in lines and "line 499 &lt;b&gt;" in lines and "mt-log-follows" in lines
    assert viewer.show("en", "first", "", False, place)[1:] == [gr.skip(), gr.skip()]


def test_a_page_that_is_read_is_not_redrawn_when_lines_come(
    viewer: LogViewer, workspace: Workspace
) -> None:
    place = viewer.show("en", "first", "", False, None)[2]
    said, _, place = viewer.show("en", "first", "", False, place, "older")
    assert "101 to 300 of 500" in said
    log_more(workspace, "more\n")
    said, lines, _ = viewer.show("en", "first", "", False, place)
    assert "101 to 300 of 501" in said and lines == gr.skip()


def test_the_end_that_is_followed_is_redrawn(viewer: LogViewer, workspace: Workspace) -> None:
    place = viewer.show("en", "first", "", False, None)[2]
    log_more(workspace, "more & mo")
    said, lines, place = viewer.show("en", "first", "", False, place)
    assert "302 to 501" in said and "more &amp; mo<" in lines
    log_more(workspace, "re")
    assert "more &amp; more<" in viewer.show("en", "first", "", False, place)[1]


def test_a_search_marks_what_it_found(viewer: LogViewer) -> None:
    said, lines, place = viewer.show("zh", "first", "ERROR 49", True, None)
    assert "<mark>Error 49</mark>0" in lines and lines.count("data-key") == 1
    assert "mt-log-flagged" in lines and "1" in said
    _, lines, _ = viewer.show("zh", "first", "<b", False, None)
    assert "<mark>&lt;b</mark>&gt;" in lines
    _, lines, _ = viewer.show("en", "first", "nowhere", False, place)
    assert text("en", "training.log.none_found") in lines


def test_a_line_number_leads_to_its_neighbours(viewer: LogViewer) -> None:
    class Event:
        _data = {"action": "line", "target": "250"}

    place = viewer.show("en", "first", "Error", True, None)[2]
    said, lines, _, words, flagged = viewer._jump("en", "first", "Error", True, place, Event())
    assert "150 to 349" in said and "line 251" in lines and (words, flagged) == ("", False)
    Event._data = {"action": "line", "target": "²"}
    assert viewer._jump("en", "first", "", False, place, Event()) == [gr.skip()] * 5


@pytest.mark.parametrize("run_id", [None, "", "none", "../first"])
def test_a_run_that_is_not_there_has_an_empty_log(viewer: LogViewer, run_id: str | None) -> None:
    said, lines, place = viewer.show("en", run_id, "", False, ("x", "y"))
    words = text("en", "training.log.empty") if run_id else "No run yet"
    assert said == "" and words in lines and place is None
