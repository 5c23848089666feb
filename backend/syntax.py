"""Python's sources as trees, whatever other threads read at the same time."""

from __future__ import annotations

import ast

TRIES = 20


def parsed(source: str | bytes) -> ast.Module:
    """The tree of a source.

    Python 3.11 counts the depth of the trees that it makes for all threads together, and fails with
    a SystemError where two make one at once (python/cpython#106905). Others do so unseen: numpy
    reads the head of an array's file in this way.
    """
    for _ in range(TRIES - 1):
        try:
            return ast.parse(source)
        except SystemError:
            continue
    return ast.parse(source)
