"""A form made from the schema of hyperparameters: one component for each field.

Knows nothing about runs; the schema says what there is, the locale files what it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.text import text
from backend.training.schema import FIELDS, Field
from backend.training.schema.packages import command, is_installed
from ui.components.titles import title
from ui.i18n import Words


@dataclass(frozen=True)
class Form:
    """The fields' components, in the schema's order, and what holds several of them.

    Attributes:
        sections: Titles and folds, each with the names of its fields.
    """

    components: Mapping[str, Any]
    sections: Sequence[tuple[Any, Sequence[str]]]

    @property
    def inputs(self) -> list[Any]:
        return list(self.components.values())

    @property
    def shown(self) -> list[Any]:
        """What ``visibility`` has an update for."""
        return [*self.inputs, *(section for section, _ in self.sections)]

    def values(self, entered: Sequence[Any]) -> dict[str, Any]:
        """Field name → what the page holds, from the values of ``inputs``."""
        return dict(zip(self.components, entered, strict=True))

    def updates(self, values: Mapping[str, Any]) -> list[Any]:
        """One update for each of ``inputs``: the given values, the other fields as they are."""
        return [
            gr.update(value=values[name]) if name in values else gr.skip()
            for name in self.components
        ]

    def visibility(self, values: Mapping[str, Any]) -> list[Any]:
        """One update for each of ``shown``: there where a field has a meaning."""
        meant = {field.name: field.applies(values) for field in FIELDS}
        return [
            *(gr.update(visible=meant[name]) for name in self.components),
            *(gr.update(visible=any(meant[one] for one in names)) for _, names in self.sections),
        ]


def build_form(words: Words, initial: Mapping[str, Any]) -> Form:
    """Basic fields in the open, the others folded by group."""
    made: dict[str, Any] = {}
    sections: list[tuple[Any, Sequence[str]]] = []
    for group in dict.fromkeys(field.group for field in FIELDS):
        fields = [field for field in FIELDS if field.group == group]
        basic = [field for field in fields if field.basic]
        rest = [field for field in fields if not field.basic]
        if basic:
            named = title(words, f"fields.groups.{group}", visible=_any(fields, initial))
            sections.append((named, _names(fields)))
            made |= _rows(words, basic, initial)
        if rest:
            label = "hyperparameters.more" if basic else f"fields.groups.{group}"
            with words.make(
                gr.Accordion, {"label": label}, open=False, visible=_any(rest, initial)
            ) as fold:
                made |= _rows(words, rest, initial)
            sections.append((fold, _names(rest)))
    return Form({field.name: made[field.name] for field in FIELDS}, tuple(sections))


def _names(fields: Sequence[Field]) -> tuple[str, ...]:
    return tuple(field.name for field in fields)


def _any(fields: Sequence[Field], values: Mapping[str, Any]) -> bool:
    return any(field.applies(values) for field in fields)


def _rows(words: Words, fields: Sequence[Field], initial: Mapping[str, Any]) -> dict[str, Any]:
    """The fields' components, three switches a row: beside a wide field a switch is squeezed."""
    switches = [field for field in fields if field.kind == "bool"]
    others = [field for field in fields if field.kind != "bool"]
    rows = [others, *(switches[at : at + 3] for at in range(0, len(switches), 3))]
    made = {}
    for row in filter(None, rows):
        with gr.Row():
            made |= {field.name: _component(words, field, initial) for field in row}
    return made


def _component(words: Words, field: Field, initial: Mapping[str, Any]) -> Any:
    says: dict[str, Any] = {
        "label": f"fields.{field.name}.label",
        "info": lambda language: field_help(field, language),
    }
    options: dict[str, Any] = {
        "value": initial.get(field.name),
        "visible": field.applies(initial),
        "interactive": True,
        "elem_id": f"field-{field.name}",
        "min_width": 240,
    }
    match field.kind:
        case "bool":
            return words.make(gr.Checkbox, says, **options)
        case "int" | "float":
            # The range is checked by the schema, whose sentence names the field; the browser's own
            # clamping, or Gradio's rounding of a fraction, would change a number without a word.
            return words.make(gr.Number, says, step=_step(field), **options)
        case "choice":
            return words.make(gr.Dropdown, {**says, "choices": _choices(field)}, **options)
        case "text":
            return words.make(gr.Textbox, says, max_lines=1, **options)
        case "extra":
            options["placeholder"] = "dataloader_num_workers: 4"
            return words.make(gr.Textbox, says, lines=3, max_lines=12, **options)
        case _:
            chosen = options.pop("value")
            return words.make(
                gr.Dropdown, says, choices=[chosen] if chosen else [], value=chosen, **options
            )


def field_help(field: Field, language: str) -> str:
    """What a field does and when to change it; and what it could take and is not installed."""
    words = text(language, f"fields.{field.name}.help")
    missing = [one for one in dict.fromkeys(field.needs.values()) if not is_installed(one)]
    if not missing:
        return words
    packages = ", ".join(f"{one} ({command(one)})" for one in missing)
    return f"{words} {text(language, 'fields.not_installed', packages=packages)}"


def _step(field: Field) -> float:
    return 1 if field.kind == "int" else 1e-6


def _choices(field: Field) -> Any:
    """The choices with their words, by language."""

    def said(language: str) -> list[tuple[str, Any]]:
        return [(choice_words(field.name, choice, language), choice) for choice in field.choices]

    return said


def choice_words(field: str, choice: object, language: str) -> str:
    """A choice of the field as it is read: in words, or as LLaMA-Factory calls it."""
    try:
        return text(language, f"fields.choices.{field}.{choice}")
    except KeyError:
        return str(choice)
