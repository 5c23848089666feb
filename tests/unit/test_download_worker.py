"""The process of a download: however it ends, it says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.hub import jobs
from backend.hub.clients import configure_clients
from backend.hub.jobs import JobState, read_job
from backend.workers import download
from backend.workspace import Workspace
from tests.fakes.hub_folders import request
from ui.components.download_jobs import job_cards


@pytest.fixture
def folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(download, "configure_clients", lambda: None)  # this process has others
    return workspace.downloads / request(workspace).id


def test_a_fault_of_the_program_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was neither a fault of the hub nor of the disk ended the process without an outcome:
    the page said "interrupted, for example because the machine was restarted", again and again."""

    def faulty(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of <this>")

    monkeypatch.setattr(download, "client_of", faulty)
    assert download._work(folder, "") == 1
    job = read_job(folder)
    assert job is not None and job.state is JobState.FAILED
    assert job.problem is not None and job.problem.key == "hub.errors.broken"
    for language in ("en", "zh"):
        card = str(job_cards([job], language))
        assert "nobody thought of &lt;this&gt;" in card and jobs.LOG in card
        assert 'data-action="retry"' in card
    assert "Traceback" in capsys.readouterr().out, "for whoever mends it"


def test_the_traps_of_the_clients_are_closed_whatever_was_inherited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ModelScope's hour for each file came back with a variable that another program had asked
    for: a 15 GB file on a slow line ended in the middle. How long a silent socket is waited for
    is the person's to choose."""
    for name in list(os.environ):
        if name.startswith(("MODELSCOPE_", "HF_", "TQDM_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ["MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT"] = "3600"
    os.environ["MODELSCOPE_DOWNLOAD_MAX_RETRIES"] = "7"
    os.environ["MODELSCOPE_DOWNLOAD_TIMEOUT"] = "5"
    configure_clients()
    assert int(os.environ["MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT"]) > 10**8, "three years"
    assert os.environ["MODELSCOPE_DOWNLOAD_MAX_RETRIES"] == "0"
    assert os.environ["MODELSCOPE_DOWNLOAD_TIMEOUT"] == "5"
    assert os.environ["HF_HUB_DOWNLOAD_TIMEOUT"] == "20"
