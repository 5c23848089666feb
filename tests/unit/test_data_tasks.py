"""Tasks: their state is told by what lies in their folders and by the process, and by nothing else.

The process that works is a stand-in of a few lines, ended when its test ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from backend.data import tasks
from backend.data.tasks import (
    OUTCOME,
    PROCESS,
    PROGRESS,
    TASK,
    Reporter,
    Task,
    TaskState,
    cancel_task,
    read_task,
    start_task,
    work,
)
from backend.errors import DataError, LibraryError
from backend.files import read_json, write_json
from backend.problems import Problem
from backend.processes import ProcessId
from backend.text import LANGUAGES

STAND_IN = """
import json, os, subprocess, sys, time
from pathlib import Path

folder = Path(sys.argv[1])
asked = json.loads((folder / "task.json").read_text())
with (folder.parent / "started").open("a") as file:
    file.write(f"{os.getpid()}\\n")
if asked["do"] == "helped":
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (folder.parent / "helper").write_text(str(helper.pid))
if asked["do"] == "end":
    (folder / "outcome.json").write_text('{"state": "done", "result": {"n": 1}}')
elif asked["do"] != "vanish":
    (folder / "progress.json").write_text('{"step": "study", "done": 3, "total": 7}')
    print("working", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A task's folder, worked on by the stand-in."""
    monkeypatch.setattr(tasks, "WORKER", (sys.executable, "-c", STAND_IN))
    yield tmp_path / "task"
    cancel_task(tmp_path / "task")


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    yield process
    process.kill()
    process.wait()


def until(folder: Path, wanted: Callable[[Task], bool]) -> Task:
    """The task, once it is as wanted."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        task = read_task(folder)
        if task is not None and wanted(task):
            return task
        time.sleep(0.01)
    raise AssertionError(f"not within 20 s: {read_task(folder)}")


def working(task: Task) -> bool:
    return task.state is TaskState.RUNNING and task.step == "study"


def process_in(folder: Path) -> ProcessId:
    return ProcessId(**read_json(folder / PROCESS))


def gone(process: ProcessId) -> bool:
    deadline = time.monotonic() + 5
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not process.is_alive()


def put(folder: Path, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in {"task": {"do": "wait"}, **files}.items():
        write_json(folder / f"{name}.json", value)
    return folder


# --- Its life -----------------------------------------------------------------------------------


def test_running_with_how_far_it_is(folder: Path) -> None:
    assert read_task(folder) is None
    started = start_task(folder, {"do": "wait"})
    assert started.state is TaskState.RUNNING and started.asked == {"do": "wait"}
    task = until(folder, working)
    assert (task.step, task.done, task.total) == ("study", 3, 7)
    assert (folder / "task.log").read_bytes() == b"working\n"


def test_done_with_its_result(folder: Path) -> None:
    start_task(folder, {"do": "end"})
    task = until(folder, lambda task: task.state is TaskState.DONE)
    assert (task.result, task.problem) == ({"n": 1}, None)


def test_killed_without_a_word(folder: Path) -> None:
    """``kill -9``, or the machine ran out of memory: nobody wrote down that it ended."""
    start_task(folder, {"do": "wait"})
    until(folder, working)
    os.kill(process_in(folder).pid, 9)
    task = until(folder, lambda task: task.state is not TaskState.RUNNING)
    assert (task.state, task.step, task.result) == (TaskState.INTERRUPTED, "", None)


def test_a_process_that_ends_without_an_outcome(folder: Path) -> None:
    """A fault of the program: its traceback is in the log."""
    start_task(folder, {"do": "vanish"})
    until(folder, lambda task: task.state is TaskState.INTERRUPTED)


def test_interrupted_is_started_again(folder: Path) -> None:
    start_task(folder, {"do": "vanish"})
    until(folder, lambda task: task.state is TaskState.INTERRUPTED)
    put(folder, task={"do": "wait"}, progress={"step": "write", "done": 9, "total": 9})
    started = start_task(folder, {"do": "wait"})
    assert started.state is TaskState.RUNNING
    assert started.step != "write", "how far the last attempt came is not how far this one is"
    until(folder, working)


def test_done_is_not_done_again(folder: Path) -> None:
    start_task(folder, {"do": "end"})
    until(folder, lambda task: task.state is TaskState.DONE)
    assert start_task(folder, {"do": "end"}).state is TaskState.DONE
    assert len((folder.parent / "started").read_text().split()) == 1


def test_failed_is_tried_again_without_the_old_problem(folder: Path) -> None:
    problem = {"key": "data.errors.no_rows", "params": {"name": "x"}}
    put(folder, outcome={"state": "failed", "problem": problem})
    assert start_task(folder, {"do": "wait"}).state is TaskState.RUNNING
    assert until(folder, working).problem is None


def test_another_request_ends_what_was_asked_before(folder: Path) -> None:
    start_task(folder, {"do": "wait", "n": 1})
    until(folder, working)
    before = process_in(folder)
    assert start_task(folder, {"do": "wait", "n": 2}).asked == {"do": "wait", "n": 2}
    assert gone(before) and process_in(folder) != before


def test_two_pages_start_one_process(folder: Path) -> None:
    """A double click: two processes in one folder would write over each other."""
    ready = threading.Barrier(4)

    def click() -> None:
        ready.wait()
        start_task(folder, {"do": "wait"})

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join(30)
    until(folder, working)
    assert (folder.parent / "started").read_text().split() == [str(process_in(folder).pid)]


def test_cancel_ends_the_process_and_its_helpers_and_keeps_nothing(folder: Path) -> None:
    """The helpers of a study read on at full speed if only their parent is ended."""
    start_task(folder, {"do": "helped"})
    until(folder, working)
    helper = ProcessId.of(int((folder.parent / "helper").read_text()))
    process = process_in(folder)
    assert helper is not None and process.is_alive()
    cancel_task(folder)
    assert gone(process) and gone(helper)
    assert not folder.exists() and read_task(folder) is None
    cancel_task(folder)  # there is nothing more to end


def test_another_page_holds_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_LOCK_SECONDS", 0.05)
    folder.mkdir()
    with FileLock(folder.with_name(".task.lock")), pytest.raises(DataError, match="Another page"):
        start_task(folder, {"do": "end"})
    assert read_task(folder) is None


def test_a_process_that_can_not_be_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "WORKER", (str(folder / "no-such-program"),))
    with pytest.raises(DataError, match="could not be started: No such file") as caught:
        start_task(folder, {"do": "end"})
    assert caught.value.sentence("zh")
    task = read_task(folder)
    assert task is not None and task.state is TaskState.INTERRUPTED


# --- Evidence -----------------------------------------------------------------------------------


def test_a_process_number_that_was_given_to_another(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    """After a restart of the machine the number belongs to some other program, which must neither
    be taken for the task nor ended with it.
    """
    put(folder, process={"pid": stranger.pid, "born": "earlier:1"})
    task = read_task(folder)
    assert task is not None and task.state is TaskState.INTERRUPTED
    cancel_task(folder)
    assert stranger.poll() is None and not folder.exists()


def test_an_outcome_counts_more_than_a_process_that_lingers(
    folder: Path, stranger: subprocess.Popen[bytes]
) -> None:
    process = ProcessId.of(stranger.pid)
    assert process is not None
    said = {"pid": process.pid, "born": process.born}
    put(folder, process=said, outcome={"state": "done", "result": 5})
    task = read_task(folder)
    assert task is not None and (task.state, task.result) == (TaskState.DONE, 5)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"state": "done"}', b"\xff"])
@pytest.mark.parametrize("name", [OUTCOME, PROCESS, PROGRESS])
def test_damaged_files_are_no_evidence(folder: Path, name: str, content: bytes) -> None:
    (put(folder) / name).write_bytes(content)
    task = read_task(folder)
    assert task is not None and task.state is TaskState.INTERRUPTED


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7"])
def test_a_damaged_request_is_no_task(folder: Path, content: bytes) -> None:
    (put(folder) / TASK).write_bytes(content)
    assert read_task(folder) is None


def failed(folder: Path, key: str, **params: str | int) -> Problem:
    put(folder, outcome={"state": "failed", "problem": {"key": key, "params": params}})
    task = read_task(folder)
    assert task is not None and task.state is TaskState.FAILED and task.problem is not None
    return task.problem


def test_why_it_failed_is_a_sentence(folder: Path) -> None:
    problem = failed(folder, "data.errors.no_rows", name="a.json")
    assert problem.sentence("en").startswith("“a.json” has no rows.")
    assert "a.json" in problem.sentence("zh")


@pytest.mark.parametrize(
    ("key", "params"),
    [
        ("data.errors.of_tomorrow", {"name": "x"}),
        ("data.errors.no_rows", {"file": "x"}),
        ("", {}),
    ],
)
def test_a_problem_without_words_is_told_anyway(
    folder: Path, key: str, params: dict[str, str]
) -> None:
    """Written by a newer MedTune, or an older one: the page must not break over a word it lacks."""
    problem = failed(folder, key, **params)
    for language in LANGUAGES:
        assert key in problem.sentence(language)
        assert "{" not in problem.sentence(language)


# --- In the process that works ------------------------------------------------------------------


def do(folder: Path, what: Callable[[Mapping[str, Any], Reporter], Any]) -> tuple[int, Task]:
    code = work(put(folder), what)
    task = read_task(folder)
    assert task is not None
    return code, task


def test_work_that_ends_well(folder: Path) -> None:
    code, task = do(folder, lambda asked, _: [asked["do"], 1])
    assert (code, task.state, task.result) == (0, TaskState.DONE, ["wait", 1])


def test_work_that_a_person_can_do_something_about(folder: Path) -> None:
    """Values of a sentence may be paths and other things that no JSON file holds."""

    def fail(_asked: Mapping[str, Any], _progress: Reporter) -> None:
        raise LibraryError("data.errors.truncated_at_once", name=Path("a/b.json"), n=3, share=0.5)

    code, task = do(folder, fail)
    assert (code, task.state) == (1, TaskState.FAILED)
    expected = {"name": "a/b.json", "n": 3, "share": "0.5"}
    assert task.problem == Problem("data.errors.truncated_at_once", expected)


def test_a_full_disk_is_a_sentence(folder: Path) -> None:
    def fail(_asked: Mapping[str, Any], _progress: Reporter) -> None:
        raise OSError(28, "No space left on device")

    code, task = do(folder, fail)
    assert (code, task.state) == (1, TaskState.FAILED)
    assert task.problem is not None
    assert task.problem.sentence("en") == (
        "It failed: No space left on device. Make room on the disk if it is full, then try again."
    )


def test_a_fault_of_the_program_is_not_told_as_a_persons(folder: Path) -> None:
    def fail(_asked: Mapping[str, Any], _progress: Reporter) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work(put(folder), fail)
    assert not (folder / OUTCOME).exists()


def test_progress_is_written_a_few_times_a_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a million rows tells of each thousand; each note would wait for the disk. A new
    step is told at once.
    """
    now = [100.0]
    monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda: now[0]))
    report = Reporter(put(folder))
    report("study", 1, 9)
    report("study", 2, 9)
    assert read_json(folder / PROGRESS) == {"step": "study", "done": 1, "total": 9}
    now[0] += tasks.REPORT_SECONDS
    report("study", 3, 9)
    assert read_json(folder / PROGRESS) == {"step": "study", "done": 3, "total": 9}
    report("duplicates", 0, 0)
    assert read_json(folder / PROGRESS) == {"step": "duplicates", "done": 0, "total": 0}
