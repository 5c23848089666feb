"""The token goes to its hub and nowhere else; the clients leave nothing in the person's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.hub import jobs
from tests.conftest import ROOT
from tests.fakes.hub_jobs import BOTH_HUBS, MODEL, WEIGHTS, Desk, noise, partials, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TOKEN = "hf_SecretThatNobodyElseShallSee"
STORED = "hf_AnotherThatTheClientFindsByItself"

WHOLE_DOWNLOAD = """
import pathlib, sys, time
from backend.hub.downloads import Downloads
from backend.hub.repository import Repository
from backend.hub.settings import HubSettings
from backend.workspace import Workspace
root, hub, endpoint, name = sys.argv[1:]
settings = HubSettings(pathlib.Path(root) / "hubs.json")
settings.change(hub, endpoint=endpoint, token=None, keep=False)
downloads = Downloads(Workspace.open(pathlib.Path(root)), settings)
plan = downloads.plan(Repository(hub, "model", name))
downloads.start(plan, plan.advised)
while downloads.jobs()[0].state.active:
    time.sleep(0.05)
print(downloads.jobs()[0].state)
"""


def holding(folder: Path, secret: str) -> list[str]:
    """The files below a folder that have a secret in them."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


@BOTH_HUBS
def test_the_token_is_nowhere_but_on_its_way_to_the_hub(desk: Desk) -> None:
    desk.serve(noise(2_000_000), private_token=TOKEN, redirect=True)
    desk.settings.change(desk.name, endpoint=desk.hub.url, token=TOKEN, keep=False)
    # One failure, too: what a client logs of it names headers and addresses.
    desk.hub.fault(MODEL, "config.json", status=500, times=1)
    hold = desk.hub.hold(MODEL, WEIGHTS, at=1_200_000)
    job = desk.start()
    wait_until(hold.reached.is_set, lambda: desk.log(job))
    desk.until(job, lambda one: "config.json" in partials(one))
    process = Path(f"/proc/{desk.worker(job).pid}")
    if process.is_dir():  # on Linux
        for name in ("cmdline", "environ"):
            assert TOKEN.encode() not in (process / name).read_bytes()
    there = {path.name for path in job.folder.iterdir()}
    assert there >= {jobs.JOB, jobs.PROCESS, jobs.PROGRESS, jobs.LOG}
    assert holding(desk.workspace.root, TOKEN) == []
    hold.release()
    desk.done(job)
    assert (job.folder / jobs.OUTCOME).is_file()
    assert holding(desk.workspace.root, TOKEN) == [] == holding(desk.workspace.root.parent, TOKEN)
    at_cdn = [request for request in desk.hub.requests if request.server == "cdn"]
    assert at_cdn and not any(one.authorization or one.cookie for one in at_cdn)
    assert not any(TOKEN in request.target for request in desk.hub.requests)
    assert TOKEN not in repr(desk.settings) + repr(desk.downloads) + repr(desk.now(job))


def test_a_token_for_one_address_is_not_sent_to_another(desk: Desk) -> None:
    desk.settings.change(desk.name, endpoint="https://hub.example", token=TOKEN, keep=False)
    desk.settings.change(desk.name, endpoint=desk.hub.url, token=None, keep=False)
    desk.serve(noise(1000))
    desk.done(desk.start())
    assert not any(request.authorization or request.cookie for request in desk.hub.requests)


@BOTH_HUBS
def test_a_token_that_a_client_finds_by_itself_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be for another address; what is sent is what the page shows as set."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN", "MODELSCOPE_TOKEN"):
        monkeypatch.setenv(name, STORED)
    desk.serve(noise(1000))
    desk.done(desk.start())
    assert desk.hub.asked(MODEL, WEIGHTS)
    assert not any(
        STORED in f"{request.authorization}{request.cookie}" for request in desk.hub.requests
    )


@BOTH_HUBS
def test_nothing_is_left_in_the_home_of_the_person(desk: Desk, tmp_path: Path) -> None:
    """Both clients keep caches, tokens and session ids there if they are not told otherwise."""
    desk.serve(noise(1000))
    home = tmp_path / "empty-home"
    home.mkdir()
    cleared = ("HF_", "XDG_", "MODELSCOPE_", "HUGGING")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(cleared)}
    command = [sys.executable, "-c", WHOLE_DOWNLOAD, str(desk.workspace.root), desk.name]
    done = subprocess.run(
        [*command, desk.hub.url, MODEL],
        cwd=ROOT,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "done", done.stderr
    assert sorted(path.relative_to(home) for path in home.rglob("*")) == []
