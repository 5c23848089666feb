"""Which measurement of lengths belongs to a file: that of the same content, whatever its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.reading.reader import RowReader
from backend.data.tasks import OUTCOME, TASK, TaskState
from backend.data.tokens import measuring as module
from backend.data.tokens.lengths import save
from backend.data.tokens.measuring import LengthsRequest, Measuring, note_content
from backend.files import write_json
from backend.workspace import Workspace

COLUMNS = ColumnMap(Shape.QA, {Role.QUESTION: ("q",), Role.ANSWER: ("a",)})
ROWS = '[{"q": "Why?", "a": "So."}]'


@pytest.fixture
def measuring(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Measuring:
    # A measurement that should be found and is started instead fails the test.
    monkeypatch.setattr(module, "WORKER", ("no such program",))
    return Measuring(workspace)


@pytest.fixture
def asked(workspace: Workspace) -> LengthsRequest:
    return request(workspace, "rows.json")


def request(workspace: Workspace, name: str, content: str = ROWS) -> LengthsRequest:
    model = workspace.models / "a" / "model"
    model.mkdir(parents=True, exist_ok=True)
    (model / "tokenizer.json").write_text("{}")
    source = workspace.raw_datasets / name
    source.write_text(content)
    return LengthsRequest(source, COLUMNS, ("think_typo",), model, "qwen")


def scan(workspace: Workspace, asked: LengthsRequest) -> str:
    """As the study does that begins when a file is chosen."""
    return RowReader.open(asked.source, cache=workspace.cache).sha256()


def measured(workspace: Workspace, measuring: Measuring, asked: LengthsRequest) -> Path:
    """What the worker leaves behind."""
    folder = measuring.folder(asked)
    folder.mkdir(parents=True)
    content = asked.content_key(scan(workspace, asked))
    write_json(folder / TASK, asked.asked(workspace.cache))
    one = np.array([1])
    names = ("rows", "source", "target", "reasoning")
    save(folder, {**dict.fromkeys(names, one), "turn_starts": np.array([0, 1])})
    note_content(folder, content)
    write_json(folder / OUTCOME, {"state": "done", "result": {"tail": 0}})
    return folder


def test_a_request_survives_its_task_file(workspace: Workspace, asked: LengthsRequest) -> None:
    assert LengthsRequest.from_asked(asked.asked(workspace.cache)) == asked


@pytest.mark.parametrize("change", ["renamed", "copied", "touched", "written again"])
def test_the_same_rows_are_not_measured_again(
    workspace: Workspace, measuring: Measuring, asked: LengthsRequest, change: str
) -> None:
    """Lengths were kept by path and time: `touch`, or a download of the same file, threw away what
    had taken minutes."""
    folder = measured(workspace, measuring, asked)
    other = asked
    source = asked.source
    if change == "renamed":
        other = request(workspace, "other.json")
        source.rename(other.source)
    elif change == "copied":
        other = request(workspace, "other.json")
        shutil.copy(source, other.source)
    elif change == "written again":
        source.unlink()
        request(workspace, "rows.json")
    os.utime(other.source, (1, 1))
    assert measuring.lengths(other) is None, "its content is not known before it is read"
    scan(workspace, other)
    assert measuring.lengths(other) is not None
    started = measuring.start(other)
    assert (started.state, started.folder) == (TaskState.DONE, folder)


OTHERWISE: dict[str, Callable[[Workspace], LengthsRequest]] = {
    "other rows": lambda workspace: request(workspace, "other.json", ROWS.replace("So", "No")),
    "read as a table": lambda workspace: request(workspace, "other.csv"),
}


@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_other_rows_are(
    workspace: Workspace, measuring: Measuring, asked: LengthsRequest, otherwise: str
) -> None:
    measured(workspace, measuring, asked)
    other = OTHERWISE[otherwise](workspace)
    scan(workspace, other)
    assert measuring.lengths(other) is None and measuring.state(other) is None


def test_one_under_way_is_not_shared(
    workspace: Workspace, measuring: Measuring, asked: LengthsRequest
) -> None:
    """Cancelled on one page, it would end on the other."""
    folder = measured(workspace, measuring, asked)
    (folder / OUTCOME).unlink()
    other = request(workspace, "other.json")
    scan(workspace, other)
    assert measuring.state(other) is None
    measuring.cancel(other)
    assert folder.is_dir()


def test_notes_of_lengths_that_were_cleared_go_too(
    workspace: Workspace, measuring: Measuring, asked: LengthsRequest, tmp_path: Path
) -> None:
    shutil.rmtree(measured(workspace, measuring, asked))
    other = request(workspace, "other.json")
    scan(workspace, other)
    assert measuring.lengths(other) is None
    measuring._clear(tmp_path)
    assert list((workspace.cache / "lengths").glob("*.same")) == []


def test_a_note_leads_nowhere_else(
    workspace: Workspace, measuring: Measuring, asked: LengthsRequest
) -> None:
    folder = measured(workspace, measuring, asked)
    (note,) = folder.parent.glob("*.same")
    elsewhere = folder.rename(workspace.cache / "elsewhere")
    for words in ("../elsewhere", str(elsewhere), "\0", ""):
        note.write_text(words)
        assert measuring.lengths(asked) is None
