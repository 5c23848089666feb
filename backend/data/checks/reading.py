"""What a row lost when it was read, as findings: a key that is there twice, a number that is none.

Knows nothing about how rows are read; what reading notes has the same names as the checks.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.data.checks.registry import flag_of
from backend.data.checks.values import Finding
from backend.problems import Problem

OF_NOTES = {f"data.problems.{name}": name for name in ("duplicate_keys", "not_numbers")}
"""The check of each kind of note."""


def flags_of_notes(notes: Sequence[Problem]) -> int:
    """The flags of the checks that a row's notes belong to."""
    found = 0
    for note in notes:
        if note.key in OF_NOTES:
            found |= flag_of(OF_NOTES[note.key])
    return found


def findings_of_notes(notes: Sequence[Problem]) -> list[Finding]:
    """A row's notes as findings."""
    return [
        Finding(OF_NOTES[note.key], params=note.params) for note in notes if note.key in OF_NOTES
    ]
