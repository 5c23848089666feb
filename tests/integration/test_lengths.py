"""All rows of a file are measured by a process of its own, and LLaMA-Factory loads a dataset."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.data.meaning.lesson import Lesson, Pair, Turn, output_of
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.reading.reader import RowReader
from backend.data.tasks import Task, TaskState
from backend.data.tokens.cutoff import effects, rows_cut
from backend.data.tokens.inspector import Inspector
from backend.data.tokens.lengths import Lengths
from backend.data.tokens.loading import load_through_llamafactory
from backend.data.tokens.measuring import LengthsRequest, Measuring
from backend.data.tokens.values import Encoding
from backend.errors import DataError
from backend.files import read_json
from backend.workspace import Workspace
from tests.conftest import ROOT

pytestmark = pytest.mark.integration

DEMO = ROOT / "assets" / "demo_model"
MEDICAL = ColumnMap(
    Shape.MEDICAL_O1,
    {
        Role.QUESTION: ("Question",),
        Role.REASONING: ("Complex_CoT",),
        Role.ANSWER: ("Response",),
    },
)
PAIRS = ColumnMap(
    Shape.PREFERENCE,
    {Role.QUESTION: ("q",), Role.CHOSEN: ("good",), Role.REJECTED: ("bad",)},
)
CHAT = ColumnMap(Shape.CHAT, {Role.MESSAGES: ("messages",)})


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspector]:
    one = Inspector(Workspace.open(tmp_path_factory.mktemp("inspector")))
    yield one
    one.close()


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def request(source: Path, columns: ColumnMap = MEDICAL, template: str = "deepseekr1") -> Any:
    return LengthsRequest(source, columns, (), DEMO, template)


def wait(measuring: Measuring, asked: LengthsRequest, state: TaskState) -> Task:
    """The task once it is in a state; it must come there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        task = measuring.state(asked)
        assert task is not None
        if task.state is state:
            return task
        assert task.state is TaskState.RUNNING, task
        time.sleep(0.05)
    raise AssertionError(f"not {state} in time")


def measured(workspace: Workspace, asked: LengthsRequest) -> Lengths:
    measuring = Measuring(workspace)
    measuring.start(asked)
    wait(measuring, asked, TaskState.DONE)
    found = measuring.lengths(asked)
    assert found is not None
    return found


def split(encoding: Encoding) -> tuple[int, int]:
    """Tokens that are read and trained."""
    return encoding.prompt, encoding.trained


def test_real_rows_have_the_lengths_that_the_inspector_shows(
    workspace: Workspace, inspector: Inspector, real_rows: Path
) -> None:
    found = measured(workspace, request(real_rows))
    rows = json.loads(real_rows.read_text("utf-8"))
    assert len(found) == len(rows) == 198
    for place in range(0, len(rows), 23):
        row = rows[int(found.rows[place]) - 1]
        lesson = Lesson(
            (
                Turn("user", row["Question"]),
                Turn("assistant", output_of(row["Complex_CoT"], row["Response"])),
            )
        )
        (whole,) = inspector.encode(DEMO, "deepseekr1", lesson, cutoff=1 << 20)
        assert split(whole) == (found.source[place], found.target[place])
        texts = [token.text for token in whole.tokens if token.trained]
        assert texts.index("</think>") + 1 == found.reasoning[place]
        (cut,) = inspector.encode(DEMO, "deepseekr1", lesson, cutoff=1024)
        lost = any(token.trained and token.dropped for token in cut.tokens)
        assert rows_cut(found, 1024)[place] == lost
    said = effects(found, 1024)
    assert 0 < said.reasoning_unclosed < said.answer_cut < 198
    assert said.tokens + said.tokens_dropped == found.totals.sum()

    # The same rows under another name are not measured again.
    measuring = Measuring(workspace)
    copy = Path(shutil.copy(real_rows, workspace.raw_datasets / "renamed.json"))
    RowReader.open(copy, cache=workspace.cache)
    again = measuring.start(request(copy))
    assert again.state is TaskState.DONE and again.folder == measuring.folder(request(real_rows))
    assert measuring.lengths(request(copy)) is found


def test_conversations_and_rows_that_teach_nothing(
    workspace: Workspace, inspector: Inspector, tmp_path: Path
) -> None:
    talk = [
        {"role": "user", "content": "头痛？"},
        {"role": "assistant", "content": output_of("想", "休息")},
        {"role": "user", "content": "还有？"},
        {"role": "assistant", "content": "没有"},
    ]
    rows = [{"messages": talk}, {"messages": []}, {"messages": talk[:2]}]
    asked = request(write(tmp_path / "chat.json", rows), CHAT, "default")
    found = measured(workspace, asked)
    assert found.rows.tolist() == [1, 3]
    assert found.turn_starts.tolist() == [0, 2, 3]
    turns = tuple(Turn(turn["role"], turn["content"]) for turn in talk)  # type: ignore[arg-type]
    (whole,) = inspector.encode(DEMO, "default", Lesson(turns), cutoff=4096)
    assert found.totals[0] == len(whole.tokens)
    assert found.tail == 0


@pytest.mark.parametrize("template", ["deepseekr1", "breeze"])
def test_of_pairs_the_longer_answer_counts(
    workspace: Workspace, inspector: Inspector, tmp_path: Path, template: str
) -> None:
    """breeze ends answers by the tokenizer's end token, which a pair has in its answers."""
    row = {"q": "头痛？", "good": "休息", "bad": output_of("想" * 9, "不知道")}
    found = measured(workspace, request(write(tmp_path / "p.json", [row]), PAIRS, template))
    lesson = Lesson((Turn("user", row["q"]),), pair=Pair(row["good"], row["bad"]))
    _, rejected = inspector.encode(DEMO, template, lesson, cutoff=4096)
    assert split(rejected) == (found.source[0], found.target[0])
    assert found.totals[0] == len(rejected.tokens)


def test_an_efficient_end_token_is_counted(
    workspace: Workspace, inspector: Inspector, tmp_path: Path
) -> None:
    row = {"Question": "q", "Complex_CoT": "r", "Response": "a"}
    found = measured(workspace, request(write(tmp_path / "r.json", [row]), MEDICAL, "breeze"))
    lesson = Lesson((Turn("user", "q"), Turn("assistant", output_of("r", "a"))))
    (whole,) = inspector.encode(DEMO, "breeze", lesson, cutoff=4096)
    assert found.tail == 1 and found.totals[0] == len(whole.tokens)


def test_what_is_mended_is_measured(workspace: Workspace, tmp_path: Path) -> None:
    """The tutorial's typo <think>…<think>: repaired it has a </think> to lose."""
    columns = ColumnMap(Shape.ALPACA, {Role.QUESTION: ("instruction",), Role.ANSWER: ("output",)})
    row = {"instruction": "q", "output": "<think>\nreasons\n<think>\nanswer"}
    source = write(tmp_path / "alpaca.json", [row])
    plain = measured(workspace, request(source, columns))
    mended = measured(
        workspace, LengthsRequest(source, columns, ("think_typo",), DEMO, "deepseekr1")
    )
    assert plain.reasoning[0] == 0 < mended.reasoning[0]


# --- The process ----------------------------------------------------------------------------------


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Enough rows to be measured for several seconds."""
    row = {"Question": "头痛 " * 50, "Complex_CoT": "想一想 " * 400, "Response": "休息 " * 50}
    lines = (json.dumps({**row, "Response": f"{n}"}) + "\n" for n in range(12_000))
    path = tmp_path / "endless.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_every_page_sees_one_measurement_and_can_end_it(
    workspace: Workspace, endless: Path
) -> None:
    asked = request(endless)
    first, second = Measuring(workspace), Measuring(workspace)
    started = first.start(asked)
    again = second.start(asked)
    process = read_json(started.folder / "process.json")
    assert read_json(again.folder / "process.json") == process
    until(lambda: (task := second.state(asked)) is not None and task.done > 0)
    running = second.state(asked)
    assert running is not None and running.state is TaskState.RUNNING
    assert 0 < running.done <= running.total == 12_000
    assert first.lengths(asked) is None
    before = time.monotonic()
    second.cancel(asked)
    assert time.monotonic() - before < 2
    assert first.state(asked) is None
    assert not started.folder.exists()


def test_one_that_was_killed_is_interrupted_and_starts_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [{"Question": "q", "Complex_CoT": "r", "Response": "a"}]
    asked = request(write(tmp_path / "rows.json", rows))
    measuring = Measuring(workspace)
    folder = measuring.start(asked).folder
    os.kill(read_json(folder / "process.json")["pid"], signal.SIGKILL)
    wait(measuring, asked, TaskState.INTERRUPTED)
    assert measuring.lengths(asked) is None
    measuring.start(asked)
    wait(measuring, asked, TaskState.DONE)
    np.testing.assert_array_equal(Lengths.load(folder).rows, [1])

    # Damaged since: it is as if it had never been measured.
    (folder / "target.npy").write_bytes(b"")
    os.utime(folder / "outcome.json", (1, 1))
    assert measuring.lengths(asked) is None
    assert measuring.state(asked) is None


def test_what_can_not_be_measured_is_said(workspace: Workspace, tmp_path: Path) -> None:
    source = write(tmp_path / "rows.json", [{"Question": "q", "Complex_CoT": "r", "Response": "a"}])
    measuring = Measuring(workspace)
    asked = LengthsRequest(source, MEDICAL, (), tmp_path, "deepseekr1")
    measuring.start(asked)
    task = wait(measuring, asked, TaskState.FAILED)
    assert task.problem is not None and task.problem.key == "data.errors.tokenizer_missing"
    assert tmp_path.name in task.problem.sentence("zh")


# --- LLaMA-Factory loads what was prepared --------------------------------------------------------


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    talk = [{"from": "human", "value": "头痛？"}, {"from": "gpt", "value": "休息"}]
    files: dict[str, list[dict[str, Any]]] = {
        "alpaca": [{"instruction": "q", "input": "", "output": "a"}] * 3,
        "chat": [{"conversations": talk}, {"conversations": talk[::-1]}],
        "pairs": [{"instruction": "q", "input": "", "chosen": "a", "rejected": "b"}],
        "mixed": [{"instruction": "q", "output": "a"}, {"instruction": "q", "output": 3}],
        "null": [{"instruction": "q", "input": None, "output": "a"}, {"instruction": "q"}],
    }
    for name, rows in files.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    columns = {"prompt": "instruction", "query": "input"}
    entries: dict[str, Any] = {name: {"file_name": f"{name}.jsonl"} for name in (*files, "gone")}
    entries["chat"]["formatting"] = "sharegpt"
    answers = {"chosen": "chosen", "rejected": "rejected"}
    entries["pairs"] |= {"ranking": True, "columns": {**columns, **answers}}
    (folder / "dataset_info.json").write_text(json.dumps(entries))
    return folder


def test_rows_are_loaded_and_invalid_ones_counted(registry: Path, tmp_path: Path) -> None:
    """A conversation that the assistant begins is dropped without an error when training."""
    found = load_through_llamafactory(
        registry, ["alpaca", "chat", "pairs", "null"], cache=tmp_path / "cache"
    )
    assert found.by_name == {"alpaca": 3, "chat": 1, "pairs": 1, "null": 1}
    assert found.dropped_by_name == {"alpaca": 0, "chat": 1, "pairs": 0, "null": 1}
    assert (found.rows, found.dropped) == (6, 2)
    assert found.light, "the whole of LLaMA-Factory takes five times as long"
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"), [("mixed", "output"), ("gone", "gone.jsonl"), ("unknown", "unknown")]
)
def test_what_llamafactory_refuses_is_said(
    registry: Path, tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_through_llamafactory(registry, [name], cache=tmp_path)
    assert caught.value.key == "data.errors.loading_failed"
    assert said in caught.value.sentence("en")
    assert list(tmp_path.iterdir()) == []


def test_loading_that_takes_too_long_is_ended(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_through_llamafactory(registry, ["alpaca"], cache=tmp_path, timeout=0.05)
    assert caught.value.key == "data.errors.loading_timeout"
    assert list(tmp_path.iterdir()) == []
