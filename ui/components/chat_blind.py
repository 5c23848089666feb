"""Blind rating: answers shuffled and without names, row by row, until they are revealed.

Nothing that goes to the browser before tells who is who: neither names nor figures, and an answer
is known by its letter only. A row is shown when all its answers are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.chat.asking_many import AskingMany
from backend.chat.ballots import ballot_of, open_ballot, reveal
from backend.chat.bench import Bench
from backend.chat.settings import Settings
from backend.chat.sheets import (
    Question,
    Sheet,
    find_sheet,
    list_sheets,
    make_sheet,
)
from backend.chat.votes import MARKS, mark, say, verdicts, vote_on
from backend.errors import EngineError
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import on_press, pressed
from ui.components.chat_blind_row import BlindRow, row_view
from ui.components.choices import choices_now
from ui.components.formulas import answer_slot
from ui.components.latest import Latest
from ui.errors import told
from ui.html import Safe, count, empty
from ui.i18n import Words
from ui.wiring import PRIVATE

MOST_CHOICES = 40
TITLE_CHARACTERS = 60


class BlindPanel:
    """The panel's components.

    Attributes:
        which: The sheet that is rated.
        row: Number of the row that is shown, from 0.
        inputs, shown: What ``show`` takes, and what it fills.
        turned: What is filled where the page turns to another row.
    """

    def __init__(
        self, words: Words, workspace: Workspace, bench: Bench, asking: AskingMany
    ) -> None:
        self._workspace, self._bench, self._asking = workspace, bench, asking
        self._latest = Latest()
        with gr.Row(elem_classes="mt-pager"):
            self.question = words.make(
                gr.Textbox,
                {"label": "chat.blind.question", "info": "chat.blind.question_help"},
                lines=1,
                max_lines=6,
                scale=4,
                elem_id="blind-question",
            )
            self.ask = words.make(
                gr.Button, {"value": "chat.blind.ask"}, variant="primary", elem_id="blind-ask"
            )
        self.which = words.make(
            gr.Dropdown,
            {"label": "chat.blind.which", "info": "chat.blind.which_help"},
            choices=[],
            value=None,
            elem_id="blind-which",
        )
        self.view = answer_slot("blind", "blind_keys.js")
        self.row = gr.State(0)
        self.asking_reveal = gr.State(False)
        self.turned = [self.which, self.row, self.asking_reveal, self.view]
        self.inputs = [self.which, self.row, self.asking_reveal]
        self.shown = [self.which, self.view]

    def wire(self, language: gr.Radio, settings: Sequence[Any], read: Any) -> Any:
        """Let the panel's parts do what they do; the event that may change the tally comes back."""

        def ask(language: str, request: gr.Request, question: str, *entered: Any) -> list[Any]:
            return [*self._ask(language, request, question, read(*entered)), ""]

        gr.on(
            [self.ask.click, self.question.submit],
            told(ask),
            [language, self.question, *settings],
            [*self.turned, self.question],
            **PRIVATE,
        )
        self.which.input(told(self._choose), [language, self.which], self.turned, **PRIVATE)
        return on_press(self.view, self._press, [language, self.which, self.row], self.turned)

    # What is shown

    def stamp(self, which: str | None, row: int) -> str:
        """Changes when the row would look different, or another sheet can be rated."""
        sheets = list_sheets(self._workspace)[:MOST_CHOICES]
        mine = next((one for one in sheets if one.id == which), None)
        now = self._asking.progress(mine) if mine else None
        known = ",".join(f"{one.id}:{len(verdicts(self._workspace, one))}" for one in sheets)
        return f"{which}|{row}|{now and (now.state, now.done, now.failed)}|{known}"

    def sign(self) -> str:
        """Changes when any sheet that can be rated would look different."""
        parts = []
        for sheet in list_sheets(self._workspace)[:MOST_CHOICES]:
            now = self._asking.progress(sheet)
            rated = len(verdicts(self._workspace, sheet))
            parts.append(f"{sheet.id}:{now.state}:{now.done}:{now.failed}:{rated}")
        return "|".join(parts)

    def show(
        self, language: str, request: gr.Request, which: str | None, row: int, reveal: bool
    ) -> list[Any]:
        """What can be rated, and the row that the page is at; skipped where it has left it."""
        choices, *_, view = self._filled(language, which, row, which, reveal)
        if self._latest.has_left(request, f"{which}:{row}"):
            return [gr.skip(), gr.skip()]
        return [choices, view]

    def _turned(
        self,
        language: str,
        request: gr.Request,
        which: str | None,
        row: int,
        sent: Any = None,
        asked_reveal: bool = False,
    ) -> list[Any]:
        """What can be rated, and a row, to which the page is turned.

        Args:
            sent: The sheet that the page had chosen.
        """
        self._latest.turn(request, f"{which}:{row}")
        return self._filled(language, which, row, sent, asked_reveal)

    def _filled(
        self, language: str, which: str | None, row: int, sent: Any, asked_reveal: bool
    ) -> list[Any]:
        sheets = list_sheets(self._workspace)[:MOST_CHOICES]
        rated = [one for one in sheets if len(one.columns) > 1]
        known = [one.id for one in rated]
        chosen = which if which in known else None
        choices = [(_title(one, self._rated(one), language), one.id) for one in rated]
        return [
            choices_now(choices, sent=sent, kept=chosen),
            row,
            asked_reveal,
            self._drawn(language, chosen, row, asked_reveal),
        ]

    def _rated(self, sheet: Sheet) -> int:
        return sum(bool(verdict) for verdict in verdicts(self._workspace, sheet).values())

    def _drawn(self, language: str, which: str | None, number: int, asked_reveal: bool) -> Safe:
        if which is None:
            return empty(language, "chat.blind.empty", "#blind-question")
        row = self._row(find_sheet(self._workspace, which), number)
        if row is None:
            return empty(language, "chat.blind.empty", "#blind-question")
        return row_view(row, self._rated(row.sheet), language, asked_reveal=asked_reveal)

    def _row(self, sheet: Sheet, number: int) -> BlindRow | None:
        ballot = ballot_of(self._workspace, sheet.id)
        questions = sheet.questions(number, number + 1)
        if ballot is None or not questions:
            return None
        answers = sheet.answers(number, number + 1)
        places = ballot.order(number, len(sheet.columns))
        columns = [sheet.columns[place] for place in places]
        found = [answers.get((number, column.key)) for column in columns]
        vote = vote_on(self._workspace, sheet, number)
        asking = self._asking.progress(sheet).state == "asking"
        return BlindRow(sheet, number, questions[0], columns, found, ballot, vote, places, asking)

    # What happens

    def rate(
        self, language: str, request: gr.Request, which: str | None, sent: Any = None
    ) -> list[Any]:
        """Begin to rate a sheet, or go on at its first row without a word."""
        if not which:
            return [gr.skip()] * len(self.turned)
        sheet = find_sheet(self._workspace, which)
        open_ballot(self._workspace, sheet)
        if sheet.single and self._asking.progress(sheet).state == "interrupted":
            # It is in no list from which one could go on with it.
            self._asking.start(sheet, self._bench.target)
        return self._turned(language, request, which, self._first_undecided(sheet, 0), sent)

    def _choose(self, language: str, request: gr.Request, which: str | None) -> list[Any]:
        return self.rate(language, request, which, which)

    def _ask(
        self, language: str, request: gr.Request, question: str, settings: Settings
    ) -> list[Any]:
        columns = self._bench.contestants()
        if len(columns) < 2:
            raise EngineError("chat.blind.errors.one_column")
        asked = [Question((question or "").strip())]
        sheet = make_sheet(self._workspace, asked, columns, settings, single=True)
        open_ballot(self._workspace, sheet)
        self._asking.start(sheet, self._bench.target)
        return self._turned(language, request, sheet.id, 0)

    def _press(
        self,
        language: str,
        request: gr.Request,
        which: str | None,
        row: int,
        event: gr.EventData,
    ) -> list[Any]:
        action, target = pressed(event)
        sheet = find_sheet(self._workspace, which or "")
        # What was pressed says which row it was pressed in: a later one may be shown by now.
        number, letter = _target(target)
        asked_reveal = action == "reveal"
        if action in ("best", "tie", "bad") and number is not None:
            self._say(sheet, number, action, letter)
            row = self._next(sheet, number, row)
        elif action in MARKS and number is not None and letter is not None:
            mark(self._workspace, sheet, number, letter, action)
        elif action == "turn" and number is not None:
            row = min(max(number, 0), sheet.count - 1)
        elif action == "reveal-yes":
            reveal(self._workspace, sheet.id)
        return self._turned(language, request, sheet.id, row, which, asked_reveal)

    def _say(self, sheet: Sheet, number: int, action: str, letter: int | None) -> None:
        if action == "best":
            say(self._workspace, sheet, number, "best", letter)
        else:
            say(self._workspace, sheet, number, "tie" if action == "tie" else "bad")

    def _next(self, sheet: Sheet, number: int, shown: int) -> int:
        """The next row without a word; the one that is shown where another was meant."""
        return self._first_undecided(sheet, number) if number == shown else shown

    def _first_undecided(self, sheet: Sheet, start: int) -> int:
        """From a row on, then from the first; the row itself where all is said."""
        said = verdicts(self._workspace, sheet)
        after = [*range(start, sheet.count), *range(start)]
        return next((number for number in after if not said.get(number)), start)


def _target(target: str) -> tuple[int | None, int | None]:
    """Row and letter of a button: "3" or "3:0"."""
    row, _, letter = target.partition(":")
    number = int(row) if row.isdecimal() else None
    return number, int(letter) if letter.isdecimal() else None


def _title(sheet: Sheet, rated: int, language: str) -> str:
    title = sheet.title
    short = title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…"
    return text(
        language, "chat.blind.choice", title=short, rated=count(rated), count=count(sheet.count)
    )
