"""A download as it is read from its folder: names, states and figures, from evidence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import DownloadError
from backend.hub.downloads import Downloads
from backend.hub.jobs import (
    FILES,
    JOB,
    OUTCOME,
    PROCESS,
    PROGRESS,
    WANTED,
    FileProgress,
    Job,
    JobState,
    Request,
    bytes_in,
    find_job,
    job_id,
    list_jobs,
    read_job,
    read_request,
)
from backend.hub.repository import HUBS, HubName, Kind, Listing, Repository
from backend.hub.settings import HubSettings
from backend.processes import ProcessId
from backend.text import text
from backend.workspace import Workspace, check_name
from tests.fakes.hub_folders import GONE, REPOSITORY, put, request, this_process
from ui.components.download_jobs import job_cards
from ui.html import duration

# Names ------------------------------------------------------------------------------------------


def test_each_repository_has_a_job_of_its_own() -> None:
    kinds: tuple[Kind, ...] = ("model", "dataset")
    ids = ("org/name", "org/name2", "other/name", "Org/name")
    repositories = [Repository(hub, kind, id) for hub in HUBS for kind in kinds for id in ids]
    assert len({job_id(one) for one in repositories}) == len(repositories)
    assert job_id(REPOSITORY) == job_id(replace(REPOSITORY, revision="v2")), "its files are found"


@given(
    st.sampled_from(HUBS),
    st.from_regex(r"[A-Za-z0-9][\w.\-]{0,90}/[A-Za-z0-9][\w.\-]{0,90}", fullmatch=True),
)
def test_the_name_of_a_job_can_name_a_folder(hub: HubName, id: str) -> None:
    check_name(job_id(Repository(hub, "model", id)))


# State ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "process, wanted, outcome, state",
    [
        (None, None, None, JobState.INTERRUPTED),
        (GONE, None, None, JobState.INTERRUPTED),
        (GONE, "paused", None, JobState.PAUSED),
        (GONE, "cancelled", None, JobState.CANCELLED),
        (GONE, None, "done", JobState.DONE),
        (GONE, None, "failed", JobState.FAILED),
        (GONE, "paused", "done", JobState.DONE),
        ("alive", None, None, JobState.RUNNING),
        ("alive", "paused", None, JobState.PAUSING),
        ("alive", "cancelled", "done", JobState.PAUSING),
    ],
)
def test_the_state_is_what_the_evidence_says(
    workspace: Workspace, process: Any, wanted: str | None, outcome: str | None, state: JobState
) -> None:
    asked = request(workspace)
    folder = workspace.downloads / asked.id
    if process:
        put(folder, PROCESS, this_process() if process == "alive" else process)
    if wanted:
        put(folder, WANTED, {"state": wanted})
    if outcome:
        put(folder, OUTCOME, {"state": outcome, "problem": None})
    job = find_job(workspace, asked.id)
    assert job.state is state and job.request == asked
    assert job.state.active == (process == "alive")
    assert job.state.can_go_on == (not job.state.active and state is not JobState.DONE)
    assert job_cards([job], "zh")


def test_a_process_that_ends_while_it_is_looked_at(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome was read, then the process ended well, then it was found dead: the page said
    for a moment that the download was interrupted."""
    folder = workspace.downloads / request(workspace).id
    put(folder, PROCESS, this_process())

    def ends(_: ProcessId) -> bool:
        put(folder, OUTCOME, {"state": "done", "problem": None})
        return False

    monkeypatch.setattr(ProcessId, "is_alive", ends)
    job = read_job(folder)
    assert job is not None and job.state is JobState.DONE


def test_what_a_dead_process_said_last_is_not_shown_as_if_it_went_on(workspace: Workspace) -> None:
    folder = workspace.downloads / request(workspace).id
    problem = {"key": "hub.errors.timed_out", "params": {"endpoint": "e"}}
    entry = {"received": 40, "state": "retrying", "problem": problem, "wait": 9.0, "breaks": 2}
    put(folder, PROGRESS, {"speed": 5.0, "files": {"a/b.json": entry}})
    put(folder, PROCESS, GONE)
    dead = read_job(folder)
    put(folder, PROCESS, this_process())
    alive = read_job(folder)
    assert dead is not None and alive is not None
    assert (dead.speed, dead.seconds_left, dead.received) == (None, None, 40)
    assert (dead.files[0].state, dead.files[0].wait) == ("waiting", 0.0)
    assert (alive.files[0].state, alive.files[0].wait, alive.speed) == ("retrying", 9.0, 5.0)
    assert alive.seconds_left == (100 - 40) / 5


# Figures ----------------------------------------------------------------------------------------


def job_of(*files: FileProgress, speed: float | None = None) -> Job:
    asked = Request("x", "", Listing(REPOSITORY, "master", "", ()), "https://hub.example")
    return Job(asked, Path("x"), JobState.RUNNING, files, speed, None, 0)


def test_a_file_of_unknown_size_counts_with_what_has_come() -> None:
    job = job_of(FileProgress("a", 100, 30), FileProgress("b", None, 7), speed=10.0)
    assert (job.received, job.total, job.seconds_left) == (37, 107, 7.0)


def test_each_file_tells_its_speed_and_the_time_left(workspace: Workspace) -> None:
    folder = workspace.downloads / request(workspace).id
    entry = {"received": 40, "state": "fetching", "speed": 5.0}
    put(folder, PROGRESS, {"speed": 5.0, "files": {"a/b.json": entry}})
    put(folder, PROCESS, this_process())
    job = read_job(folder)
    assert job is not None and (job.files[0].speed, job.files[0].seconds_left) == (5.0, 12.0)
    assert (job.files[1].speed, job.files[1].seconds_left) == (None, None)
    for language, word in (("en", "left"), ("zh", "剩余")):
        assert word in text(language, "hub.jobs.rate", speed="", left="")
        words = text(language, "hub.jobs.rate", speed="5 B", left=duration(12.0))
        files = str(job_cards([job], language)).partition("<details")[2]
        assert files.count(words) == 1, files
    put(folder, PROCESS, GONE)
    dead = read_job(folder)
    assert dead is not None and dead.files[0].speed is None


@pytest.mark.parametrize("key", ["disk_filled", "not_writable", "still_limited"])
def test_why_a_download_failed_is_on_its_card(workspace: Workspace, key: str) -> None:
    """With what the line did before, which was not shown of one that had failed."""
    folder = workspace.downloads / request(workspace).id
    problem = {"key": f"hub.errors.{key}", "params": {"reason": "quota", "path": "a/b.json"}}
    why = {"key": "hub.errors.timed_out", "params": {"endpoint": "https://slow.example"}}
    entry = {"received": 40, "state": "waiting", "problem": why, "breaks": 3}
    put(folder, OUTCOME, {"state": "failed", "problem": problem})
    put(folder, PROGRESS, {"speed": 0.0, "files": {"a/b.json": entry}})
    job = read_job(folder)
    assert job is not None and job.state is JobState.FAILED and job.problem is not None
    for language in ("en", "zh"):
        card = str(job_cards([job], language))
        assert job.problem.sentence(language) in card and "https://slow.example" in card
        assert 'data-action="retry"' in card and 'data-action="delete"' in card


@pytest.mark.parametrize("speed", [None, 0.0, -3.0, 5e-324])
def test_without_speed_nobody_knows_how_long_it_takes(speed: float | None) -> None:
    job = job_of(FileProgress("a", 10**12), speed=speed)
    assert job.seconds_left is None and job_cards([job], "en")


def test_bytes_are_counted_while_files_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the moment of the delivery the folder is moved away as a whole: the page broke."""
    assert bytes_in(tmp_path / "none") == 0
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert bytes_in(tmp_path) == 8
    walk = os.walk

    def moved(top: Any) -> Any:
        for step in walk(top):
            (tmp_path / "b").unlink(missing_ok=True)
            yield step

    monkeypatch.setattr(os, "walk", moved)
    assert bytes_in(tmp_path) == 5


# The list ---------------------------------------------------------------------------------------


def test_the_newest_is_first_and_what_is_damaged_is_left_out(workspace: Workspace) -> None:
    old = request(workspace, created="2026-01-01", id="org/old")
    new = request(workspace, created="2026-02-01", id="org/new")
    (workspace.downloads / "no-job").mkdir()
    put(workspace.downloads / "empty", JOB, {})
    (workspace.downloads / "torn").mkdir()
    (workspace.downloads / "torn" / JOB).write_bytes(b'{"id": "torn", "cre')
    put(workspace.downloads / "copied", JOB, new.to_json())  # its id is another folder's
    assert [job.id for job in list_jobs(workspace)] == [new.id, old.id]


def test_a_download_that_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(DownloadError) as missing:
        find_job(workspace, "no-such-job")
    assert missing.value.key == "hub.errors.job_missing"


def test_a_request_is_read_as_it_was_written(workspace: Workspace) -> None:
    asked = request(workspace)
    assert read_request(workspace.downloads / asked.id) == asked


def test_what_a_damaged_download_left_can_be_seen_and_deleted(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its request torn by a crash, a download was in no list any more, and its 15 GB stayed."""
    whole = request(workspace)
    torn = workspace.downloads / "torn-1"
    (torn / FILES).mkdir(parents=True)
    (torn / JOB).write_bytes(b'{"id": "torn-1", "cre')
    (torn / FILES / "model.safetensors.incomplete").write_bytes(b"x" * 5000)
    (workspace.downloads / "no-job").mkdir()
    (workspace.downloads / "link").symlink_to(tmp_path)
    downloads = Downloads(workspace, HubSettings(tmp_path / "hubs.json"))
    (left,) = downloads.remains()
    assert left.id == "torn-1" and left.on_disk > 5000
    for language, words in (("en", "5.0 kB"), ("zh", "残留")):
        card = str(job_cards([], language, remains=[left]))
        assert words in card and 'data-action="remove"' in card and 'data-state="damaged"' in card
    for other in (whole.id, "no-job", "link", "no-such", ".lock"):
        with pytest.raises(DownloadError):
            downloads.remove_remains(other)
    downloads.remove_remains("torn-1")
    assert not torn.exists() and downloads.remains() == []
    assert [job.id for job in downloads.jobs()] == [whole.id]
