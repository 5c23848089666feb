"""All that is shown of one data file, redrawn as a whole after each change.

A change of the draft can show itself anywhere (a remedy that is applied changes rows, counts and
the summary), so panels say what changes, and the canvas draws all of them again. What it costs does
not depend on the size of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.drafts import Draft
from backend.data.look import ALL, Look
from backend.errors import DataError
from ui.components.actions import on_press, pressed
from ui.errors import told
from ui.wiring import PRIVATE


@dataclass(frozen=True)
class Asked:
    """Which rows a person asked for.

    Attributes:
        only: One of ``desk.FILTERS``, or the id of a check.
        first: Number of the first row.
        words: To be found in each row; empty for any.
    """

    only: str = ALL
    first: int = 1
    words: str = ""

    @classmethod
    def of(cls, only: Any, view: View, words: Any) -> Asked:
        """From the values of ``Canvas.only``, ``view`` and ``words``, of which a browser sends the
        first and the last."""
        return cls(str(only or ALL), view.asked.first, str(words or "").strip())


@dataclass(frozen=True)
class View:
    """What a page was last given to show: a file's id, which of its rows, and in which language.

    It is kept by the server, since what a page sends may be of before an answer that is on its way
    to it: a tick that is asked for while rows are turned would turn them back.
    """

    source: str | None = None
    asked: Asked = field(default_factory=Asked)
    language: str = ""


Draw = Callable[[str, str | None, Asked], list[Any]]
"""Language, id of the file and what was asked → an update for each of ``Canvas.shown``."""

CHOOSE = "#data-source"
"""The way from an empty place to where a file is chosen, see ``ui.html.linked``."""

Act = Callable[..., Asked | None]
"""Look at the file, what was asked, and more values → what is asked from now on; None as before."""


@dataclass(frozen=True)
class Canvas:
    """What panels need to change a file's draft and to show what follows.

    Attributes:
        source: Component with the id of the file.
        only, first, words: Components of ``Asked``.
        view: The ``View``, which whatever draws brings up to date.
        shown: What ``draw`` fills.
        entered: Those of them that a person types, ticks or chooses.
    """

    desk: Desk
    language: gr.Radio
    source: gr.Dropdown
    only: gr.Dropdown
    first: gr.Number
    words: gr.Textbox
    view: gr.State
    shown: Sequence[Any]
    entered: Sequence[Any]
    draw: Draw

    @property
    def place(self) -> list[Any]:
        """What each callback begins with."""
        return [self.language, self.source, self.only, self.view, self.words]

    @property
    def drawn(self) -> list[Any]:
        """What each callback fills; the filter is among what is shown."""
        return [*self.shown, self.first, self.words, self.view]

    def changes(
        self,
        event: Callable[..., Any],
        change: Callable[..., Draft],
        extra: Sequence[Any] = (),
        *,
        refill: bool = False,
    ) -> None:
        """Let an event change the draft.

        Args:
            change: Takes the draft and the values of ``extra``.
            refill: As for ``acts``.
        """

        def act(look: Look, _asked: Asked, *values: Any) -> None:
            self.desk.change(look.source_id, lambda draft: change(draft, *values))

        self.acts(event, act, extra, refill=refill)

    def acts(
        self,
        event: Callable[..., Any],
        act: Act,
        extra: Sequence[Any] = (),
        *,
        refill: bool = False,
        **options: Any,
    ) -> None:
        """Let an event do something with the file.

        Args:
            act: Takes the look at the file, what was asked, and the values of ``extra``.
            refill: What a person enters changes by it as well, so it is filled anew.
        """

        def callback(language: str, source: str | None, *entered: Any) -> list[Any]:
            before = asked = Asked.of(*entered[:3])
            if source:
                asked = act(self.desk.look(source), asked, *entered[3:]) or asked
            return self._redrawn(language, source, before, asked, refill=refill)

        settings = {"trigger_mode": "always_last", **PRIVATE, **options}
        event(told(callback), [*self.place, *extra], self.drawn, **settings)

    def presses(self, slot: gr.HTML, act: Act, extra: Sequence[Any] = ()) -> None:
        """Let the buttons of a slot do something with the file.

        Args:
            act: Takes the look, what was asked, the action, its target, and values of ``extra``.
        """

        # Gradio finds the event's parameter by its annotation and its place, so it comes before
        # those that are not counted.
        def callback(language: str, event: gr.EventData, *entered: Any) -> list[Any]:
            source, *asking = entered[:4]
            before = asked = Asked.of(*asking)
            action, target = pressed(event)
            if source and action:
                asked = act(self.desk.look(source), asked, action, target, *entered[4:]) or asked
            return self._redrawn(language, source, before, asked)

        on_press(slot, callback, [*self.place, *extra], self.drawn)

    def look(self, source: str | None) -> Look:
        """The file that is chosen.

        Raises:
            DataError: none is.
        """
        if not source:
            raise DataError("data.errors.no_source")
        return self.desk.look(source)

    def left_alone(self, updates: Sequence[Any]) -> list[Any]:
        """Updates of ``shown`` without the values of what a person may be entering just now."""
        return [
            _without_value(update) if component in self.entered else update
            for component, update in zip(self.shown, updates, strict=True)
        ]

    def _redrawn(
        self,
        language: str,
        source: str | None,
        before: Asked,
        asked: Asked,
        *,
        refill: bool = False,
    ) -> list[Any]:
        drawn = self.draw(language, source, asked)
        return [
            *(drawn if refill else self.left_alone(drawn)),
            asked.first if asked.first != before.first else gr.skip(),
            asked.words if asked.words != before.words else gr.skip(),
            View(source, asked, language),
        ]


def _without_value(update: Any) -> Any:
    if not isinstance(update, dict) or "__type__" not in update:
        return gr.skip()
    return {name: value for name, value in update.items() if name != "value"}
