"""Processes that share the work on one file and end with their parent.

They are forked where the system can, so that they have what the parent has read without copying
it. Knows nothing about files.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from backend.errors import DataError
from backend.problems import Problem

_T = TypeVar("_T")


def can_fork() -> bool:
    """Whether processes have all that their parent has."""
    return "fork" in multiprocessing.get_all_start_methods()


@contextmanager
def forked(workers: int, begin: Callable[..., None], *given: Any) -> Iterator[ProcessPoolExecutor]:
    """So many processes, started when there is something to do.

    Args:
        begin: Called first in each, with what is ``given``; sent once where they can't be forked.
    """
    context = multiprocessing.get_context("fork" if can_fork() else None)
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(begin, *given))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(begin: Callable[..., None], *given: Any) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    begin(*given)


def _end_with_parent() -> None:
    """Else a process whose parent was killed would wait for the next piece of work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def told(work: Callable[[], _T]) -> _T | Problem:
    """What work comes to, or why it can't be done: an error can't be sent."""
    try:
        return work()
    except DataError as error:
        return Problem(error.key, {name: str(value) for name, value in error.params.items()})


def heard(answer: _T | Problem) -> _T:
    """What ``told`` told.

    Raises:
        DataError: why it could not be done.
    """
    if isinstance(answer, Problem):
        raise DataError(answer.key, **answer.params)
    return answer
