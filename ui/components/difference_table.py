"""The settings in which two sets of hyperparameters differ, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend.text import text
from backend.training.schema import FIELD
from ui.components.form import choice_words
from ui.html import Safe, element, table


def difference_table(
    found: Iterable[tuple[str, Any, Any]], names: tuple[str, str], language: str
) -> Safe:
    """A row for each setting that differs.

    Args:
        found: Setting, and its value in either set.
        names: What the two sets are called.
    """
    rows = [
        [setting_label(name, language), *(said(name, value, language) for value in both)]
        for name, *both in found
    ]
    headers = [text(language, "training.about.setting"), *names]
    return table(headers, rows, numeric=frozenset())


def setting_label(name: str, language: str) -> str:
    """What the form calls a setting; its own name where the form does not know it."""
    return text(language, f"fields.{name}.label") if name in FIELD else name


def said(name: str, value: Any, language: str) -> Safe:
    """A setting's value as it is read."""
    if value is None or value == "":
        words: object = "–"
    elif isinstance(value, bool):
        words = text(language, "hyperparameters.on" if value else "hyperparameters.off")
    elif name in FIELD and FIELD[name].kind == "choice":
        words = choice_words(name, value, language)
    else:
        words = value
    return element("span", words, cls="mt-name")
