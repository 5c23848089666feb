"""Models and checkpoints: loaded, asked, unloaded."""

from __future__ import annotations

from typing import Any

from backend.chat.ballots import is_blind
from backend.chat.dataset_questions import Question
from backend.chat.loading import MOST_COLUMNS, ColumnState
from backend.chat.room import Room
from backend.chat.room_bench import RoomBench
from backend.chat.settings import Settings, Thinking
from backend.chat.sheets import Answer, Sheet, find_sheet, make_sheet
from backend.chat.sources import Source
from backend.errors import CallError, EngineError
from backend.services import Services
from ui.outside.endpoint import await_until

MOST_ANSWERED = 200
"""Questions in one answer."""


class ColumnActions:
    """The Chat tab for programs: the same columns as on the page, beside its conversation.

    Args:
        room: That of the page, since the models in memory are the same.
    """

    def __init__(self, services: Services, room: Room) -> None:
        self._workspace = services.workspace
        self._asking = services.asking
        self._room = room
        self._bench = RoomBench(room)

    def list_columns(self, language: str) -> list[dict[str, Any]]:
        """All that can be asked: models, checkpoints of runs, imported adapters, models behind
        addresses that were added on the page.

        Returns:
            A list of objects: `column` (its key), `label`, `kind` (base, lora, full, imported,
            remote), `model`, `run`, `step` (null where it is no checkpoint), `state` (unloaded,
            loading, ready, failed, no_room, remote), `device`, `problem` (a sentence or null).
        """
        states = self._room.loader.states()
        known = self._room.loader.sources().values()
        return [_column(one, states.get(one.key), language) for one in known]

    def load_columns(
        self, language: str, columns: list[str], wait_seconds: float = 0
    ) -> list[dict[str, Any]]:
        """Show these columns on the page and bring what they need into memory; columns that share a
        base share its memory. What no column needs any more is unloaded.

        Args:
            columns: Keys from `list_columns` or `list_checkpoints`, at most 6.
            wait_seconds: Wait until all of them are ready or can't be, for 0 to 60 seconds.

        Returns:
            As `list_columns`, of these columns only.
        """
        loader = self._room.loader
        known = loader.sources()
        if not 0 < len(columns) <= MOST_COLUMNS:
            raise CallError("outside.errors.column_count", most=MOST_COLUMNS)
        for key in columns:
            if key not in known:
                raise EngineError("engine.errors.column_unknown", column=key[:80])
        self._room.choose(columns)
        loader.load()
        await_until(
            lambda: all(one.state != "loading" for one in loader.states().values()), wait_seconds
        )
        states = loader.states()
        return [_column(known[key], states.get(key), language) for key in dict.fromkeys(columns)]

    def unload_columns(self, language: str) -> dict[str, Any]:
        """End all engines, which gives their memory back. Answers that still come are cut off.

        Returns:
            An object: `freed_bytes`; null where nothing was loaded.
        """
        return {"freed_bytes": self._room.loader.unload()}

    def ask_columns(
        self,
        language: str,
        questions: list[str],
        columns: list[str] | None = None,
        temperature: float = 0.6,
        top_p: float = 0.95,
        top_k: int = 0,
        repetition_penalty: float = 1.0,
        max_tokens: int = 1024,
        seed: int | None = None,
        system: str = "",
        thinking: Thinking = "trained",
        title: str = "",
        wait_seconds: float = 0,
    ) -> dict[str, Any]:
        """Ask loaded columns questions, each of them all of it, without what was said before. The
        answers are kept as a sheet, which the page shows under Ask many; they go on coming when
        the client leaves. Follow them with `follow_answers`.

        Args:
            questions: At most 10,000.
            columns: Keys of loaded columns; null for all that are loaded.
            temperature: 0 to 2; 0 takes the most likely token at each step.
            top_p: 0.01 to 1.
            top_k: 0 to 1,000; 0 is off.
            repetition_penalty: 0.5 to 2; 1 is off.
            max_tokens: Of an answer with its reasoning, 1 to 32,768.
            seed: The same one gives the same answers; null for others each time.
            system: A system prompt.
            thinking: trained (as the model was taught), on or off.
            title: Of the sheet; the first question where it is empty.
            wait_seconds: Wait until all have answered, for 0 to 60 seconds.

        Returns:
            As `follow_answers`.
        """
        settings = Settings(
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            max_tokens=max_tokens,
            seed=seed,
            system=system,
            thinking=thinking,
        )
        loaded = self._bench.contestants()
        ready = {one.key for one in loaded}
        for key in columns or ():
            if key not in ready:
                raise EngineError("engine.errors.column_unknown", column=key[:80])
        asked = [one for one in loaded if columns is None or one.key in columns]
        made = make_sheet(
            self._workspace, [Question(one) for one in questions], asked, settings, title=title
        )
        self._asking.start(made, self._bench.target)
        return self.follow_answers(language, made.id, wait_seconds=wait_seconds)

    def follow_answers(
        self, language: str, sheet: str, first_question: int = 1, wait_seconds: float = 0
    ) -> dict[str, Any]:
        """How far a sheet of questions is, and what was answered so far.

        Args:
            sheet: Its id, as `ask_columns` answered it.
            first_question: Number of the first question whose answers are told, from 1.
            wait_seconds: Wait until all have answered, for 0 to 60 seconds.

        Returns:
            An object: `sheet` (its id), `state` (asking, complete, stopped, interrupted), `done`,
            `failed` and `total` (answers), `problems` (column: why it could not be asked),
            `answers` (to at most 200 questions; of each `number` and `question`, `column`,
            `reasoning`, `answer`, `tokens`, `end` (stop, length, cancelled), `seconds`, `problem`),
            `more` (there are later questions).
        """
        found = find_sheet(self._workspace, sheet)
        if first_question < 1:
            raise CallError("outside.errors.first", name="first_question")
        if is_blind(self._workspace, sheet):
            raise EngineError("chat.many.hidden")
        await_until(lambda: self._asking.progress(found).state != "asking", wait_seconds)
        progress = self._asking.progress(found)
        end = min(first_question - 1 + MOST_ANSWERED, found.count)
        return {
            "sheet": found.id,
            "state": progress.state,
            "done": progress.done,
            "failed": progress.failed,
            "total": progress.total,
            "problems": {key: one.sentence(language) for key, one in progress.lost.items()},
            "answers": _answers(found, first_question - 1, end, language),
            "more": end < found.count,
        }

    def stop_answers(self, language: str, sheet: str) -> dict[str, Any]:
        """Stop asking a sheet; the answers that came are kept.

        Args:
            sheet: Its id, as `ask_columns` answered it.

        Returns:
            As `follow_answers`.
        """
        self._workspace.check_writable()
        self._asking.stop(find_sheet(self._workspace, sheet))
        return self.follow_answers(language, sheet)


def _column(source: Source, state: ColumnState | None, language: str) -> dict[str, Any]:
    error = state.error if state else None
    return {
        "column": source.key,
        "label": source.label,
        "kind": source.kind,
        "model": source.model,
        "run": source.run,
        "step": source.step,
        "state": state.state if state else "remote" if source.kind == "remote" else "unloaded",
        "device": state.device if state else "",
        "problem": error.sentence(language) if error else None,
    }


def _answers(sheet: Sheet, start: int, end: int, language: str) -> list[dict[str, Any]]:
    questions, answers = sheet.questions(start, end), sheet.answers(start, end)
    return [
        {"number": number + 1, "question": question.text, **_answer(answer, language)}
        for number, question in enumerate(questions, start)
        for column in sheet.columns
        if (answer := answers.get((number, column.key))) is not None
    ]


def _answer(answer: Answer, language: str) -> dict[str, Any]:
    error = answer.stats.get("error")
    return {
        "column": answer.column,
        "reasoning": answer.reasoning,
        "answer": answer.text,
        "tokens": answer.stats.get("tokens"),
        "end": answer.stats.get("reason"),
        "seconds": answer.stats.get("seconds"),
        "problem": EngineError(error["key"], **error["params"]).sentence(language)
        if error
        else None,
    }
