"""Lessons of rows that have prompt and answer whole: alpaca, messages, preference pairs.

What the file says is kept byte for byte. Knows nothing about files and templates.
"""

from __future__ import annotations

from typing import Any

from backend.data.meaning.chat import (
    Reply,
    Talk,
    refuse_answered,
    refuse_unanswered,
    reply_of,
    talk_of,
)
from backend.data.meaning.faults import Unusable, blank, present
from backend.data.meaning.fields import (
    Maker,
    Value,
    answer_of,
    column_of,
    question_of,
    system_of,
)
from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.meaning.mapping import ColumnMap, Role


def alpaca_maker(columns: ColumnMap) -> Maker:
    """Makes lessons of instruction, input, output, and perhaps earlier turns.

    Raises:
        DataError: a role lacks its column.
    """
    ask, tell, system = question_of(columns), answer_of(columns), system_of(columns)
    history = columns.column(Role.HISTORY)

    def make(value: Value) -> Lesson:
        earlier = _history(value.get(history), history) if history else ()
        turns = (*earlier, Turn("user", ask(value)), Turn("assistant", tell(value)))
        return Lesson(turns, system(value))

    return make


def chat_maker(columns: ColumnMap) -> Maker:
    """Makes lessons of lists of messages.

    Raises:
        DataError: a role lacks its column.
    """
    messages, system = column_of(columns, Role.MESSAGES), system_of(columns)

    def make(value: Value) -> Lesson:
        talk = talk_of(present(value, messages), messages, reasoning=columns.reasoning)
        refuse_unanswered(talk.turns, messages)
        # As LLaMA-Factory does: what stands among the messages goes before the column.
        return Lesson(talk.turns, talk.system or system(value))

    return make


def preference_maker(columns: ColumnMap) -> Maker:
    """Makes lessons of a prompt, a better and a worse answer, each a text or messages.

    Raises:
        DataError: a role lacks its column.
    """
    ask, system = question_of(columns), system_of(columns)
    prompt, chosen, rejected = (
        column_of(columns, role) for role in (Role.QUESTION, Role.CHOSEN, Role.REJECTED)
    )

    def make(value: Value) -> Lesson:
        held = present(value, prompt)
        talk = (
            Talk("", (Turn("user", ask(value)),))
            if held is None or isinstance(held, str)
            else talk_of(held, prompt, reasoning=columns.reasoning)
        )
        refuse_answered(talk.turns, prompt)
        better = reply_of(present(value, chosen), chosen, reasoning=columns.reasoning)
        worse = reply_of(present(value, rejected), rejected, reasoning=columns.reasoning)
        talk = _agreed(_agreed(talk, better, chosen), worse, rejected)
        pair = Pair(better.content, worse.content)
        return Lesson(talk.turns, talk.system or system(value), pair)

    return make


def _history(value: Any, column: str) -> tuple[Turn, ...]:
    """Earlier turns, from pairs of question and answer."""
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(_is_pair(pair) for pair in value):
        raise Unusable("data.problems.history_broken", column=column)
    return tuple(
        turn for asked, told in value for turn in (Turn("user", asked), Turn("assistant", told))
    )


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(words, str) and not blank(words) for words in value)
    )


def _agreed(talk: Talk, reply: Reply, column: str) -> Talk:
    """The prompt of a pair where an answer brings the conversation before it along, too.

    A prompt that is only the first or the last question of that conversation is completed by it.
    """
    if not reply.before.turns:
        return talk
    brought = [turn.content.strip() for turn in reply.before.turns]
    asked = [turn.content.strip() for turn in talk.turns]
    if brought != asked and (len(asked) > 1 or asked[0] not in (brought[0], brought[-1])):
        raise Unusable("data.problems.pair_other_prompt", column=column)
    return Talk(talk.system or reply.before.system, reply.before.turns)
