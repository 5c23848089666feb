"""Brings what the columns need into memory, and says how each of them is.

An engine holds one base; columns on the same base share it. What is loaded is the engines' word and
is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from backend.chat.answering import Target
from backend.chat.columns import Bits, Column
from backend.chat.conversations import SavedColumn
from backend.chat.engine import Engine
from backend.chat.engines import EngineManager
from backend.chat.fitting import Fit, fit, free
from backend.chat.likeness import Likeness
from backend.chat.present import Present
from backend.chat.remotes import Remotes
from backend.chat.sources import Source, source_of, sources
from backend.errors import EngineError, MedTuneError
from backend.library.adapters import Adapter, import_adapter
from backend.library.models import list_models

MOST_COLUMNS = 6

State = Literal["remote", "unloaded", "loading", "ready", "failed", "no_room"]


@dataclass(frozen=True)
class ColumnState:
    """How a column is.

    Attributes:
        state: "remote" is asked over the network and needs no loading; "no_room" did not fit.
        error: Why it failed.
        device: Where and in which numbers it computes, e.g. "cpu, float32".
        bits: That its base was loaded in; None as it is saved.
        alone: What keeps it out of the batch that the others share; empty where it mixes.
        mark: What tells its weights from others; empty until that is known.
        twins: Keys of the other columns with the very same weights, in the same numbers.
        fit: Needed and free where there was no room.
        template: That its prompts are made with; empty for "remote".
        address: Where it is asked, for "remote".
    """

    state: State
    error: MedTuneError | None = None
    device: str = ""
    bits: Bits = None
    alone: str = ""
    mark: str = ""
    twins: tuple[str, ...] = ()
    fit: Fit | None = None
    template: str = ""
    address: str = ""

    @property
    def proof(self) -> str:
        """What tells its answers from those of others: weights, and bits where they are fewer."""
        return proof(self.mark, self.bits)


@dataclass(frozen=True)
class Memory:
    """Free bytes on the engine's device before it was started, and when it was ready."""

    before: int
    after: int | None = None


class Loader:
    """The engines of a room. Safe among threads.

    Attributes:
        bits: That bases are loaded in from now on; None as they are saved.
    """

    def __init__(self, present: Present, engines: EngineManager, remotes: Remotes) -> None:
        self._present = present
        self._engines = engines
        self.remotes = remotes
        self.bits: Bits = None
        self._likeness = Likeness(present.workspace.cache / "weights.json", present.noticed)
        self._refused: dict[Path, Fit] = {}
        self._memory: dict[Path, Memory] = {}
        # What the last unload gave back: any page may draw the status after it, not only the one
        # that asked for it.
        self.freed: int | None = None

    @property
    def engines(self) -> list[Engine]:
        return self._engines.engines

    @property
    def refused(self) -> Mapping[Path, Fit]:
        """Bases that did not fit at the last loading."""
        return dict(self._refused)

    def memory(self, engine: Engine) -> Memory | None:
        """What was free before and after an engine was loaded; None where nobody looked."""
        known = self._memory.get(engine.model_path)
        if known is not None and known.after is None and engine.ready:
            known = self._memory[engine.model_path] = Memory(known.before, free())
        return known

    def sources(self) -> dict[str, Source]:
        """All that can answer, by key."""
        found = sources(self._present.workspace, self.remotes.models())
        return {one.key: one for one in found}

    def choose(self, keys: Sequence[str]) -> None:
        """Show columns of these sources, in this order; those that were there keep what they said.

        Raises:
            EngineError: none is chosen, or one is not there any more.
        """
        known = self.sources()
        shown = {column.key: column for column in self._present.current().columns}
        wanted = []
        for key in list(dict.fromkeys(keys))[:MOST_COLUMNS]:
            if key in known:
                wanted.append(known[key].saved())
            elif key in shown:
                wanted.append(shown[key])
        if not wanted:
            raise EngineError("chat.errors.no_column")
        self._present.arrange(wanted)
        self._let_go()

    def move(self, key: str, by: int) -> None:
        """Put a column further right, or left."""
        columns = list(self._present.current().columns)
        place = next((number for number, one in enumerate(columns) if one.key == key), None)
        if place is None:
            return
        column = columns.pop(place)
        columns.insert(min(max(place + by, 0), len(columns)), column)
        self._present.arrange(columns)

    def remove(self, key: str) -> None:
        """Take a column away; what it said is kept with the conversation."""
        columns = [one for one in self._present.current().columns if one.key != key]
        self._present.arrange(columns)
        self._let_go()

    def load(self, *, anyway: bool = False) -> None:
        """Bring what the columns need into memory; returns at once, it loads in the background.

        Engines whose base no column needs any more, or not in so many bits, are ended first.

        Args:
            anyway: Also what needs more memory than is free.

        Raises:
            EngineError: no column is chosen, or a process can't be started.
        """
        needed = self._needed()
        if not self._present.current().columns:
            raise EngineError("chat.errors.no_column")
        self.freed = None
        for engine in self.engines:
            if engine.model_path not in needed or engine.bits != self.bits:
                self._end(engine.model_path)
        self._refused.clear()
        for folder, columns in needed.items():
            if not self._engines.is_usable(folder, self.bits):
                room = self._fit(folder)
                if not room.fits and not anyway:
                    self._refused[folder] = room
                    continue
                self._memory[folder] = Memory(free())
            self._engines.load(folder, columns, self.bits)

    def load_alone(self, folder: Path) -> None:
        """End the other engines, and load what did not fit beside them.

        Raises:
            EngineError: a process can't be started.
        """
        if folder not in self._refused:
            return
        for engine in self.engines:
            self._end(engine.model_path)
        columns = self._needed().get(folder)
        self._refused.clear()
        room = self._fit(folder)
        if columns and room.fits:
            self._memory[folder] = Memory(free())
            self._engines.load(folder, columns, self.bits)
        elif columns:
            self._refused[folder] = room

    def unload(self, folder: Path | None = None) -> int | None:
        """End one engine, or all; the bytes that came back, or None where nothing was loaded."""
        if not any(folder in (None, engine.model_path) for engine in self.engines):
            return None
        self._refused.clear()
        self.freed = self._engines.unload(folder)
        return self.freed

    def import_adapter(
        self, source: Path, *, name: str | None, base: str | None, link: bool
    ) -> Adapter:
        """Bring in an adapter that was trained elsewhere; see ``adapters.import_adapter``."""
        workspace = self._present.workspace
        models = list_models(workspace)
        return import_adapter(workspace, source, models, name=name, base=base, link=link)

    def states(self) -> dict[str, ColumnState]:
        """How each column is now, by key."""
        known = self.sources()
        columns = self._present.current().columns
        found = {column.key: self._state(column, known) for column in columns}
        for key, one in found.items():
            if one.mark:
                self._present.prove(key, one.mark)
        return self._with_twins(found, known)

    def _with_twins(
        self, found: Mapping[str, ColumnState], known: Mapping[str, Source]
    ) -> dict[str, ColumnState]:
        """Say which of the loaded columns have the same weights: base, adapter and bits."""
        loaded = {key: known[key] for key, one in found.items() if one.mark}
        folders = {key: source.folder for key, source in loaded.items() if source.folder}
        bases = self._likeness.marks(list(dict.fromkeys(folders.values())))
        weights = {
            key: (bases[folder], found[key].mark if loaded[key].adapter else "", found[key].bits)
            for key, folder in folders.items()
        }
        return {
            key: replace(
                one,
                twins=tuple(
                    other for other in weights if other != key and weights[other] == weights[key]
                )
                if key in weights
                else (),
            )
            for key, one in found.items()
        }

    def targets(self, columns: Sequence[SavedColumn]) -> dict[str, Target]:
        """Where and how each column is asked, by key; refused where it can't be."""
        known = self.sources()
        return {column.key: self._target(column, known) for column in columns}

    def _target(self, column: SavedColumn, known: Mapping[str, Source]) -> Target:
        try:
            source = source_of(column, known)
        except EngineError as error:
            return Target(url="", model=column.key, refused=error)
        if source.folder is None:
            return self._remote(source)
        engine = self._engines.get(source.folder)
        held = {one.key for one in engine.columns} if engine else set()
        if engine is None or source.key not in held:
            refused = EngineError("engine.errors.column_unknown", column=column.label)
            return Target(url="", model=column.key, refused=refused)
        return engine.target(source.key)

    def _remote(self, source: Source) -> Target:
        refused = None
        if not self.remotes.is_agreed(source.address):
            refused = EngineError("chat.remote.errors.not_agreed", host=source.address)
        return Target(
            url=source.address,
            model=source.model,
            headers=self.remotes.headers(source.address),
            server=source.address,
            refused=refused,
        )

    def _state(self, column: SavedColumn, known: Mapping[str, Source]) -> ColumnState:
        try:
            source = source_of(column, known)
        except EngineError as gone:
            return ColumnState("failed", gone)
        if source.folder is None:
            return ColumnState("remote", self._remote(source).refused, address=source.address)
        engine = self._engines.get(source.folder)
        mine = {one.key: one for one in engine.columns} if engine else {}
        if engine is None or source.key not in mine:
            room = self._refused.get(source.folder)
            state: State = "no_room" if room else "unloaded"
            return ColumnState(state, fit=room, template=source.template)
        template, loading = mine[source.key].template, engine.loading
        error = loading.error or engine.column_errors.get(source.key)
        if error is not None:
            return ColumnState("failed", error, template=template)
        mark = mark_of(engine, mine[source.key])
        state = "ready" if mark else "loading"
        return ColumnState(
            state,
            device=engine.device,
            bits=engine.bits,
            alone=engine.alone(source.key),
            mark=mark,
            template=template,
        )

    def _needed(self) -> dict[Path, list[Column]]:
        """The columns of each base, in order. The base is asked as the checkpoints beside it."""
        known = self.sources()
        found: dict[Path, list[Column]] = {}
        for column in self._present.current().columns:
            source = known.get(column.key)
            if source is not None and source.folder is not None:
                found.setdefault(source.folder, []).append(source.column())
        return {folder: asked_alike(columns) for folder, columns in found.items()}

    def _let_go(self) -> None:
        """Let engines hold no adapter that no column shows; bases stay until they are unloaded."""
        needed = self._needed()
        for engine in self.engines:
            wanted = {column.key for column in needed.get(engine.model_path, ())}
            kept = [column for column in engine.columns if column.key in wanted]
            if engine.usable and len(kept) != len(engine.columns):
                engine.show(kept)

    def _fit(self, folder: Path) -> Fit:
        """Whether a base fits beside the engines that are still filling their memory."""
        coming = 0
        for engine in self.engines:
            if engine.usable and not engine.loading.over:
                coming += max(0, fit(engine.model_path, engine.bits).needed - engine.memory())
        one = fit(folder, self.bits)
        return Fit(one.needed, max(one.free - coming, 1)) if one.free else one

    def _end(self, folder: Path) -> None:
        self._engines.unload(folder)
        self._memory.pop(folder, None)


def mark_of(engine: Engine, column: Column) -> str:
    """What tells a column's weights from others; empty until they are loaded."""
    loaded = engine.fingerprint(column.key)
    if loaded is None:
        return ""
    return loaded if column.adapter_path else engine.base_mark


def proof(mark: str, bits: Bits) -> str:
    """A mark of weights, with the bits where they were quantised: they answer otherwise then."""
    return f"{mark}-{bits}bit" if mark and bits else mark


def asked_alike(columns: Sequence[Column]) -> list[Column]:
    """The columns, the base with the template with which the checkpoints beside it were trained.

    With another prompt the base would look worse, or better, for no merit of the training.
    """
    ways = {(column.template, column.thinking) for column in columns if column.adapter_path}
    if len(ways) != 1:
        return list(columns)
    ((template, thinking),) = ways
    return [replace(column, template=template, thinking=thinking) for column in columns]
