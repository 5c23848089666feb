"""Trainings: started, followed, stopped and taken up again."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from backend.chat.choices import distinct, key_of
from backend.errors import CallError
from backend.library.models import find_model
from backend.services import Services
from backend.text import text
from backend.training.checkpoints import faults
from backend.training.curves import series_of
from backend.training.importing import fields_of
from backend.training.presets import apply, list_presets
from backend.training.runs import Run, find_run, list_runs, read_progress
from backend.training.schema import defaults
from ui.outside.endpoint import await_until, number

MOST_STEPS = 2_000
"""Logged steps in one answer."""


class RunActions:
    """The Hyperparameters and Training tabs for programs."""

    def __init__(self, services: Services) -> None:
        self._workspace = services.workspace
        self._supervisor = services.supervisor

    def list_presets(self, language: str) -> list[dict[str, Any]]:
        """The presets that `start_run` knows.

        Returns:
            A list of objects: `name`, `label`, `about` (what it is for), `settings` (what differs
            from the defaults).
        """
        return [
            {
                "name": one.name,
                "label": text(language, f"presets.{one.name}.label"),
                "about": text(language, f"presets.{one.name}.help"),
                "settings": dict(one.values),
            }
            for one in list_presets()
        ]

    def start_run(
        self,
        language: str,
        dataset: str,
        model: str = "",
        preset: str = "",
        settings: dict[str, Any] | None = None,
        name: str = "",
    ) -> dict[str, Any]:
        """Start a training, or queue it behind those that hold its devices. Model, dataset and
        settings are checked before. It goes on when MedTune and the client are closed.

        Args:
            dataset: Name of a prepared dataset, from `list_datasets`.
            model: Id of a model, from `list_models`; may be empty where the preset names one.
            preset: From `list_presets`; the defaults alone where it is empty.
            settings: LLaMA-Factory's arguments by name, such as `learning_rate`, which go before
                those of the preset; null for none.
            name: Of the run; one after model and settings where it is empty.

        Returns:
            As `follow_run`.
        """
        values = {**self._preset(preset), **fields_of(settings or {}, self._workspace)}
        given = {"model": model, "dataset": dataset, "run_name": name}
        values |= {field: value for field, value in given.items() if value}
        if not values.get("template") and values.get("model"):
            values["template"] = find_model(self._workspace, values["model"]).template
        return self._told(self._supervisor.start(values), language)

    def follow_run(
        self, language: str, run: str, since_step: int = 0, wait_seconds: float = 0
    ) -> dict[str, Any]:
        """How a run stands, and the losses since a step.

        Args:
            run: Id of the run.
            since_step: Losses up to this step are left out; 0 for all.
            wait_seconds: Wait for a further loss, or the run's end, for 0 to 60 seconds.

        Returns:
            An object: `run`, `state` (queued, starting, running, stopping, finished, stopped,
            failed, interrupted), `over` (it has ended), `problem` (why it failed, a sentence or
            null), `model`, `dataset`, `created` (ISO 8601, UTC), `step`, `total_steps`, `loss`,
            `epoch`, `elapsed_seconds`, `remaining_seconds`, `tokens_per_second` (each null where
            unknown), `losses` (at most 2,000 of `step`, `loss`, `learning_rate`), `evaluations`
            (of `step`, `loss`), `more` (there are later losses: ask again with the last step).
        """

        def news() -> bool:
            now = find_run(self._workspace, run)
            steps = series_of(now.folder).step
            return not now.state.pending or (len(steps) > 0 and steps[-1] > since_step)

        await_until(news, wait_seconds)
        return self._told(find_run(self._workspace, run), language, since_step)

    def list_runs(self, language: str) -> list[dict[str, Any]]:
        """All runs, the newest first.

        Returns:
            A list of objects as of `follow_run`, without `losses`, `evaluations` and `more`.
        """
        return [_summary(one, language) for one in list_runs(self._workspace)]

    def stop_run(self, language: str, run: str, now: bool = False) -> dict[str, Any]:
        """Let a run save a full checkpoint and end, or take it out of the queue.

        Args:
            run: Id of the run.
            now: End it at once: what came after the last checkpoint is lost.

        Returns:
            As `list_runs` answers of one run.
        """
        return _summary(self._supervisor.stop(run, now=now), language)

    def resume_run(
        self,
        language: str,
        run: str,
        checkpoint: str = "",
        settings: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Let a run that has ended go on from a checkpoint.

        Args:
            run: Id of the run.
            checkpoint: Its name, from `list_checkpoints`; the newest whole one where it is empty.
            settings: Other values for some of LLaMA-Factory's arguments; null for none.

        Returns:
            As `list_runs` answers of one run.
        """
        changes = fields_of(settings or {}, self._workspace)
        return _summary(self._supervisor.resume(run, checkpoint or None, changes=changes), language)

    def list_checkpoints(self, language: str, run: str) -> list[dict[str, Any]]:
        """The checkpoints of a run, by step.

        Args:
            run: Id of the run.

        Returns:
            A list of objects: `name`, `column` (its key for `load_columns`; null where it can't be
            asked), `step`, `complete`, `resumable` (a training can go on from it), `problems` (why
            not).
        """
        found = find_run(self._workspace, run)
        columns = {one.step: key_of(found, one) for one in distinct(found)}
        return [
            {
                "name": one.name,
                "column": columns.get(one.step),
                "step": one.step,
                "complete": one.complete,
                "resumable": not faults(one),
                "problems": [problem.sentence(language) for problem in faults(one)],
            }
            for one in found.checkpoints()
        ]

    def _preset(self, name: str) -> dict[str, Any]:
        if not name:
            return defaults()
        known = {one.name: one for one in list_presets()}
        if name not in known:
            raise CallError("outside.errors.choice", name="preset", choices=", ".join(known))
        return apply(known[name], defaults())

    def _told(self, run: Run, language: str, since_step: int = 0) -> dict[str, Any]:
        series = series_of(run.folder)
        start = bisect_right(series.step, since_step)
        end = min(start + MOST_STEPS, len(series.step))
        return {
            **_summary(run, language),
            "losses": [
                {
                    "step": int(series.step[at]),
                    "loss": number(series.loss[at]),
                    "learning_rate": number(series.learning_rate[at]),
                }
                for at in range(start, end)
            ],
            "evaluations": [
                {"step": int(step), "loss": number(loss)}
                for step, loss in zip(series.eval_step, series.eval_loss, strict=True)
                if step > since_step
            ],
            "more": end < len(series.step),
        }


def _summary(run: Run, language: str) -> dict[str, Any]:
    progress = read_progress(run)
    failure = run.failure
    return {
        "run": run.id,
        "state": run.state.value,
        "over": not run.state.pending,
        "problem": failure.sentence(language) if failure else None,
        "model": run.values.get("model"),
        "dataset": run.values.get("dataset"),
        "created": run.created,
        "step": progress.step if progress else None,
        "total_steps": progress.total if progress else None,
        "loss": progress.loss if progress else None,
        "epoch": progress.epoch if progress else None,
        "elapsed_seconds": progress.elapsed_seconds if progress else None,
        "remaining_seconds": progress.remaining_seconds if progress else None,
        "tokens_per_second": progress.tokens_per_second if progress else None,
    }
