"""A log of any length by line number: the index grows with the file, pages keep their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.training import log_index, log_pages, log_reader
from backend.training.log_index import FLAGS
from backend.training.log_pages import PAGE, around, page, turn
from backend.training.log_reader import LogReader, Query
from backend.training.logs import readable

QUIET = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(
            [b"\n", b"\n\n", b"one\n", b"Error", b"WARNING x\n", b"\r 1%|", "é中".encode(), b"ne"]
        ),
    ),
    max_size=25,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits so low that short logs cross them."""
    monkeypatch.setattr(log_index, "CHUNK", 40)
    monkeypatch.setattr(log_index, "BLOCK_LINES", 3)
    monkeypatch.setattr(log_index, "BLOCK_BYTES", 48)
    monkeypatch.setattr(log_reader, "SHOWN_BYTES", 10_000)


def read_all(reader: LogReader) -> list[log_reader.Line]:
    return reader.lines(range(1, reader.count + 1))


def update(reader: LogReader) -> None:
    for _ in range(10_000):
        if not reader.update() and reader.complete:
            return
    raise AssertionError("the index never comes to an end")


def split(content: bytes) -> list[bytes]:
    """What a person would call the log's lines."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


# --- Any bytes, in any pieces -------------------------------------------------------------------


@QUIET
@given(PIECES)
def test_any_bytes_in_any_pieces_give_the_lines_of_the_whole(
    tmp_path: Path, small: None, pieces: list[bytes]
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    reader = LogReader(path)
    for piece in pieces:
        append(path, piece)
        update(reader)
    lines = split(b"".join(pieces))
    shown = read_all(reader)
    assert [line.number for line in shown] == list(range(1, len(lines) + 1))
    texts = [readable(line.decode("utf-8", errors="replace")) for line in lines]
    assert [line.text for line in shown] == texts
    assert [line.flagged for line in shown] == [
        any(flag in line for flag in FLAGS) for line in lines
    ]
    whole = b"".join(pieces).count(b"\n")
    assert reader.flagged == sum(line.flagged for line in shown[:whole])
    assert reader.generation == 0


@QUIET
@given(PIECES, st.sampled_from(["", "ne", "é", "x"]), st.booleans(), st.integers(-3, 40),
       st.integers(1, 9), st.booleans())  # fmt: skip
def test_a_search_finds_what_looking_at_each_line_would(
    tmp_path: Path, small: None, pieces: list[bytes], words: str, flagged: bool,
    start: int, limit: int, forward: bool,
) -> None:  # fmt: skip
    path = tmp_path / "log"
    path.write_bytes(b"".join(pieces))
    reader = LogReader(path)
    update(reader)
    found = reader.find(Query(words, flagged), start, limit, forward=forward)
    first = max(1, start)
    wanted = [
        line
        for line in read_all(reader)
        if words in line.text.lower() and (line.flagged or not flagged)
        and (line.number >= first if forward else line.number <= first)
    ]  # fmt: skip
    assert found.lines == (wanted[:limit] if forward else wanted[-limit:])
    if len(found.lines) < limit:  # then all was looked at
        assert found.reached >= reader.count if forward else found.reached <= 1


# --- The index ----------------------------------------------------------------------------------


class Counting:
    """Counts the bytes that a reader reads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        plain = Path.open

        def opened(path: Path, mode: str = "r"):  # type: ignore[no-untyped-def]
            file = plain(path, mode)
            take = file.read

            class Counted:
                def __enter__(self):  # type: ignore[no-untyped-def]
                    return self

                def __exit__(self, *_: object) -> None:
                    file.close()

                def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
                    return getattr(file, name)

                def read(_, size: int = -1) -> bytes:  # noqa: N805
                    block = take(size)
                    self.read += len(block)
                    return block

            return Counted()

        monkeypatch.setattr(Path, "open", opened)


def test_a_new_line_costs_what_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(300_000)))
    reader = LogReader(path)
    update(reader)
    assert reader.count == 300_000
    append(path, b"one more\n")
    counting = Counting(monkeypatch)
    update(reader)
    assert reader.count == 300_001 and counting.read < 1000
    assert reader.lines([150_000])[0].text == "line 149999"
    assert counting.read < 2 * log_index.BLOCK_BYTES


def test_a_long_line_of_progress_shows_what_was_drawn_last(tmp_path: Path) -> None:
    path = tmp_path / "log"
    drawn = b"".join(b"\r%7d it" % number for number in range(100_000))
    path.write_bytes(b"before\n" + drawn + b"\nafter\n" + drawn)
    reader = LogReader(path)
    update(reader)
    assert [line.text.strip() for line in read_all(reader)] == [
        "before", "99999 it", "after", "99999 it"
    ]  # fmt: skip


def test_indexing_a_huge_log_goes_on_at_the_next_call(tmp_path: Path, small: None) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789\n" * 100)
    reader = LogReader(path)
    reader.update(budget=100)
    assert not reader.complete and 0 < reader.count < 100
    update(reader)
    assert reader.complete and reader.count == 100


@pytest.mark.parametrize("how", ["cut", "replaced", "rewritten", "gone"])
def test_another_file_starts_over(tmp_path: Path, how: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" * 50)
    reader = LogReader(path)
    update(reader)
    match how:
        case "cut":
            path.write_bytes(b"new\n")
        case "replaced":
            (tmp_path / "other").write_bytes(b"first\n" * 49 + b"other\n" * 9)
            os.replace(tmp_path / "other", path)
        case "rewritten":
            path.write_bytes(b"other\n" * 80)
        case "gone":
            path.unlink()
    update(reader)
    assert reader.generation == 1
    expected = path.read_bytes().decode().splitlines() if path.exists() else []
    assert [line.text for line in read_all(reader)] == expected


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    reader = LogReader(tmp_path / "none")
    update(reader)
    assert reader.count == 0 and read_all(reader) == []
    assert turn(reader, Query(), None).numbers == ()
    assert turn(reader, Query("x"), None).numbers == ()


# --- Pages --------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> LogReader:
    """1,000 lines, every hundredth an error."""
    path = tmp_path / "log"
    words = (b"Error %d\n" if number % 100 == 0 else b"line %d\n" for number in range(1, 1001))
    path.write_bytes(b"".join(word % number for number, word in enumerate(words, 1)))
    reader = LogReader(path)
    update(reader)
    return reader


def grow(log: LogReader, content: bytes) -> None:
    append(log._path, content)
    update(log)


def span(numbers: tuple[int, ...]) -> tuple[int, int]:
    assert list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    return numbers[0], numbers[-1]


def test_a_page_keeps_its_place_when_lines_come(log: LogReader) -> None:
    place = turn(log, Query(), turn(log, Query(), None), "older")
    assert span(place.numbers) == (601, 800) and not place.follow
    grow(log, b"new\n" * 50)
    assert turn(log, Query(), place) == place


def test_the_end_is_followed(log: LogReader) -> None:
    place = turn(log, Query(), None)
    assert span(place.numbers) == (801, 1000) and place.follow
    grow(log, b"new\nand ha")
    place = turn(log, Query(), place)
    assert span(place.numbers) == (803, 1002) and page(log, place)[-1].text == "and ha"
    grow(log, b"lf\n")
    place = turn(log, Query(), place)
    assert span(place.numbers) == (803, 1002) and page(log, place)[-1].text == "and half"
    grow(log, b"much\n" * 500)
    assert span(turn(log, Query(), place).numbers) == (1303, 1502)


def test_older_and_newer_meet(log: LogReader) -> None:
    place = turn(log, Query(), None)
    seen = [span(place.numbers)]
    for move in ("older", "older", "older", "older", "older", "newer", "newer"):
        place = turn(log, Query(), place, move)  # type: ignore[arg-type]
        seen.append(span(place.numbers))
    assert seen == [(801, 1000), (601, 800), (401, 600), (201, 400), (1, 200), (1, 200),
                    (201, 400), (401, 600)]  # fmt: skip
    for _ in range(3):
        place = turn(log, Query(), place, "newer")
    assert place.follow and span(place.numbers) == (801, 1000)


def test_only_errors_and_a_word(log: LogReader) -> None:
    errors = turn(log, Query(flagged_only=True), None)
    assert errors.numbers == tuple(range(100, 1001, 100))
    word = turn(log, Query("ERROR 7"), errors)
    assert word.numbers == (700,) and word.follow
    grow(log, b"quiet\nan error 7 of mine\n")
    assert turn(log, Query("ERROR 7"), word).numbers == (700, 1002)


def test_following_a_search_looks_at_what_is_new_only(
    log: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rare word in a long log was searched for in all of it, once a second."""
    grow(log, b"filling the log with something\n" * 100_000)
    place = turn(log, Query("nowhere"), None)
    assert place.numbers == ()
    grow(log, b"here, NoWhere\n")
    counting = Counting(monkeypatch)
    place = turn(log, Query("nowhere"), place)
    assert place.numbers == (101_001,) and counting.read <= 2 * log_index.BLOCK_BYTES


def test_a_search_goes_on_where_it_stopped(log: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "SEARCH_BUDGET", 1000)
    place = turn(log, Query("line 17"), None)
    assert place.numbers == () and place.top > 1
    for _ in range(20):
        place = turn(log, Query("line 17"), place, "older")
        if place.top == 1:
            break
    assert 17 in place.numbers or place.top > 1


def test_a_line_among_its_neighbours(log: LogReader) -> None:
    place = around(log, 500)
    assert span(place.numbers) == (400, 599) and not place.follow
    assert span(around(log, 3).numbers) == (1, PAGE)
    assert around(log, 10**9).numbers[-1] == 1000


def test_another_file_begins_at_its_end(log: LogReader) -> None:
    place = turn(log, Query(), turn(log, Query(), None), "older")
    log._path.write_bytes(b"a\nb\n")
    update(log)
    place = turn(log, Query(), place)
    assert place.numbers == (1, 2) and place.follow
    assert log_pages.page(log, place)[1].text == "b"
