"""Whether LLaMA-Factory itself can load a prepared dataset, tried before anyone trains on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from backend.data.tokens.inspector import ROOT, offline
from backend.errors import DataError

PATIENCE = 300.0
"""Seconds to wait at least: the imports alone take half a minute on a busy machine."""

PATIENT_BYTES = 1 << 20
"""Bytes for which another second is waited: a tenth of the speed measured on two idle cores."""


@dataclass(frozen=True)
class Loaded:
    """What LLaMA-Factory made of entries of its registry.

    Attributes:
        by_name: Of each entry the rows that are trained on.
        dropped_by_name: Of each entry the rows that it leaves out as invalid.
        light: Its loader ran without the whole of LLaMA-Factory around it.
    """

    by_name: Mapping[str, int]
    dropped_by_name: Mapping[str, int]
    light: bool

    @property
    def rows(self) -> int:
        """Rows of all entries that are trained on."""
        return sum(self.by_name.values())

    @property
    def dropped(self) -> int:
        return sum(self.dropped_by_name.values())


def load_through_llamafactory(
    dataset_dir: Path, names: Sequence[str], *, cache: Path, timeout: float | None = None
) -> Loaded:
    """Load entries of a registry as a training run would, in a process of its own.

    Args:
        dataset_dir: Folder with ``dataset_info.json``.
        names: Entries in it.
        cache: Folder in which a temporary one is made and removed: as large as the datasets.
        timeout: In seconds; where None as ``patience_for`` the datasets.

    Raises:
        DataError: LLaMA-Factory can't load them, with its own words; or it takes too long.
    """
    if timeout is None:
        timeout = patience_for(dataset_dir)
    cache.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(dir=cache, prefix="loading-")
    command = [sys.executable, "-m", "backend.workers.inspect_loading"]
    try:
        done = subprocess.run(
            [*command, str(dataset_dir), folder, *names],
            cwd=ROOT,
            env=offline(HF_DATASETS_CACHE=folder, HF_DATASETS_DISABLE_PROGRESS_BARS="1"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError("data.errors.loading_timeout", seconds=round(timeout)) from error
    except OSError as error:
        raise DataError("data.errors.loading_failed", reason=error.strerror or error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _read(done)


def patience_for(dataset_dir: Path) -> float:
    """Seconds to wait for LLaMA-Factory to load the datasets in a folder, by their size."""
    size = sum(one.stat().st_size for one in dataset_dir.rglob("*.jsonl") if one.is_file())
    return PATIENCE + size / PATIENT_BYTES


def _read(done: subprocess.CompletedProcess[bytes]) -> Loaded:
    said: dict[str, Any] = orjson.loads(done.stdout) if done.stdout else {}
    if "rows" in said:
        return Loaded(said["rows"], said["dropped"], said["light"])
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = said.get("error") or (lines[-1] if lines else f"exit status {done.returncode}")
    raise DataError("data.errors.loading_failed", reason=str(reason)[:500].rstrip("."))
