"""What the model sees of one row: LLaMA-Factory's own tokens, and the served prompt beside them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.drafts import Draft
from backend.data.look import Look
from backend.data.tokens.inspector import Inspector
from backend.errors import DataError, LibraryError
from backend.library.models import find_model
from backend.workspace import Workspace
from ui.components.actions import on_press, pressed
from ui.components.data_canvas import CHOOSE, Canvas
from ui.components.slot import slot
from ui.components.titles import title
from ui.components.token_view import parity_view, token_view
from ui.errors import told
from ui.html import element, empty, join
from ui.i18n import Words
from ui.wiring import PRIVATE


class TokensPanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(
        self, words: Words, *, workspace: Workspace, desk: Desk, inspector: Inspector
    ) -> None:
        self._workspace, self._desk, self._inspector = workspace, desk, inspector
        with gr.Row(elem_classes="mt-pager"):
            self.row = words.make(
                gr.Number, {"label": "data.see.row"}, value=1, min_width=100, elem_id="tokens-row"
            )
            self.cutoff = words.make(
                gr.Number,
                {"label": "data.see.cutoff"},
                value=Draft().cutoff,
                min_width=120,
                elem_id="tokens-cutoff",
            )
            self.look = words.make(
                gr.Button, {"value": "data.see.look"}, min_width=120, elem_id="tokens-look"
            )
        self.tokens = slot("tokens")
        title(words, "data.see.parity", level="h4")
        self.parity = slot("parity")
        self.shown = [self.tokens, self.parity]

    def wire(self, canvas: Canvas, rows: gr.HTML, views: gr.Tabs) -> None:
        """Let a row be looked at: by its number, or by its button among ``rows``."""

        def see(language: str, source: str | None, row: Any, cutoff: Any) -> list[Any]:
            return self.show(language, canvas.look(source), row, cutoff)

        def see_pressed(
            language: str, event: gr.EventData, source: str | None, cutoff: Any
        ) -> list[Any]:
            action, target = pressed(event)
            if action != "tokens" or not target.isdecimal():
                return [gr.skip()] * 4
            shown = see(language, source, int(target), cutoff)
            return [*shown, int(target), gr.Tabs(selected="tokens")]

        inputs = [canvas.language, canvas.source, self.row, self.cutoff]
        busy = {**PRIVATE, "show_progress": "minimal"}
        for event in (self.look.click, self.row.submit, self.cutoff.submit):
            event(told(see), inputs, self.shown, **busy)
        on_press(
            rows,
            see_pressed,
            [canvas.language, canvas.source, self.cutoff],
            [*self.shown, self.row, views],
        )

    def cutoff_for(self, source: str | None) -> int:
        """The cutoff length that was chosen for a file; LLaMA-Factory's own where none was."""
        return (self._desk.draft(source) if source else Draft()).cutoff

    def show(self, language: str, look: Look | None, number: Any, cutoff: Any) -> list[Any]:
        """The tokens of a row under the draft's model and template.

        Raises:
            DataError, LibraryError: there is no such row or model, or the tokenizer can't be used.
        """
        if look is None:
            return [empty(language, "data.see.empty", CHOOSE), ""]
        row, tokens = _whole(number, "data.see.row"), _whole(cutoff, "data.see.cutoff")
        seen = self._desk.rows(look, [row])
        if not seen:
            raise DataError("data.errors.no_such_row", row=row, count=look.reader.count)
        lesson = seen[0].lesson
        if lesson is None:
            problem = seen[0].problem
            said = problem.sentence(language) if problem else ""
            return [element("p", said, cls="mt-bad"), ""]
        model = find_model(self._workspace, look.draft.model).path
        template = look.draft.template
        if not template:
            raise LibraryError("data.errors.no_template")
        encodings = self._inspector.encode(model, template, lesson, cutoff=tokens)
        parity = self._inspector.parity(model, template, lesson)
        return [
            join(token_view(encoding, language) for encoding in encodings),
            parity_view(parity, language),
        ]


def _whole(value: Any, _field: str) -> int:
    if not isinstance(value, int | float) or value < 1:
        raise DataError("data.errors.number_needed")
    return int(value)
