"""What is remembered of a file: its index in the cache, glances, progress, and its identity."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.reading import beginning, finding, opening, store, window
from backend.data.reading.reader import RowReader, known_sha256
from backend.errors import DataError
from tests.fakes.data_files import NewFile, a_row, glanced, new_files, opened, refused, write


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("index"))


def index_files(path: Path) -> list[Path]:
    return sorted((path.parent / "cache" / "rows").glob("*.index"))


# --- Stored indexes -----------------------------------------------------------------------------


def test_file_is_scanned_once(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps([a_row(1)]))
    opened(path)
    with patch.object(beginning, "scan", side_effect=AssertionError):
        assert opened(path).count == 1
        assert glanced(path).complete


@settings(deadline=None, max_examples=50)
@given(
    text=st.text('[]{}",:\\ \n1a;é', max_size=80) | st.just('[{"a": 1}, {"a": 2'),
    name=st.sampled_from(["x.json", "x.csv"]),
)
def test_a_stored_index_equals_a_fresh_one(new_file: NewFile, text: str, name: str) -> None:
    path = write(new_file().with_suffix(name[1:]), text)
    try:
        fresh = opened(path)
    except DataError as error:
        assert str(error) == refused(path), "refused the second time for the same reason"
        return
    stored = opened(path)
    assert list(stored) == list(fresh)
    assert (stored.kind, stored.encoding, stored.count) == (fresh.kind, fresh.encoding, fresh.count)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b"x" * len(b), lambda b: b + b"\0" * 8]
)
def test_damaged_index_is_made_again(tmp_path: Path, damage: object) -> None:
    path = write(tmp_path / "rows.json", json.dumps([a_row(n) for n in range(9)]))
    opened(path)
    (stored,) = index_files(path)
    stored.write_bytes(damage(stored.read_bytes()))  # type: ignore[operator]
    assert [row.value for row in opened(path)] == [a_row(n) for n in range(9)]


def test_index_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps([a_row(n) for n in range(9)]))
    opened(path)
    (stored,) = index_files(path)
    stored.rename(tmp_path / "elsewhere")
    stored.symlink_to(tmp_path / "elsewhere")
    assert opened(path).count == 9
    assert not stored.is_symlink()


def test_indexes_least_used_are_cleared(tmp_path: Path) -> None:
    with patch.object(store, "KEPT_INDEXES", 3):
        for number in range(6):
            path = write(tmp_path / f"{number}.json", json.dumps([a_row(number)]))
            opened(path)
    assert len(index_files(path)) == 3
    with patch.object(beginning, "scan", side_effect=AssertionError):
        assert opened(path).count == 1


def test_another_process_uses_it(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps([a_row(n) for n in range(9)]))
    opened(path)
    program = (
        "import sys; from pathlib import Path; from unittest.mock import patch\n"
        "from backend.data.reading import beginning\n"
        "from backend.data.reading.reader import RowReader\n"
        "with patch.object(beginning, 'scan', side_effect=AssertionError):\n"
        "    print(RowReader.open(Path(sys.argv[1]), cache=Path(sys.argv[2])).count)\n"
    )
    arguments = [sys.executable, "-c", program, str(path), str(tmp_path / "cache")]
    assert subprocess.check_output(arguments, text=True, timeout=60).strip() == "9"


def test_cache_that_can_not_be_written(tmp_path: Path) -> None:
    write(tmp_path / "cache", "a file where the folder should be")
    path = write(tmp_path / "rows.json", json.dumps([a_row(1)]))
    assert "can't be written" in refused(path)


# --- Changes ------------------------------------------------------------------------------------


def test_changed_file_is_scanned_again_and_an_old_reader_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", '[{"a": 1}]')
    old = opened(path)
    write(path, '[{"a": 1}, {"a": 2}]')
    for ask in (
        lambda: old.page(0, 1),
        lambda: old.search("1", start=1),
        lambda: old.sha256(),
        lambda: old.opened(),
    ):
        with pytest.raises(DataError, match="changed while it was being read"):
            ask()
    assert opened(path).count == 2


def test_sha256_and_size_are_those_of_the_file(tmp_path: Path) -> None:
    content = json.dumps([a_row(1, more="头痛")], ensure_ascii=False).encode("utf-16")
    reader = opened(write(tmp_path / "rows.json", content))
    assert reader.sha256() == hashlib.sha256(content).hexdigest()
    assert reader.size == len(content)
    with reader.opened() as file:
        assert file.read() == content


def hashed(path: Path) -> str | None:
    return known_sha256(path, path.parent / "cache")


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.csv", "bom.json", "more.json"])
def test_the_scan_of_a_text_hashes_it_too(tmp_path: Path, name: str) -> None:
    """Else a file of a gigabyte is read twice, first for its rows and then for its hash."""
    content = {
        "rows.json": '  [{"a": "头痛"}, {"a": 2}] \n\n',
        "rows.jsonl": '{"a": 1}\n{"a": 2}\n' * 99,
        "rows.csv": "a,b\n1,2\n3,4\n",
        "bom.json": '\ufeff[{"a": 1}]',
        "more.json": '[{"a": 1}]' + " " * 5000 + "and more that is not looked at",
    }[name].encode()
    path = write(tmp_path / name, content)
    assert hashed(path) is None
    with patch.object(window, "CHUNK", 64), patch.object(finding, "sha256_of", None):
        reader = opened(path)
        assert hashed(path) == reader.sha256() == hashlib.sha256(content).hexdigest()


def test_a_hash_is_made_once_and_forgotten_when_the_file_changes(tmp_path: Path) -> None:
    content = gzip.compress(b'[{"a": 1}]')
    path = write(tmp_path / "rows.json.gz", content)
    reader = opened(path)
    assert hashed(path) is None, "its text was scanned, not its bytes"
    assert reader.sha256() == hashed(path) == hashlib.sha256(content).hexdigest()
    with patch.object(finding, "sha256_of", None):
        assert opened(path).sha256() == hashed(path)
    write(path, gzip.compress(b'[{"a": 2}]'))
    os.utime(path, ns=(1, 1))
    assert hashed(path) is None and hashed(tmp_path / "gone.json") is None
    assert opened(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", [b"", b"0" * 63, b"\xff" * 64, None])
def test_a_damaged_hash_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    path = write(tmp_path / "rows.json", '[{"a": 1}]')
    opened(path)
    (stored,) = (tmp_path / "cache" / "rows").glob("*.sha256")
    if damage is None:
        stored.rename(tmp_path / "elsewhere")
        stored.symlink_to(tmp_path / "elsewhere")
    else:
        stored.write_bytes(damage)
    assert hashed(path) is None
    assert opened(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest() == hashed(path)
    assert not stored.is_symlink()


def test_a_file_that_grows_under_the_scan_has_no_hash(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", '[{"a": 1}]')

    def grow(*found: object) -> object:
        with path.open("ab") as file:
            file.write(b" ")
        return scanned(*found)

    scanned = beginning.scan
    with patch.object(beginning, "scan", grow):
        assert "changed while it was being read" in refused(path)
    assert list((tmp_path / "cache" / "rows").glob("*.sha256")) == []


# --- Glances ------------------------------------------------------------------------------------


@pytest.fixture
def small_glances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "SIZES", (2000, 8000, 20_000))
    monkeypatch.setattr(finding, "SMALL", 2000)


FORMS = {
    "rows.json": lambda rows: json.dumps(rows, indent=1),
    "rows.jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "rows.csv": lambda rows: "a,b\n" + "".join(f'"{row["a"]}",{row["b"]}\n' for row in rows),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("small_glances")
def test_glance_has_the_first_rows_and_only_whole_ones(tmp_path: Path, name: str) -> None:
    for width in range(40, 60):  # the end of what is read comes at any place of a row
        rows = [{"a": "x" * width, "b": str(n)} for n in range(2000)]
        path = write(tmp_path / f"{width}-{name}", FORMS[name](rows))
        reader = glanced(path, rows=10)
        assert not reader.complete
        assert 10 <= reader.count < 200
        assert [row.value for row in reader] == rows[: reader.count]
        assert reader.page(0, 5) == opened(path).page(0, 5)
        assert glanced(path).complete and glanced(path).count == 2000


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("small_glances")
def test_glance_goes_on_until_there_is_a_row(tmp_path: Path, name: str) -> None:
    for length in (5000, 15_000, 50_000):
        rows = [{"a": "x" * length, "b": str(n)} for n in range(20)]
        reader = glanced(write(tmp_path / f"{length}-{name}", FORMS[name](rows)), rows=10)
        assert reader.page(0, 1)[0].value == rows[0]


@pytest.mark.usefixtures("small_glances")
def test_glance_refuses_what_opening_refuses(tmp_path: Path) -> None:
    contents = {
        "lines.json": "no json at all\n" * 1000,
        "numbers.json": "[" + "1, " * 5000 + "1]",
        "object.json": '{\n "a": {\n' + ' "b": 1,\n' * 5000 + '"c": 1}}\n',
    }
    for name, content in contents.items():
        path = write(tmp_path / name, content)
        assert refused(path, glance=True) == refused(path)


def test_small_file_is_complete_at_a_glance(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps([a_row(n) for n in range(1000)]))
    reader = glanced(path, rows=10)
    assert reader.complete and reader.count == 1000


# --- Progress -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_progress_is_told_and_may_end_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setattr(opening, "_TOLD_SECONDS", 0)
    line = json.dumps(a_row(1, more="x" * 1000)) + "\n"
    path = write(tmp_path / "rows.json", (line * 4000).encode(encoding))
    told: list[float] = []

    def cancel(done: int, total: int) -> None:
        told.append(done / total)
        if len(told) == 3:
            raise KeyboardInterrupt

    cache = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        RowReader.open(path, cache=cache, progress=cancel)
    assert list((cache / "rows").iterdir()) == [], "nothing half is left"
    shares: list[float] = []
    RowReader.open(path, cache=cache, progress=lambda done, total: shares.append(done / total))
    assert shares == sorted(shares) and len(shares) >= 4
    assert 0 <= shares[0] < 0.4 and 0.6 < shares[-1] <= 1


def test_a_link_is_read_and_its_target_is_watched(tmp_path: Path) -> None:
    """Whether a link may be read is the library's to say; here it is its target that counts."""
    target = write(tmp_path / "target.json", '[{"a": 1}]')
    (tmp_path / "link.json").symlink_to(target)
    reader = opened(tmp_path / "link.json")
    assert reader.size == target.stat().st_size
    write(target, '[{"a": 1}, {"a": 2}]')
    with pytest.raises(DataError, match="changed"):
        reader.page(0, 1)
    os.unlink(target)
    assert "not there any more" in refused(tmp_path / "link.json")
