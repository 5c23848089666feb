"""What can answer: the base models, and for each the checkpoints of every run on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.chat.columns import BASE, Column
from backend.data.registry import examples, find_prepared
from backend.errors import EngineError, MedTuneError
from backend.library.models import list_models
from backend.training.checkpoints import Checkpoint
from backend.training.runs import Run, find_run, list_runs
from backend.workspace import Workspace

SHOWN_QUESTIONS = 50

FALLBACK_TEMPLATE = "default"
"""LLaMA-Factory's template for a model whose own is not known."""


@dataclass(frozen=True)
class Base:
    """Weights that an engine can load: a model, or a fully fine-tuned checkpoint."""

    id: str
    path: Path
    template: str


def bases(workspace: Workspace) -> list[Base]:
    """All that can be loaded as a base: ready models, then full checkpoints, newest run first."""
    models = [
        Base(model.id, model.path, model.template or FALLBACK_TEMPLATE)
        for model in list_models(workspace)
        if model.ready
    ]
    full = [
        Base(_key(run, checkpoint), checkpoint.path, _template(run))
        for run in list_runs(workspace)
        if not _is_lora(run)
        for checkpoint in distinct(run)
    ]
    return models + full


def find_base(workspace: Workspace, base_id: str) -> Base:
    """Raises EngineError: there is no such base, or it isn't ready."""
    for base in bases(workspace):
        if base.id == base_id:
            return base
    raise EngineError("chat.errors.base_missing", name=base_id)


def columns(workspace: Workspace, base: Base) -> list[Column]:
    """The base itself, then every distinct checkpoint trained on it, newest run first."""
    adapters = [
        Column(key=_key(run, checkpoint), adapter_path=checkpoint.path, template=_template(run))
        for run in list_runs(workspace)
        if _is_lora(run) and _is_base(base, run)
        for checkpoint in distinct(run)
    ]
    return [Column(key=BASE, adapter_path=None, template=base.template), *adapters]


def distinct(run: Run) -> list[Checkpoint]:
    """The complete checkpoints of a run by step, each weights once.

    The last step is usually saved twice, as ``checkpoint-N`` and as what the run ends with.
    """
    by_step = {one.step: one for one in reversed(run.checkpoints()) if one.complete}
    return [by_step[step] for step in sorted(by_step)]


def base_of(workspace: Workspace, run: Run) -> Base:
    """The base on which a run's checkpoints are loaded: a full one is its own.

    Raises:
        EngineError: it is gone, or the run has no complete checkpoint yet.
    """
    if _is_lora(run):
        found = [base for base in bases(workspace) if _is_base(base, run) and distinct(run)]
    else:
        mine = {_key(run, checkpoint) for checkpoint in distinct(run)[-1:]}
        found = [base for base in bases(workspace) if base.id in mine]
    if not found:
        raise EngineError("chat.errors.base_gone", run=run.id)
    return found[0]


def training_questions(workspace: Workspace, run_id: str) -> list[str]:
    """The first questions of a run's training data; none where run or dataset is gone."""
    try:
        run = find_run(workspace, run_id)
        prepared = find_prepared(workspace, str(run.values["dataset"]))
    except MedTuneError:
        return []
    # LLaMA-Factory trains on the first ``max_samples`` rows; 0 is all of them.
    rows = int(run.values.get("max_samples") or 0) or SHOWN_QUESTIONS
    return [row["instruction"] for row in examples(prepared, min(rows, SHOWN_QUESTIONS))]


def _key(run: Run, checkpoint: Checkpoint) -> str:
    return f"{run.id}/{checkpoint.name}"


def _is_base(base: Base, run: Run) -> bool:
    """Whether a run was trained on a base, also after the workspace or the checkout has moved."""
    trained_on = Path(str(run.config.get("model_name_or_path")))
    if trained_on.exists():
        return trained_on.resolve() == base.path.resolve()
    return base.id == run.values.get("model")


def _template(run: Run) -> str:
    return str(run.config.get("template") or FALLBACK_TEMPLATE)


def _is_lora(run: Run) -> bool:
    return run.config.get("finetuning_type") == "lora"
