"""A training as it would be, from the values of the form: memory, steps, time, and what to mind.

Asked for at every change of the form. All that is read is kept by the identity of its file, so that
a change costs milliseconds; nothing is loaded, started or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.data.registry import PreparedDataset, find_prepared
from backend.library.models import Model, find_model, read_config
from backend.library.weights import list_tensors
from backend.planning.advice import Advice, Case, advice_for, needed_memory
from backend.planning.disk import Saved, saved_by
from backend.planning.memory import Needs, Stock, needs_of, stock_of
from backend.planning.method import Method, method_of
from backend.planning.room import Room, chosen, processes, rooms
from backend.planning.row_lengths import row_lengths
from backend.planning.speed import Speed, Speeds
from backend.planning.steps import Steps, steps_of, used_rows
from backend.planning.workload import Workload, workload_of
from backend.training.devices import Gpu, gpus_lately
from backend.training.schema import validate
from backend.workspace import Workspace


@dataclass(frozen=True)
class Plan:
    """A training as it would be.

    Attributes:
        needs: Memory by part; None where the model's files do not say enough.
        needed: Bytes on one device; 0 likewise.
        rooms: The devices among which it would be placed.
        speed: Of the earlier run or the probe that is most like it; None where there is none.
        seconds: How long it would take, without loading; None where speed or lengths are unknown.
        saved: Its checkpoints; None where ``needs`` is.
    """

    values: Mapping[str, Any]
    method: Method
    needs: Needs | None
    needed: int
    rooms: tuple[Room, ...]
    steps: Steps
    workload: Workload
    speed: Speed | None
    seconds: float | None
    saved: Saved | None
    advice: tuple[Advice, ...]


class Planner:
    """Plans trainings of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._speeds = Speeds(workspace)

    def plan(self, values: Mapping[str, Any]) -> Plan:
        """What a training with these values would be.

        Raises:
            MedTuneError: a value, the model or the dataset can't be trained with.
        """
        clean = validate(values)
        model = find_model(self._workspace, clean["model"])
        prepared = find_prepared(self._workspace, clean["dataset"])
        present = gpus_lately()
        placed = chosen(clean, present)
        method = method_of(clean, on_gpu=bool(placed), processes=processes(clean, present))
        return self._plan(clean, model, prepared, method, placed)

    def _plan(
        self,
        values: dict[str, Any],
        model: Model,
        prepared: PreparedDataset,
        method: Method,
        placed: list[Gpu],
    ) -> Plan:
        rows = max(1, used_rows(values, prepared.report.train_rows))
        lengths = row_lengths(self._workspace, prepared, model.path, values["template"])
        lengths = lengths.first(rows) if lengths else None
        work = workload_of(values, rows, lengths)
        steps = steps_of(values, samples=work.samples, processes=method.processes)
        config = read_config(model.path)
        stock = stock_of(list_tensors(model.path), config)
        needs = needs_of(stock, method, length=work.longest) if stock else None
        saved = self._saved(values, model, stock, method, needs, steps)
        speed = self._speeds.of(values, on_gpu=method.on_gpu)
        space = rooms(placed)
        case = Case(
            values=values,
            rows=rows,
            method=method,
            steps=steps,
            lengths=lengths,
            length=work.longest,
            stock=stock,
            needs=needs,
            rooms=space,
            saved=saved,
            fitting=model.template,
            positions=_positions(config),
            gpus=tuple(placed),
        )
        return Plan(
            values=values,
            method=method,
            needs=needs,
            needed=needed_memory(needs, method) if needs else 0,
            rooms=space,
            steps=steps,
            workload=work,
            speed=speed,
            seconds=_seconds(work, steps, speed),
            saved=saved,
            advice=advice_for(case),
        )

    def _saved(
        self,
        values: Mapping[str, Any],
        model: Model,
        stock: Stock | None,
        method: Method,
        needs: Needs | None,
        steps: Steps,
    ) -> Saved | None:
        if stock is None or needs is None:
            return None
        return saved_by(
            values,
            stock=stock,
            method=method,
            needs=needs,
            steps=steps.total,
            model=model.path,
            runs=self._workspace.runs,
        )


def _seconds(work: Workload, steps: Steps, speed: Speed | None) -> float | None:
    if speed is None or work.padded is None:
        return None
    return work.padded * steps.epochs / speed.tokens_per_second


def _positions(config: Mapping[str, Any]) -> int:
    value = config.get("max_position_embeddings")
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
