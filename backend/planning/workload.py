"""What an epoch gives the model to compute: samples, tokens, and the padding between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.tokens.cutoff import kept
from backend.data.tokens.lengths import Lengths
from backend.planning.packing import packs
from backend.planning.row_lengths import RowLengths

PADDED_TO = 8
"""LLaMA-Factory fills batches up to a multiple of this (``pad_to_multiple_of``)."""

_LONGER = 1.2
"""How much longer the longest of all rows is taken to be than the longest of a sample: of 198 rows
of medical-o1 it is at most 1.19 times the longest of 128 of them, in 99 of 100 samples."""


@dataclass(frozen=True)
class Workload:
    """An epoch.

    Attributes:
        rows: What is read.
        samples: What is trained on: rows, or packs of them.
        tokens: Of the rows as they are cut; None where their lengths are not known.
        padded: With the padding of each batch, which is computed as well and which a trainer's
            speed counts; None likewise.
        longest: Tokens of the longest sample; the cutoff where lengths are not known.
        exact: ``tokens`` is counted, not estimated from a sample.
        measured: So many rows were.
    """

    rows: int
    samples: int
    tokens: int | None
    padded: int | None
    longest: int
    exact: bool
    measured: int = 0


def workload_of(values: Mapping[str, Any], rows: int, lengths: RowLengths | None) -> Workload:
    """The epoch of a training.

    Args:
        values: As ``schema.validate`` returns them.
        rows: To train on.
        lengths: Of these rows.
    """
    cutoff, batch = values["cutoff_len"], values["per_device_train_batch_size"]
    packing = bool(values.get("packing") or values.get("neat_packing"))
    if lengths is None:
        return Workload(rows, rows, None, None, _filled(cutoff), exact=False)
    cut = cut_lengths(lengths.lengths, cutoff)
    tokens = round(float(cut.mean()) * rows)
    if packing:
        samples = packs(cut, cutoff, rows)
        padded, longest = samples * _filled(cutoff), _filled(cutoff)
    else:
        samples, padded, longest = rows, _padded(cut, batch, rows), _filled(int(cut.max()))
        if not lengths.exact:  # a sample hardly has the longest row
            longest = _filled(min(cutoff, round(longest * _LONGER)))
    return Workload(rows, samples, tokens, padded, longest, lengths.exact, len(cut))


def cut_lengths(lengths: Lengths, cutoff: int) -> NDArray[np.int64]:
    """Tokens of each row as it is cut."""
    source, target = kept(lengths, cutoff)
    return lengths.sum_of(source + target) + lengths.tail


def _padded(cut: NDArray[np.int64], batch: int, rows: int) -> int:
    """Tokens of all batches, each as long as its longest row, put together by chance."""
    mixed = np.random.default_rng(0).permutation(cut)
    # A sample smaller than a batch stands for one by being repeated.
    whole = mixed if len(mixed) >= batch else np.resize(mixed, batch)
    groups = whole[: len(whole) // batch * batch].reshape(-1, batch)
    longest = -(-groups.max(axis=1) // PADDED_TO) * PADDED_TO
    return round(float(longest.mean()) * rows)


def _filled(tokens: int) -> int:
    return -(-tokens // PADDED_TO) * PADDED_TO
