"""Starts, pauses and ends downloads.

A download is a process of its own in a session of its own; it outlives the dashboard that started
it. What is known of it is read from its folder (``jobs.py``), so that two dashboards on one
workspace agree.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from backend.errors import DownloadError
from backend.files import write_json
from backend.hub import jobs
from backend.hub.asking import within
from backend.hub.clients import client_of
from backend.hub.jobs import Job, JobState, Patience, Remains, Request, find_job, job_id
from backend.hub.plan import Plan, is_pickle, plan_of
from backend.hub.repository import Repository
from backend.hub.room import room_of
from backend.hub.settings import HubSettings
from backend.locks import held
from backend.processes import ProcessId, end_group
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = (sys.executable, "-m", "backend.workers.download")
"""The command that downloads; the job's folder is added to it."""

_LOCK_SECONDS = 20.0


class Downloads:
    """The downloads of one workspace.

    Args:
        settings: Where the hubs are, and the tokens for them.
        patience: How long a download goes on without a byte; tests have less.
    """

    def __init__(
        self, workspace: Workspace, settings: HubSettings, *, patience: Patience | None = None
    ) -> None:
        self._workspace = workspace
        self._patience = patience or Patience()
        self.settings = settings

    def plan(self, repository: Repository) -> Plan:
        """Ask the hub what a repository holds, and see what of it is here already.

        Raises:
            MedTuneError: the hub can't be asked, or has nothing that could be fetched.
        """
        endpoint = self.settings.endpoint(repository.hub)
        client = client_of(
            repository.hub,
            endpoint=endpoint,
            token=self.settings.token(endpoint),
            cache=self._workspace.cache,
        )
        listing = within(lambda: client.listing(repository), endpoint=endpoint)
        return plan_of(self._workspace, listing, endpoint=endpoint)

    def jobs(self) -> list[Job]:
        """All downloads, the newest first."""
        return jobs.list_jobs(self._workspace)

    def start(self, plan: Plan, paths: Collection[str], *, allow_pickle: bool = False) -> Job:
        """Fetch files of a plan. What an earlier try of the same repository left is used.

        Args:
            paths: Of the chosen files.
            allow_pickle: The person agreed to weights that can run code.

        Raises:
            DownloadError: nothing is chosen, a pickle is and was not agreed to, it does not fit on
                the disk, it is under way already, or it can't be started.
        """
        chosen = tuple(one.file for one in plan.files if one.file.path in paths)
        if not chosen:
            raise DownloadError("hub.errors.nothing_chosen")
        kind = plan.listing.repository.kind
        pickles = [file.path for file in chosen if is_pickle(file, kind)]
        if pickles and not allow_pickle:
            raise DownloadError("hub.errors.pickle", path=pickles[0])
        request = Request(
            id=job_id(plan.listing.repository),
            created=datetime.now(UTC).isoformat(),
            listing=replace(plan.listing, files=chosen, left_out=()),
            endpoint=plan.endpoint,
            allow_pickle=bool(pickles),
            patience=self._patience,
        )
        with self._changing():
            folder = self._workspace.named(self._workspace.downloads, request.id)
            earlier = jobs.read_job(folder)
            if earlier and earlier.state.active:
                if earlier.request.listing == request.listing:
                    return earlier  # a double click
                raise DownloadError("hub.errors.under_way", id=plan.listing.repository.id)
            self._check_disk(plan)
            needed = plan.needed(paths, partial=_reusable(request, earlier))
            # Measured now: the plan may be an hour old, and others have begun since.
            room_of(self._workspace, besides=request.id).check(needed)
            self._write(folder, request, earlier)
            self._launch(folder, request)
        return find_job(self._workspace, request.id)

    def pause(self, wanted: str) -> Job:
        """End the process and keep what has come. One that has ended stays as it is."""
        return self._end(wanted, "paused")

    def cancel(self, wanted: str, *, delete: bool) -> None:
        """Give a download up.

        Args:
            delete: Remove what has come, and the download from the list.
        """
        job = self._end(wanted, "cancelled")
        if delete:
            self._remove(job)

    def resume(self, wanted: str) -> Job:
        """Go on with a download that is paused, given up, interrupted or has failed.

        Raises:
            DownloadError: it can't go on, or there is no room for the rest.
        """
        with self._changing():
            job = find_job(self._workspace, wanted)
            if job.state.active:
                return job
            if not job.state.can_go_on:
                raise DownloadError("hub.errors.has_ended")
            room_of(self._workspace, besides=job.id).check(job.missing)
            self._launch(job.folder, job.request)
        return find_job(self._workspace, wanted)

    def remains(self) -> list[Remains]:
        """What lies in the folders of downloads that can't be read any more."""
        return jobs.list_remains(self._workspace)

    def remove_remains(self, name: str) -> None:
        """Delete the folder of a download that can't be read; one that can is left alone.

        Raises:
            DownloadError: there is none.
        """
        with self._changing():
            if name not in {one.id for one in jobs.list_remains(self._workspace)}:
                raise DownloadError("hub.errors.job_missing")
            folder = self._workspace.named(self._workspace.downloads, name)
            process = jobs.process_of(folder)
            if process is not None:
                end_group(process)
            _delete(folder)

    def forget(self, wanted: str) -> None:
        """Take a download that has ended off the list; what it delivered stays.

        Raises:
            DownloadError: it has not ended, or something of it has not been delivered.
        """
        with self._changing():
            job = find_job(self._workspace, wanted)
            if job.state is not JobState.DONE:
                raise DownloadError("hub.errors.not_ended")
            _delete(job.folder)

    def _end(self, wanted: str, state: str) -> Job:
        with self._changing():
            job = find_job(self._workspace, wanted)
            if job.state is JobState.DONE:
                return job
            write_json(job.folder / jobs.WANTED, {"state": state})
            process = jobs.process_of(job.folder)
            if process is not None:
                end_group(process)
            # It may have come to its end before it was asked.
            if find_job(self._workspace, wanted).state is not JobState.DONE:
                (job.folder / jobs.OUTCOME).unlink(missing_ok=True)
        return find_job(self._workspace, wanted)

    def _remove(self, job: Job) -> None:
        with self._changing():
            now = find_job(self._workspace, job.id)
            # It may have been finished, or taken up again in another window, in between.
            if not now.state.active and now.state is not JobState.DONE:
                _delete(now.folder)

    def _check_disk(self, plan: Plan) -> None:
        """Refuse what could not be put in its place by a rename once all of it has come.

        Raises:
            DownloadError: what comes and where it goes are on two disks.
        """
        workspace = self._workspace
        home = workspace.home(plan.listing.repository.kind)
        if home.stat().st_dev != workspace.downloads.stat().st_dev:
            raise DownloadError("hub.errors.two_disks", home=home, downloads=workspace.downloads)

    def _write(self, folder: Path, request: Request, earlier: Job | None) -> None:
        try:
            (folder / jobs.FILES).mkdir(parents=True, exist_ok=True)
            for path in _stale(request, earlier):
                for name in (path, f"{path}.incomplete"):
                    (folder / jobs.FILES / name).unlink(missing_ok=True)
            for name in (jobs.PROGRESS, jobs.OUTCOME):
                (folder / name).unlink(missing_ok=True)
            write_json(folder / jobs.JOB, request.to_json())
        except OSError as error:
            reason = error.strerror or str(error)
            raise DownloadError("hub.errors.not_writable", reason=reason) from error

    def _launch(self, folder: Path, request: Request) -> None:
        """Start the process and note which it is."""
        try:
            (folder / jobs.WANTED).unlink(missing_ok=True)
            (folder / jobs.OUTCOME).unlink(missing_ok=True)
            with (folder / jobs.LOG).open("ab") as log:
                worker = subprocess.Popen(
                    [*WORKER, str(folder)],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            reason = error.strerror or str(error)
            raise DownloadError("hub.errors.not_started", reason=reason) from error
        try:
            process = ProcessId.of(worker.pid) or ProcessId(worker.pid, "")
            write_json(folder / jobs.PROCESS, asdict(process))
            assert worker.stdin is not None
            with worker.stdin as pipe:
                pipe.write(f"{self.settings.token(request.endpoint)}\n".encode())
        except OSError as error:
            worker.kill()
            worker.wait()
            reason = error.strerror or str(error)
            raise DownloadError("hub.errors.not_started", reason=reason) from error
        # An ended child stays a zombie until its parent asks after it.
        threading.Thread(target=worker.wait, name=f"reap {folder.name}", daemon=True).start()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Held while a download is changed: a double click or a second dashboard waits for it."""
        self._workspace.check_writable()
        lock = self._workspace.downloads / ".lock"
        with held(lock, seconds=_LOCK_SECONDS, busy=DownloadError("hub.errors.busy")):
            yield


def _delete(folder: Path) -> None:
    # What is big first: without its request the rest would be taken for a damaged download.
    for path in (folder / jobs.FILES, folder):
        shutil.rmtree(path, ignore_errors=True)


def _stale(request: Request, earlier: Job | None) -> list[str]:
    """The files that an earlier try may have brought in another version, or not at all now."""
    if earlier is None:
        # Of what a damaged download left nobody knows which version it is; a hash tells in the end.
        return [file.path for file in request.listing.files if not file.hashed]
    before = earlier.request.listing
    now = {file.path: file for file in request.listing.files}
    same_commit = before.commit == request.listing.commit
    # Without a hash only an exact commit says that a part is the beginning of the same file.
    exact = same_commit and before.pinned
    return [
        file.path
        for file in before.files
        if now.get(file.path) != file or (not file.hashed and not exact)
    ]


def _reusable(request: Request, earlier: Job | None) -> int:
    return 0 if earlier is None or _stale(request, earlier) else earlier.on_disk
