"""The first steps of somebody new: from an empty workspace to two answers side by side.

Five of them, each with what comes with MedTune: look at the sample data, prepare them, take the
settings of the quick demo, train, ask the base and the trained model the same. Which one is next
is derived from what lies in the workspace, whoever put it there.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from backend.chat import conversations
from backend.chat.choices import distinct, keys_to_compare
from backend.chat.conversations import Conversation, SavedColumn
from backend.chat.room import Room
from backend.chat.settings import Settings
from backend.chat.under_way import Asking
from backend.data.drafts import draft_age
from backend.data.preparing import list_preparing, offered_name, start_preparing
from backend.data.recipe import settings_of
from backend.data.registry import PreparedDataset, lessons_of, prepared_folders
from backend.data.tasks import Task, TaskState
from backend.errors import DataError, MedTuneError, RunError
from backend.library.datasets import SAMPLES
from backend.services import Services
from backend.text import LANGUAGES
from backend.training import saved
from backend.training.presets import apply, list_presets
from backend.training.runs import Run, list_runs, read_progress
from backend.training.schema import defaults
from backend.workspace import Workspace

PRESET = "quick_demo"

NAME = "quick-demo"
"""Of the saved settings, and of the run; a run that is made after one that failed gets a number."""

SHARE, SEED = 10, 42
"""For validation, in percent, and for the split: what the Data tab offers."""

_MINE = re.compile(rf"{NAME}(-\d+)?")


class Step(StrEnum):
    """What is next, in this order."""

    TAKE = "take"
    PREPARE = "prepare"
    SETTINGS = "settings"
    START = "start"
    COMPARE = "compare"
    DONE = "done"


STEPS = tuple(step for step in Step if step is not Step.DONE)


class Offer(StrEnum):
    """To whom the steps are offered."""

    NEWCOMER = "open"  # who has not trained anything else
    DONE = "done"  # who sees them already: all of them are done
    NOBODY = "closed"  # who asks for them


@dataclass(frozen=True)
class State:
    """Where the workspace stands.

    Attributes:
        going: The step goes on by itself.
        share: How much of that is done; None where that is unknown.
        failed: It was tried and did not get to its end.
        name: What it works on: the dataset or the run.
    """

    step: Step
    offer: Offer
    going: bool = False
    share: float | None = None
    failed: bool = False
    name: str = ""


class FirstSteps:
    """The steps of one workspace: which is next, and doing it. Safe among threads."""

    def __init__(self, services: Services, room: Room) -> None:
        self._services, self._room = services, room
        self._workspace = services.workspace
        self._lock = threading.Lock()
        self._answered: tuple[object, bool] = (None, False)

    def state(self) -> State:
        """Costs a look at what a newcomer has; asked for by who sees the steps only."""
        runs = list_runs(self._workspace)
        mine = next((run for run in runs if _is_mine(run)), None)
        state = (self._of_run(mine) if mine else None) or self._of_data(mine)
        if not all(map(_is_mine, runs)) or self._services.read_only:
            return state
        offer = Offer.DONE if state.step is Step.DONE else Offer.NEWCOMER
        return replace(state, offer=offer)

    # What is done

    def take(self, language: str) -> str:
        """Id of the sample data: those that were begun with, else those in this language."""
        begun = self._begun()
        own = f"sample/medical_{language}"
        return own if own in begun or not begun else begun[0]

    def prepare(self, language: str) -> str:
        """Prepare the sample data, unless that is done or under way; returns their id.

        Raises:
            MedTuneError: as ``start_preparing``.
        """
        source = self.take(language)
        if self.state().step in (Step.TAKE, Step.PREPARE) and not self._preparing():
            desk = self._services.desk
            look = desk.look(source)
            start_preparing(
                self._workspace,
                look.path,
                look.recipe,
                settings_of(offered_name(self._workspace, source), percent=SHARE, seed=SEED),
                evaluation=look.evaluation,
                lengths=desk.lengths_folder(look) if look.recipe.cutoff else None,
            )
        return source

    def settings(self) -> dict[str, Any]:
        """The values of the quick demo with the sample data, also kept under a name.

        Raises:
            DataError: nothing is prepared.
            MedTuneError: as ``saved.save``.
        """
        values = self._values()
        if not self._settings_kept():
            saved.save(self._workspace, NAME, values)
        return values

    def start(self, form: Mapping[str, Any]) -> Run:
        """Start the run, unless it is there already.

        Args:
            form: The form's values, which are taken where they train the demo model on the sample.

        Raises:
            MedTuneError: as ``Supervisor.start``.
        """
        mine = self._mine()
        if mine is not None and (mine.state.pending or distinct(mine)):
            return mine
        own = self._values()
        same = all(form.get(name) == own[name] for name in ("model", "dataset"))
        values = dict(form) if same else own
        return self._services.supervisor.start({**values, "run_name": own["run_name"]})

    def compare(self) -> None:
        """Show the base and the trained model, and bring them into memory.

        Raises:
            RunError: there is no trained model.
            EngineError: the base is gone, or a process can't be started.
        """
        run = self._mine()
        if run is None or not distinct(run):
            raise RunError("training.errors.run_missing", run=NAME)
        keys = keys_to_compare(self._workspace, run, distinct(run)[-1].name)
        if any(column.messages for column in self._room.conversation().columns):
            self._room.begin()
        self._room.choose(keys)
        self._room.loader.load()

    @property
    def loading(self) -> bool:
        """Whether what was chosen is still being brought into memory."""
        return any(not engine.loading.over for engine in self._room.loader.engines)

    def ask(self, settings: Settings) -> Asking:
        """Ask what the trained model was taught first.

        Raises:
            EngineError: nobody can be asked.
        """
        data = self._data()
        first = next(lessons_of(data), None) if data else None
        return self._room.talk.ask(first.question if first else "", settings)

    # How it is derived

    def _of_run(self, run: Run) -> State | None:
        """Where a run stands; None where it left nothing, and its data are gone."""
        if run.state.pending:
            progress = read_progress(run)
            share = progress.step / max(progress.total, 1) if progress else None
            return State(Step.START, Offer.NOBODY, True, share, name=run.id)
        if distinct(run):
            if self._was_answered(run):
                return State(Step.DONE, Offer.NOBODY, name=run.id)
            going = self.loading or bool(self._room.talk.live())
            return State(Step.COMPARE, Offer.NOBODY, going, name=run.id)
        return State(Step.START, Offer.NOBODY, failed=True, name=run.id) if self._data() else None

    def _of_data(self, failed: Run | None) -> State:
        if data := self._data():
            step = Step.START if failed or self._settings_kept() else Step.SETTINGS
            return State(step, Offer.NOBODY, name=data.name)
        if task := self._preparing():
            share = min(task.done / task.total, 1.0) if task.total else None
            name = str(task.asked["settings"]["name"])
            return State(Step.PREPARE, Offer.NOBODY, True, share, name=name)
        begun = self._begun()
        if not begun:
            return State(Step.TAKE, Offer.NOBODY)
        tasks = [task for one in begun for task in self._tasks(one)]
        failed_once = any(task.problem is not None for task in tasks)
        return State(Step.PREPARE, Offer.NOBODY, failed=failed_once)

    def _mine(self) -> Run | None:
        """The newest run of these steps."""
        return next((run for run in list_runs(self._workspace) if _is_mine(run)), None)

    def _begun(self) -> list[str]:
        """Ids of the samples that somebody has looked at, the latest first."""
        ids = [f"sample/medical_{language}" for language in LANGUAGES]
        ages = {one: draft_age(self._workspace, one) for one in ids}
        return sorted((one for one in ids if ages[one] < math.inf), key=lambda one: ages[one])

    def _tasks(self, source_id: str) -> list[Task]:
        return list_preparing(
            self._workspace, SAMPLES / f"{source_id.removeprefix('sample/')}.json"
        )

    def _preparing(self) -> Task | None:
        tasks = [task for one in self._begun() for task in self._tasks(one)]
        return next((task for task in tasks if task.state is TaskState.RUNNING), None)

    def _data(self) -> PreparedDataset | None:
        """The newest dataset that was made of sample data."""
        made = [one for one in prepared_folders(self._workspace) if _is_sample(one.report.source)]
        return max(made, key=lambda one: one.created, default=None)

    def _values(self) -> dict[str, Any]:
        data = self._data()
        if data is None:
            raise DataError("data.errors.prepared_missing", name="medical")
        preset = next(one for one in list_presets() if one.name == PRESET)
        own = {"dataset": data.name, "run_name": _free_run(self._workspace)}
        return {**apply(preset, defaults()), **own}

    def _settings_kept(self) -> bool:
        return (self._workspace.settings / f"{NAME}.json").is_file()

    def _was_answered(self, run: Run) -> bool:
        """Whether somebody has asked the run and its base the same; read anew when a conversation
        is written."""
        listing = self._room.present.listing
        with self._lock:
            stamp = (run.id, run.created, listing.stamp())
            if self._answered[0] != stamp:
                answered = any(self._has_both(one.id, run) for one in listing.entries())
                self._answered = (stamp, answered)
            return self._answered[1]

    def _has_both(self, conversation_id: str, run: Run) -> bool:
        try:
            return both_answered(conversations.load(self._workspace, conversation_id), run.id)
        except MedTuneError:  # it was deleted just now
            return False


def _is_mine(run: Run) -> bool:
    return _MINE.fullmatch(run.id) is not None


def both_answered(conversation: Conversation, run_id: str) -> bool:
    """Whether a base and a checkpoint of the run have answered the same question."""
    columns = [*conversation.columns, *conversation.removed]
    base = [_answered(one) for one in columns if one.kind == "base"]
    mine = [_answered(one) for one in columns if one.run == run_id]
    return bool(set().union(*base) & set().union(*mine))


def _answered(column: SavedColumn) -> set[str]:
    said = (one for one in column.messages if one.role == "assistant" and one.content)
    return {one.turn for one in said}


def _is_sample(source: str) -> bool:
    """Also where the checkout has moved since."""
    path = Path(source)
    return path.parent.name == SAMPLES.name and (SAMPLES / path.name).is_file()


def _free_run(workspace: Workspace) -> str:
    taken = {path.name for path in workspace.runs.glob("*")}
    names = [NAME, *(f"{NAME}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
