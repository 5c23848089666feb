"""Findings of the runs that are watched, made anew when there is something new to look at.

A page asks every second; the diagnosis of a long curve takes a tenth of one. So after one that took
t seconds the next comes after 1,000 t, which costs 0.1 % of a processor, and of the longest curves
after twenty seconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.training.health import Finding, diagnose

if TYPE_CHECKING:
    from backend.training.series import Series

SHARE = 1 / 1000
LONGEST_SECONDS = 20.0
_KEPT = 16


@dataclass(frozen=True)
class _Made:
    looked_at: tuple[object, ...]
    findings: list[Finding]
    due: float


class Diagnoses:
    """Remembers the last findings of each run; safe to ask from several threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: OrderedDict[str, _Made] = OrderedDict()

    def of(self, run_id: str, series: Series, *, over: bool = False) -> list[Finding]:
        """What the curves of a run show: as of a moment ago at worst, of all of them where it is
        ``over`` and nothing comes that would have them looked at again."""
        looked_at = _extent(series)
        with self._lock:
            made = self._made.get(run_id)
            now = self._clock()
            if made is None or (made.looked_at != looked_at and (over or now >= made.due)):
                findings = diagnose(series)
                ended = self._clock()
                due = ended + min((ended - now) / SHARE, LONGEST_SECONDS)
                made = _Made(looked_at, findings, due)
                self._made[run_id] = made
            self._made.move_to_end(run_id)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return made.findings


def _extent(series: Series) -> tuple[object, ...]:
    """Differs for two states of one log: how far it goes, and whether it was replaced."""
    steps, evaluated = series.step, series.eval_step
    return (
        len(steps), float(steps[-1]) if len(steps) else 0.0,
        float(series.loss[-1]) if len(steps) else 0.0,
        len(evaluated), float(evaluated[-1]) if len(evaluated) else 0.0,
        len(series.unusable),
    )  # fmt: skip
