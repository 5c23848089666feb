"""What a hyperparameter is, and the error that names one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.errors import HyperparameterError
from backend.text import text

Kind = Literal["text", "int", "float", "choice", "bool", "model", "dataset", "template", "extra"]
Group = Literal[
    "what", "method", "lora", "qlora", "schedule", "optimizer", "data", "precision",
    "acceleration", "evaluation", "saving", "devices", "extra",
]  # fmt: skip


class FieldError(HyperparameterError):
    """A field of the form has a value that can't be used; ``field`` is its name."""

    def __init__(self, key: str, field: str, **params: object) -> None:
        super().__init__(key, **params)
        self.field = field

    def sentence(self, language: str) -> str:
        # The form shows labels, not arguments, and each language has its own: of the field, and of
        # another one that the sentence names as ``other``.
        params = dict(self.params)
        if "other" in params:
            params["other"] = label(language, str(params["other"]))
        return text(language, self.key, label=label(language, self.field), **params)


def label(language: str, name: str) -> str:
    """What the form calls a field."""
    return text(language, f"fields.{name}.label")


@dataclass(frozen=True)
class Field:
    """One hyperparameter.

    Attributes:
        name: LLaMA-Factory's argument, or one of ours.
        default: What the form begins with.
        absent: What LLaMA-Factory takes where its file has nothing; None for a field that is
            always written, and for ours.
        minimum, maximum: Both allowed themselves; for numbers only.
        basic: Shown at once; the others are folded away by group.
        required: An empty value is refused.
        only: Other fields and the values of theirs with which this one has an effect.
        unless: Other fields and the values of theirs with which this one has none.
        needs: Values that take a package, see ``packages``, and which.
    """

    name: str
    kind: Kind
    group: Group
    default: Any = None
    absent: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    basic: bool = True
    required: bool = False
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    unless: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    needs: Mapping[Any, str] = field(default_factory=dict)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the field has an effect with these values of the others."""
        return all(values.get(name) in allowed for name, allowed in self.only.items()) and not any(
            values.get(name) in useless for name, useless in self.unless.items()
        )
