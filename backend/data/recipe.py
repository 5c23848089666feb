"""What a dataset is made by: how rows are understood, what is done about findings, how to split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap
from backend.errors import DataError


@dataclass(frozen=True)
class Cutoff:
    """A cutoff length, and whose tokens it counts.

    Attributes:
        model: Id of the model whose tokenizer counts.
        template: LLaMA-Factory's chat template.
        tokens: Rows that would lose part of an answer at this cutoff length are dropped.
    """

    model: str
    template: str
    tokens: int


@dataclass(frozen=True)
class Recipe:
    """What becomes of the rows of a file.

    Attributes:
        evaluation: Id of the file on which a model will be scored later; empty where none is.
        cutoff: Rows over it are dropped; None where all lengths stay.
    """

    columns: ColumnMap
    decisions: Decisions = field(default_factory=Decisions)
    evaluation: str = ""
    cutoff: Cutoff | None = None

    def to_json(self) -> dict[str, Any]:
        cutoff = self.cutoff
        return {
            "columns": self.columns.to_json(),
            "decisions": self.decisions.to_json(),
            "evaluation": self.evaluation,
            "cutoff": cutoff
            and {"model": cutoff.model, "template": cutoff.template, "tokens": cutoff.tokens},
        }

    @classmethod
    def from_json(cls, value: Any) -> Recipe:
        """The recipe in a file.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        cutoff = value["cutoff"]
        return cls(
            columns=ColumnMap.from_json(value["columns"]),
            decisions=Decisions.from_json(value["decisions"]),
            evaluation=str(value["evaluation"]),
            cutoff=Cutoff(str(cutoff["model"]), str(cutoff["template"]), int(cutoff["tokens"]))
            if cutoff
            else None,
        )


@dataclass(frozen=True)
class PrepareSettings:
    """What a person chooses when a dataset is made.

    Attributes:
        name: Name of the prepared dataset, as training will know it.
        validation_share: Share of the rows to keep for validation, at least 0 and below 1.
        seed: Another seed keeps other rows for validation.
    """

    name: str
    validation_share: float = 0.05
    seed: int = 42

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "validation_share": self.validation_share, "seed": self.seed}


def settings_of(name: str, *, percent: float | None, seed: float | None) -> PrepareSettings:
    """The settings as a person enters them; None for a field that was emptied.

    Raises:
        DataError: there is no share, or the seed is no whole number.
    """
    if percent is None:
        raise DataError("data.errors.share_missing")
    if seed is None or not float(seed).is_integer():
        raise DataError("data.errors.seed_bad")
    return PrepareSettings(name=name.strip(), validation_share=percent / 100, seed=int(seed))
