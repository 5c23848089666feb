"""How the rows of a file are understood: its shape, which column is what, and two templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.look import Look, doubt_in, known_numbering
from backend.data.meaning.mapping import OPTIONAL, REQUIRED, TEMPLATED, ColumnMap, Role, Shape
from backend.data.meaning.templates import DEFAULT_ANSWER, DEFAULT_PROMPT
from backend.text import text
from ui.components.data_canvas import CHOOSE, Asked, Canvas
from ui.components.data_facts import Fit, evidence
from ui.components.rows_panel import RowsPanel
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, count, element, empty, join
from ui.i18n import Words
from ui.wiring import PRIVATE


class FormatPanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
        inputs: What ``columns_of`` takes.
    """

    def __init__(self, words: Words, desk: Desk) -> None:
        self._desk = desk
        self.evidence = slot("format-evidence")
        self.shape = words.make(
            gr.Dropdown,
            {"label": "data.format.shape", "choices": _shapes},
            value=None,
            elem_id="format-shape",
        )
        self.roles = {role: self._role(words, role) for role in Role}
        self.prompt = words.make(
            gr.Textbox,
            {"label": "data.format.prompt", "info": "data.format.prompt_help"},
            lines=2,
            max_lines=6,
            visible=False,
            elem_id="format-prompt",
        )
        self.answer = words.make(
            gr.Textbox,
            {"label": "data.format.answer", "info": "data.format.answer_help"},
            lines=2,
            max_lines=6,
            visible=False,
            elem_id="format-answer",
        )
        self.reasoning = words.make(
            gr.Checkbox,
            {"label": "data.format.reasoning"},
            value=True,
            visible=False,
            elem_id="format-reasoning",
        )
        self.base = words.make(
            gr.Radio,
            {"label": "data.format.base", "info": "data.format.base_help"},
            choices=["0", "1"],
            value=None,
            visible=False,
            elem_id="format-base",
        )
        self.reset = words.make(
            gr.Button, {"value": "data.format.reset"}, size="sm", elem_id="format-reset"
        )
        self.inputs = [
            self.shape,
            *self.roles.values(),
            self.prompt,
            self.answer,
            self.reasoning,
        ]
        self.shown = [self.evidence, *self.inputs, self.base, self.reset]

    def _role(self, words: Words, role: Role) -> gr.Dropdown:
        return words.make(
            gr.Dropdown,
            {"label": f"data.roles.{role.value}"},
            choices=[],
            value=None,
            multiselect=role is Role.OPTIONS,
            visible=False,
            elem_id=f"role-{role.value}",
        )

    def show(self, language: str, look: Look | None) -> list[Any]:
        """What is known of the file's format; everything empty where no file is chosen."""
        if look is None:
            return [empty(language, "data.format.empty", CHOOSE), *self._nothing()]
        columns = look.columns
        roles = shown_roles(columns.shape) if columns else ()
        templated = columns is not None and columns.shape in TEMPLATED
        hidden = gr.update(value="", visible=False)
        return [
            _evidence(look, language),
            columns.shape.value if columns else None,
            *(self._choice(role, look, visible=role in roles) for role in Role),
            _template(columns.prompt, DEFAULT_PROMPT, columns) if templated else hidden,
            _template(columns.answer, DEFAULT_ANSWER, columns) if templated else hidden,
            gr.update(
                value=columns.reasoning if columns else True,
                visible=columns is not None and bool(columns.columns.get(Role.REASONING)),
            ),
            _base(look),
            gr.update(visible=look.draft.columns is not None),
        ]

    def wire(self, canvas: Canvas, rows: RowsPanel) -> None:
        """Let a change of the map show in ``rows`` at once."""
        canvas.acts(self.shape.input, self._understand, self.inputs, refill=True)
        for component in (*self.roles.values(), self.reasoning):
            canvas.acts(component.input, self._understand, self.inputs)
        canvas.acts(self.base.input, self._count, [self.base])
        for box in (self.prompt, self.answer):
            canvas.acts(box.blur, self._understand, self.inputs)
        canvas.changes(self.reset.click, lambda draft: replace(draft, columns=None), refill=True)

        def typed(language: str, source: str | None, *entered: Any) -> list[Any]:
            look = canvas.desk.look(source) if source else None
            if look is not None and look.columns is not None:
                prompt, answer = (str(words or "") for words in entered[3:])
                self._desk.understand(look, replace(look.columns, prompt=prompt, answer=answer))
                look = self._desk.look(look.source_id)
            asked = Asked.of(*entered[:3])
            return [
                _evidence(look, language) if look else gr.skip(),
                *rows.show(language, look, asked),
            ]

        for box in (self.prompt, self.answer):
            # Each key shows what it does; the field itself is left alone while it is typed into.
            # Not ``input``: Gradio tells of that one key too late, and of the last one never.
            box.change(
                told(typed),
                [*canvas.place, self.prompt, self.answer],
                [self.evidence, *rows.shown],
                trigger_mode="always_last",
                **PRIVATE,
            )

    def _understand(self, look: Look, _asked: Asked, *entered: Any) -> None:
        columns = columns_of(look, *entered)
        if columns is None:
            return
        # Another column counts in its own way: what was found of the last one says nothing of it.
        if look.columns is None or _numbered_by(columns) != _numbered_by(look.columns):
            columns = self._desk.counted(look, columns)
        self._desk.understand(look, columns)

    def _count(self, look: Look, _asked: Asked, base: str | None) -> None:
        if look.columns is not None and base:
            self._desk.understand(look, replace(look.columns, one_based=base == "1"))

    def _choice(self, role: Role, look: Look, *, visible: bool) -> dict[str, Any]:
        chosen = list(look.columns.columns.get(role, ())) if look.columns else []
        # A column can be named that none of the first rows has.
        choices = list(dict.fromkeys([*look.detection.columns, *chosen]))
        value: Any = chosen if role is Role.OPTIONS else (chosen[0] if chosen else None)
        return gr.update(choices=choices, value=value, visible=visible)

    def _nothing(self) -> list[Any]:
        hidden = [gr.update(value=None, choices=[], visible=False) for _ in Role]
        hidden[list(Role).index(Role.OPTIONS)] = gr.update(value=[], choices=[], visible=False)
        text_boxes = [gr.update(value="", visible=False)] * 2
        return [None, *hidden, *text_boxes, *[gr.update(visible=False)] * 3]


def _template(words: str, usual: Mapping[Shape, str], columns: ColumnMap) -> dict[str, Any]:
    """A template's field; the shape's usual one stands in it as long as it is empty."""
    return gr.update(value=words, placeholder=usual[columns.shape], visible=True)


def columns_of(look: Look, shape: str | None, *entered: Any) -> ColumnMap | None:
    """The map that a person entered; None where no shape is chosen.

    A shape that was just chosen starts with what was found for it.
    """
    if not shape:
        return None
    wanted = Shape(shape)
    if look.columns is None or look.columns.shape is not wanted:
        return _first_map(look, wanted)
    *named, prompt, answer, reasoning = entered
    roles = shown_roles(wanted)
    columns = {
        role: names
        for role, value in zip(Role, named, strict=True)
        if role in roles and (names := _names(value))
    }
    return ColumnMap(
        shape=wanted,
        columns=columns,
        prompt=prompt or "",
        answer=answer or "",
        reasoning=bool(reasoning),
        one_based=look.columns.one_based,
    )


def shown_roles(shape: Shape) -> Sequence[Role]:
    """The roles of a shape, the needed ones first."""
    return (*REQUIRED[shape], *OPTIONAL[shape])


def _first_map(look: Look, shape: Shape) -> ColumnMap:
    for candidate in look.detection.candidates:
        if candidate.map.shape is shape:
            return candidate.map
    kept: Mapping[Role, tuple[str, ...]] = look.columns.columns if look.columns else {}
    roles = shown_roles(shape)
    return ColumnMap(shape, {role: names for role, names in kept.items() if role in roles})


def _numbered_by(columns: ColumnMap) -> tuple[Any, ...]:
    """What decides where the numbers of right options count from."""
    of = columns.columns
    return columns.shape, of.get(Role.OPTIONS, ()), of.get(Role.CORRECT, ())


def _base(look: Look) -> dict[str, Any]:
    """Where numbers count from; not asked where the right options are told by letters or texts."""
    numbered = look.columns is not None and look.numbering is not None and look.numbering.numbers
    value = ("1" if look.columns.one_based else "0") if look.columns and numbered else None
    return gr.update(value=value, visible=bool(numbered))


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(name) for name in value)
    return (str(value),) if value else ()


def _shapes(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"data.shapes.{shape}"), shape.value) for shape in Shape]


def _evidence(look: Look, language: str) -> Safe:
    if look.fault is not None:
        return element("p", look.fault.sentence(language), cls="mt-notice", role="status")
    return join([_fits(look, language), _numbers(look, language)])


def _numbers(look: Look, language: str) -> Safe:
    """What rows say of where numbers of right options count from."""
    found, doubt = known_numbering(look), doubt_in(look)
    if found is None or not found.numbers:
        return Safe("")
    said = text(
        language,
        "data.format.base_found_first" if look.study is None else "data.format.base_found",
        numbers=count(found.numbers),
        zero=count(found.zero),
        last=count(found.last),
    )
    notice = element("p", doubt.sentence(language), cls="mt-notice") if doubt else ""
    return join([element("p", said, cls="mt-quiet"), Safe(notice)])


def _fits(look: Look, language: str) -> Safe:
    fits = [Fit(one.map.shape, one.matched, one.rows) for one in look.detection.candidates]
    if not fits:
        columns = ", ".join(look.detection.columns[:12])
        return empty(language, "data.format.unknown", columns=columns)
    return evidence(fits, language, chosen=look.columns.shape if look.columns else None)
