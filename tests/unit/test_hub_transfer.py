"""Files on their way: what is tried again, how long is waited, and what is told meanwhile."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.errors import DownloadError
from backend.hub.failures import Transient
from backend.hub.jobs import Patience
from backend.hub.repository import Listing, RemoteFile, Repository
from backend.hub.transfer import Board, Transfer, partial_size

COMMIT = "89abcdef01" * 4
BROKEN = "hub.errors.unreachable"


def broken(after: float | None = None) -> Transient:
    return Transient(BROKEN, endpoint="https://hub.example", retry_after=after)


class StumblingClient:
    """Brings files as a script says: for each try bytes that come, then an error or the file.

    Args:
        script: By path; a file without one comes at once.
    """

    def __init__(self, **script: Sequence[tuple[int, Exception | None]]) -> None:
        self._script = {path: list(steps) for path, steps in script.items()}
        self.asked: list[str] = []
        self.sources: set[Repository] = set()

    def listing(self, repository: Repository) -> Listing:
        raise NotImplementedError

    def fetch(
        self,
        repository: Repository,
        file: RemoteFile,
        folder: Path,
        on_position: Callable[[int], None],
    ) -> None:
        self.asked.append(file.path)
        self.sources.add(repository)
        partial = folder / f"{file.path}.incomplete"
        there = partial.stat().st_size if partial.exists() else 0
        on_position(there)
        steps = self._script.get(file.path)
        come, error = steps.pop(0) if steps else ((file.size or 0) - there, None)
        partial.write_bytes(b"x" * (there + come))
        on_position(there + come)
        if error is not None:
            raise error
        partial.rename(folder / file.path)


class Journey:
    """A transfer into an empty folder that never really waits."""

    def __init__(self, folder: Path, client: Any, files: Iterable[RemoteFile], **patience: Any):
        self.slept: list[float] = []
        self.staging, self.target = folder / "staging", folder / "target"
        self.staging.mkdir()
        self.files = tuple(files)
        self.board = Board(self.files)
        source = Repository("modelscope", "model", "org/name", "master")
        self.transfer = Transfer(
            Listing(source, COMMIT, "", self.files),
            client,
            staging=self.staging,
            target=self.target,
            board=self.board,
            patience=Patience(**patience),
            sleep=self.slept.append,
        )

    def fails(self, kind: type[Exception] = DownloadError) -> Any:
        with pytest.raises(kind) as caught:
            self.transfer.run()
        return caught.value

    def told(self, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = self.board.snapshot(0.0)["files"][path]
        return entry


def one(name: str = "a", size: int = 1000) -> RemoteFile:
    return RemoteFile(name, size, None)


# The board --------------------------------------------------------------------------------------


def test_the_speed_is_that_of_the_last_seconds() -> None:
    board = Board([one(size=10**9)])
    assert board.snapshot(100.0)["speed"] == 0.0, "one look tells nothing"
    board.at("a", 3000, came=3000)
    assert board.snapshot(101.0)["speed"] == 3000.0
    for second in range(2, 20):
        board.at("a", 3000 + 10 * second, came=10)
        speed = board.snapshot(100.0 + second)["speed"]
    assert speed == pytest.approx(10.0), "what came long ago does not count"


def test_each_file_has_its_own_speed() -> None:
    """With four files at once only their sum was told: which one was slow could not be seen."""
    board = Board([one("a"), one("b"), one("c")])
    board.at("a", 0, came=0)
    board.at("b", 0, came=0)
    board.snapshot(10.0)
    board.at("a", 600, came=600)
    board.at("b", 20, came=20)
    told = board.snapshot(12.0)
    speeds = {path: entry.get("speed") for path, entry in told["files"].items()}
    assert speeds == {"a": 300.0, "b": 10.0, "c": None} and told["speed"] == 310.0
    board.put("a", "done", received=600)
    assert "speed" not in board.snapshot(13.0)["files"]["a"]


def test_a_line_that_stands_has_no_speed_after_some_seconds() -> None:
    board = Board([one()])
    board.snapshot(0.0)
    board.at("a", 500, came=500)
    speeds = [board.snapshot(float(second))["speed"] for second in range(1, 12)]
    assert speeds == sorted(speeds, reverse=True) and speeds[0] == 500.0 and speeds[-1] == 0.0


def test_bytes_that_were_here_before_have_no_speed(tmp_path: Path) -> None:
    journey = Journey(tmp_path, StumblingClient(), [one(size=1000)])
    (journey.staging / "a.incomplete").write_bytes(b"x" * 900)
    journey.board.snapshot(0.0)
    journey.transfer.run()
    assert journey.board.snapshot(1.0)["speed"] == 100.0


def test_beginning_anew_is_no_negative_speed(tmp_path: Path) -> None:
    class Anew(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            *_, on_position = arguments
            for position in (600, 0, 300):
                on_position(position)
            raise OSError(errno.EIO, "enough")

    journey = Journey(tmp_path, Anew(), [one()])
    journey.board.snapshot(0.0)
    journey.fails(OSError)
    assert journey.board.snapshot(1.0)["speed"] == 900.0


def test_what_was_told_does_not_change_afterwards() -> None:
    board = Board([one()])
    told = board.snapshot(0.0)
    board.at("a", 7, came=7)
    assert told["files"]["a"]["received"] == 0


# Trying again -----------------------------------------------------------------------------------


def test_a_try_that_brought_something_does_not_count(tmp_path: Path) -> None:
    """Two tries in vain end it; here nine break and each brings a tenth."""
    client = StumblingClient(a=[(100, broken())] * 9)
    journey = Journey(tmp_path, client, [one()], tries=2)
    journey.transfer.run()
    assert client.asked == ["a"] * 10
    told = journey.told("a")
    assert (told["state"], told["received"], told["breaks"]) == ("done", 1000, 9)


def test_tries_in_vain_are_counted_anew_after_each_byte(tmp_path: Path) -> None:
    in_vain = [(0, broken())] * 2
    client = StumblingClient(a=[*in_vain, (1, broken()), *in_vain, (1, broken()), *in_vain])
    Journey(tmp_path, client, [one()], tries=3).transfer.run()
    assert len(client.asked) == 9


def test_a_dead_line_is_given_up(tmp_path: Path) -> None:
    client = StumblingClient(a=[(400, broken()), *[(0, broken())] * 50])
    journey = Journey(tmp_path, client, [one()], tries=4)
    error = journey.fails()
    assert error.key == "hub.errors.line_dead" and error.params["path"] == "a"
    assert len(client.asked) == 1 + 4
    told = journey.told("a")
    assert (told["state"], told["received"]) == ("failed", 400)
    assert partial_size(journey.staging, one()) == 400


def test_the_same_bytes_again_are_no_progress(tmp_path: Path) -> None:
    """A hub without ranges: each try throws away what was there, and comes as far as before."""

    class Forgetful(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            (arguments[2] / "a.incomplete").unlink(missing_ok=True)
            super().fetch(*arguments)

    client = Forgetful(a=[(700, broken())] * 50)
    error = Journey(tmp_path, client, [one()], tries=3).fails()
    assert error.key == "hub.errors.line_dead" and len(client.asked) == 4


def test_a_file_that_began_anew_may_come_as_slowly_as_before(tmp_path: Path) -> None:
    """8 GB had come when their hash was found wrong and they were thrown away. On a line that broke
    every 100 MB the second pass was compared with the 8 GB of the first, never passed them within
    nine breaks, and an advancing line was called dead."""

    class ThrownAway(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            if len(self.asked) == 1:
                (arguments[2] / "a.incomplete").unlink()
            super().fetch(*arguments)

    client = ThrownAway(a=[(900, broken()), *[(80, broken())] * 12])
    journey = Journey(tmp_path, client, [one()], tries=3)
    journey.transfer.run()
    assert len(client.asked) == 14 and journey.told("a")["received"] == 1000


def test_beginning_anew_again_and_again_is_given_up(tmp_path: Path) -> None:
    """A hub that goes on every second time only brings bytes in each try, and never more."""

    class Moody(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            if len(self.asked) % 2:
                (arguments[2] / "a.incomplete").unlink(missing_ok=True)
            super().fetch(*arguments)

    client = Moody(a=[(350, broken())] * 50)
    error = Journey(tmp_path, client, [one()], tries=3).fails()
    assert error.key == "hub.errors.line_dead" and len(client.asked) < 10


@pytest.mark.parametrize(
    "error, key",
    [
        (Transient("hub.errors.rate_limited", retry_after=0.0), "still_limited"),
        (Transient("hub.errors.server_failed", status=503), "still_failing"),
        (Transient("hub.errors.timed_out", endpoint="https://hub.example"), "line_dead"),
    ],
)
def test_what_is_given_up_says_why(tmp_path: Path, error: Transient, key: str) -> None:
    """A hub that asked for a pause nine times was told as a line that would come back."""
    journey = Journey(tmp_path, StumblingClient(a=[(0, error)] * 50), [one()], tries=2)
    told = journey.fails()
    assert told.key == f"hub.errors.{key}"
    for language in ("en", "zh"):
        sentence = told.sentence(language)
        assert "a" in sentence and str(error.params.get("status", "")) in sentence


def test_the_wait_doubles_up_to_its_limit(tmp_path: Path) -> None:
    client = StumblingClient(a=[(0, broken())] * 6)
    journey = Journey(tmp_path, client, [one()], tries=7, first=0.1, longest=0.5)
    journey.transfer.run()
    assert journey.slept == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5, 0.5])


def test_the_wait_is_short_again_after_a_byte(tmp_path: Path) -> None:
    client = StumblingClient(a=[*[(0, broken())] * 3, (5, broken())])
    journey = Journey(tmp_path, client, [one()], tries=7, first=0.1, longest=9.0)
    journey.transfer.run()
    assert journey.slept == pytest.approx([0.1, 0.2, 0.4, 0.1])


@pytest.mark.parametrize("asked, waited", [(3.0, 3.0), (0.0, 0.0), (-5.0, 0.0), (90.0, 90.0)])
def test_a_hub_that_asks_for_a_pause_gets_it(tmp_path: Path, asked: float, waited: float) -> None:
    client = StumblingClient(a=[(0, broken(asked))])
    journey = Journey(tmp_path, client, [one()], first=0.1, longest=60.0)
    journey.transfer.run()
    assert sum(journey.slept) == pytest.approx(waited)


def test_while_it_waits_the_board_says_why_and_how_long(tmp_path: Path) -> None:
    client = StumblingClient(a=[(250, broken(1.5))])
    journey = Journey(tmp_path, client, [one()])
    told: list[dict[str, Any]] = []
    journey.transfer._sleep = lambda _: told.append(journey.told("a"))
    journey.transfer.run()
    assert [entry["wait"] for entry in told] == [1.5, 1.0, 0.5]
    problem = {"key": BROKEN, "params": {"endpoint": "https://hub.example"}}
    for entry in told:
        assert (entry["state"], entry["received"], entry["problem"]) == ("retrying", 250, problem)


# Several files ----------------------------------------------------------------------------------


def test_small_files_come_first_and_all_are_of_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.hub.transfer.AT_ONCE", 1)
    client = StumblingClient()
    files = [one("big", 9000), one("small", 10), RemoteFile("unknown", None, None)]
    journey = Journey(tmp_path, client, files)
    journey.transfer.run()
    assert client.asked == ["unknown", "small", "big"]
    assert {source.revision for source in client.sources} == {COMMIT}
    assert {path.name for path in journey.staging.iterdir()} == {"big", "small", "unknown"}


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("hashed", [True, False])
def test_two_halves_are_of_one_file(tmp_path: Path, pinned: bool, hashed: bool) -> None:
    """ModelScope tells no commit. A download of "master" paused, the branch moved on, and resumed
    put the end of the new file to the beginning of the old one: the size was right."""
    client = StumblingClient()
    file = RemoteFile("a", 1000, "0" * 64 if hashed else None)
    journey = Journey(tmp_path, client, [file])
    (journey.staging / "a.incomplete").write_bytes(b"x" * 900)
    listing = journey.transfer._listing
    commit = "0123456789" * 4 if pinned else "master"
    journey.transfer._listing = replace(listing, commit=commit)
    journey.board.snapshot(0.0)
    journey.transfer.run()
    came = journey.board.snapshot(1.0)["speed"]
    assert came == (100.0 if pinned or hashed else 1000.0)


def test_what_is_in_its_place_already_is_not_asked_for(tmp_path: Path) -> None:
    client = StumblingClient()
    journey = Journey(tmp_path, client, [one("here", 3), one("other", 4)])
    journey.target.mkdir()
    (journey.target / "here").write_bytes(b"abc")
    (journey.target / "other").write_bytes(b"abc")
    journey.transfer.run()
    assert client.asked == ["other"]
    assert journey.told("here")["received"] == 3 and journey.told("here")["state"] == "done"


def test_a_file_that_fails_stops_those_that_come_and_those_that_wait(tmp_path: Path) -> None:
    """The error that is told is the one that ended it, not that of the first file in the list."""
    reached, gone = threading.Event(), DownloadError("hub.errors.file_missing", path="b", id="x")

    class Together(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            file, on_position = arguments[1], arguments[3]
            self.asked.append(file.path)
            if file.path == "b":
                reached.wait(30)
                raise gone
            for position in range(1, 10**9):
                on_position(position)
                reached.set()

    files = [one("a", 1), one("b", 2), *(one(f"z{number}", 100) for number in range(20))]
    journey = Journey(tmp_path, Together(), files)
    assert journey.fails() is gone
    states = {path: entry["state"] for path, entry in journey.board.snapshot(0.0)["files"].items()}
    assert states == {file.path: "failed" if file.path == "b" else "waiting" for file in files}


def test_a_file_that_fails_ends_the_waiting_of_another(tmp_path: Path) -> None:
    waiting, full = threading.Event(), OSError(errno.ENOSPC, "no space left")

    class Full(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            if arguments[1].path == "a":
                raise broken(10**9)
            waiting.wait(30)
            raise full

    journey = Journey(tmp_path, Full(), [one("a"), one("b", 2000)])
    journey.transfer._sleep = lambda _: waiting.set()
    assert journey.fails(OSError) is full
    assert journey.told("a")["state"] == "waiting" and journey.told("b")["state"] == "failed"
    assert journey.told("b")["problem"] is None, "the job says it"


def test_a_fault_of_the_program_stops_the_others_too(tmp_path: Path) -> None:
    """A client that raised what nobody had thought of let 15 GB of the other files come first."""
    reached = threading.Event()

    class Faulty(StumblingClient):
        def fetch(self, *arguments: Any) -> None:
            file, on_position = arguments[1], arguments[3]
            if file.path == "a":
                reached.wait(30)
                raise ZeroDivisionError("nobody thought of this")
            for position in range(1, 10**9):
                on_position(position)
                reached.set()

    journey = Journey(tmp_path, Faulty(), [one("a", 1), one("b", 2)])
    journey.fails(ZeroDivisionError)
    assert journey.told("a")["state"] == "failed" and journey.told("b")["state"] == "waiting"
