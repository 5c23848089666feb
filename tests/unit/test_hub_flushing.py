"""What arrives is brought to the disk on the way, in steps worth it."""

from __future__ import annotations

from pathlib import Path

from backend.hub.flushing import Flushing

STEP = 16 << 20


def test_only_what_has_grown_enough_is_flushed(tmp_path: Path) -> None:
    big, small, whole = (tmp_path / name for name in ("a.incomplete", "b.incomplete", "c"))
    for path, size in ((big, STEP), (small, STEP - 1), (whole, STEP)):
        with path.open("wb") as stream:
            stream.truncate(size)
    flushing = Flushing(tmp_path)
    assert flushing.flush() == [big]
    assert flushing.flush() == []
    with big.open("ab") as stream:
        stream.truncate(3 * STEP)
    assert flushing.flush() == [big]


def test_one_that_began_anew_is_flushed_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.incomplete"
    path.parent.mkdir()
    with path.open("wb") as stream:
        stream.truncate(2 * STEP)
    flushing = Flushing(tmp_path)
    assert flushing.flush() == [path]
    path.write_bytes(b"")
    assert flushing.flush() == [path]


def test_it_ends_with_its_block_and_minds_nothing_that_vanishes(tmp_path: Path) -> None:
    flushing = Flushing(tmp_path / "not there")
    with flushing:
        pass
    assert flushing.flush() == []
