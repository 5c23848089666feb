"""Files packed with gzip, and the plain copies of those and of other encodings in the cache."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tracemalloc
import zlib
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.data.reading import beginning, store
from backend.data.reading.reader import RowReader
from tests.fakes.data_files import Rows, glanced, opened, problems, refused, write

ROWS: Rows = [{"Question": f"q{n} " + sha256(b"%d" % n).hexdigest(), "n": n} for n in range(200)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
ARRAY = json.dumps(ROWS).encode()
TABLE = ("Question,n\n" + "".join(f"{row['Question']},{row['n']}\n" for row in ROWS)).encode()


def copies(folder: Path) -> list[Path]:
    return sorted(one for one in (folder / "cache" / "rows").iterdir() if one.suffix != ".index")


def bomb(folder: Path, size: int) -> Path:
    """A file of which the packed bytes are a thousandth of what comes out."""
    packer = zlib.compressobj(9, wbits=31)
    blank = b" " * (1 << 20)
    with (folder / "bomb.json.gz").open("wb") as file:
        file.write(packer.compress(b'[{"a": 1}, '))
        for _ in range(size >> 20):
            file.write(packer.compress(blank))
        file.write(packer.compress(b'{"a": 2}]') + packer.flush())
    return folder / "bomb.json.gz"


# --- Cut off, damaged, put together -------------------------------------------------------------


@pytest.mark.parametrize("content", [LINES, ARRAY, TABLE], ids=["lines", "array", "table"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_off_gz_gives_its_whole_rows(tmp_path: Path, content: bytes, share: float) -> None:
    packed = gzip.compress(content)
    path = write(tmp_path / "rows.gz", packed[: int(len(packed) * share)])
    for reader in (opened(path), glanced(path)):
        rows = list(reader)
        assert 200 * share * 0.7 < len(rows) <= 200
        assert [row.value and row.value["Question"] for row in rows[:-1]] == [
            row["Question"] for row in ROWS[: len(rows) - 1]
        ]
        assert rows[-1].problem and "gz file is cut off" in rows[-1].problem.sentence("en")
        assert reader.packed and reader.complete


@pytest.mark.parametrize("content", [LINES, ARRAY, TABLE], ids=["lines", "array", "table"])
def test_gz_without_its_checksum_has_one_more_row_that_says_so(
    tmp_path: Path, content: bytes
) -> None:
    path = write(tmp_path / "rows.gz", gzip.compress(content)[:-4])
    assert list(problems(path)) == [201]


def test_gz_damaged_in_the_middle(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LINES))
    middle = len(packed) // 2
    packed[middle : middle + 200] = b"\xff" * 200
    rows = list(opened(write(tmp_path / "rows.gz", bytes(packed))))
    assert [row.value for row in rows[:80]] == ROWS[:80]
    assert rows[-1].problem and "damaged here" in rows[-1].problem.sentence("en")


def test_gz_cut_off_in_its_first_row(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json.gz", gzip.compress(b"[" + b'{"a": "b"}' * 3)[:11])
    assert "gz file that can't be unpacked" in refused(path)


def test_gz_of_several_members(tmp_path: Path) -> None:
    """What ``cat a.gz b.gz`` makes, and what tapes add."""
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    content = gzip.compress(LINES[:half]) + gzip.compress(LINES[half:]) + bytes(512)
    path = write(tmp_path / "rows.gz", content)
    assert [row.value for row in opened(path)] == ROWS


def test_gz_of_nothing_is_empty(tmp_path: Path) -> None:
    assert "is empty" in refused(write(tmp_path / "rows.json.gz", gzip.compress(b"")))


def test_gz_inside_gz_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json.gz", gzip.compress(gzip.compress(LINES * 20)))
    assert "is no text" in refused(path)


# --- Bombs --------------------------------------------------------------------------------------


def test_bomb_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = bomb(tmp_path, 48 << 20)
    tracemalloc.start()
    with patch.object(store, "RATIO_FREE", 8 << 20):
        sentence = refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "when unpacked" in sentence and "100 times" in sentence
    assert copies(tmp_path) == []
    assert peak < 20 << 20


def test_what_packs_well_but_is_small_is_read(tmp_path: Path) -> None:
    assert [row.value for row in opened(bomb(tmp_path, 4 << 20))] == [{"a": 1}, {"a": 2}]


def test_a_bomb_that_is_no_record_is_refused_too(tmp_path: Path) -> None:
    """Only what grew a thousandfold was refused, which gzip hardly can: 64 MB became 50 GB."""
    noise = os.urandom(40_000)
    content = b"".join(b'{"a": "%s%d"}\n' % (b"x" * 60_000, n) for n in range(400))
    path = write(tmp_path / "rows.json.gz", gzip.compress(content + noise.hex().encode()))
    assert 100 < len(content) / path.stat().st_size < 900
    with patch.object(store, "RATIO_FREE", 8 << 20):
        assert "100 times" in refused(path)
    assert copies(tmp_path) == []


def test_copies_together_are_bounded(tmp_path: Path) -> None:
    """Eight copies of sixteen gigabytes each would fill most disks."""
    paths = [write(tmp_path / f"{n}.gz", gzip.compress(LINES, mtime=n)) for n in range(5)]
    with patch.object(store, "KEPT_BYTES", 2 * len(LINES)):
        for age, path in enumerate(paths):
            opened(path)
            for copy in copies(tmp_path):
                if not _is_old(copy):
                    os.utime(copy, (age, age))
    assert len(copies(tmp_path)) == 3
    with patch.object(store, "plain_stream", side_effect=AssertionError):
        assert opened(paths[4]).count == 200


@pytest.mark.parametrize(
    ("disk", "left"), [(8 << 30, 1 << 30), (100 << 30, 5 << 30), (4 << 40, 16 << 30)]
)
def test_a_large_disk_keeps_more_room(disk: int, left: int) -> None:
    """One gigabyte is less than one checkpoint of a model of 7 B."""
    assert store._room_left(disk) == left


def test_too_much_in_all_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json.gz", gzip.compress(LINES))
    with patch.object(store, "UNPACKED_LIMIT", 1000):
        assert "1.0 kB" in refused(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_disk_that_is_nearly_full(tmp_path: Path, encoding: str) -> None:
    content = LINES.decode().encode(encoding)
    path = write(tmp_path / "rows", gzip.compress(content) if encoding == "utf-8" else content)
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 10**8)
    with patch.object(shutil, "disk_usage", return_value=usage):
        assert "only 500.0 MB of the disk are free" in refused(path)
    assert copies(tmp_path) == []


# --- Copies -------------------------------------------------------------------------------------


def test_copy_is_made_once_and_not_beside_the_source(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = write(tmp_path / "data" / "rows.gz", gzip.compress(LINES))
    reader = RowReader.open(path, cache=tmp_path / "cache")
    assert list(path.parent.iterdir()) == [path]
    with patch.object(store, "plain_stream", side_effect=AssertionError):
        assert RowReader.open(path, cache=tmp_path / "cache").count == 200
    assert copies(tmp_path)[0].read_bytes() == LINES
    assert reader.size == path.stat().st_size


def test_copy_that_was_cleared_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.gz", gzip.compress(LINES))
    reader = opened(path)
    copies(tmp_path)[0].unlink()
    assert [row.value for row in reader.page(7, 2)] == ROWS[7:9]


def test_changed_source_has_another_copy(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.gz", gzip.compress(LINES))
    old = opened(path)
    write(path, gzip.compress(LINES + b'{"Question": "new"}\n'))
    assert opened(path).count == 201
    with pytest.raises(Exception, match="changed while it was being read"):
        old.page(0, 1)


def test_copies_least_used_are_cleared(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.gz", gzip.compress(LINES, mtime=n)) for n in range(12)]
    for age, path in enumerate(paths[:8]):
        opened(path)
        (newest,) = set(copies(tmp_path)) - {one for one in copies(tmp_path) if _is_old(one)}
        os.utime(newest, (age, age))
    opened(paths[0]).page(0, 1)  # used again
    for path in paths[8:]:
        opened(path)
    left = copies(tmp_path)
    assert len(left) == store.KEPT_COPIES
    with patch.object(store, "plain_stream", side_effect=AssertionError):
        opened(paths[0]).page(0, 1)
        opened(paths[11]).page(0, 1)


def _is_old(path: Path) -> bool:
    return path.stat().st_mtime < 100


def test_what_a_crash_left_behind_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "rows"
    folder.mkdir(parents=True)
    for name, age in ((".old.plain.x.part", 0), (".new.plain.x.part", 4_000_000_000)):
        write(folder / name, "x")
        os.utime(folder / name, (age, age))
    opened(write(tmp_path / "rows.gz", gzip.compress(LINES)))
    assert [one.name for one in copies(tmp_path) if one.suffix == ".part"] == [".new.plain.x.part"]


def test_glance_unpacks_the_beginning_only(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.gz", gzip.compress(LINES * 100))
    with patch.object(beginning, "SIZES", (1 << 16, 1 << 17, 1 << 20)):
        reader = glanced(path, rows=20)
    assert not reader.complete and 20 < reader.count < 1000
    assert [row.value for row in reader.page(0, 20)] == ROWS[:20]
    assert not (tmp_path / "cache" / "rows").exists()
    assert opened(path).count == 20_000
    assert glanced(path).complete
