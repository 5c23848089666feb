"""Steps as transformers counts them, packs as LLaMA-Factory fills them, tokens of an epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.registry import LEFT_OUT_FILE, find_prepared
from backend.data.tasks import TaskState
from backend.data.tokens.lengths import Lengths, save
from backend.data.tokens.measuring import LengthsRequest, Measuring, note_content
from backend.files import write_json
from backend.library.models import DEMO_PATH
from backend.planning import row_lengths as module
from backend.planning.packing import packs
from backend.planning.row_lengths import SAMPLE_ROWS, RowLengths, row_lengths
from backend.planning.steps import saves, steps_of, used_rows
from backend.planning.workload import workload_of
from backend.training.schema import defaults
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record
from tests.unit.test_tokens_cutoff import make

SHA256 = "0" * 64
"""Of the file that ``put_prepared`` says to have been prepared."""


def values(**more: Any) -> dict[str, Any]:
    return {**defaults(), "template": "deepseekr1", **more}


def batches_of(samples: int, batch: int, processes: int) -> int:
    """How often each process is given a batch, as accelerate's ``BatchSamplerShard`` deals them:
    in turn, and from the start again until all have as many."""
    dealt = len(range(0, samples, batch))
    while dealt % processes:
        dealt += 1
    return dealt // processes


@settings(deadline=None)
@given(
    samples=st.integers(1, 300),
    batch=st.integers(1, 9),
    accumulation=st.integers(1, 9),
    processes=st.integers(1, 4),
    epochs=st.floats(0.1, 5),
)
def test_steps_are_those_of_a_loop_over_batches(
    samples: int, batch: int, accumulation: int, processes: int, epochs: float
) -> None:
    found = steps_of(
        values(
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
            num_train_epochs=epochs,
        ),
        samples=samples,
        processes=processes,
    )
    per_epoch = 0
    for number in range(1, batches_of(samples, batch, processes) + 1):
        last = number == batches_of(samples, batch, processes)
        per_epoch += number % accumulation == 0 or last
    assert found.per_epoch == per_epoch
    assert found.total - 1 < epochs * per_epoch <= found.total
    assert found.effective_batch == batch * accumulation * processes


def test_a_number_of_steps_counts_instead_of_epochs() -> None:
    asked = values(max_steps=96, per_device_train_batch_size=8, gradient_accumulation_steps=1)
    found = steps_of(asked, samples=24, processes=1)
    assert (found.total, found.per_epoch, found.epochs) == (96, 3, 32.0)


@pytest.mark.parametrize(
    ("warmup", "schedule", "steps"),
    [(0.1, "cosine", 10), (0.101, "cosine", 11), (1, "cosine", 1), (20.0, "linear", 20),
     (0, "cosine", 0), (20, "constant", 0)],
)  # fmt: skip
def test_warmup_is_a_share_below_one_and_steps_from_one_on(
    warmup: float, schedule: str, steps: int
) -> None:
    asked = values(max_steps=100, warmup_steps=warmup, lr_scheduler_type=schedule)
    assert steps_of(asked, samples=8, processes=1).warmup == steps


@pytest.mark.parametrize(
    ("every", "total", "count"), [(3, 6, 2), (4, 6, 2), (100, 6, 1), (1, 6, 6)]
)
def test_the_last_step_is_saved_besides(every: int, total: int, count: int) -> None:
    assert saves(every, total) == count


def test_max_samples_takes_the_first_rows() -> None:
    assert used_rows(values(max_samples=10), 50) == 10
    assert used_rows(values(max_samples=0), 50) == used_rows(values(max_samples=99), 50) == 50


# --- Packs --------------------------------------------------------------------------------------


def test_packs_are_filled_with_the_longest_that_still_fits() -> None:
    """LLaMA-Factory takes one off the cutoff: 10 tokens have room for 9."""
    assert packs(np.array([5, 4, 3, 6, 9]), 10, 5) == 3  # 9, 6 + 3, 5 + 4
    assert packs(np.array([20, 20]), 10, 2) == 2, "longer rows are cut"


def test_packs_of_many_rows_are_those_of_a_thousand_times_as_many() -> None:
    lengths = np.full(5000, 3)
    assert packs(lengths, 10, 5000) == 5 * 334


# --- Tokens of an epoch -------------------------------------------------------------------------


def lengths_of(*totals: int, exact: bool = True, rows: int = 0) -> RowLengths:
    """Rows of one turn with half of their tokens on each side."""
    made = make([([(total // 2, total - total // 2)], 0) for total in totals], tail=0)
    return RowLengths(made, rows or len(totals), exact)


def test_an_epoch_counts_rows_as_they_are_cut() -> None:
    work = workload_of(values(cutoff_len=100), 3, lengths_of(40, 60, 400))
    assert (work.samples, work.tokens, work.longest) == (3, 200, 104)
    # One row a batch: each is filled up to a multiple of 8.
    assert work.padded == 40 + 64 + 104


def test_a_batch_is_as_long_as_its_longest_row() -> None:
    asked = values(cutoff_len=1024, per_device_train_batch_size=3)
    work = workload_of(asked, 3, lengths_of(8, 16, 800))
    assert work.padded == 3 * 800
    assert work.tokens == 824


def test_a_sample_stands_for_all_rows() -> None:
    sampled = lengths_of(100, 100, exact=False, rows=1000)
    work = workload_of(values(cutoff_len=2048, per_device_train_batch_size=4), 1000, sampled)
    assert work.tokens == 100_000
    assert work.padded == 104_000
    assert work.longest == 128, "a sample hardly has the longest row"


def test_packed_samples_are_as_long_as_the_cutoff() -> None:
    work = workload_of(values(cutoff_len=128, packing=True), 6, lengths_of(*[60] * 6))
    assert (work.samples, work.padded, work.tokens) == (3, 3 * 128, 360)


def test_without_lengths_only_rows_are_known() -> None:
    work = workload_of(values(cutoff_len=500), 7, None)
    assert (work.samples, work.tokens, work.padded, work.longest) == (7, None, None, 504)


# --- How long rows are --------------------------------------------------------------------------


def measured(workspace: Workspace, request: LengthsRequest, lengths: Lengths) -> None:
    """What the Data tab's measurement leaves of a file whose content is known."""
    folder = Measuring(workspace).folder(request)
    folder.mkdir(parents=True)
    arrays = {name: np.asarray(getattr(lengths, name)) for name in
              ("rows", "turn_starts", "source", "target", "reasoning")}  # fmt: skip
    save(folder, arrays)
    write_json(folder / "task.json", {})
    result = {"tail": lengths.tail}
    write_json(folder / "outcome.json", {"state": TaskState.DONE.value, "result": result})
    note_content(folder, request.content_key(SHA256))


def test_what_the_data_tab_measured_counts_without_what_was_left_out(workspace: Workspace) -> None:
    source = workspace.raw_datasets / "rows.json"
    source.write_text("[]", encoding="utf-8")
    prepared = put_prepared(
        workspace, "d", source="datasets/raw/rows.json", source_rows=5, left_out={"by_hand": 2}
    )
    left_out = [{"row": 2, "why": "by_hand"}, {"row": 5, "why": "by_hand"}]
    (prepared.folder / LEFT_OUT_FILE).write_bytes(b"\n".join(map(orjson.dumps, left_out)))
    recipe = prepared.report.recipe
    request = LengthsRequest(
        source, recipe.columns, recipe.decisions.mended, DEMO_PATH, "deepseekr1"
    )
    measured(workspace, request, make([([(10, number)], 0) for number in range(1, 6)], tail=0))
    found = row_lengths(workspace, prepared, DEMO_PATH, "deepseekr1")
    assert found is not None and found.exact
    assert found.lengths.target.tolist() == [1, 3, 4]
    assert found.first(2).lengths.target.tolist() == [1, 3]
    # Of another template nothing is measured; what the file holds now does not matter.
    other = row_lengths(workspace, prepared, DEMO_PATH, "qwen")
    assert other is not None and not other.exact
    source.unlink()
    later = row_lengths(workspace, prepared, DEMO_PATH, "deepseekr1")
    assert later is not None and later.exact


def test_lengths_of_another_content_are_not_taken(workspace: Workspace) -> None:
    """The file was changed after it had been prepared, and measured then."""
    prepared = put_prepared(workspace, "d", source="rows.json", source_sha256="1" * 64)
    (prepared.folder / LEFT_OUT_FILE).touch()
    recipe = prepared.report.recipe
    request = LengthsRequest(
        workspace.root / "rows.json", recipe.columns, recipe.decisions.mended, DEMO_PATH, "qwen"
    )
    measured(workspace, request, make([([(10, 7)], 0)], tail=0))
    found = row_lengths(workspace, prepared, DEMO_PATH, "qwen")
    assert found is not None and not found.exact


def test_else_a_sample_is_encoded_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [record(number) for number in range(500)]
    prepared = put_prepared(workspace, "d", rows)
    found = row_lengths(workspace, prepared, DEMO_PATH, "deepseekr1")
    assert found is not None and not found.exact
    assert len(found.lengths) == SAMPLE_ROWS and found.rows == 500
    assert found.first(10).rows == 10
    monkeypatch.setattr(module, "_count", None)
    again = row_lengths(workspace, find_prepared(workspace, "d"), DEMO_PATH, "deepseekr1")
    assert again is not None and again.lengths is found.lengths


def test_a_sample_of_a_large_file_is_the_same_each_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WHOLE_FILE", 1000)
    prepared = put_prepared(workspace, "d", [record(number) for number in range(2000)])
    size = prepared.train_file.stat().st_size
    lines = list(module._some_lines(prepared.train_file, size))
    assert lines == list(module._some_lines(prepared.train_file, size))
    assert SAMPLE_ROWS * 0.9 < len(lines) <= SAMPLE_ROWS
    numbers = [int(orjson.loads(line)["output"].split()[1]) for line in lines]
    assert 800 < np.mean(numbers) < 1200, "they are from all over the file"


def test_a_sample_ends_where_it_would_take_long(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_CHARACTERS", 1000)
    prepared = put_prepared(workspace, "d", [record(number) for number in range(300)])
    lines = list(module._some_lines(prepared.train_file, prepared.train_file.stat().st_size))
    assert 1000 <= sum(map(len, lines)) < 1200


def test_reasoning_ends_with_its_tag(workspace: Workspace) -> None:
    row = {**record(1), "output": "<think>\nlong thoughts of it\n</think>\n\nan answer"}
    found = row_lengths(workspace, put_prepared(workspace, "d", [row]), DEMO_PATH, "deepseekr1")
    assert found is not None
    assert 0 < int(found.lengths.reasoning[0]) < int(found.lengths.target[0])


def test_a_model_without_a_tokenizer_json_gives_no_lengths(
    workspace: Workspace, tmp_path: Path
) -> None:
    prepared = put_prepared(workspace, "d")
    assert row_lengths(workspace, prepared, tmp_path, "deepseekr1") is None
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert row_lengths(workspace, prepared, tmp_path, "deepseekr1") is None, "it is none"
