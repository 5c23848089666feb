"""What unit tests share: the page; for runs a workspace that can train, and quick trainers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import gradio as gr
import pytest

from backend.services import Services
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import FAKE_TRAINER, make_ready
from tests.fakes.trainers import Make, end_trainers, wait_until
from ui.dashboard import build_dashboard


@pytest.fixture
def page(workspace: Workspace) -> gr.Blocks:
    """The whole page in English, on an empty workspace; nothing behind it runs."""
    services = Services.of(workspace)
    try:
        return build_dashboard(services, language="en")
    finally:
        services.close()


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    return make_ready(workspace)


@pytest.fixture
def make(ready: Workspace) -> Iterator[Make]:
    """Makes supervisors with a fake trainer; ends what still runs after the test."""

    def of(*options: str) -> Supervisor:
        return Supervisor(ready, command=(sys.executable, str(FAKE_TRAINER), *options))

    yield of
    end_trainers(ready, patience=0.1)
    wait_until(lambda: not any(one.name.startswith("reap") for one in threading.enumerate()))
