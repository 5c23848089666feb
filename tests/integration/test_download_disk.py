"""A disk that is too small, one that fills up in the middle, and one that can't be written."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import DownloadError
from backend.hub.jobs import JobState
from backend.hub.room import SPARE
from tests.conftest import ROOT
from tests.fakes.full_disk import DISK_BYTES, MEGABYTE, WEIGHT_BYTES
from tests.fakes.hub_jobs import (
    BOTH_HUBS,
    DATASET,
    MODEL,
    WEIGHTS,
    Desk,
    files_in,
    go_on,
    held,
    noise,
    partials,
    stands,
    wait_until,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'


@pytest.fixture
def small_disk(tmp_path: Path) -> tuple[str, ...]:
    """The beginning of a command that sees a small disk at ``tmp_path``, and no one else does."""
    command = (*OWN_MOUNTS, "sh", "-c", MOUNT, str(tmp_path))
    if shutil.which("unshare") is None:
        pytest.skip("only Linux makes a small disk without being root (unshare)")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this machine does not let its users mount a small disk: {tried.stderr}")
    return command


def test_a_disk_that_fills_up_in_the_middle(small_disk: tuple[str, ...], tmp_path: Path) -> None:
    """What came is kept; with room made it goes on from there. The reserve was spent on the log,
    so that the download could not say that it had failed: it was shown as interrupted."""
    program = (sys.executable, "-m", "tests.fakes.full_disk", str(tmp_path), "modelscope")
    played = subprocess.run([*small_disk, *program], cwd=ROOT, capture_output=True, text=True)
    assert played.returncode == 0, played.stderr
    seen = json.loads(played.stdout)
    assert seen["full"] == ["failed", "hub.errors.disk_filled"]
    assert len(seen["sentences"]) == 2 and all(seen["sentences"])
    assert not seen["delivered"] and 5 * MEGABYTE <= seen["partial"] < WEIGHT_BYTES
    assert seen["resumed"] == ["done", ""] and seen["whole"]
    assert seen["starts"] == [0, seen["partial"]]


@BOTH_HUBS
def test_a_file_system_that_takes_no_file_so_large(desk: Desk) -> None:
    """FAT takes 4 GB in one file, and a quota less. ModelScope's client takes every error of the
    disk but a full one for a broken line: it was tried again, and then the line was called dead."""
    desk.serve(noise(3 * MEGABYTE))
    plan = desk.plan()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MEGABYTE, before[1]))  # workers inherit it
    try:
        job = desk.downloads.start(plan, plan.advised)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    failed = desk.failed(job, "hub.errors.not_writable")
    assert failed.problem is not None and failed.problem.params["reason"] == "File too large"
    assert len(desk.hub.asked(MODEL, WEIGHTS)) == 1 and not desk.target().exists()
    assert partials(failed)[f"{WEIGHTS}.incomplete"] > MEGABYTE
    desk.downloads.resume(job.id)
    desk.done(job)


def test_a_disk_too_small_is_told_before_anything_moves(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was free when the files were listed counted, however long ago that was."""
    desk.serve(noise(MEGABYTE))
    plan = desk.plan()
    real = shutil.disk_usage(desk.workspace.root)
    small = real._replace(free=SPARE + MEGABYTE // 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: small)
    with pytest.raises(DownloadError) as refused:
        desk.downloads.start(plan, plan.advised)
    assert refused.value.key == "hub.errors.disk_full"
    for language in ("en", "zh"):
        sentence = refused.value.sentence(language)
        assert all(number in sentence for number in ("1.0 MB", "64.5 MB", "500.0 kB"))
    assert desk.downloads.jobs() == [] and list(desk.workspace.downloads.glob("*/")) == []
    assert desk.hub.asked(MODEL, WEIGHTS) == []


def test_two_downloads_do_not_share_one_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was compared with the whole of the free disk, when begun and when taken up again."""
    job, hold = held(desk)
    desk.serve(noise(2 * MEGABYTE, 2), id="org/second")
    second = desk.plan("org/second")
    real = shutil.disk_usage(desk.workspace.root)
    # Room for the second alone; of the first 3 MB are still to come.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=SPARE + 4 * MEGABYTE))
    with pytest.raises(DownloadError) as refused:
        desk.downloads.start(second, second.advised)
    assert refused.value.key == "hub.errors.disk_reserved"
    desk.downloads.pause(job.id)
    go_on(desk, hold)
    held_second = desk.hub.hold("org/second", WEIGHTS, at=MEGABYTE // 2)
    other = stands(desk, desk.downloads.start(second, second.advised), held_second)
    with pytest.raises(DownloadError) as refused:
        desk.downloads.resume(job.id)
    assert refused.value.key == "hub.errors.disk_reserved"
    held_second.release()
    desk.done(other)
    desk.downloads.resume(job.id)
    desk.done(job)


def test_going_on_asks_for_the_room_of_the_rest_only(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the library already was counted as if it were still to come."""
    here = {"a.json": noise(2 * MEGABYTE, 2)}
    desk.hub.add(kind="dataset", id=DATASET, files={**here, "b.json": noise(3 * MEGABYTE, 3)})
    desk.done(desk.start(DATASET, "dataset", paths=list(here)))
    hold = desk.hub.hold(DATASET, "b.json", at=2 * MEGABYTE)
    job = desk.start(DATASET, "dataset")
    wait_until(hold.reached.is_set)
    desk.until(job, lambda one: one.received == 4 * MEGABYTE)
    desk.downloads.pause(job.id)
    wait_until(lambda: all(request.finished for request in desk.hub.requests))
    hold.release()

    real = shutil.disk_usage(job.folder)
    for free, fits in ((SPARE + MEGABYTE // 2, False), (SPARE + 3 * MEGABYTE // 2, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: real._replace(free=free))
        if fits:
            desk.downloads.resume(job.id)
        else:
            with pytest.raises(DownloadError) as refused:
                desk.downloads.resume(job.id)
            assert refused.value.key == "hub.errors.disk_full"
            assert desk.now(job).state is JobState.PAUSED
    monkeypatch.undo()
    desk.done(job)
    assert set(files_in(desk.target(DATASET, "dataset"))) == {"a.json", "b.json"}


TWO_DISKS = """
import subprocess, sys
from pathlib import Path
from backend.errors import DownloadError
from tests.fakes.hub_jobs import desk_running, noise
with desk_running(Path(sys.argv[1]), "modelscope") as desk:
    subprocess.run(["mount", "-t", "tmpfs", "none", str(desk.workspace.models)], check=True)
    desk.serve(noise(1000))
    try:
        desk.start()
    except DownloadError as error:
        print(error.key, *(path.name for path in desk.workspace.downloads.glob("*-*")))
"""


def test_what_could_not_take_its_place_is_not_fetched(
    small_disk: tuple[str, ...], tmp_path: Path
) -> None:
    """With models/ on a disk of its own, hours of downloading ended in a failed rename."""
    program = (sys.executable, "-c", TWO_DISKS, str(tmp_path))
    played = subprocess.run([*small_disk, *program], cwd=ROOT, capture_output=True, text=True)
    assert played.returncode == 0, played.stderr
    assert played.stdout.split() == ["hub.errors.two_disks"]
