"""A fault found in something, as a value: what is wrong with a row, a file or a model folder.

An error stops what was asked for; a problem is noted, shown beside the thing, and the work goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.secrecy import mask
from backend.text import text


@dataclass(frozen=True)
class Problem:
    """A fault with a sentence for the person.

    Attributes:
        key: Key of the sentence in the locale files, e.g. ``"data.problems.empty_reasoning"``.
        params: Values for the sentence's ``{placeholders}``; JSON values only.
    """

    key: str
    params: Mapping[str, str | int] = field(default_factory=dict)

    def sentence(self, language: str) -> str:
        """The problem in one sentence, in ``language`` ("en" or "zh"), without secrets."""
        return mask(text(language, self.key, **self.params))
