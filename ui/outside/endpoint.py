"""One action for programs: its arguments, checked by their annotations, and what it answers.

Knows nothing about Gradio or MCP.
"""

from __future__ import annotations

import inspect
import math
import re
import time
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from backend.errors import CallError

LONGEST_WAIT = 60.0
"""Seconds that a call waits at most for what goes on: proxies give up on what is silent longer."""

_LOOK_SECONDS = 0.2

_KINDS: Mapping[Any, str] = {
    str: "text",
    int: "whole",
    float: "number",
    bool: "truth",
    list: "texts",
    dict: "settings",
}

_PART = re.compile(r"^(Args|Returns|Raises):$", re.MULTILINE)


@dataclass(frozen=True)
class Argument:
    """An argument of an endpoint.

    Attributes:
        kind: Its annotation: ``str``, ``int``, ``float``, ``bool``, ``list[str]``,
            ``dict[str, Any]`` or a ``Literal`` of texts, perhaps ``| None``.
        about: What it is, in a sentence.
        default: ``inspect.Parameter.empty`` where it has to be given.
    """

    name: str
    kind: Any
    about: str
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def checked(self, value: Any) -> Any:
        """The value, if it is of the right kind.

        Raises:
            CallError: it is not.
        """
        kind, may_be_none = _without_none(self.kind)
        if value is None and (may_be_none or not self.required):
            return self.default
        plain = get_origin(kind) or kind
        if plain is float and _is_number(value):
            return float(value)
        if plain is int and _is_number(value) and float(value).is_integer():
            return int(value)
        if plain in (str, bool, dict) and isinstance(value, plain):
            return value
        if plain is list and isinstance(value, list) and all(isinstance(v, str) for v in value):
            return value
        if plain is Literal:
            if isinstance(value, str) and value in get_args(kind):
                return value
            choices = ", ".join(get_args(kind))
            raise CallError("outside.errors.choice", name=self.name, choices=choices)
        raise CallError(f"outside.errors.{_KINDS[plain]}", name=self.name)


@dataclass(frozen=True)
class Endpoint:
    """An action that programs can call.

    Attributes:
        name: As ``gradio_client`` and MCP know it.
        function: Takes the language of sentences, then the arguments by name.
        about: What it does, in a paragraph.
        answers: What it answers, in another one.
        answer: The annotation of that.
        waits: It may take as long as its ``wait_seconds`` say.
    """

    name: str
    function: Callable[..., Any]
    about: str
    answers: str
    answer: Any
    arguments: tuple[Argument, ...]
    waits: bool

    @property
    def reads(self) -> bool:
        """Whether it changes nothing: it lists or follows."""
        return self.name.startswith(("list_", "follow_"))

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Endpoint:
        """The endpoint that a method makes: by its name, its annotations and its docstring."""
        hints = get_type_hints(function)
        parts = _parts(inspect.getdoc(function) or "")
        about = _described(parts["Args"])
        arguments = tuple(
            Argument(one.name, hints[one.name], about[one.name], one.default)
            for one in list(inspect.signature(function).parameters.values())[1:]
        )
        waits = any(one.name == "wait_seconds" for one in arguments)
        does, answers = (" ".join(parts[name].split()) for name in ("", "Returns"))
        return cls(function.__name__, function, does, answers, hints["return"], arguments, waits)

    def call(self, language: str, given: Mapping[str, Any]) -> Any:
        """Do it.

        Raises:
            MedTuneError: it can't be done, or not with these arguments.
        """
        known = {one.name for one in self.arguments}
        for name in given:
            if name not in known:
                raise CallError("outside.errors.unknown", name=str(name)[:80])
        for one in self.arguments:
            if one.required and one.name not in given:
                raise CallError("outside.errors.missing", name=one.name)
        checked = {
            one.name: one.checked(given[one.name]) for one in self.arguments if one.name in given
        }
        return self.function(language, **checked)


def await_until(true: Callable[[], bool], wait_seconds: float) -> None:
    """Wait until something is so, or the time is over.

    Raises:
        CallError: nobody may wait for so long.
    """
    if not 0 <= wait_seconds <= LONGEST_WAIT:
        raise CallError("outside.errors.wait", most=f"{LONGEST_WAIT:g}")
    deadline = time.monotonic() + wait_seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def number(value: Any) -> float | None:
    """A measured value as JSON can say it; None where nothing was measured, or no number."""
    return float(value) if value is not None and math.isfinite(value) else None


def _without_none(kind: Any) -> tuple[Any, bool]:
    """An annotation without its ``| None``, and whether it had one."""
    if get_origin(kind) in (Union, types.UnionType):
        (plain,) = (one for one in get_args(kind) if one is not types.NoneType)
        return plain, True
    return kind, False


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 2**53  # all that every JSON reader tells apart; NaN is not


def _parts(documented: str) -> dict[str, str]:
    """A docstring by its headings; what comes before the first one under ""."""
    pieces = _PART.split(documented)
    return {
        "": pieces[0],
        "Args": "",
        "Returns": "",
        **dict(zip(pieces[1::2], pieces[2::2], strict=True)),
    }


def _described(arguments: str) -> dict[str, str]:
    """Argument → its description, of which further lines stand further in."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(arguments).splitlines():
        if line and not line.startswith(" "):
            name, _, line = line.partition(":")
        if name:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
