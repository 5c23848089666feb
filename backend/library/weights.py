"""What weight files hold, without reading the weights: parameters, and whether they are whole.

Safetensors say it in their headers. Pickles say nothing before they are run, so of those only the
outer form is looked at.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from backend.files import read_json
from backend.problems import Problem

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE_SINGLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
"""Endings of weights that run code when they are loaded."""

_HEADER_LIMIT = 100_000_000
"""Longest header that the format allows, in bytes."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in a weight file, e.g. ``model.layers.0.mlp.up_proj.weight``.

    Attributes:
        shape: Of a linear layer's weight (outputs, inputs).
        size: Bytes in the file.
    """

    name: str
    shape: tuple[int, ...]
    size: int

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What a safetensors header says."""

    parameters: int
    file_size: int


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files with the weights of a model: one, or those that its index names."""
    return _named(folder, INDEX, SINGLE)


def pickle_files(folder: Path) -> tuple[Path, ...]:
    """The pickle files with the weights of a model that has no safetensors; else none."""
    if any((folder / name).is_file() for name in (INDEX, SINGLE)):
        return ()
    return _named(folder, PICKLE_INDEX, PICKLE_SINGLE)


def check_weights(folder: Path, *, pickles_allowed: bool = False) -> tuple[Problem, ...]:
    """What is missing or damaged in the weights of a model.

    Args:
        pickles_allowed: The person agreed to pickles; they count where there are no safetensors.
    """
    if files := weight_files(folder):
        return _missing(files) or _damaged(files, _is_whole)
    if pickles_allowed and (files := pickle_files(folder)):
        return _missing(files) or _damaged(files, _is_whole_pickle)
    return (_why_no_weights(folder, pickles_allowed=pickles_allowed),)


def _named(folder: Path, index: str, single: str) -> tuple[Path, ...]:
    if (folder / index).is_file():
        return tuple(folder / name for name in _indexed(folder / index) or ())
    return (folder / single,) if (folder / single).is_file() else ()


def _missing(files: Sequence[Path]) -> tuple[Problem, ...]:
    missing = [file.name for file in files if not file.is_file()]
    if not missing:
        return ()
    named = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
    counts: dict[str, str | int] = {"missing": len(missing), "total": len(files), "files": named}
    return (Problem("library.problems.shards_missing", counts),)


def _damaged(files: Sequence[Path], whole: Callable[[Path], bool]) -> tuple[Problem, ...]:
    return tuple(
        Problem("library.problems.weights_damaged", {"file": file.name})
        for file in files
        if not whole(file)
    )


def _why_no_weights(folder: Path, *, pickles_allowed: bool) -> Problem:
    if (folder / INDEX).is_file():
        return Problem("library.problems.index_damaged", {"file": INDEX})
    endings = {file.suffix for file in folder.iterdir()}
    if ".safetensors" in endings:
        return Problem("library.problems.index_missing", {"file": INDEX})
    if not endings & PICKLES:
        return Problem("library.problems.weights_missing")
    if not pickles_allowed:
        return Problem("library.problems.pickle_only")
    damaged = (folder / PICKLE_INDEX).is_file()
    key = "library.problems.index_damaged" if damaged else "library.problems.index_missing"
    return Problem(key, {"file": PICKLE_INDEX})


def count_parameters(folder: Path) -> int | None:
    """Number of parameters of a model; None where a file is missing or damaged."""
    headers = [read_header(file) for file in weight_files(folder)]
    known = [header.parameters for header in headers if header is not None]
    return sum(known) if headers and len(known) == len(headers) else None


def list_tensors(folder: Path) -> tuple[Tensor, ...]:
    """All tensors of a model, in no order; none where a file is missing, damaged or a pickle."""
    found: list[Tensor] = []
    for file in weight_files(folder):
        tensors = tensors_in(file)
        if tensors is None:
            return ()
        found += tensors
    return tuple(found)


def tensors_in(file: Path) -> tuple[Tensor, ...] | None:
    """The tensors of one safetensors file; None where it is missing or damaged."""
    try:
        status = file.stat()
        return _read_tensors(file, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


def read_header(file: Path) -> Header | None:
    """The header of a safetensors file; None where there is none that can be read."""
    try:
        status = file.stat()
        return _read_header(file, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


def _header_of(file: Path, size: int) -> tuple[int, bytes]:
    # Format: eight bytes little-endian length, so many bytes of JSON, then the tensors.
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        return length, stream.read(length) if length <= min(_HEADER_LIMIT, size) else b""


# One model of some hundred tensors at a time is looked at so closely; the largest have a hundred
# files.
@lru_cache(maxsize=128)
def _read_tensors(file: Path, size: int, _modified: int) -> tuple[Tensor, ...] | None:
    _, content = _header_of(file, size)
    try:
        return tuple(
            Tensor(name, tuple(value["shape"]), value["data_offsets"][1] - value["data_offsets"][0])
            for name, value in orjson.loads(content).items()
            if name != "__metadata__"
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError):
        return None


@lru_cache(maxsize=1024)
def _read_header(file: Path, size: int, _modified: int) -> Header | None:
    length, content = _header_of(file, size)
    try:
        tensors = orjson.loads(content)
        described = [value for name, value in tensors.items() if name != "__metadata__"]
        parameters = sum(math.prod(tensor["shape"]) for tensor in described)
        end = max((tensor["data_offsets"][1] for tensor in described), default=0)
        return Header(parameters, 8 + length + end)
    except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError, TypeError):
        return None


def _is_whole(file: Path) -> bool:
    header = read_header(file)
    return header is not None and file.stat().st_size == header.file_size


def _is_whole_pickle(file: Path) -> bool:
    # torch.save writes a zip archive, whose directory is its end, and before 1.6 a bare pickle.
    with file.open("rb") as stream:
        start = stream.read(2)
    return zipfile.is_zipfile(file) if start == b"PK" else start[:1] == b"\x80"


def _indexed(file: Path) -> list[str] | None:
    """The file names in an index, each once; None where it is damaged."""
    index: Any = read_json(file)
    try:
        names = sorted(set(index["weight_map"].values()))
    except (KeyError, TypeError, AttributeError):
        return None
    plain = all(isinstance(name, str) and Path(name).name == name for name in names)
    return names if names and plain else None
