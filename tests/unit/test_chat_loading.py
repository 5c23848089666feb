"""What is brought into memory, what does not fit, and what each column says of itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from backend.chat import loading
from backend.chat.columns import Bits, Column, Loading
from backend.chat.engine import Engine
from backend.chat.fitting import PROCESS, Fit, needed
from backend.chat.loading import asked_alike
from backend.chat.remotes import Remotes
from backend.chat.room import Room
from backend.errors import EngineError
from backend.library.models import DEMO_PATH
from backend.library.weights import list_tensors
from backend.planning.memory import is_linear
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model
from tests.unit.test_chat_choices import make_run
from ui.components.chat_status import status

GB = 1_000_000_000
DEMO = "base:medtune/demo"
OTHER = "base:org/other"
BITS: tuple[Bits, ...] = (None, 8, 4)


@dataclass
class FakeEngine:
    """An engine as the room sees it; ``marks`` are the weights' fingerprints."""

    model_path: Path
    columns: tuple[Column, ...]
    marks: dict[str, str] = field(default_factory=dict)
    column_errors: dict[str, EngineError] = field(default_factory=dict)
    loading: Loading = field(default_factory=lambda: Loading("ready", 1.0))
    usable: bool = True
    pid: int = 7
    device: str = "cpu, float32"
    base_mark: str = "base-1"
    bits: Bits = None

    @property
    def ready(self) -> bool:
        return self.loading.state == "ready"

    def fingerprint(self, key: str) -> str | None:
        return self.marks.get(key, "f-" + key)

    def alone(self, key: str) -> str:
        return "use_dora" if "checkpoint-20" in key else ""

    def memory(self) -> int:
        return GB

    def show(self, columns: list[Column]) -> None:
        self.columns = tuple(columns)


class FakeManager:
    def __init__(self) -> None:
        self.made: dict[Path, FakeEngine] = {}
        self.ended: list[Path] = []

    @property
    def engines(self) -> list[Engine]:
        return list(self.made.values())  # type: ignore[arg-type]

    def get(self, path: Path) -> FakeEngine | None:
        return self.made.get(path)

    def is_usable(self, path: Path, bits: Bits = None) -> bool:
        return path in self.made and self.made[path].bits == bits

    def load(self, path: Path, columns: list[Column], bits: Bits = None) -> None:
        if self.is_usable(path, bits):
            self.made[path].show(columns)
        else:
            self.made[path] = FakeEngine(path, tuple(columns), bits=bits)

    def unload(self, path: Path | None = None) -> int:
        for one in [path] if path else list(self.made):
            self.ended.append(one)
            del self.made[one]
        return 858_000_000


@pytest.fixture
def manager() -> FakeManager:
    return FakeManager()


@pytest.fixture
def room(workspace: Workspace, manager: FakeManager) -> Room:
    make_tiny_model(workspace.models / "org" / "other", ["another"])
    make_run(workspace, "run")
    return Room(workspace, manager, Remotes(workspace.root / "none"))  # type: ignore[arg-type]


def memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(loading, "fit", lambda folder, bits=None: Fit(2 * GB, free))
    monkeypatch.setattr(loading, "free", lambda: free)


def test_columns_of_one_base_share_an_engine_and_another_base_has_its_own(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO, OTHER, "run/checkpoint-10", "run/checkpoint-20"])
    room.loader.load()
    by_base = {path.name: [one.key for one in e.columns] for path, e in manager.made.items()}
    assert by_base == {
        DEMO_PATH.name: [DEMO, "run/checkpoint-10", "run/checkpoint-20"],
        "other": [OTHER],
    }
    states = room.loader.states()
    assert {one.state for one in states.values()} == {"ready"}
    assert states["run/checkpoint-10"].mark == "f-run/checkpoint-10"
    assert states[DEMO].mark == "base-1" and states[DEMO].template == "deepseekr1"
    room.remove("run/checkpoint-10")
    assert [one.key for one in manager.made[DEMO_PATH].columns] == [DEMO, "run/checkpoint-20"]
    room.remove(OTHER)
    assert manager.ended == [], "a base stays until it is unloaded or nothing needs it at a load"
    room.loader.load()
    assert [path.name for path in manager.ended] == ["other"]


def test_what_does_not_fit_is_said_with_needed_and_free(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO])
    room.loader.load()
    memory(monkeypatch, GB)
    room.choose([DEMO, OTHER])
    room.loader.load()
    assert [path.name for path in manager.made] == [DEMO_PATH.name]
    crowded = room.loader.states()[OTHER]
    assert crowded.state == "no_room" and crowded.fit == Fit(2 * GB, GB)
    said = status(room.loader, "en")
    assert "needs about 2.0 GB, and 1.0 GB are free" in said
    assert 'data-action="alone"' in said and 'data-action="anyway"' in said
    (folder,) = room.loader.refused
    memory(monkeypatch, 9 * GB)
    room.loader.load_alone(folder)
    assert [path.name for path in manager.made] == ["other"]
    room.loader.load_alone(Path("elsewhere"))
    assert [path.name for path in manager.made] == ["other"], "a page may say anything"


def test_a_person_may_load_it_anyway(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, GB)
    room.choose([OTHER])
    room.loader.load()
    assert manager.made == {}
    assert 'data-action="alone"' not in status(room.loader, "en"), "there is nothing to unload"
    room.loader.load(anyway=True)
    assert list(manager.made) and not room.loader.refused


def test_a_second_base_waits_for_the_memory_that_the_first_still_takes(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO])
    room.loader.load()
    manager.made[DEMO_PATH].loading = Loading("loading_base", 1.0)
    memory(monkeypatch, int(2.5 * GB))
    room.choose([DEMO, OTHER])
    room.loader.load()
    assert next(iter(room.loader.refused.values())).free == int(1.5 * GB)


def test_the_same_weights_are_marked(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    keys = ["run/checkpoint-10", "run/checkpoint-20", DEMO]
    room.choose(keys)
    room.loader.load()
    manager.made[DEMO_PATH].marks = {keys[0]: "same", keys[1]: "same"}
    states = room.loader.states()
    assert states[keys[0]].twins == (keys[1],) and states[keys[1]].twins == (keys[0],)
    assert states[DEMO].twins == ()


def test_the_same_base_under_another_name_is_marked_when_it_has_been_read(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter on either is the same as on the other; on another base it is not."""
    memory(monkeypatch, 9 * GB)
    models = room.workspace.models / "org"
    copied = shutil.copytree(models / "other", models / "twin")
    different = shutil.copytree(models / "other", models / "third")
    weights = different / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"~")
    keys = [OTHER, "base:org/twin", "base:org/third", DEMO]
    room.choose(keys)
    room.loader.load()
    manager.made[copied].base_mark = "base-2"
    manager.made[different].base_mark = "base-3"
    assert room.loader.states()[OTHER].twins == (), "nothing waits for the reading"
    before = room.stamp()
    room.loader._likeness.wait(20)
    assert room.stamp() != before, "pages look again"
    states = room.loader.states()
    assert states[OTHER].twins == ("base:org/twin",) and states["base:org/twin"].twins == (OTHER,)
    assert states["base:org/third"].twins == () and states[DEMO].twins == ()
    manager.made[copied].bits = 4
    assert room.loader.states()[OTHER].twins == (), "in other numbers it answers otherwise"


def test_fewer_bits_count_at_the_next_load(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO, "run/checkpoint-20"])
    room.loader.load()
    kept = manager.made[DEMO_PATH]
    room.loader.load()
    assert manager.made[DEMO_PATH] is kept
    room.loader.bits = 4
    assert room.loader.states()[DEMO].bits is None
    room.loader.load()
    assert manager.ended == [DEMO_PATH], "before its memory is counted as taken"
    states = room.loader.states()
    assert states[DEMO].bits == 4 and states[DEMO].proof == "base-1-4bit"
    assert states["run/checkpoint-20"].alone == "use_dora"


def test_a_failure_of_an_engine_is_said_in_its_columns_alone(
    room: Room, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO, OTHER, "run/checkpoint-10"])
    room.loader.load()
    dead = EngineError("engine.errors.died", reason="signal 9")
    manager.made[DEMO_PATH].loading = Loading("failed", 1.0, error=dead)
    states = room.loader.states()
    assert [states[key].state for key in (DEMO, "run/checkpoint-10", OTHER)] == [
        "failed",
        "failed",
        "ready",
    ]
    assert states[DEMO].error is dead and "signal 9" in status(room.loader, "zh")


def test_what_an_unload_gave_back_is_said_until_the_next_load(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that was on its way took the words about the memory off the page again."""
    memory(monkeypatch, 9 * GB)
    room.choose([DEMO])
    room.loader.load()
    before = room.stamp()
    assert "free memory 9.0 GB before" in status(room.loader, "en")
    assert room.loader.unload() == room.loader.freed == 858_000_000
    assert room.loader.unload() is None, "nothing was loaded"
    assert room.stamp() != before, "a tick before it is drawn over"
    assert "process has ended" in status(room.loader, "en")
    room.loader.load()
    assert room.loader.freed is None


def test_the_base_is_asked_as_the_checkpoints_beside_it() -> None:
    """With another template than that of the training, the base looked worse for no merit of it."""
    base = Column(DEMO, None, "default")
    tuned = Column("first/checkpoint-20", Path("first"), "deepseekr1")
    assert asked_alike([base, tuned])[0].template == "deepseekr1"
    without = replace(tuned, thinking=False)
    assert asked_alike([base, without])[0].thinking is False, "and with as little reasoning"
    assert asked_alike([base, tuned, without])[0] == base
    other = Column("second/final", Path("second"), "qwen")
    assert asked_alike([base, tuned, other])[0].template == "default"
    assert asked_alike([base]) == [base]


def test_what_a_model_needs_is_read_from_its_headers() -> None:
    on_cpu = needed(DEMO_PATH, on_gpu=False)
    weights = needed(DEMO_PATH, on_gpu=True)
    assert weights == pytest.approx((DEMO_PATH / "model.safetensors").stat().st_size, rel=0.05)
    assert on_cpu >= weights + PROCESS
    saved, eight, four = (needed(DEMO_PATH, on_gpu=True, bits=bits) for bits in BITS)
    linear = sum(one.count for one in list_tensors(DEMO_PATH) if is_linear(one))
    assert linear > 0 and eight - four == pytest.approx(linear * (1 - 4.127 / 8))
    assert four < eight < saved
