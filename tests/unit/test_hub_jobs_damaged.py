"""Files of a download that were torn, changed by hand, or written by another version: no matter
what lies in its folder, the list of downloads is read and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.hub import jobs
from backend.hub.jobs import (
    JOB,
    OUTCOME,
    PROCESS,
    PROGRESS,
    WANTED,
    list_jobs,
    process_of,
    read_job,
    read_request,
)
from backend.workspace import Workspace
from tests.fakes.hub_folders import GONE, put, request, this_process
from ui.components.download_jobs import job_cards


@pytest.mark.parametrize(
    "file",
    [
        {"path": "../evil", "size": 1, "sha256": None},
        {"path": "/etc/evil", "size": 1, "sha256": None},
        {"path": "a", "size": "1", "sha256": None},
        {"path": "a", "size": -1, "sha256": None},
        {"path": "a", "size": 1, "sha256": 7},
        {"path": 1, "size": 1, "sha256": None},
        {"path": "a", "size": 1},
        "a",
    ],
)
def test_a_request_that_was_changed_by_hand_is_none(workspace: Workspace, file: Any) -> None:
    """Its paths are written to."""
    asked = request(workspace)
    value = orjson.loads(orjson.dumps(asked.to_json()))
    value["listing"]["files"].append(file)
    put(workspace.downloads / asked.id, JOB, value)
    assert read_request(workspace.downloads / asked.id) is None
    assert list_jobs(workspace) == []


WORDS = st.sampled_from(
    ["id", "pid", "born", "state", "speed", "files", "received", "problem", "key", "params"]
    + ["wait", "breaks", "created", "listing", "endpoint", "a/b.json", "failed", "done", "paused"]
    + ["retrying", "hub.errors.line_dead", "hub.errors.disk_full", "path", "language", "{x}"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)
PROBLEMS = st.fixed_dictionaries({"key": WORDS, "params": st.dictionaries(WORDS, JSON)}) | JSON
ENTRIES = st.fixed_dictionaries(
    {"received": JSON, "state": WORDS, "problem": PROBLEMS, "wait": JSON, "breaks": JSON}
)
PROGRESSES = st.fixed_dictionaries(
    {"speed": JSON, "files": st.dictionaries(st.just("a/b.json"), ENTRIES | JSON) | JSON}
)


def read_all(folder: Path) -> None:
    process_of(folder)
    read_request(folder)
    job = read_job(folder)
    if job is not None:
        for asking in ((), (job.id,)):
            assert all(job_cards([job], language, asking=asking) for language in ("en", "zh"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from([PROCESS, PROGRESS, OUTCOME, WANTED]), value=JSON, alive=st.booleans())
def test_no_file_beside_the_request_breaks_the_list(
    workspace: Workspace, name: str, value: Any, alive: bool
) -> None:
    folder = workspace.downloads / request(workspace).id
    for other in (PROGRESS, OUTCOME, WANTED):
        (folder / other).unlink(missing_ok=True)
    put(folder, PROCESS, this_process() if alive else GONE)
    put(folder, name, value)
    read_all(folder)
    assert len(list_jobs(workspace)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(progress=PROGRESSES, problem=PROBLEMS, alive=st.booleans())
def test_no_progress_and_no_outcome_breaks_the_list(
    workspace: Workspace, progress: Any, problem: Any, alive: bool
) -> None:
    folder = workspace.downloads / request(workspace).id
    put(folder, PROCESS, this_process() if alive else GONE)
    put(folder, PROGRESS, progress)
    put(folder, OUTCOME, {"state": "failed", "problem": problem})
    read_all(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_request_breaks_the_list(workspace: Workspace, data: st.DataObject) -> None:
    """A whole request in which one value is another."""
    asked = request(workspace)
    value = orjson.loads(orjson.dumps(asked.to_json()))
    place: Any = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(place[key], dict | list) and place[key]
        if not deeper or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    put(workspace.downloads / asked.id, JOB, value)
    read_all(workspace.downloads / asked.id)
    list_jobs(workspace)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from([JOB, PROCESS, PROGRESS, OUTCOME, WANTED]), content=st.binary())
def test_no_torn_file_breaks_the_list(workspace: Workspace, name: str, content: bytes) -> None:
    folder = workspace.downloads / request(workspace).id
    (folder / name).write_bytes(content)
    read_all(folder)


def test_a_problem_of_another_version_is_left_out() -> None:
    known = {"key": "hub.errors.line_dead", "params": {"path": "a"}}
    assert jobs.read_problem(known) is not None
    assert jobs.read_problem({**known, "key": "hub.errors.of_next_year"}) is None
    assert jobs.read_problem({**known, "params": {"file": "a"}}) is None
