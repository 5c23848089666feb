"""How a process gets ready to work through many rows: what it does about memory."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_COLLECTED = 50_000
"""So many objects more than before, and they are looked at. Rows make none that hold each other,
and to look after each 700, which is Python's own number, takes up to a twelfth of a study."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 128 << 20
_LARGEST_KEPT = 32 << 20


def get_ready() -> None:
    """Also for the processes that are forked later."""
    gc.set_threshold(_COLLECTED)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let freed memory be used again: blocks of a megabyte come and go here by the hundred, glibc
    gives each back to the system, and to get the next one takes longer than to fill it.
    """
    with suppress(AttributeError, TypeError):  # another C library, or another system
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
