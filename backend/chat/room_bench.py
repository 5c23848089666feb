"""The room as the tools beside the conversation see it: a ``Bench``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.chat.answering import Target
from backend.chat.bench import LastAnswer, Prompt, prompt_of
from backend.chat.columns import Column
from backend.chat.conversations import SavedColumn, SavedMessage
from backend.chat.engine import Engine
from backend.chat.loading import ColumnState, mark_of, proof
from backend.chat.room import Room
from backend.chat.settings import THINKS, Thinking
from backend.chat.sheets import Contestant
from backend.chat.talking import history
from backend.errors import EngineError


class RoomBench:
    """The columns of one room."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def contestants(self) -> list[Contestant]:
        """Those that can be asked now, in their order."""
        states = self._room.loader.states()
        return [
            _contestant(column, states.get(column.key))
            for column in self._room.conversation().columns
            if _can_be_asked(states.get(column.key))
        ]

    def shown(self) -> list[Contestant]:
        """All that are on the page."""
        states = self._room.loader.states()
        columns = self._room.conversation().columns
        return [_contestant(column, states.get(column.key)) for column in columns]

    def target(self, column: Contestant) -> Target:
        """Where it is asked; refused where it is not loaded, or not as it was."""
        target = self._room.loader.targets([_saved(column)])[column.key]
        if target.refused is not None or column.kind == "remote":
            return target
        engine = self._engine(column.key)
        held = {one.key: one for one in engine.columns} if engine else {}
        now = held.get(column.key)
        same = engine is not None and now is not None and _proof(engine, now) == column.fingerprint
        if same and now is not None and now.template == column.template:
            return target
        refused = EngineError("chat.many.errors.other_weights", name=column.label)
        return replace(target, refused=refused)

    def last_answers(self) -> list[LastAnswer]:
        """One for each column; without a question where it has answered nothing yet."""
        return [_last(column) for column in self._room.conversation().columns]

    def prompt(self, key: str, typed: str, system: str, thinking: Thinking) -> Prompt | None:
        """The prompt of the question that is typed, else of the last one; None for a remote model.

        Raises:
            EngineError: there is no such column, it is not loaded, or nothing was asked.
        """
        column = self._room.conversation().column(key)
        if column is None:
            raise EngineError("engine.errors.column_unknown", column=key)
        if column.kind == "remote":
            return None
        target, engine = self._room.loader.targets([column])[key], self._engine(key)
        if target.refused is not None:
            raise target.refused
        if engine is None:
            raise EngineError("engine.errors.column_unknown", column=column.label)
        if not typed:
            system, thinking = _asked_with(column)
        messages = _told(column, typed, system)
        state = self._room.loader.states().get(key)
        answer = engine.prompt(key, messages, thinking)
        return prompt_of(_contestant(column, state), answer, sent=not typed)

    def runs(self) -> list[str]:
        """Ids of the runs among the columns."""
        return [column.run for column in self._room.conversation().columns if column.run]

    def _engine(self, key: str) -> Engine | None:
        """The engine that holds a column."""
        holding = (
            engine
            for engine in self._room.loader.engines
            if any(one.key == key for one in engine.columns)
        )
        return next(holding, None)


def _proof(engine: Engine, column: Column) -> str:
    return proof(mark_of(engine, column), engine.bits)


def _can_be_asked(state: ColumnState | None) -> bool:
    return state is not None and state.state in ("ready", "remote") and state.error is None


def _contestant(column: SavedColumn, state: ColumnState | None) -> Contestant:
    return Contestant(
        key=column.key,
        label=column.label,
        kind=column.kind,
        model=column.model,
        template=state.template if state else column.template,
        fingerprint=state.proof if state else "",
        address=column.address,
    )


def _saved(column: Contestant) -> SavedColumn:
    """The column with nothing said, by which the loader finds its source."""
    found = SavedColumn(column.key, column.label, model=column.model, address=column.address)
    if column.kind == "remote":
        found.kind = "remote"
    return found


def _last(column: SavedColumn) -> LastAnswer:
    who = _contestant(column, None)
    place = _last_question(column.messages)
    if place is None:
        return LastAnswer(who)
    answer = next((one for one in column.messages[place:] if one.role == "assistant"), None)
    asked = column.messages[place].content
    return LastAnswer(who, asked, answer.reasoning, answer.text) if answer else LastAnswer(who)


def _last_question(messages: Sequence[SavedMessage]) -> int | None:
    places = [place for place, one in enumerate(messages) if one.role == "user"]
    return places[-1] if places else None


def _asked_with(column: SavedColumn) -> tuple[str, Thinking]:
    """System prompt and reasoning of the last question."""
    place = _last_question(column.messages) or 0
    answer = next((one for one in column.messages[place:] if one.role == "assistant"), None)
    settings = answer.settings if answer else {}
    said = settings.get("thinking")
    thinking: Thinking = next((way for way in THINKS if way == said), "trained")
    return str(settings.get("system", "")), thinking


def _told(column: SavedColumn, typed: str, system: str) -> list[dict[str, str]]:
    """What the model is told, as for an answer."""
    if not typed:
        place = _last_question(column.messages)
        if place is None:
            raise EngineError("chat.errors.empty_message")
        said = column.messages[: place + 1]
        typed, before = said[-1].content, said[:-1]
    else:
        before = column.messages
    head = [{"role": "system", "content": system}] if system else []
    return [*head, *history(before), {"role": "user", "content": typed}]
