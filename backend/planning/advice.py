"""What a training would trip over, each with the values that put it right.

Nothing here forbids anything. Where a limit is a matter of judgement its reason stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from backend.data.tokens.cutoff import thresholds
from backend.planning.disk import Saved
from backend.planning.memory import Needs, Stock, needs_of
from backend.planning.method import Method
from backend.planning.room import Room
from backend.planning.row_lengths import RowLengths
from backend.planning.steps import Steps
from backend.problems import Problem
from backend.training.devices import AMPERE, Gpu
from backend.training.schema import FIELD
from backend.units import size

Kind = Literal[
    "memory", "disk", "cutoff", "template", "precision", "rate", "batch", "warmup", "saving",
    "evaluation",
]  # fmt: skip

CUT_SHARE = 0.005
"""Rows that may lose a part of their answer: one long row in two hundred is not worth the memory
that a cutoff for it costs."""

FEWEST_STEPS, GOOD_STEPS = 20, 50
"""Below 20 steps the schedule is a few jumps, and Adam's second moment (beta2 = 0.999) has averaged
over next to nothing; what is offered makes about 50."""

LEAST_CUTOFF = 256
"""Below this many tokens hardly a reasoning answer is left whole."""

# The usual range and a good middle. Full: 1e-5 in LLaMA-Factory's examples/train_full, 5e-6 in
# HuatuoGPT-o1's first stage (arXiv:2412.18925), 5e-5 as what LLaMA-Factory's own page starts with.
# LoRA: 1e-4 in examples/train_lora; the best rate is about ten times that of full fine-tuning, and
# fifteen in short runs (Schulman et al., LoRA Without Regret, 2025). Freeze trains the same weights
# as full, if fewer of them.
RATES: Mapping[str, tuple[float, float, float]] = {
    "lora": (1e-5, 1e-3, 1e-4),
    "full": (1e-6, 5e-5, 1e-5),
    "freeze": (1e-6, 5e-5, 1e-5),
}
SMALL = 100_000_000
"""The ranges come from models of at least half a billion parameters; far smaller ones bear more."""

# Chat templates whose markers are the same: either fits.
_ALIKE = (
    {"deepseek3", "deepseekr1"}, {"qwen3", "qwen3_nothink"}, {"qwen3_vl", "qwen3_vl_nothink"},
    {"qwen3_5", "qwen3_5_nothink"}, {"glm4", "glmz1"}, {"llama2", "llama2_zh"},
    {"gemma", "gemma2"}, {"gemma3", "gemma3n"}, {"intern2", "intern3"},
)  # fmt: skip


@dataclass(frozen=True)
class Advice:
    """Something to mind.

    Attributes:
        fix: What the button says; None where no value puts it right.
        changes: Fields of the form and their new values.
    """

    kind: Kind
    problem: Problem
    fix: Problem | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What is known of a planned training.

    Attributes:
        values: As ``schema.validate`` returns them.
        rows: To train on.
        steps: None where the dataset is not known.
        fitting: The template that fits the model; None where that can't be told.
        positions: Tokens that the model was made for (``max_position_embeddings``); 0 if unknown.
        gpus: Those among which it would be placed.
    """

    values: Mapping[str, Any]
    rows: int
    method: Method
    steps: Steps
    lengths: RowLengths | None
    length: int
    stock: Stock | None
    needs: Needs | None
    rooms: tuple[Room, ...]
    saved: Saved | None
    fitting: str | None
    positions: int
    gpus: tuple[Gpu, ...]


def advice_for(case: Case) -> tuple[Advice, ...]:
    """All that there is to mind, the gravest first."""
    found = (check(case) for check in _CHECKS)
    return tuple(one for one in found if one is not None)


# --- Memory and disk ----------------------------------------------------------------------------


def free_memory(rooms: tuple[Room, ...]) -> int:
    """Bytes free on the roomiest device; 0 where nobody says."""
    return max((room.free for room in rooms), default=0)


def needed_memory(needs: Needs, method: Method) -> int:
    """Bytes on one device: the processes of a CPU share the machine's memory."""
    return needs.total if method.on_gpu else needs.total * method.processes


def _memory(case: Case) -> Advice | None:
    free = free_memory(case.rooms)
    if case.stock is None or case.needs is None or not free:
        return None
    needed = needed_memory(case.needs, case.method)
    if needed <= free:
        return None
    key = "planning.advice.memory" if case.gpus else "planning.advice.memory_machine"
    problem = Problem(key, {"needed": size(needed), "free": size(free)})
    for changes in _smaller(case):
        method, length = _changed(case, changes)
        needs = needs_of(case.stock, method, length=length)
        if needed_memory(needs, method) <= free:
            return Advice("memory", problem, _smaller_words(changes), changes)
    return Advice("memory", problem)


def _smaller(case: Case) -> Iterator[dict[str, Any]]:
    """Ways to need less, the mildest first: fewer rows at once, then a quantised base, then shorter
    rows. The effective batch stays."""
    batch = case.values["per_device_train_batch_size"]
    rows = batch * case.values["gradient_accumulation_steps"]
    halved = [batch // 2**power for power in range(1, batch.bit_length())]
    least: dict[str, Any] = {}
    for smaller in halved:
        least = {
            "per_device_train_batch_size": smaller,
            "gradient_accumulation_steps": -(-rows // smaller),
        }
        yield least
    quantises = case.method.kind == "lora" and not case.method.bits and bool(case.gpus)
    four = _four_bits() if quantises else None
    if four is not None:
        least = {**least, "quantization_bit": four}
        yield least
    cutoff = case.values["cutoff_len"]
    for part in (0.75, 0.5, 0.375, 0.25, 0.125):
        shorter = int(cutoff * part) // 64 * 64
        if shorter >= LEAST_CUTOFF:
            yield {**least, "cutoff_len": shorter}


def _four_bits() -> Any:
    """What the form's field for quantisation takes for four bits; None where it has none, or where
    bitsandbytes is not installed."""
    known = FIELD.get("quantization_bit")
    if known is None or find_spec("bitsandbytes") is None:
        return None
    return "4" if "4" in known.choices else 4


def _changed(case: Case, changes: Mapping[str, Any]) -> tuple[Method, int]:
    method = replace(
        case.method,
        batch=changes.get("per_device_train_batch_size", case.method.batch),
        bits=4 if "quantization_bit" in changes else case.method.bits,
    )
    return method, min(case.length, changes.get("cutoff_len", case.length))


def _smaller_words(changes: Mapping[str, Any]) -> Problem:
    params = {
        "batch": changes.get("per_device_train_batch_size", 1),
        "accumulation": changes.get("gradient_accumulation_steps", 1),
        "cutoff": changes.get("cutoff_len", 0),
    }
    if "cutoff_len" in changes:
        name = "cutoff_bits" if "quantization_bit" in changes else "cutoff"
    elif "quantization_bit" in changes:
        name = "bits"
    else:
        name = "batch"
    return Problem(f"planning.advice.memory_fix.{name}", params)


def _disk(case: Case) -> Advice | None:
    saved = case.saved
    if saved is None or saved.fits:
        return None
    params: dict[str, str | int] = {
        "count": saved.count, "each": size(saved.each),
        "total": size(saved.total), "free": size(saved.free),
    }  # fmt: skip
    problem = Problem("planning.advice.disk", params)
    room = saved.room_for
    if "save_total_limit" in FIELD and room >= 2:  # one more lies there while the oldest goes
        fix = Problem("planning.advice.disk_keep", {"count": room - 1})
        return Advice("disk", problem, fix, {"save_total_limit": room - 1})
    if room >= 1:
        every = _with_evaluation(case, math.ceil(case.steps.total / room))
        fix = Problem("planning.advice.save_every", {"steps": every})
        return Advice("disk", problem, fix, {"save_steps": every})
    return Advice("disk", problem)


# --- Data and model -----------------------------------------------------------------------------


def _cutoff(case: Case) -> Advice | None:
    if case.lengths is None:
        return None
    cutoff = case.values["cutoff_len"]
    least = thresholds(case.lengths.lengths)
    hit = least > cutoff
    share = float(hit.mean())
    # One row of a sample says little of the others.
    if share <= CUT_SHARE or (not case.lengths.exact and hit.sum() < 2):
        return None
    params: dict[str, str | int] = {
        "cutoff": cutoff,
        "rows": f"{round(share * case.rows):,}",
        "share": f"{100 * share:.1f}",
        "sample": len(case.lengths.lengths),
    }
    key = "planning.advice.cutoff" if case.lengths.exact else "planning.advice.cutoff_sampled"
    problem = Problem(key, params)
    enough = -(-int(np.quantile(least, 1 - CUT_SHARE, method="higher")) // 64) * 64
    if case.positions:
        enough = min(enough, case.positions)
    if enough <= cutoff:
        return Advice("cutoff", problem)
    fix = Problem("planning.advice.cutoff_fix", {"cutoff": enough})
    return Advice("cutoff", problem, fix, {"cutoff_len": enough})


def _template(case: Case) -> Advice | None:
    chosen, fitting = case.values["template"], case.fitting
    if fitting is None or chosen == fitting:
        return None
    if any({chosen, fitting} <= alike for alike in _ALIKE):
        return None
    problem = Problem("planning.advice.template", {"chosen": chosen, "fitting": fitting})
    fix = Problem("planning.advice.template_fix", {"fitting": fitting})
    return Advice("template", problem, fix, {"template": fitting})


def _precision(case: Case) -> Advice | None:
    asked = case.values["precision"]
    if asked not in ("bf16", "fp16"):
        return None
    if not case.gpus:
        problem = Problem("planning.advice.half_on_cpu", {"precision": asked})
        fix = Problem("planning.advice.precision_fix", {"precision": "auto"})
        return Advice("precision", problem, fix, {"precision": "auto"})
    old = [gpu for gpu in case.gpus if 0 < gpu.capability < AMPERE]
    if asked != "bf16" or not old:
        return None
    params = {"gpu": old[0].name, "capability": f"{old[0].capability:g}"}
    fix = Problem("planning.advice.precision_fix", {"precision": "fp16"})
    return Advice("precision", Problem("planning.advice.bf16", params), fix, {"precision": "fp16"})


# --- Schedule -----------------------------------------------------------------------------------


def _rate(case: Case) -> Advice | None:
    rate, kind = case.values["learning_rate"], case.method.kind
    low, high, good = RATES[kind]
    small = case.stock is not None and case.stock.parameters < SMALL
    if low <= rate and (rate <= high or small):
        return None
    params = {"rate": f"{rate:g}", "low": f"{low:g}", "high": f"{high:g}"}
    key = "planning.advice.rate_low" if rate < low else "planning.advice.rate_high"
    fix = Problem("planning.advice.rate_fix", {"rate": f"{good:g}"})
    return Advice("rate", Problem(key, params), fix, {"learning_rate": good})


def _batch(case: Case) -> Advice | None:
    steps = case.steps
    fewer = _fewer_rows(case)
    params: dict[str, str | int] = {
        "batch": steps.effective_batch, "samples": f"{steps.samples:,}", "steps": steps.total
    }  # fmt: skip
    if steps.effective_batch > steps.samples:
        problem = Problem("planning.advice.batch_rows", params)
    elif steps.total < FEWEST_STEPS:
        problem = Problem("planning.advice.few_steps", params)
    else:
        return None
    if fewer is not None:
        batch, accumulation = fewer
        fix = Problem("planning.advice.batch_fix", {"batch": batch, "accumulation": accumulation})
        changes = {
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": accumulation,
        }
        return Advice("batch", problem, fix, changes)
    if case.values["max_steps"] > 0 or steps.total >= FEWEST_STEPS:
        return Advice("batch", problem)
    epochs = float(math.ceil(FEWEST_STEPS / steps.per_epoch))
    fix = Problem("planning.advice.epochs_fix", {"epochs": f"{epochs:g}"})
    return Advice("batch", problem, fix, {"num_train_epochs": epochs})


def _fewer_rows(case: Case) -> tuple[int, int] | None:
    """Batch and accumulation for more steps; None where that are no fewer rows, or too few still.

    For about ``GOOD_STEPS`` steps where epochs count, and where steps do, for four an epoch.
    """
    steps, processes = case.steps, case.method.processes
    batch = case.values["per_device_train_batch_size"]
    if case.values["max_steps"] > 0:
        seen, wanted = math.inf, steps.samples // 4
    else:
        seen = steps.samples * case.values["num_train_epochs"]
        wanted = min(int(seen / GOOD_STEPS), steps.samples)
    wanted = max(1, wanted // processes)
    if wanted * processes >= steps.effective_batch or seen / (wanted * processes) < FEWEST_STEPS:
        return None
    return (batch, wanted // batch) if wanted >= batch else (wanted, 1)


def _warmup(case: Case) -> Advice | None:
    steps = case.steps
    if 2 * steps.warmup < steps.total or steps.warmup <= 1:
        return None
    params = {"warmup": steps.warmup, "steps": steps.total}
    fix = Problem("planning.advice.warmup_fix")
    return Advice("warmup", Problem("planning.advice.warmup", params), fix, {"warmup_steps": 0.1})


def _saving(case: Case) -> Advice | None:
    return _never(case, "saving", "save_steps")


def _evaluation(case: Case) -> Advice | None:
    return _never(case, "evaluation", "eval_steps") if case.values["eval_steps"] else None


def _with_evaluation(case: Case, every: int) -> int:
    """A save interval at which there is an evaluation, where the best checkpoint is looked for:
    transformers refuses any other."""
    evaluations = int(case.values["eval_steps"])
    if not (case.values.get("load_best_model_at_end") and evaluations):
        return every
    return math.ceil(every / evaluations) * evaluations


def _never(case: Case, kind: Kind, name: str) -> Advice | None:
    """An interval that is longer than the training: all happens at its end."""
    every, total = case.values[name], case.steps.total
    if every <= total:
        return None
    # A quarter, but no more checkpoints than there is room for.
    often = max(1, math.ceil(total / 4))
    problem = Problem(f"planning.advice.{kind}", {"every": every, "steps": total})
    if kind == "saving":
        if case.saved is not None and case.saved.room_for:
            often = max(often, math.ceil(total / case.saved.room_for))
        often = _with_evaluation(case, often)
    elif case.values.get("load_best_model_at_end"):
        often = math.gcd(often, case.values["save_steps"])
    if often > total:
        return Advice(kind, problem)
    return Advice(
        kind, problem, Problem(f"planning.advice.{kind}_fix", {"steps": often}), {name: often}
    )


_CHECKS: tuple[Callable[[Case], Advice | None], ...] = (
    _memory, _disk, _template, _cutoff, _precision, _rate, _batch, _warmup, _saving, _evaluation,
)  # fmt: skip
