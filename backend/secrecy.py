"""Secrets out of what is written for people: the terminal, logs, sentences about errors.

What is known to be a secret (a token that somebody typed) is masked wherever it stands. What is not
known is masked by its form: the prefixes that hubs and services give their keys, what follows
``Authorization`` or ``password=``, and the password in an address.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any, TextIO

MASK = "•••"

SHORTEST = 8
"""Shorter ones are not masked: they would take half of a log with them."""

_FORMS = re.compile(
    r"""
    \b(?P<key> hf_ | ms- | sk- | gh[pousr]_ | github_pat_ | glpat- | AKIA | xox[abprs]- | nvapi-
      )[A-Za-z0-9_\-]{12,}
    | (?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=\-]{8,}
    | (?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)
    | (?P<name>\b(?:[A-Za-z0-9]+[_\-])*
        (?:token|password|passwd|secret|api[_\-]?key|access[_\-]?key|authorization|cookie)\b
        ["']?\s*(?:=|:\s?)\s*["']?)(?!Bearer\b|Basic\b|None\b|null\b|["'<\[])[^\s"',;&}\])]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)

_known: set[str] = set()
_lock = threading.Lock()


def keep_secret(value: str) -> None:
    """From now on ``mask`` hides this value."""
    if len(value) >= SHORTEST:
        with _lock:
            _known.add(value)


def mask(words: str) -> str:
    """``words`` without the secrets in them."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        words = words.replace(secret, MASK)
    return _FORMS.sub(_masked, words)


def mask_output() -> None:
    """Mask what this process prints and logs from now on, tracebacks of libraries included."""
    sys.stdout = _Masked.around(sys.stdout)
    sys.stderr = _Masked.around(sys.stderr)


def _masked(found: re.Match[str]) -> str:
    shown = next((value for value in found.groupdict().values() if value), "")
    return f"{shown}{MASK}"


class _Masked:
    """A stream that masks; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @classmethod
    def around(cls, stream: TextIO) -> Any:
        return stream if isinstance(stream, cls) else cls(stream)

    def write(self, words: str) -> int:
        self._stream.write(mask(words))
        return len(words)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
