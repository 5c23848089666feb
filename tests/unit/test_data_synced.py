"""Files that the disk takes in while they are made."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.data import synced
from backend.data.synced import SyncedFile


def test_all_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synced, "_SYNCED_BYTES", 10)
    with SyncedFile(tmp_path / "x") as rows:
        for number in range(1000):
            rows.file.write(b"%d\n" % number)
            rows.go_on()
    assert (tmp_path / "x").read_bytes() == b"".join(b"%d\n" % number for number in range(1000))


def test_what_went_wrong_before_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells of a failed write once: of whoever asks first."""
    monkeypatch.setattr(synced, "_SYNCED_BYTES", 1)
    with pytest.raises(OSError, match="device"), SyncedFile(tmp_path / "x") as rows:
        rows.file.write(b"x")
        with patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
            rows.go_on()
            assert rows._thread is not None
            rows._thread.join()


def test_an_error_of_its_own_goes_first(tmp_path: Path) -> None:
    with pytest.raises(KeyError), SyncedFile(tmp_path / "x") as rows:
        rows.file.write(b"x")
        raise KeyError
    assert rows.file.closed
