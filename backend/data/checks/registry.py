"""All checks: their ids, what is done about what they find, and which remedies are advised.

A check's words are ``data.checks.<id>.name``, ``.why`` and ``.found`` in the locale files. Knows
nothing about how a check is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.data.checks.values import Remedy


@dataclass(frozen=True, slots=True)
class Check:
    """A check and its remedy.

    Attributes:
        id: As in the locale files.
        remedy: What can be done about what it finds.
        advised: The remedy is applied unless a person decides otherwise.
    """

    id: str
    remedy: Remedy
    advised: bool


CHECKS: tuple[Check, ...] = (
    Check("no_reasoning", Remedy.EXCLUDE, advised=False),  # plain questions and answers are fine
    Check("think_typo", Remedy.REPAIR, advised=True),
    Check("think_unclosed", Remedy.EXCLUDE, advised=True),
    Check("think_misplaced", Remedy.EXCLUDE, advised=True),
    Check("empty_think", Remedy.EXCLUDE, advised=True),
    Check("empty_answer_after_think", Remedy.EXCLUDE, advised=True),
    Check("answer_in_question", Remedy.EXCLUDE, advised=False),
    Check("refusal", Remedy.EXCLUDE, advised=True),
    Check("boilerplate", Remedy.EXCLUDE, advised=False),
    Check("mixed_language", Remedy.EXCLUDE, advised=False),
    Check("control_characters", Remedy.REPAIR, advised=True),
    Check("mojibake", Remedy.REPAIR, advised=True),
    Check("repetition", Remedy.EXCLUDE, advised=True),
    Check("very_short", Remedy.EXCLUDE, advised=False),
    Check("very_long", Remedy.EXCLUDE, advised=False),
    # Found when the file is read, before anything is made of the row.
    Check("duplicate_keys", Remedy.EXCLUDE, advised=False),
    Check("not_numbers", Remedy.EXCLUDE, advised=False),
    Check("pii_cn_id", Remedy.MASK, advised=True),
    Check("pii_phone", Remedy.MASK, advised=True),
    Check("pii_email", Remedy.MASK, advised=True),
    Check("pii_record", Remedy.MASK, advised=True),
    Check("pii_birth", Remedy.MASK, advised=True),
    Check("pii_name", Remedy.MASK, advised=False),  # names are guessed: more false alarms
    # Found by comparing rows, with each other or with an evaluation file.
    Check("exact_duplicate", Remedy.EXCLUDE, advised=True),
    Check("near_duplicate", Remedy.EXCLUDE, advised=False),
    Check("same_question", Remedy.EXCLUDE, advised=False),
    Check("evaluation_overlap", Remedy.EXCLUDE, advised=True),
)
"""In the order in which they are shown; a check's place is its bit in the flags of a row
(uint32)."""

TWINS = ("exact_duplicate", "same_question", "near_duplicate")
"""The checks that find an earlier row which a row repeats; a row has the flag of the first of them
only."""

_PLACES = {check.id: place for place, check in enumerate(CHECKS)}


def find_check(id: str) -> Check:
    """The check with an id; KeyError where there is none."""
    return CHECKS[_PLACES[id]]


def bit_of(id: str) -> int:
    """The place of a check's bit in the flags of a row; KeyError where there is no such check."""
    return _PLACES[id]


def flag_of(id: str) -> int:
    """The flag of a check: its bit set, all others clear."""
    return 1 << bit_of(id)
