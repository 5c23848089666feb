"""Bring the files of a job: several at once, each for as long as bytes arrive.

Runs in the download's own process. What it knows it tells the ``Board``, which the process writes
to ``progress.json``.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from backend.errors import DownloadError, MedTuneError
from backend.hub.clients import Client
from backend.hub.failures import Transient
from backend.hub.jobs import FileState, Patience, problem_of
from backend.hub.plan import presence_of
from backend.hub.repository import Listing, RemoteFile, Repository

AT_ONCE = 4
"""Files at once, as ModelScope's own client does it."""

_WINDOW = 8.0
"""Seconds over which the speed is taken."""

_STEP = 0.5
"""Seconds between two looks at whether waiting still makes sense."""


_GIVEN_UP = {
    "hub.errors.rate_limited": "hub.errors.still_limited",
    "hub.errors.server_failed": "hub.errors.still_failing",
}
"""What is said when a hub's last refusal is taken for final; all else is a line that is dead."""


class Board:
    """How far every file is; threads write, anyone reads."""

    def __init__(self, files: Collection[RemoteFile]) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, Any]] = {
            file.path: dict(received=0, state="waiting", problem=None, wait=0.0, breaks=0)
            for file in files
        }
        self._came = 0
        # Of the files that are on their way only: a repository may have thousands.
        self._came_of: dict[str, int] = {}
        self._samples: deque[tuple[float, int, dict[str, int]]] = deque()

    def at(self, path: str, received: int, *, came: int) -> None:
        """A file has ``received`` bytes, ``came`` of them just now over the line."""
        with self._lock:
            entry = self._files[path]
            # The problem stays: why it had to be tried again is worth knowing afterwards, too.
            entry.update(state="fetching", received=received, wait=0.0)
            self._came += came
            self._came_of[path] = self._came_of.get(path, 0) + came

    def broke(self, path: str) -> None:
        """A try of a file ended before the file did."""
        with self._lock:
            self._files[path]["breaks"] += 1

    def put(
        self,
        path: str,
        state: FileState,
        *,
        received: int | None = None,
        error: MedTuneError | None = None,
        wait: float = 0.0,
    ) -> None:
        """A file's state has changed."""
        with self._lock:
            entry = self._files[path]
            entry["state"], entry["wait"] = state, round(wait, 1)
            if state in ("done", "failed", "waiting"):
                self._came_of.pop(path, None)
            if error is not None:
                entry["problem"] = problem_of(error)
            if received is not None:
                entry["received"] = received

    def snapshot(self, now: float) -> dict[str, Any]:
        """What ``progress.json`` holds; ``now`` in seconds of a clock that never goes back."""
        with self._lock:
            self._samples.append((now, self._came, dict(self._came_of)))
            while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
                self._samples.popleft()
            (since, before, were), (until, after, are) = self._samples[0], self._samples[-1]
            seconds = until - since
            files = {path: dict(entry) for path, entry in self._files.items()}
        speed = (after - before) / seconds if seconds > 0 else 0.0
        for path, came in are.items():
            files[path]["speed"] = (came - were.get(path, 0)) / seconds if seconds > 0 else 0.0
        return {"speed": speed, "files": files}


class Transfer:
    """The files of one job on their way.

    Args:
        client: Of the job's hub.
        staging: Where the files come together.
        target: Where they go in the end; what is there already is not fetched again.
        sleep: Waits between two tries; tests give one that does not.
    """

    def __init__(
        self,
        listing: Listing,
        client: Client,
        *,
        staging: Path,
        target: Path,
        board: Board,
        patience: Patience,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._listing = listing
        # By its commit, where the hub tells it, so that all files are of one moment even when the
        # branch moves on. ModelScope tells none: the hashes of one listing do it there.
        source = listing.repository
        self._source = Repository(source.hub, source.kind, source.id, listing.commit)
        self._client = client
        self._staging = staging
        self._target = target
        self._board = board
        self._patience = patience
        self._sleep = sleep
        self._given_up = threading.Event()
        self._cause: Exception | None = None
        self._failing = threading.Lock()

    def run(self) -> None:
        """Bring all files. What came before one of them failed is kept.

        Raises:
            DownloadError: a file can't be had, or the line is dead.
            OSError: the disk is full or can't be written.
            Exception: a fault of the program, once the other files have stopped.
        """
        # Small ones first: the configuration is there early, and the big ones fill the line.
        files = sorted(self._listing.files, key=lambda file: (file.size or 0, file.path))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(self._bring, file) for file in files]
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise self._cause or errors[0]

    def _bring(self, file: RemoteFile) -> None:
        if self._given_up.is_set():
            return
        try:
            self._board.put(file.path, "checking")
            if presence_of(self._target, file) != "present":
                self._fetch(file)
            self._board.put(file.path, "done", received=file.size)
        except _GivenUp:
            self._board.put(file.path, "waiting", received=partial_size(self._staging, file))
        except Exception as error:  # also a fault of the program: the others must not go on for it
            self._fail(error)
            told = error if isinstance(error, DownloadError) else None
            there = partial_size(self._staging, file)
            self._board.put(file.path, "failed", received=there, error=told)
            raise

    def _fail(self, error: Exception) -> None:
        """One file that can't be had makes the whole useless: stop before hours are spent."""
        with self._failing:
            self._cause = self._cause or error
        self._given_up.set()

    def _fetch(self, file: RemoteFile) -> None:
        """Try until the file is there; a try that brought it further does not count."""
        if not self._listing.pinned and not file.hashed:
            # An earlier process may have had it of a branch that has moved on since, and nothing
            # would tell that the two halves are of two files.
            (self._staging / f"{file.path}.incomplete").unlink(missing_ok=True)
        line = _Line(self._board, file.path, partial_size(self._staging, file), self._given_up)
        while True:
            line.begins()
            try:
                self._client.fetch(self._source, file, self._staging, line.at)
                return
            except Transient as error:
                if self._given_up.is_set():
                    raise _GivenUp from error
                line.broke()
                if line.in_vain >= self._patience.tries:
                    key = _GIVEN_UP.get(error.key, "hub.errors.line_dead")
                    raise DownloadError(key, **{**error.params, "path": file.path}) from error
                self._wait(file, error, line.in_vain)

    def _wait(self, file: RemoteFile, error: Transient, fruitless: int) -> None:
        patience = self._patience
        pause = min(patience.first * 2 ** max(fruitless - 1, 0), patience.longest)
        if error.retry_after is not None:
            pause = max(error.retry_after, 0.0)
        there = partial_size(self._staging, file)
        self._board.put(file.path, "retrying", received=there, error=error, wait=pause)
        while pause > 0 and not self._given_up.is_set():
            step = min(pause, _STEP)
            self._sleep(step)
            pause -= step
            self._board.put(file.path, "retrying", received=there, error=error, wait=pause)


class _GivenUp(Exception):
    """Another file can't be had, so this one is not wanted any more. A client may take it for a
    fault of the line, which is as well."""


class _Line:
    """How far one file has come, and whether that is getting somewhere.

    A try that brought the file further than it was is not in vain. Where it began anew, because the
    hub sent another content or knows no ranges, further is meant from there on; but only so many
    times, as a hub without ranges brings the same bytes for ever.

    Attributes:
        in_vain: Tries without a byte, or beginnings anew without one that was not there before.
    """

    def __init__(self, board: Board, path: str, there: int, given_up: threading.Event) -> None:
        self._board = board
        self._path = path
        self._position = there
        self._given_up = given_up
        self._lowest = self._furthest = there
        self._fell = False
        self._fruitless = self._falls = 0
        board.at(path, there, came=0)

    @property
    def in_vain(self) -> int:
        return max(self._fruitless, self._falls)

    def begins(self) -> None:
        """A try begins where the one before has ended."""
        self._lowest, self._fell = self._position, False

    def broke(self) -> None:
        """The try ended before the file did."""
        self._board.broke(self._path)
        self._fruitless = 0 if self._position > self._lowest else self._fruitless + 1
        if self._position > self._furthest:
            self._furthest, self._falls = self._position, 0
        elif self._fell:
            self._falls += 1

    def at(self, position: int) -> None:
        came = max(position - self._position, 0)
        self._fell = self._fell or position < self._position
        self._lowest = min(self._lowest, position)
        self._position = position
        self._board.at(self._path, position, came=came)
        if self._given_up.is_set():
            raise _GivenUp


def partial_size(staging: Path, file: RemoteFile) -> int:
    """Bytes of a file that are on disk, whole or not."""
    for name in (file.path, f"{file.path}.incomplete"):
        try:
            return (staging / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            continue
    return 0
