"""What a person decided about the findings in a file: remedies applied or not, rows in or out.

Nothing here touches the file. Knows checks by their ids and rows by their numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.data.checks.registry import CHECKS, find_check
from backend.data.checks.values import Remedy
from backend.data.meaning.mapping import ColumnMap, Role


@dataclass(frozen=True)
class Decisions:
    """Decisions about one file; none is what is advised.

    Attributes:
        remedies: Whether a check's remedy is applied, for the checks where a person chose.
        excluded: Numbers of rows that are left out by hand.
        kept: Numbers of rows that stay whatever checks say.
    """

    remedies: Mapping[str, bool] = field(default_factory=dict)
    excluded: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()

    def applies(self, check_id: str) -> bool:
        """Whether the remedy of a check is applied."""
        return self.remedies.get(check_id, find_check(check_id).advised)

    def applied(self, *remedies: Remedy) -> tuple[str, ...]:
        """Ids of the checks with one of these remedies that are applied, in the checks' order."""
        return tuple(
            check.id for check in CHECKS if check.remedy in remedies and self.applies(check.id)
        )

    @property
    def mended(self) -> tuple[str, ...]:
        """Ids of the checks whose repairs or masks change what is taught."""
        return self.applied(Remedy.REPAIR, Remedy.MASK)

    @property
    def excluding(self) -> int:
        """The flags of the checks whose rows are left out."""
        leaving = set(self.applied(Remedy.EXCLUDE))
        return sum(1 << bit for bit, check in enumerate(CHECKS) if check.id in leaving)

    def choose(self, check_id: str, apply: bool) -> Decisions:
        """Apply a check's remedy or not."""
        find_check(check_id)
        return replace(self, remedies={**self.remedies, check_id: apply})

    def leave_out(self, rows: Collection[int]) -> Decisions:
        """Leave rows out by hand."""
        chosen = frozenset(rows)
        return replace(self, excluded=self.excluded | chosen, kept=self.kept - chosen)

    def put_back(self, rows: Collection[int]) -> Decisions:
        """Keep rows, whether a person or a check left them out."""
        chosen = frozenset(rows)
        return replace(self, excluded=self.excluded - chosen, kept=self.kept | chosen)

    def forget(self, rows: Collection[int]) -> Decisions:
        """Let the checks decide about rows again."""
        chosen = frozenset(rows)
        return replace(self, excluded=self.excluded - chosen, kept=self.kept - chosen)

    def advised_for(self, columns: ColumnMap) -> Decisions:
        """The same with what is advised for files of this kind, where a person did not choose.

        In a file with a column for the reasoning, a row without any is a fault: the model would
        learn not to reason. In one without it, all rows are like that.
        """
        if "no_reasoning" in self.remedies or Role.REASONING not in columns.columns:
            return self
        return self.choose("no_reasoning", columns.reasoning)

    def to_json(self) -> dict[str, Any]:
        return {
            "remedies": dict(sorted(self.remedies.items())),
            "excluded": sorted(self.excluded),
            "kept": sorted(self.kept),
        }

    @classmethod
    def from_json(cls, value: Any) -> Decisions:
        """The decisions in a file; of checks that are not known any more nothing is kept.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: they are none.
        """
        known = {check.id for check in CHECKS}
        return cls(
            remedies={
                str(name): bool(apply) for name, apply in value["remedies"].items() if name in known
            },
            excluded=frozenset(int(row) for row in value["excluded"]),
            kept=frozenset(int(row) for row in value["kept"]),
        )
