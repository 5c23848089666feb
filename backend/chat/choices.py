"""The weights that an engine can load first, and the checkpoints of a run that are worth asking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.errors import EngineError
from backend.library.models import list_models
from backend.training.checkpoints import Checkpoint
from backend.training.runs import Run, list_runs
from backend.workspace import Workspace

FALLBACK_TEMPLATE = "default"
"""LLaMA-Factory's template for a model whose own is not known."""


@dataclass(frozen=True)
class Base:
    """Weights that an engine can load: a model, or a fully fine-tuned checkpoint of a run."""

    id: str
    path: Path
    template: str
    run: Run | None = None
    checkpoint: Checkpoint | None = None


def bases(workspace: Workspace) -> list[Base]:
    """All that can be loaded as a base: ready models, then full checkpoints, newest run first."""
    models = [
        Base(model.id, model.path, model.template or FALLBACK_TEMPLATE)
        for model in list_models(workspace)
        if model.ready
    ]
    full = [
        Base(key_of(run, checkpoint), checkpoint.path, template_of(run), run, checkpoint)
        for run in list_runs(workspace)
        if not is_lora(run)
        for checkpoint in distinct(run)
    ]
    return models + full


def distinct(run: Run) -> list[Checkpoint]:
    """The complete checkpoints of a run by step, each weights once.

    The last step is usually saved twice, as ``checkpoint-N`` and as what the run ends with.
    """
    by_step = {one.step: one for one in reversed(run.checkpoints()) if one.complete}
    return [by_step[step] for step in sorted(by_step)]


def keys_to_compare(workspace: Workspace, run: Run, checkpoint: str | None = None) -> list[str]:
    """What shows most of what a run has changed: its base, its first and its last checkpoint.

    Args:
        checkpoint: This one in place of the first and the last.

    Raises:
        EngineError: the base is gone, or the run has no complete checkpoint yet.
    """
    mine = distinct(run)
    base = next((one for one in bases(workspace) if not one.run and is_base(one, run)), None)
    if not mine or (base is None and is_lora(run)):
        raise EngineError("chat.errors.base_gone", run=run.id)
    named = [one for one in mine if one.name == checkpoint] if checkpoint else [mine[0], mine[-1]]
    keys = [key_of(run, one) for one in named]
    # A full checkpoint is as large as its base: beside it a second engine would be needed.
    first = [f"base:{base.id}"] if base and is_lora(run) else []
    return list(dict.fromkeys([*first, *(keys if first else keys[-1:])]))


def key_of(run: Run, checkpoint: Checkpoint) -> str:
    """The name by which a checkpoint is asked: "run/checkpoint-20"."""
    return f"{run.id}/{checkpoint.name}"


def is_base(base: Base, run: Run) -> bool:
    """Whether a run was trained on a base, also after the workspace or the checkout has moved."""
    trained_on = Path(str(run.config.get("model_name_or_path")))
    if trained_on.exists():
        return trained_on.resolve() == base.path.resolve()
    return base.id == run.values.get("model")


def template_of(run: Run) -> str:
    """The chat template with which a run was trained."""
    return str(run.config.get("template") or FALLBACK_TEMPLATE)


def thinking_of(run: Run) -> bool | None:
    """False where a run was trained with all reasoning taken out and an empty block of it in the
    prompt (LLaMA-Factory's ``enable_thinking: false``); else None, the model decides."""
    return False if run.config.get("enable_thinking") is False else None


def is_lora(run: Run) -> bool:
    """Whether a run's checkpoints are adapters on its base."""
    return run.config.get("finetuning_type") == "lora"
