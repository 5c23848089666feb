"""What several unit tests of runs share: a workspace that can train, and quick trainers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import FAKE_TRAINER, make_ready
from tests.fakes.trainers import Make, end_trainers, wait_until


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
