"""Binds the words of ``assets/locales`` to components, so that the language can change in place.

A component made through ``Words.make`` remembers which of its properties are words. A change of
language then updates just these properties: values, selections and everything that runs stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

from backend.text import LANGUAGES, text

TONGUES: Mapping[str, str] = {"en": "en", "zh": "zh-CN"}
"""Each language as browsers and screen readers name it."""

Source = str | Callable[[str], Any]
"""What a property says: a locale key, or a function of the language."""

Made = TypeVar("Made")


class Words:
    """Makes components in one language and knows how to say them in every other."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._bound: list[tuple[Any, Mapping[str, Source]]] = []

    def make(self, kind: Callable[..., Made], says: Mapping[str, Source], **options: Any) -> Made:
        """Make a component whose properties in ``says`` are words.

        Args:
            kind: The component's class, e.g. ``gr.Button``.
            says: Property → locale key, or a function from language to the property's value.
            **options: All other arguments of the component.
        """
        component = kind(**_say(says, self.language), **options)
        self._bound.append((component, says))
        return component

    @property
    def components(self) -> list[Any]:
        """All components that have words, in the order of ``updates``."""
        return [component for component, _ in self._bound]

    def updates(self, language: str) -> list[dict[str, Any]]:
        """One Gradio update for each of ``components``, in ``language``."""
        return [gr.update(**_say(says, language)) for _, says in self._bound]


def preferred_language(header: str, fallback: str) -> str:
    """The first language of an ``Accept-Language`` header that MedTune speaks.

    Browsers list languages by preference, so the quality values need no parsing.
    """
    for part in header.split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return fallback


def _say(says: Mapping[str, Source], language: str) -> dict[str, Any]:
    return {
        name: source(language) if callable(source) else text(language, source)
        for name, source in says.items()
    }
