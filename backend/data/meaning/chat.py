"""Lists of messages, ShareGPT's and OpenAI's, as a system prompt and turns.

What the model is taught is kept byte for byte. A list that LLaMA-Factory would drop with a warning
in its log, or that asks for tools, is refused with a reason. Knows nothing about files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from backend.data.meaning.faults import SHOWN, Unusable, blank
from backend.data.meaning.lesson import Speaker, Turn, output_of

Side = Literal["system", "user", "assistant", "tool"]

_SIDES: Mapping[str, Side] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "tool_call": "tool",
    "tool_response": "tool",
    "function": "tool",
    "function_call": "tool",
    "observation": "tool",
}
_FORMS = (("role", "content"), ("from", "value"))
_CALLS = ("tool_calls", "function_call")

_EMPTY: Mapping[Speaker, str] = {
    "user": "data.problems.empty_question",
    "assistant": "data.problems.empty_answer",
}
_TWICE: Mapping[Speaker, str] = {
    "user": "data.problems.twice_user",
    "assistant": "data.problems.twice_assistant",
}


class Talk(NamedTuple):
    """What a list of messages says."""

    system: str
    turns: tuple[Turn, ...]


class Reply(NamedTuple):
    """An answer, and the conversation before it where the file repeats that."""

    before: Talk
    content: str


def talk_of(messages: Any, column: str, *, reasoning: bool = True) -> Talk:
    """The system prompt and the turns of a list of messages, user and assistant by turns.

    Args:
        messages: As in the file; one message may stand without a list.
        column: Its name, for the sentences.
        reasoning: What stands in ``reasoning_content`` becomes a think block.

    Raises:
        Unusable: it is no such list, the sides do not take turns, or there are tools in it.
    """
    listed = [messages] if isinstance(messages, Mapping) else messages
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise Unusable("data.problems.messages_none", column=column)
    said = [_said(message, column, reasoning) for message in listed]
    system = ""
    if said and said[0][0] == "system":
        system = said.pop(0)[1]
    turns = tuple(_turn(side, content, column) for side, content in said)
    _refuse_disorder(turns, column)
    return Talk("" if blank(system) else system, turns)


def reply_of(value: Any, column: str, *, reasoning: bool = True) -> Reply:
    """One answer of a preference pair: a text, a message, or a conversation that ends with it.

    Raises:
        Unusable: it is empty, or no such thing.
    """
    if value is None or isinstance(value, str):
        return Reply(Talk("", ()), _turn("assistant", value or "", column).content)
    alone = [value] if isinstance(value, Mapping) else value
    if isinstance(alone, list) and len(alone) == 1:
        side, content = _said(alone[0], column, reasoning)
        turn = _turn(side, content, column)
        refuse_unanswered([turn], column)
        return Reply(Talk("", ()), turn.content)
    system, turns = talk_of(value, column, reasoning=reasoning)
    refuse_unanswered(turns, column)
    return Reply(Talk(system, turns[:-1]), turns[-1].content)


def refuse_unanswered(turns: Sequence[Turn], column: str) -> None:
    """Refuse turns that do not end with an answer.

    Raises:
        Unusable: they end with the user, or there are none.
    """
    if not turns:
        raise Unusable("data.problems.messages_none", column=column)
    if turns[-1].speaker == "user":
        raise Unusable("data.problems.ends_with_user", column=column)


def refuse_answered(turns: Sequence[Turn], column: str) -> None:
    """Refuse turns of a prompt that do not end with a question.

    Raises:
        Unusable: they end with the assistant, or there are none.
    """
    if not turns:
        raise Unusable("data.problems.messages_none", column=column)
    if turns[-1].speaker == "assistant":
        raise Unusable("data.problems.prompt_answered", column=column)


def _said(message: Any, column: str, reasoning: bool) -> tuple[Side, str]:
    for role, content in _FORMS:
        if isinstance(message, Mapping) and role in message:
            side = _side(message[role], column)
            if side == "tool" or any(message.get(call) for call in _CALLS):
                raise Unusable("data.problems.tools", column=column)
            words = _content(message.get(content), column)
            thought = message.get("reasoning_content") if reasoning else None
            return side, _with_thought(thought, words) if side == "assistant" else words
    raise Unusable("data.problems.message_broken", column=column)


def _side(role: Any, column: str) -> Side:
    side = _SIDES.get(role.strip().casefold()) if isinstance(role, str) else None
    if side is None:
        raise Unusable("data.problems.role_unknown", column=column, role=str(role)[:SHOWN])
    return side


def _content(content: Any, column: str) -> str:
    """The text of a message, also where OpenAI's form cuts it into parts of text."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [_part(part) for part in content]
        if None not in texts:
            return "".join(text for text in texts if text is not None)
    raise Unusable("data.problems.message_not_text", column=column)


def _part(part: Any) -> str | None:
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else None


def _with_thought(thought: Any, answer: str) -> str:
    # An empty answer stays empty, so that it is told.
    if not isinstance(thought, str) or blank(thought) or blank(answer):
        return answer
    return output_of(thought.strip("\r\n"), answer)


def _turn(side: Side, content: str, column: str) -> Turn:
    if side == "system":
        raise Unusable("data.problems.system_late", column=column)
    speaker: Speaker = "user" if side == "user" else "assistant"
    if blank(content):
        raise Unusable(_EMPTY[speaker], column=column)
    return Turn(speaker, content)


def _refuse_disorder(turns: Sequence[Turn], column: str) -> None:
    if turns and turns[0].speaker == "assistant":
        raise Unusable("data.problems.starts_with_assistant", column=column)
    for before, after in zip(turns, turns[1:], strict=False):
        if before.speaker == after.speaker:
            raise Unusable(_TWICE[after.speaker], column=column)
