"""A failure is explained: from the messages that the libraries really write, never raising."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from backend.files import write_json
from backend.text import LANGUAGES, catalogue
from backend.training import failures, layout, remedies
from backend.training.failure_table import PATTERNS
from backend.training.failures import Explanation, explain
from backend.training.runs import Run, RunState
from backend.training.schema import FIELD, defaults

OUT_OF_MEMORY = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB. GPU 0 has a total "
    "capacity of 79.11 GiB of which 1.05 GiB is free. Process 1 has 78.04 GiB memory in use."
)


def make_run(
    folder: Path,
    *log: str,
    error: str | None = None,
    code: int | None = 1,
    state: RunState = RunState.FAILED,
    **values: Any,
) -> Run:
    """A run that ended: ``log`` is what it printed, ``error`` what its exit file says."""
    (folder / layout.LOG).write_text("".join(f"{line}\n" for line in log), encoding="utf-8")
    if state is RunState.FAILED:
        write_json(folder / layout.EXIT, {"code": code, "reason": "failed", "error": error})
    values = {**defaults(), **values}
    return Run(folder.name, folder, "2026-01-01T00:00:00+00:00", values, state, code, 1)


def add_checkpoint(folder: Path, step: int, *, whole: bool = True) -> None:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    save_file({"a": np.zeros((2, 2), np.float32)}, path / "adapter_model.safetensors")
    if whole:
        write_json(path / "trainer_state.json", {"global_step": step})


def explained(run: Run) -> Explanation:
    explanation = explain(run)
    assert explanation is not None
    return explanation


def said(explanation: Explanation) -> str:
    """The sentence's key below ``training.failures``."""
    return explanation.problem.key.removeprefix("training.failures.")


# --- Messages, word for word --------------------------------------------------------------------

MESSAGES = {
    OUT_OF_MEMORY: "gpu_memory.numbers",
    "OutOfMemoryError: CUDA out of memory.": "gpu_memory.plain",
    "RuntimeError: CUDA error: out of memory": "gpu_memory.plain",
    "torch.AcceleratorError: CUDA error: out of memory": "gpu_memory.plain",
    "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`":
        "gpu_memory.plain",
    "OSError: [Errno 28] No space left on device: '/runs/first/checkpoint-20'": "disk_full.full",
    "safetensors._safetensors_rust.SafetensorError: Error while serializing: I/O error: No space "
    "left on device (os error 28)": "disk_full.full",
    "OSError: [Errno 122] Disk quota exceeded": "disk_full.quota",
    "SafetensorError: Error while serializing: I/O error: File too large (os error 27)":
        "disk_full.write",
    "RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598":
        "disk_full.write",
    "RuntimeError: [enforce fail at inline_container.cc:858] . PytorchStreamWriter failed writing "
    "file data/3: file write failed": "disk_full.write",
    "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't "
    "allocate memory: you tried to allocate 4000000000000000 bytes. Error code 12 (Cannot allocate "
    "memory)": "memory.refused",
    "MemoryError": "memory.refused",
    "RuntimeError: DataLoader worker (pid 123) is killed by signal: Killed. ": "memory.worker",
    "  traceback : Signal 9 (SIGKILL) received by PID 4711": "memory.worker",
    "ModuleNotFoundError: No module named 'bitsandbytes'": "package.missing",
    "importlib.metadata.PackageNotFoundError: No package metadata was found for The "
    "'deepspeed>=0.10.0,<=0.18.4' distribution was not found and is required by this application. ":
        "package.missing",
    "ImportError: Using `bitsandbytes` 4-bit quantization requires bitsandbytes: `pip install -U "
    "bitsandbytes>=0.46.1`": "package.missing",
    "ImportError: peft>=9 is required for a normal functioning of this module, but found "
    "peft==0.18.1.": "package.version",
    "ImportError: FlashAttention2 has been toggled on, but it cannot be used due to the following "
    "error: the package for FlashAttention2 doesn't seem to be installed.": "package.attention",
    "ValueError: Some keys are not used by the HfArgumentParser: ['lora_rnk']": "argument.unknown",
    "ValueError: Target modules {'nope'} not found in the base model. Please check the target "
    "modules and try again.": "argument.modules",
    "ValueError: Quantization is only compatible with the LoRA or OFT method.": "argument.refused",
    "AssertionError: Invalid fine-tuning method.": "argument.refused",
    "ValueError: Your setup doesn't support bf16/gpu. You need to assign use_cpu if you want to "
    "train the model on CPU.": "argument.refused",
    "ValueError: Template nope does not exist.": "tokenizer.template",
    "ValueError: Couldn't instantiate the backend tokenizer from one of: ": "tokenizer.load",
    "OSError: Failed to load tokenizer.": "tokenizer.load",
    "IndexError: index out of range in self": "tokenizer.vocabulary",
    "RuntimeError: You set `ignore_mismatched_sizes` to `False`, thus raising an error. For details"
    " look at the above report!": "weights.shape",
    "RuntimeError: Error(s) in loading state_dict for Linear:": "weights.shape",
    "safetensors._safetensors_rust.SafetensorError: Error while deserializing header: incomplete "
    "metadata, file not fully covered": "weights.damaged",
    "SafetensorError: Error while deserializing header: header too large": "weights.damaged",
    "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central "
    "directory": "weights.damaged",
    "OSError: It looks like the config file at '/m/config.json' is not a valid JSON file.":
        "weights.damaged",
    "FileNotFoundError: No such file or directory: /m/model-00001-of-00002.safetensors":
        "weights.missing",
    "OSError: Error no file named model.safetensors, or pytorch_model.bin, found in directory /m.":
        "weights.missing",
    "ValueError: The checkpoint you are trying to load has model type `qwen99` but Transformers "
    "does not recognize this architecture.": "weights.unknown",
    "RuntimeError: Cannot find valid samples, check `data/README.md` for the data format.":
        "data.empty",
    "ValueError: Undefined dataset taught in dataset_info.json.": "data.missing",
    "datasets.exceptions.DatasetGenerationError: An error occurred while generating the dataset":
        "data.broken",
    "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU":
        "device.driver",
    "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:77, unhandled cuda "
    "error": "device.nccl",
    "torch.AcceleratorError: CUDA error: an illegal memory access was encountered": "device.cuda",
    "torch.distributed.elastic.multiprocessing.api.SignalException: Process 3 got signal: 15":
        "signal.signal",
}  # fmt: skip


@pytest.mark.parametrize(("message", "sentence"), MESSAGES.items())
def test_a_message_in_the_exit_file_or_the_log(tmp_path: Path, message: str, sentence: str) -> None:
    """The trainer writes its error down; one that torchrun started may only have printed it."""
    trace = ["Traceback (most recent call last):", '  File "x.py", line 1, in <module>', message]
    assert said(explained(make_run(tmp_path, error=message[:400]))) == sentence
    by_log = explained(make_run(tmp_path, *trace, "some farewell"))
    assert said(by_log) == sentence
    assert by_log.evidence == (message.strip()[:400],)


def test_every_row_of_the_table_is_shown_by_a_message_or_by_a_test_below() -> None:
    shown = set(MESSAGES.values())
    below = {"not_a_number.loss", "data.row", "signal.crash"}
    rows = {pattern.sentence.removeprefix("training.failures.") for pattern in PATTERNS}
    assert rows == shown | below


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_row_has_its_words(language: str) -> None:
    missing = [row.sentence for row in PATTERNS if row.sentence not in catalogue(language)]
    assert not missing and all(row.source for row in PATTERNS)


def test_the_numbers_of_a_gpu_that_ran_out(tmp_path: Path) -> None:
    problem = explained(make_run(tmp_path, error=OUT_OF_MEMORY)).problem
    for language in LANGUAGES:
        sentence = problem.sentence(language)
        assert all(number in sentence for number in ("2.32 GiB", "79.11 GiB", "1.05 GiB"))


# --- Which of several messages ------------------------------------------------------------------


def test_a_general_error_gives_way_to_its_cause_in_the_log(tmp_path: Path) -> None:
    """datasets names the row in a line of its own and then raises an error that says nothing."""
    row = (
        "Failed to load JSON from file '/d/x.jsonl' with error <class 'pyarrow.lib.ArrowInvalid'>"
        ": JSON parse error: Missing a comma or '}' after an object member. in row 17"
    )
    general = "DatasetGenerationError: An error occurred while generating the dataset"
    explanation = explained(make_run(tmp_path, row, "Traceback …", general, error=general))
    assert said(explanation) == "data.row"
    assert explanation.problem.params["row"] == "17"
    assert explanation.evidence == (row, general)
    assert [one.action for one in explanation.remedies] == ["data"]


def test_one_process_out_of_memory_makes_the_others_lose_it(tmp_path: Path) -> None:
    late = (
        "torch.distributed.DistBackendError: [Rank 1] Watchdog caught collective operation timeout"
    )
    explanation = explained(make_run(tmp_path, f"[rank0]: {OUT_OF_MEMORY}", late, error=late))
    assert explanation.kind == "gpu_memory"


def test_a_clear_error_is_not_overruled_by_what_a_library_mentioned(tmp_path: Path) -> None:
    mentioned = "deepspeed is off: No module named 'deepspeed'"
    error = "ValueError: Template nope does not exist."
    assert explained(make_run(tmp_path, mentioned, error=error)).kind == "tokenizer"


def test_a_warning_is_no_reason(tmp_path: Path) -> None:
    warned = "[WARNING|2026-11-24 18:14:04] llamafactory:1 >> No module named 'triton'"
    explanation = explained(make_run(tmp_path, warned, error="KeyError: 'x'"))
    assert said(explanation) == "error" and "KeyError" in explanation.problem.sentence("en")


def test_what_an_earlier_attempt_said_is_past(tmp_path: Path) -> None:
    """A resumed run goes on in the same log; its first end by a full disk was shown for ever."""
    begins = "[INFO|2026-11-24] llamafactory.hparams.parser:523 >> Process rank: 0, world size: 1"
    log = [begins, "OSError: [Errno 28] No space left on device", begins, "KeyError: 'x'"]
    assert explained(make_run(tmp_path, *log)).kind == "error"
    past = len(f"{begins}\n{log[1]}\n".encode())
    write_json(tmp_path / layout.LAUNCH, {"devices": "", "log_offset": past})
    assert explained(make_run(tmp_path, *log[:2], "KeyError: 'x'")).kind == "error"


def test_nothing_is_told_of_the_attempt_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run died while it loaded, and was said to have filled the memory: the attempt
    before it had."""
    monkeypatch.setattr(failures, "_machine_memory", lambda: 10 * 2**30)
    entry = {"step": 3, "time": 1000.0, "memory": 9 * 2**30}
    (tmp_path / layout.METRICS).write_text(f"{json.dumps(entry)}\n", "utf-8")
    (tmp_path / layout.TRAINER_LOG).write_text('{"current_steps": 3, "loss": NaN}\n', "utf-8")
    before = "RuntimeError: what ended the attempt before"
    lost = make_run(tmp_path, before, state=RunState.INTERRUPTED, code=None)
    assert said(explained(lost)) == "memory.killed"
    launch = {"since": "2026-01-01T00:00:00+00:00", "log_offset": len(before) + 1}
    write_json(tmp_path / layout.LAUNCH, launch)
    assert said(explained(lost)) == "interrupted" and explained(lost).evidence == ()
    write_json(tmp_path / layout.EXIT, {"code": 1, "reason": "failed", "error": None})
    failed = replace(lost, state=RunState.FAILED, exit_code=1)
    assert explained(failed).kind == "silent"


# --- Ends without a word ------------------------------------------------------------------------


def test_killed_while_it_held_most_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_machine_memory", lambda: 10 * 2**30)
    (tmp_path / layout.METRICS).write_text('{"step": 3, "memory": 8589934592}\n{"step"', "utf-8")
    run = make_run(tmp_path, "{'loss': 1.0}", state=RunState.INTERRUPTED, code=None)
    explanation = explained(run)
    assert said(explanation) == "memory.killed"
    assert "8.0 GiB" in explanation.problem.sentence("en")
    assert explanation.evidence == ('{"step": 3, "memory": 8589934592}',)
    monkeypatch.setattr(failures, "_machine_memory", lambda: 100 * 2**30)
    failures._cause_of.cache_clear()
    assert said(explained(run)) == "interrupted"


def test_gone_with_the_machine(tmp_path: Path) -> None:
    write_json(tmp_path / layout.PROCESS, {"pid": 4, "born": "another-boot:17"})
    run = make_run(tmp_path, state=RunState.INTERRUPTED, code=None)
    assert explained(run).kind in ("restarted", "interrupted")  # the second where /proc is not
    assert (explained(run).kind == "restarted") is Path("/proc/sys/kernel/random/boot_id").exists()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [(-15, "signal.signal"), (143, "signal.signal"), (-11, "signal.crash"), (139, "signal.crash"),
     (-9, "interrupted"), (137, "interrupted"), (3, "silent"), (None, "silent")],
)  # fmt: skip
def test_an_exit_code_without_a_message(tmp_path: Path, code: int | None, sentence: str) -> None:
    assert said(explained(make_run(tmp_path, code=code))) == sentence


def test_a_crash_in_native_code(tmp_path: Path) -> None:
    log = ["Fatal Python error: Segmentation fault", "Thread 0x0000 (most recent call first):"]
    assert said(explained(make_run(tmp_path, *log, code=-11))) == "signal.crash"


def test_a_loss_that_is_not_a_number(tmp_path: Path) -> None:
    (tmp_path / layout.TRAINER_LOG).write_text('{"current_steps": 2, "loss": NaN}\n', "utf-8")
    run = make_run(tmp_path, error="SomeError: odd", learning_rate=1e-3)
    explanation = explained(run)
    assert explanation.kind == "not_a_number"
    assert dict(explanation.remedies[0].changes) == {"learning_rate": 1e-4}


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.STOPPED, RunState.RUNNING])
def test_what_did_not_fail_needs_no_explanation(tmp_path: Path, state: RunState) -> None:
    assert explain(replace(make_run(tmp_path, OUT_OF_MEMORY), state=state)) is None


def test_a_trainer_that_saw_the_disk_full_is_believed(tmp_path: Path) -> None:
    """torch's own words for a full disk are that a position is unexpected, or nothing at all."""
    run = make_run(tmp_path, error="RuntimeError: odd")
    write_json(tmp_path / layout.EXIT, {"code": 1, "error": "RuntimeError: odd", "full": True})
    explanation = explained(run)
    assert explanation.kind == "disk_full" and explanation.evidence == ("RuntimeError: odd",)


def test_what_kept_a_trainer_from_starting_is_said_as_it_was(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    problem = {"key": "training.errors.not_started", "params": {"reason": "no room"}}
    write_json(tmp_path / layout.EXIT, {"code": None, "error": None, "problem": problem})
    assert "no room" in explained(run).problem.sentence("en")
    write_json(tmp_path / layout.EXIT, {"code": 1, "problem": {"key": "no.such", "params": {}}})
    assert explained(run).problem.sentence("en")


# --- Remedies -----------------------------------------------------------------------------------


def test_out_of_memory_halves_the_batch_and_keeps_the_effective_one(tmp_path: Path) -> None:
    values = {"per_device_train_batch_size": 5, "gradient_accumulation_steps": 4}
    run = make_run(tmp_path, error=OUT_OF_MEMORY, **values)
    remedy = explained(run).remedies[0]
    assert remedy.action == "run_again"
    assert dict(remedy.changes) == {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 10,
    }
    add_checkpoint(tmp_path, 20)
    add_checkpoint(tmp_path, 30, whole=False)
    remedy = explained(run).remedies[0]
    assert remedy.action == "resume" and "checkpoint-20" in remedy.label.sentence("en")


def test_with_one_row_at_a_time_the_cutoff_is_halved(tmp_path: Path) -> None:
    run = make_run(tmp_path, error=OUT_OF_MEMORY, per_device_train_batch_size=1, cutoff_len=2048)
    assert dict(explained(run).remedies[0].changes) == {"cutoff_len": 1024}


def test_lora_may_become_qlora_where_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, error=OUT_OF_MEMORY, quantization_bit="none")
    assert all("quantization_bit" not in one.changes for one in explained(run).remedies)
    monkeypatch.setattr(remedies, "is_installed", lambda module: module == "bitsandbytes")
    assert dict(explained(run).remedies[-1].changes) == {"quantization_bit": "4"}
    full = replace(run, values={**run.values, "finetuning_type": "full"})
    assert all("quantization_bit" not in one.changes for one in explained(full).remedies)


def test_an_interrupted_run_goes_on_from_its_last_whole_checkpoint(tmp_path: Path) -> None:
    run = make_run(tmp_path, state=RunState.INTERRUPTED, code=None)
    assert [one.action for one in explained(run).remedies] == ["run_again"]
    add_checkpoint(tmp_path, 4)
    add_checkpoint(tmp_path, 8)
    (remedy,) = explained(run).remedies
    assert remedy.action == "resume" and remedy.label.params["checkpoint"] == "checkpoint-8"


# --- Anything at all ----------------------------------------------------------------------------

LINES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([message.encode() for message in MESSAGES]),
    st.sampled_from([b"\r\r\n", b"\xff\xfe", b"Traceback (most recent call last):", b"\x1b[31m"]),
)


@settings(
    deadline=None, max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    st.lists(LINES, max_size=12),
    st.sampled_from([RunState.FAILED, RunState.INTERRUPTED]),
    st.one_of(st.none(), st.integers(-70, 300)),
    st.one_of(st.none(), st.text(max_size=80), st.integers(), st.lists(st.integers())),
    st.dictionaries(st.sampled_from(list(FIELD)), st.one_of(st.none(), st.text(max_size=9),
                    st.floats(), st.integers(), st.booleans()), max_size=6),
)  # fmt: skip
def test_any_bytes_are_explained(
    tmp_path: Path,
    log: list[bytes],
    state: RunState,
    code: int | None,
    error: Any,
    values: dict[str, Any],
) -> None:
    run = make_run(tmp_path, state=state, code=code)
    (tmp_path / layout.LOG).write_bytes(b"\n".join(log))
    (tmp_path / layout.METRICS).write_bytes(b"\n".join(log))
    (tmp_path / layout.TRAINER_LOG).write_bytes(b"\n".join(log))
    (tmp_path / layout.EXIT).write_text(json.dumps({"code": code, "error": error}), "utf-8")
    explanation = explained(replace(run, values=values))
    assert explanation.remedies
    for language in LANGUAGES:
        assert explanation.problem.sentence(language)
        assert all(one.label.sentence(language) for one in explanation.remedies)
    assert run.failure is not None
