"""A chat column in HTML: who answers, what was said, and the figures of each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.chat.conversations import SavedColumn, SavedMessage
from backend.chat.loading import ColumnState
from backend.chat.under_way import LiveAnswer
from backend.errors import MedTuneError
from backend.text import text
from backend.training.checkpoints import FINAL
from backend.units import size
from ui.components.actions import action_button
from ui.components.pieces import in_pieces
from ui.components.run_view import checkpoint_words
from ui.html import Safe, badge, element, figure, join
from ui.markdown import markdown


def column_label(column: SavedColumn, language: str) -> str:
    """A column's name as it is read."""
    if column.checkpoint == FINAL:
        return f"{column.run} · {checkpoint_words(column.checkpoint, language)}"
    return column.label


def column_head(
    column: SavedColumn,
    state: ColumnState,
    language: str,
    *,
    twins: Sequence[str] = (),
    failure: MedTuneError | None = None,
) -> Safe:
    """Who answers here and what proves it; what is wrong with it, and what can be done.

    Args:
        twins: Names of the columns with the very same weights.
        failure: Why the last answer did not come.
    """
    name = element("strong", column_label(column, language), cls="mt-name")
    kind = badge(text(language, f"chat.kinds.{column.kind}"), "quiet")
    said = [_facts(column, state, language)]
    if twins:
        said.append(badge(text(language, "chat.twins", names=", ".join(twins)), "busy"))
    if problem := _problem(state, language):
        said.append(problem)
    if failure:
        words = text(language, "chat.not_replaced", reason=failure.sentence(language))
        said.append(element("p", words, cls="mt-bad"))
    return join(
        [
            element(
                "div",
                element("div", name, " ", kind),
                element("div", *_movers(column, language), cls="mt-buttons"),
                cls="mt-column-name",
            ),
            *said,
        ]
    )


def _movers(column: SavedColumn, language: str) -> list[Safe]:
    """Buttons that are signs, with words for who does not see them."""
    signs = (("left", "←"), ("right", "→"), ("remove", "×"))
    return [
        action_button(
            sign,
            action,
            column.key,
            aria_label=text(language, f"chat.column.{action}"),
            title=text(language, f"chat.column.{action}"),
        )
        for action, sign in signs
    ]


def _facts(column: SavedColumn, state: ColumnState, language: str) -> Safe:
    """Where it is from, in one line: base, step, evaluation loss, template, device, weights."""
    known: list[object] = []
    if column.kind in ("lora", "imported"):
        known.append(text(language, "chat.facts.base", name=column.model))
    if column.step is not None:
        known.append(text(language, "chat.facts.step", step=column.step))
    if column.evaluation_loss is not None:
        loss = figure(column.evaluation_loss)
        known.append(text(language, "chat.facts.evaluation_loss", loss=loss))
    if state.address or column.address:
        known.append(state.address or column.address)
    if state.template:
        known.append(text(language, "chat.facts.template", name=state.template))
    if state.device:
        known.append(state.device)
    if state.alone:
        known.append(text(language, "chat.facts.alone", kind=state.alone))
    parts: list[object] = []
    for fact in known:
        parts += [" · ", fact] if parts else [fact]
    if mark := state.mark or column.fingerprint:
        hint = text(language, f"chat.facts.mark.{'base' if column.kind in _WHOLE else 'adapter'}")
        parts += [" · ", element("code", mark, title=hint)]
    return element("div", *parts, cls="mt-quiet mt-small")


_WHOLE = ("base", "full")


def _problem(state: ColumnState, language: str) -> Safe | None:
    match state.state:
        case "failed":
            assert state.error is not None
            words: Safe | str = state.error.sentence(language)
            again = action_button(text(language, "chat.column.reload"), "reload", "")
            return element("div", element("p", words, cls="mt-bad"), again)
        case "no_room":
            assert state.fit is not None
            words = text(
                language,
                "chat.no_room",
                needed=size(state.fit.needed),
                free=size(state.fit.free),
            )
            return element("p", words, cls="mt-bad")
        case "unloaded":
            return element("p", text(language, "chat.column.unloaded"), cls="mt-quiet mt-small")
        case "loading":
            words = text(language, "chat.column.loading")
            return element(
                "div", words, element("progress", aria_label=words), cls="mt-quiet mt-small"
            )
        case "remote" if state.error:
            return element("p", state.error.sentence(language), cls="mt-bad")
    return None


def turns(
    messages: Sequence[SavedMessage], language: str, *, before: int | None = None
) -> list[Safe]:
    """What was said, a question with its answer at a time.

    Args:
        before: Only the messages before this one: the rest gives way to an answer that comes.
    """
    shown: list[Safe] = []
    said = list(messages[:before])
    for place, message in enumerate(said):
        if message.role == "user":
            answer = said[place + 1] if place + 1 < len(said) else None
            shown.append(_turn(message, answer, language))
    return shown


def _turn(question: SavedMessage, answer: SavedMessage | None, language: str) -> Safe:
    edit = action_button(
        "✎",
        "edit",
        question.turn,
        aria_label=text(language, "chat.turn.edit"),
        title=text(language, "chat.turn.edit"),
    )
    return element(
        "article",
        element("div", in_pieces(question.content), cls="mt-question"),
        element("div", edit if question.turn else "", cls="mt-buttons mt-turn-buttons"),
        _answer(answer, language) if answer else "",
        cls="mt-turn",
        data_turn=question.turn,
    )


def _answer(message: SavedMessage, language: str) -> Safe:
    """Reasoning, folded; the answer; a failure in its own words; the figures."""
    parts: list[Safe] = []
    closed = message.stats.get("reasoning_closed")
    if message.reasoning or closed is False:
        title = thought_title(
            language,
            closed=closed,
            seconds=message.stats.get("reasoning_seconds"),
            tokens=message.stats.get("reasoning_tokens"),
        )
        parts.append(
            element(
                "details",
                element("summary", title),
                element("div", in_pieces(message.reasoning), cls="mt-reasoning"),
                cls="mt-thought",
            )
        )
    elif message.text and closed is None:
        words = text(language, "chat.reasoning_absent")
        parts.append(element("div", words, cls="mt-quiet mt-small"))
    if message.text:
        parts.append(element("div", markdown(message.text), cls="mt-answer"))
    failure = message.stats.get("error")
    if failure:
        words = text(language, failure["key"], **failure["params"])
        parts.append(element("p", f"⚠ {words}", cls="mt-bad"))
    hint = settings_words(message.settings, language)
    parts.append(element("div", stats_line(message, language), cls="mt-stats", title=hint))
    return element("div", *parts, cls="mt-reply")


def column_foot(*, live: bool, said: bool, language: str) -> Safe:
    """What can be done with the column's last answer.

    Args:
        live: It still comes.
        said: There is one.
    """
    actions = ("stop",) if live else ("regenerate", "undo") if said else ()
    return join(
        action_button(text(language, f"chat.turn.{action}"), action, "") for action in actions
    )


def thought_title(
    language: str, *, closed: bool | None, seconds: float | None, tokens: int | None
) -> str:
    """What is over the reasoning: whether it has ended, for how long, and how much it was."""
    title = text(language, "chat.reasoning" if closed else "chat.reasoning_open")
    figures = []
    if seconds is not None:
        figures.append(text(language, "chat.seconds", seconds=f"{seconds:.1f}"))
    if tokens:
        figures.append(text(language, "chat.tokens", tokens=tokens))
    return " · ".join([title, *figures])


def stats_line(message: SavedMessage, language: str) -> str:
    """Tokens, speed, time to the first token and why it ended."""
    if "reason" not in message.stats:
        return ""
    return text(
        language,
        "chat.stats",
        tokens=message.stats["tokens"],
        rate=figure(message.stats["tokens_per_second"], 3),
        first=figure(message.stats["first_token_seconds"], 2),
        reason=text(language, f"chat.reasons.{message.stats['reason']}"),
    )


def settings_words(settings: Mapping[str, object], language: str) -> str:
    """With which settings an answer was made, in one line."""
    shown = []
    for name, value in settings.items():
        if value in (None, "", "trained") or (name == "top_k" and not value):
            continue
        words = str(value)
        if name == "thinking":
            words = text(language, f"chat.thinking.{value}")
        shown.append(f"{text(language, f'chat.settings.{name}')}: {words}")
    return " · ".join(shown)


def live_words(live: LiveAnswer, language: str) -> tuple[str, str]:
    """Over the reasoning and under the answer while they come."""
    reply = live.reply
    if not reply.content and not reply.reasoning:
        return "", text(language, "chat.waiting", seconds=f"{live.seconds:.0f}")
    title = ""
    if reply.reasoning_closed is not None:
        key = "chat.reasoning" if reply.reasoning_closed else "chat.reasoning_running"
        title = " · ".join(
            [text(language, key), text(language, "chat.tokens", tokens=reply.reasoning_tokens)]
        )
    words = text(language, "chat.coming", tokens=reply.tokens, seconds=f"{live.seconds:.0f}")
    return title, words
