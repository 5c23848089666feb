"""The record of a preparation: what was asked for, what it was made from and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.data.meaning.records import Target
from backend.data.recipe import PrepareSettings, Recipe
from backend.problems import Problem


@dataclass(frozen=True)
class CheckReport:
    """What a check found, and whether its remedy was applied."""

    rows: int
    applied: bool


@dataclass(frozen=True)
class Report:
    """What a preparation did; ``report.json`` in the dataset's folder. The same file, recipe and
    settings give the same bytes, so it says nothing of when and on which machine it was made.

    Attributes:
        source: Path of the file that it was made from; of one in the workspace from there.
        source_sha256: Its content, in hexadecimal.
        source_rows: All its rows: those for training, for validation and those left out.
        target: How the rows are written.
        system: Some of the rows have a system prompt.
        left_out: Rows that were left out, by the reason: ``unusable``, ``by_hand``, ``by_check``,
            ``over_cutoff`` and ``emptied`` (nothing was left of it once it was repaired).
        unusable: Each kind of fault that makes rows unusable, with the number of rows.
        checks: What each check found that found something, in all rows of the file.
        mended: Rows, among those kept, that are repaired or masked.
    """

    name: str
    source: str
    source_sha256: str
    source_rows: int
    target: Target
    system: bool
    train_rows: int
    validation_rows: int
    mended: int
    recipe: Recipe
    settings: PrepareSettings
    left_out: Mapping[str, int] = field(default_factory=dict)
    unusable: tuple[tuple[Problem, int], ...] = ()
    checks: Mapping[str, CheckReport] = field(default_factory=dict)

    @property
    def left_out_rows(self) -> int:
        return sum(self.left_out.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": self.source,
            "source_sha256": self.source_sha256,
            "source_rows": self.source_rows,
            "target": self.target.value,
            "system": self.system,
            "train_rows": self.train_rows,
            "validation_rows": self.validation_rows,
            "mended": self.mended,
            "left_out": dict(self.left_out),
            "unusable": [
                {"key": problem.key, "params": dict(problem.params), "rows": rows}
                for problem, rows in self.unusable
            ],
            "checks": {
                name: {"rows": one.rows, "applied": one.applied}
                for name, one in self.checks.items()
            },
            "recipe": self.recipe.to_json(),
            "settings": self.settings.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any) -> Report:
        """The report in a ``report.json``.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        plain = ("name", "source", "source_sha256", "source_rows", "system", "train_rows")
        more = ("validation_rows", "mended")
        return cls(
            **{name: value[name] for name in (*plain, *more)},
            target=Target(value["target"]),
            left_out={str(reason): int(rows) for reason, rows in value["left_out"].items()},
            unusable=tuple(
                (Problem(one["key"], one["params"]), int(one["rows"])) for one in value["unusable"]
            ),
            checks={
                str(name): CheckReport(int(one["rows"]), bool(one["applied"]))
                for name, one in value["checks"].items()
            },
            recipe=Recipe.from_json(value["recipe"]),
            settings=PrepareSettings(**value["settings"]),
        )
