"""The process of one download: ``python -m backend.workers.download JOB_FOLDER``.

It outlives the dashboard that started it. The hub's token comes on standard input, one line, so
that neither the list of processes nor any file has it. SIGTERM ends it at once: what has come is on
disk, and the next process goes on from there.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from backend.errors import DownloadError, MedTuneError
from backend.files import write_json
from backend.hub import jobs
from backend.hub.clients import client_of, configure_clients
from backend.hub.delivery import deliver
from backend.hub.flushing import Flushing
from backend.hub.plan import target_of
from backend.hub.transfer import Board, Transfer
from backend.secrecy import keep_secret, mask_output
from backend.workspace import Workspace

RESERVED = 64_000
"""Bytes kept for the last words of a download that fills the disk."""

SECONDS = 0.5
"""Between two notes of how far it is."""


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).resolve()
    told = sys.stdin.readline()
    if not told.endswith("\n"):
        # Whoever started it is gone, and may not have noted which process this is.
        print("nobody handed over a token, not even none", flush=True)
        return 1
    keep_secret(told.strip())
    mask_output()
    signal.signal(signal.SIGTERM, _leave)
    try:
        with FileLock(folder / jobs.LOCK, timeout=5):
            return _work(folder, told.strip())
    except Timeout:
        print("another process works at this download", flush=True)
        return 1


def _leave(_number: int, _frame: FrameType | None) -> None:
    # Threads wait for the line, and nothing of theirs is worth waiting for.
    os._exit(0)


def _work(folder: Path, token: str) -> int:
    request = jobs.read_request(folder)
    if request is None:
        print("there is no download to work at", flush=True)
        return 1
    workspace = Workspace(folder.parent.parent)
    listing = request.listing
    configure_clients()
    board = Board(listing.files)
    with _Notes(folder, board):
        try:
            client = client_of(
                listing.repository.hub,
                endpoint=request.endpoint,
                token=token,
                cache=workspace.cache,
            )
            target = target_of(workspace, listing.repository)
            staging = folder / jobs.FILES
            staging.mkdir(exist_ok=True)
            (folder / jobs.RESERVE).write_bytes(b"0" * RESERVED)
            transfer = Transfer(
                listing,
                client,
                staging=staging,
                target=target,
                board=board,
                patience=request.patience,
            )
            with Flushing(staging):
                transfer.run()
            deliver(request, staging=staging, target=target)
        except (MedTuneError, OSError) as error:
            return _failed(folder, error if isinstance(error, MedTuneError) else _told(error))
        except Exception as error:  # without a word it would be taken for a machine that went down
            _log(traceback.format_exc())
            what = f"{type(error).__name__}: {error}"[:300]
            place = folder / jobs.LOG
            return _failed(folder, DownloadError("hub.errors.broken", what=what, log=place))
    (folder / jobs.RESERVE).unlink(missing_ok=True)
    write_json(folder / jobs.OUTCOME, {"state": "done", "problem": None})
    return 0


def _failed(folder: Path, error: MedTuneError) -> int:
    # On a full disk this is the room in which to say so; the log must not take it first.
    (folder / jobs.RESERVE).unlink(missing_ok=True)
    write_json(folder / jobs.OUTCOME, {"state": "failed", "problem": jobs.problem_of(error)})
    _log(error)
    return 1


def _log(words: object) -> None:
    # The log is on the disk that may be full.
    with suppress(OSError):
        print(words, flush=True)


def _told(error: OSError) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError("hub.errors.disk_filled")
    return DownloadError("hub.errors.not_writable", reason=error.strerror or str(error))


class _Notes:
    """Writes the board to disk twice a second, and once more at the end."""

    def __init__(self, folder: Path, board: Board) -> None:
        self._path = folder / jobs.PROGRESS
        self._board = board
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="notes", daemon=True)

    def __enter__(self) -> None:
        self._note()
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._note()

    def _go_on(self) -> None:
        while not self._ended.wait(SECONDS):
            self._note()

    def _note(self) -> None:
        try:
            write_json(self._path, self._board.snapshot(time.monotonic()), durable=False)
        except OSError as error:
            # A full disk: the download itself meets it, too, and says so.
            _log(f"progress not written: {error}")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # All is on the disk, and the clients' modules take a while to be taken down in order.
    os._exit(status)
