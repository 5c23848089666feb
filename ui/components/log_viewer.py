"""The full log of a run: page by page, searched, only warnings and errors, following the end."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.text import text
from backend.training import layout, log_pages
from backend.training.log_pages import Move, Place
from backend.training.log_reader import Line, LogReader, Query, reader_of
from backend.training.runs import find_run
from backend.workspace import Workspace
from ui.components.actions import action_slot, on_press, pressed
from ui.components.run_view import no_run
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, count, element, empty, join, safe
from ui.i18n import Words
from ui.wiring import PRIVATE


class LogViewer:
    """The viewer's components.

    Attributes:
        asked: What ``show`` takes after the language and the run's id.
        shown: What it fills.
    """

    def __init__(self, words: Words, workspace: Workspace) -> None:
        self._workspace = workspace
        with gr.Row(elem_classes="mt-pager"):
            self.words = words.make(
                gr.Textbox,
                {"label": "training.log.search", "placeholder": "training.log.search_hint"},
                max_lines=1,
                scale=3,
                min_width=160,
                elem_id="log-search",
            )
            self.flagged = words.make(
                gr.Checkbox,
                {"label": "training.log.only_warnings"},
                value=False,
                scale=1,
                min_width=160,
                elem_id="log-flagged",
            )
            self.older = self._button(words, "older")
            self.newer = self._button(words, "newer")
            self.end = self._button(words, "end")
        self.said = slot("log-said")
        self.lines = action_slot("run-log")
        # The run and the place in its log, as they are on this page.
        self.place = gr.State(None)
        self.asked = [self.words, self.flagged, self.place]
        self.shown = [self.said, self.lines, self.place]

    def _button(self, words: Words, name: str) -> gr.Button:
        return words.make(
            gr.Button,
            {"value": f"training.log.{name}"},
            size="sm",
            min_width=80,
            elem_id=f"log-{name}",
        )

    def wire(self, language: gr.Radio, run: gr.Dropdown) -> None:
        """Let the buttons turn pages; ``run`` holds the id of the run that is shown."""
        inputs = [language, run, *self.asked]
        for event in (self.words.submit, self.flagged.input):
            event(told(self.show), inputs, self.shown, trigger_mode="always_last", **PRIVATE)
        moves: dict[gr.Button, Move] = {
            self.older: "older",
            self.newer: "newer",
            self.end: "end",
        }
        for button, move in moves.items():
            button.click(told(self._mover(move)), inputs, self.shown, **PRIVATE)
        searched = [*self.shown, self.words, self.flagged]
        on_press(self.lines, self._jump, inputs, searched)

    def show(
        self, language: str, run_id: str | None, words: Any, flagged: Any, seen: Any,
        move: Move = "stay",
    ) -> list[Any]:  # fmt: skip
        """The page as it is now: for a tick, a search, another run. Unchanged lines are skipped."""
        reader = self._reader(run_id)
        if reader is None:
            nothing = empty(language, "training.log.empty") if run_id else no_run(language)
            return ["", nothing, None]
        reader.update()
        query = Query(str(words or "").strip()[:200], bool(flagged))
        place = log_pages.turn(reader, query, _place(seen, run_id), move)
        return self._page(language, run_id, reader, place, seen)

    def _mover(self, move: Move) -> Any:
        def turn(language: str, run_id: str | None, words: Any, flagged: Any, seen: Any) -> Any:
            return self.show(language, run_id, words, flagged, seen, move)

        return turn

    def _jump(
        self, language: str, run_id: str | None, words: Any, flagged: Any, seen: Any,
        event: gr.EventData,
    ) -> list[Any]:  # fmt: skip
        """A line among its neighbours, where it was found by a search."""
        action, target = pressed(event)
        reader = self._reader(run_id)
        if reader is None or action != "line" or not target.isdecimal() or len(target) > 18:
            return [gr.skip()] * 5
        reader.update()
        place = log_pages.around(reader, int(target))
        return [*self._page(language, run_id, reader, place, None), "", False]

    def _page(
        self, language: str, run_id: str | None, reader: LogReader, place: Place, seen: Any
    ) -> list[Any]:
        said = element("p", position(reader, place, language), cls="mt-quiet mt-small")
        now = (run_id, language, place, reader.size if place.follow else 0)
        if seen == now:
            return [said, gr.skip(), gr.skip()]
        lines = log_pages.page(reader, place)
        return [said, log_lines(lines, language, place), now]

    def _reader(self, run_id: str | None) -> LogReader | None:
        try:
            return reader_of(find_run(self._workspace, run_id or "").folder / layout.LOG)
        except MedTuneError:
            return None


def log_lines(lines: list[Line], language: str, place: Place) -> Safe:
    """Lines with their numbers; a number is a button that shows the line among its neighbours."""
    if not lines:
        searched = place.query != Query()
        return empty(language, "training.log.none_found" if searched else "training.log.empty")
    shown = element("div", join(_line(line, language, place.query.words) for line in lines))
    follows = " mt-log-follows" if place.follow else ""
    # The box can be scrolled with the keyboard only if it can be reached with it.
    return element("div", shown, cls=f"mt-log-lines{follows}", tabindex=0)


def position(reader: LogReader, place: Place, language: str) -> str:
    """Which lines these are, of how many; how far a search has looked."""
    if not reader.complete:
        done = f"{100 * reader.indexed / max(1, reader.size):.0f}"
        return text(language, "training.log.counting", percent=done, lines=count(reader.count))
    number = count(len(place.numbers))
    first, last = count(place.top), count(place.bottom)
    if place.query != Query():
        key = "training.log.found" if place.top <= 1 else "training.log.found_so_far"
        return text(language, key, number=number, first=first, last=last, lines=count(reader.count))
    key = "training.log.following" if place.follow else "training.log.position"
    return text(language, key, first=first, last=last, lines=count(reader.count))


def _line(line: Line, language: str, words: str) -> Safe:
    number = element(
        "button",
        count(line.number),
        type="button",
        data_action="line",
        data_target=line.number,
        aria_label=text(language, "training.log.line", number=count(line.number)),
    )
    return element(
        "div",
        number,
        element("span", _marked(line.text, words)),
        cls="mt-log-line mt-log-flagged" if line.flagged else "mt-log-line",
        data_key=line.number,
    )


def _marked(line: str, words: str) -> Safe:
    """The line with what was searched for marked in it."""
    folded, needle = line.lower(), words.lower()
    # Some letters change their length in lower case: then the places would be wrong.
    if not needle or len(folded) != len(line):
        return safe(line)
    pieces: list[object] = []
    start = 0
    while (place := folded.find(needle, start)) >= 0:
        end = place + len(needle)
        pieces += [line[start:place], element("mark", line[place:end])]
        start = end
    return join([*pieces, line[start:]])


def _place(seen: Any, run_id: str | None) -> Place | None:
    """The place on this page, if it is one in this run's log."""
    match seen:
        case (str(run), _, Place() as place, _) if run == run_id:
            return place
        case _:
            return None
