"""Several windows and dashboards over one workspace, several downloads, several files at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.errors import DownloadError
from backend.hub.jobs import Job, JobState, find_job
from tests.conftest import ROOT
from tests.fakes.hub_jobs import (
    DATASET,
    MIDDLE,
    MODEL,
    SIZE,
    UNWRITTEN,
    WEIGHTS,
    Desk,
    files_in,
    go_on,
    held,
    noise,
    stands,
    wait_until,
    workers,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DASHBOARD = """
import pathlib, sys, time
from backend.hub.downloads import Downloads
from backend.hub.repository import Repository
from backend.hub.settings import HubSettings
from backend.workspace import Workspace
root, hub, endpoint, name = sys.argv[1:]
settings = HubSettings(pathlib.Path(root).parent / "dashboard.json")
settings.change(hub, endpoint=endpoint, token=None, keep=False)
downloads = Downloads(Workspace.open(pathlib.Path(root)), settings)
plan = downloads.plan(Repository(hub, "model", name))
print(downloads.start(plan, plan.advised).id, flush=True)
time.sleep(300)
"""


def test_the_next_dashboard_sees_the_same(desk: Desk) -> None:
    job, hold = held(desk)
    shown = desk.until(job, lambda one: one.received > MIDDLE - UNWRITTEN)
    anew = desk.another()
    (seen,) = anew.jobs()
    assert (seen.id, seen.state, seen.received) == (job.id, JobState.RUNNING, shown.received)
    assert seen.request == job.request
    hold.release()
    desk.done(job)
    assert anew.jobs()[0].state is JobState.DONE


def test_a_download_outlives_the_dashboard_that_started_it(desk: Desk) -> None:
    desk.serve(noise(SIZE))
    hold = desk.hub.hold(MODEL, WEIGHTS, at=MIDDLE)
    command = [sys.executable, "-c", DASHBOARD, str(desk.workspace.root), desk.name]
    with subprocess.Popen(
        [*command, desk.hub.url, MODEL], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as dashboard:
        assert dashboard.stdout is not None
        name = dashboard.stdout.readline().strip()
        wait_until(hold.reached.is_set)
        dashboard.kill()
    assert dashboard.returncode == -signal.SIGKILL
    job = find_job(desk.workspace, name)
    assert job.state is JobState.RUNNING
    hold.release()
    desk.done(job)
    assert len(desk.hub.asked(MODEL, WEIGHTS)) == 1


def test_a_worker_whose_dashboard_died_before_it_said_a_word_fetches_nothing(desk: Desk) -> None:
    """Killed between the start of the process and the note of which it is, a dashboard left one
    that nobody knew of: shown as interrupted, it went on, and kept its successor from working."""
    desk.serve(noise(100))
    job = desk.fetch()
    asked = len(desk.hub.requests)
    command = [sys.executable, "-m", "backend.workers.download", str(job.folder)]
    ended = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True)
    assert ended.returncode == 1 and len(desk.hub.requests) == asked


def test_two_windows_on_one_workspace_agree(desk: Desk) -> None:
    job, hold = held(desk)
    other = desk.another()
    with pytest.raises(DownloadError) as refused:
        other.start(desk.plan(), [WEIGHTS])
    assert refused.value.key == "hub.errors.under_way"
    assert other.pause(job.id).state is JobState.PAUSED
    assert desk.now(job).state is JobState.PAUSED
    go_on(desk, hold)
    desk.downloads.resume(job.id)
    assert other.resume(job.id).state is JobState.RUNNING, "it is, already"
    desk.done(job)
    with pytest.raises(DownloadError) as ended:
        other.resume(job.id)
    assert ended.value.key == "hub.errors.has_ended"
    with pytest.raises(DownloadError) as missing:
        other.pause("no-such-download")
    assert missing.value.key == "hub.errors.job_missing"


def test_many_clicks_make_one_process(desk: Desk) -> None:
    desk.serve(noise(SIZE))
    hold = desk.hub.hold(MODEL, WEIGHTS, at=MIDDLE)
    plan, windows = desk.plan(), [desk.downloads, desk.another()]

    def start(number: int) -> Job:
        return windows[number % 2].start(plan, plan.advised)

    with ThreadPoolExecutor(6) as pool:
        started = list(pool.map(start, range(6)))
    (job,) = desk.downloads.jobs()
    assert {one.request for one in started} == {job.request}
    stands(desk, job, hold)
    assert [one.pid for one in workers(desk.workspace)] == [desk.worker(job).pid]
    desk.downloads.pause(job.id)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: windows[number % 2].resume(job.id), range(6)))
    wait_until(lambda: len(desk.hub.asked(MODEL, WEIGHTS)) == 2)
    assert [one.pid for one in workers(desk.workspace)] == [desk.worker(job).pid]
    hold.release()
    desk.done(job)


def test_two_downloads_at_once_and_several_files_at_once(desk: Desk) -> None:
    big = {"a.safetensors": noise(SIZE), "b.safetensors": noise(SIZE, 2)}
    desk.hub.add(id=MODEL, files=big)
    desk.hub.add(id=DATASET, kind="dataset", files=big)
    holds = [desk.hub.hold(id, path, at=MIDDLE) for id in (MODEL, DATASET) for path in big]
    started = [desk.start(), desk.start(DATASET, "dataset")]
    for hold in holds:
        wait_until(hold.reached.is_set)
    for job in started:
        both = desk.until(job, lambda one: one.received > 2 * (MIDDLE - UNWRITTEN))
        assert both.state is JobState.RUNNING and both.total == 2 * SIZE
        assert [file.state for file in both.files] == ["fetching", "fetching"]
        card = desk.cards(both)[0]
        assert card.count(f'max="{SIZE}"') == 2 and f'max="{2 * SIZE}"' in card
    assert {job.id for job in desk.downloads.jobs()} == {job.id for job in started}
    for hold in holds:
        hold.release()
    for job in started:
        desk.done(job)
    assert files_in(desk.target()) == big == files_in(desk.target(DATASET, "dataset"))


def test_a_moving_download_tells_its_speed_and_the_time_left(desk: Desk) -> None:
    desk.serve(noise(SIZE))
    desk.hub.fault(MODEL, WEIGHTS, rate=1_000_000)
    job = desk.start()
    moving = desk.until(job, lambda one: one.speed and one.received > 400_000)
    assert moving.speed is not None and 200_000 < moving.speed < 4_000_000
    assert moving.seconds_left is not None and 0 < moving.seconds_left < 60
    assert "/s" in desk.cards(moving)[0]


def test_the_list_never_says_interrupted_of_a_download_that_ends_well(desk: Desk) -> None:
    """Its outcome was looked for before its process: one that ended in between had neither."""
    desk.serve(noise(1000))
    job = desk.start()
    seen: set[JobState] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.add(desk.now(job).state)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    try:
        desk.ended(job)
    finally:
        ended.set()
        for watcher in watchers:
            watcher.join()
    assert seen <= {JobState.RUNNING, JobState.DONE}
