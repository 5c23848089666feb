"""What goes wrong around an engine is said in the column or at loading, and nothing hangs."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.numpy import load_file, save_file

from backend.chat.engine_process import EngineProcess
from backend.chat.engines import (
    Column,
    Delta,
    Engine,
    EngineManager,
    Failed,
    Settings,
    ask,
)
from backend.errors import EngineError
from backend.workers.engine_model import BaseError, load_base
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.bad_adapters import bad_adapters
from tests.fakes.tiny_columns import (
    TEMPLATE,
    contents,
    eventually,
    question,
    replies,
)
from tests.fakes.tiny_model import make_tiny_model

pytestmark = pytest.mark.integration

SHORT = Settings.greedy(max_tokens=4)
ENDLESS = Settings(temperature=1.0, top_p=1.0, max_tokens=1900, seed=1)


@pytest.fixture
def base(folder: Path, columns: list[Column]) -> Path:
    return folder / "base"


@pytest.fixture
def manager(workspace: Workspace) -> Iterator[EngineManager]:
    made = EngineManager(workspace)
    yield made
    made.unload()


def test_killed_while_four_columns_stream(
    manager: EngineManager, base: Path, columns: list[Column]
) -> None:
    """kill -9: every column says so within seconds, and loading again works."""
    engine = manager.load(base, columns)
    engine.wait_ready(120)
    assert manager.load(base, columns) is engine, "the same base is not loaded twice"
    answers = ask(engine, columns, {c.key: question("发热") for c in columns}, ENDLESS)
    streaming: set[str] = set()
    while len(streaming) < len(columns):
        event = next(answers)
        assert isinstance(event, Delta)
        streaming.add(event.column)
    os.kill(engine.pid, signal.SIGKILL)
    begun = time.monotonic()
    failed = [event for event in answers if isinstance(event, Failed)]
    assert time.monotonic() - begun < 5
    assert {event.column for event in failed} == {column.key for column in columns}
    assert {event.error.key for event in failed} == {"engine.errors.died"}
    assert engine.loading.state == "failed"
    assert engine.memory() == 0
    refused = replies(engine, columns[:1], question("x"), SHORT)["base"].error
    assert refused is not None
    assert refused.key == "engine.errors.died"
    # Again, and then unloaded while it answers.
    again = manager.load(base, columns[:2])
    again.wait_ready(120)
    answers = ask(again, columns[:1], {"base": question("发热")}, ENDLESS)
    next(answers)
    process = psutil.Process(again.pid)
    begun = time.monotonic()
    assert manager.unload() > 50_000_000, "what came back is said"
    assert time.monotonic() - begun < 5
    assert not process.is_running()
    (end,) = [event for event in answers if not isinstance(event, Delta)]
    assert isinstance(end, Failed)
    assert end.error.key == "engine.errors.unloaded"
    assert manager.engines == []
    assert again.loading.state == "unloaded"


def test_adapters_that_can_not_be_used_are_said_and_the_others_answer(
    folder: Path, base: Path, columns: list[Column], workspace: Workspace
) -> None:
    log = workspace.cache / "engine.log"
    bad = bad_adapters(folder / "bad", base)
    wanted = [*columns[:2], *(Column(key, path, TEMPLATE) for key, path in bad.items())]
    wanted.append(Column("untaught", columns[1].adapter_path, "no-such-template"))
    engine = Engine.start(base, wanted, log=log)
    try:
        engine.wait_ready(120)
        errors = {key: error.key.split(".")[-1] for key, error in engine.column_errors.items()}
        assert errors == {
            "missing": "adapter_missing",
            "no_weights": "adapter_missing",
            "truncated": "adapter_broken",
            "no_json": "adapter_broken",
            "half": "adapter_broken",
            "diverged": "adapter_not_finite",
            "other_base": "adapter_other_base",
            "dora": "adapter_broken",
            "dora_other_base": "adapter_other_base",
            "dora_truncated": "adapter_broken",
            "no_folder": "adapter_missing",
            "prompt_tuning": "adapter_kind",
            "untaught": "template_unknown",
        }
        for error in engine.column_errors.values():
            assert error.sentence("en")
            assert error.sentence("zh")
        gathered = replies(engine, wanted, question("Why?"), SHORT)
        assert {key for key, reply in gathered.items() if reply.error is None} == {
            column.key for column in columns[:2]
        }
        check_secrecy(engine, log)
    finally:
        engine.unload()


def check_secrecy(engine: Engine, log: Path) -> None:
    """The token travels through a pipe: it is in no list of processes, no file and no text."""
    token = engine.target("base").headers["Authorization"].removeprefix("Bearer ")
    process = psutil.Process(engine.pid)
    assert token not in " ".join(process.cmdline())
    assert token not in str(process.environ())
    assert token not in log.read_text(encoding="utf-8")
    assert token not in f"{engine!r} {engine.target('base')!r} {engine._process!r}"
    listening = {c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_two_bases_answer_beside_each_other_and_end_alone(
    manager: EngineManager, base: Path, tmp_path: Path, columns: list[Column]
) -> None:
    """A second base is a second engine: what one says or suffers is not the other's."""
    other = make_tiny_model(tmp_path / "other", ["another model"] * 5)
    first = manager.load(base, columns[:2])
    second = manager.load(other, columns[:1])
    for engine in (first, second):
        engine.wait_ready(120)
    assert first.log != second.log
    alone = contents(first, columns[:2], question("x"), SHORT)
    assert contents(second, columns[:1], question("x"), SHORT) != alone
    os.kill(second.pid, signal.SIGKILL)
    assert eventually(lambda: second.loading.state == "failed")
    assert contents(first, columns[:2], question("x"), SHORT) == alone
    assert manager.load(base, columns[:2]) is first
    again = manager.load(other, columns[:1])
    again.wait_ready(120)
    assert manager.unload(other) > 50_000_000
    assert manager.engines == [first] and first.alive


def test_pickles_that_the_person_agreed_to_answer_and_run_no_code(
    tmp_path: Path, manager: EngineManager
) -> None:
    """The engine sees a folder without safetensors only after the library let it through."""
    model = make_tiny_model(tmp_path / "pickled", ["a pickled model"] * 5)
    script = (
        "import sys, torch; from pathlib import Path; from safetensors.torch import load_file\n"
        "folder = Path(sys.argv[1]); weights = folder / 'model.safetensors'\n"
        "torch.save(load_file(weights), folder / 'pytorch_model.bin'); weights.unlink()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(model)], cwd=ROOT, check=True)
    columns = [Column("base", None, TEMPLATE)]
    engine = manager.load(model, columns)
    engine.wait_ready(120)
    assert contents(engine, columns, question("x"), SHORT)
    manager.unload()
    mark = tmp_path / "ran"
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Runs(mark)))
    engine = manager.load(model, columns)
    with pytest.raises(EngineError) as caught:
        engine.wait_ready(120)
    assert caught.value.key == "engine.errors.base_broken"
    assert not mark.exists()


class Runs:
    """What a pickle can do to the one who loads it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


FAULTS = {
    "nothing": "base_missing",
    "no_config": "base_missing",
    "truncated": "base_broken",
    "pickle": "base_broken",
    "incomplete": "base_incomplete",
}


def broken_base(folder: Path, fault: str) -> Path:
    model = make_tiny_model(folder / "broken", ["a broken model"] * 5)
    weights = model / "model.safetensors"
    match fault:
        case "nothing":
            return folder / "nowhere"
        case "no_config":
            (model / "config.json").unlink()
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "pickle":
            weights.rename(model / "pytorch_model.bin")
        case "incomplete":
            tensors = load_file(weights)
            del tensors["model.norm.weight"]
            save_file(tensors, weights, metadata={"format": "pt"})
    return model


@pytest.mark.parametrize("fault", FAULTS)
def test_a_base_that_can_not_be_loaded_is_known_by_its_fault(tmp_path: Path, fault: str) -> None:
    with pytest.raises(BaseError) as caught:
        load_base(broken_base(tmp_path, fault))
    assert caught.value.key == f"engine.errors.{FAULTS[fault]}"


def test_a_quantised_base_needs_bitsandbytes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    model = make_tiny_model(tmp_path / "model", ["a quantised model"] * 5)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(BaseError) as caught:
        load_base(model, bits=4)
    assert caught.value.key == "engine.errors.bits_device"
    if importlib.util.find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    process = EngineProcess.start(model, log=workspace.cache / "engine.log", bits=8)
    try:
        with pytest.raises(EngineError) as refused:
            process.wait_listening(lambda state: None)
    finally:
        process.end()
    assert refused.value.key == "engine.errors.bits_missing"
    assert "bitsandbytes" in refused.value.sentence("zh")


@pytest.mark.parametrize("fault", ["truncated", "incomplete"])
def test_a_base_that_can_not_be_loaded_is_said(
    tmp_path: Path, manager: EngineManager, fault: str
) -> None:
    engine = manager.load(broken_base(tmp_path, fault), [Column("base", None, TEMPLATE)])
    with pytest.raises(EngineError) as caught:
        engine.wait_ready(120)
    assert caught.value.key == f"engine.errors.{FAULTS[fault]}"
    assert engine.loading.state == "failed"
    assert eventually(lambda: not engine.alive)


@pytest.mark.parametrize("delay", [0.0, 0.5, 2.5])
def test_it_ends_when_its_input_closes_while_it_loads(
    base: Path, workspace: Workspace, delay: float
) -> None:
    process = EngineProcess.start(base, log=workspace.cache / "engine.log")
    time.sleep(delay)
    try:
        assert process._process.stdin is not None
        process._process.stdin.close()
        assert eventually(lambda: not process.running, 5)
    finally:
        process.end()


def test_killed_while_it_loads(base: Path, manager: EngineManager) -> None:
    """What a system does to a process that takes more memory than there is."""
    engine = manager.load(base, [Column("base", None, TEMPLATE)])
    time.sleep(1)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="memory ran out"):
        engine.wait_ready(10)


def test_unloading_while_it_loads(base: Path, manager: EngineManager) -> None:
    engine = manager.load(base, [Column("base", None, TEMPLATE)])
    time.sleep(1)
    manager.unload()
    assert not engine.alive
    with pytest.raises(EngineError, match="unloaded"):
        engine.wait_ready(5)


def test_a_dashboard_that_is_killed_leaves_no_engine(base: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from backend.chat.engines import Column, Engine\n"
        "base, log = map(Path, sys.argv[1:])\n"
        "engine = Engine.start(base, [Column('base', None, 'deepseekr1')], log=log)\n"
        "engine.wait_ready(120)\n"
        "print(engine.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, base, tmp_path / "engine.log"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as dashboard:
        assert dashboard.stdout is not None
        engine = psutil.Process(int(dashboard.stdout.readline()))
        dashboard.kill()
    assert eventually(lambda: not engine.is_running(), 5)


def test_the_log_of_the_last_engine_is_not_kept(base: Path, workspace: Workspace) -> None:
    log = workspace.cache / "engine.log"
    log.parent.mkdir(parents=True)
    log.write_text("old\n" * 1000)
    process = EngineProcess.start(base, log=log)
    try:
        assert "old" not in log.read_text()
    finally:
        process.end()


def test_a_broken_order_is_no_silence(tmp_path: Path) -> None:
    """An engine that dies at once is a failed start with a reason, not an endless wait."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "no-such-architecture"}))
    engine = Engine.start(model, [Column("base", None, TEMPLATE)], log=tmp_path / "log")
    try:
        with pytest.raises(EngineError) as caught:
            engine.wait_ready(120)
        assert "no-such-architecture" in caught.value.sentence("en")
    finally:
        engine.unload()
