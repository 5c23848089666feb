"""A plan as a whole: what it costs to ask again, and how the page shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.errors import MedTuneError
from backend.library.models import DEMO_ID
from backend.planning import plan as module
from backend.planning.memory import PARTS
from backend.planning.plan import Planner
from backend.text import LANGUAGES, text
from backend.training.devices import Gpu
from backend.training.schema import defaults
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record
from tests.unit.test_planning_speed import put_run
from ui.components.plan_view import plan_view


@pytest.fixture
def ready(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(module, "gpus_lately", lambda: ())
    put_prepared(workspace, "notes", [record(number) for number in range(400)])
    return workspace


def values(**more: Any) -> dict[str, Any]:
    chosen = {"model": DEMO_ID, "dataset": "notes", "template": "deepseekr1", "save_steps": 20}
    return {**defaults(), **chosen, **more}


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))


def test_time_is_that_of_all_epochs_at_the_speed_of_an_earlier_run(ready: Workspace) -> None:
    planner = Planner(ready)
    assert planner.plan(values()).seconds is None
    put_run(ready, "before", speed=1000.0, model=DEMO_ID)
    found = planner.plan(values())
    assert found.workload.padded and found.seconds == pytest.approx(
        3 * found.workload.padded / 1000
    )
    more = planner.plan(values(max_steps=50))
    assert more.seconds == pytest.approx(found.workload.padded / 1000), "50 steps are one epoch"


@pytest.mark.parametrize("wrong", [{"lora_rank": 0}, {"model": "gone"}, {"dataset": "gone"}])
def test_what_can_t_be_trained_has_no_plan(ready: Workspace, wrong: dict[str, Any]) -> None:
    with pytest.raises(MedTuneError):
        Planner(ready).plan(values(**wrong))


def test_asking_again_reads_no_row_no_header_and_no_tokenizer(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked at every key that is typed into the form."""
    planner = Planner(ready)
    before = planner.plan(values())
    opened: list[str] = []
    original = Path.open

    def noted(self: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(self.name)
        return original(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", noted)
    after = planner.plan(values(cutoff_len=1024))
    assert after.workload.tokens == before.workload.tokens
    large = {"data.jsonl", "model.safetensors", "tokenizer.json", "left_out.jsonl"}
    assert not large & set(opened)


def test_a_dataset_of_large_rows_is_planned_in_a_moment(ready: Workspace) -> None:
    """Only a sample is read of it, whatever its size."""
    row = {**record(1), "output": "thoughts " * 500}
    line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    prepared = put_prepared(ready, "large", [row])
    with prepared.train_file.open("wb") as file:
        for _ in range(2000):
            file.write(line)
    assert prepared.train_file.stat().st_size > 8_000_000
    found = Planner(ready).plan(values(dataset="large"))
    assert found.workload.measured < 200 and not found.workload.exact


# --- On the page --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_parts_and_formulas_are_shown(ready: Workspace, language: str) -> None:
    page = words(plan_view(Planner(ready).plan(values()), language))
    for part in PARTS:
        assert text(language, f"planning.memory.parts.{part}") in page
    assert "150" in page and "0.1 M" in page
    assert text(language, "planning.advice.none") in page
    assert text(language, "planning.time_unknown") in page


def test_advice_has_a_button_that_names_its_kind(ready: Workspace) -> None:
    page = plan_view(Planner(ready).plan(values(learning_rate=1e-8)), "en")
    assert 'data-action="fix"' in page and 'data-target="rate"' in page
    assert "Learning rate 0.0001" in page


def test_the_earlier_run_is_named_as_text(ready: Workspace) -> None:
    put_run(ready, "before", speed=1234.0, model=DEMO_ID)
    page = plan_view(Planner(ready).plan(values()), "en")
    assert "as in the run before (1,234 tokens a second)" in words(page)
    put_run(ready, "<img>", speed=1.0, model=DEMO_ID, created="2027-01-01T00:00:00+00:00")
    assert "<img>" not in plan_view(Planner(ready).plan(values()), "en")


def test_each_gpu_is_compared_with_what_is_needed(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = (
        Gpu(0, "GPU-0", "Large & new", 80_000_000_000, 70_000_000_000, 9.0),
        Gpu(1, "GPU-1", "Small", 8_000_000_000, 500_000_000, 8.6),
        Gpu(2, "GPU-2", "Shared", 0, 0, 8.6),
    )
    monkeypatch.setattr(module, "gpus_lately", lambda: gpus)
    page = words(plan_view(Planner(ready).plan(values()), "en"))
    assert "GPU 0 · Large &amp; new 70.0 GB of 80.0 GB free fits" in page
    assert "GPU 1 · Small 500.0 MB of 8.0 GB free too little" in page
    assert "GPU 2 · Shared not stated" in page
    both = Planner(ready).plan(values(devices="0,1"))
    assert both.method.processes == 2
    assert "on each of 2 GPUs" in words(plan_view(both, "en"))


def test_a_model_that_does_not_say_enough_is_told(ready: Workspace) -> None:
    folder = ready.models / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    found = Planner(ready).plan(values(model="pickled"))
    assert found.needs is None and found.saved is None
    page = words(plan_view(found, "en"))
    assert text("en", "planning.unknown_model").replace("'", "&#x27;") in page
    assert text("en", "planning.tokens_unknown") in page
