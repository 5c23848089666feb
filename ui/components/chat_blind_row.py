"""One row of a blind rating: a question and its answers, without names until they are revealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.chat.ballots import Ballot
from backend.chat.sheets import Answer, Contestant, Question, Sheet
from backend.chat.votes import LETTERS, MARKS, Vote
from backend.text import text
from ui.components.actions import action_button
from ui.components.chat_answers import answer_parts, answer_stats
from ui.components.chat_questions import reference_parts
from ui.components.marking import visible
from ui.components.pieces import in_pieces
from ui.html import Safe, count, element, join


@dataclass(frozen=True)
class BlindRow:
    """A row as it is rated; ``answers`` and ``columns`` in the order in which they are shown."""

    sheet: Sheet
    number: int
    question: Question
    columns: Sequence[Contestant]
    answers: Sequence[Answer | None]
    ballot: Ballot
    vote: Vote | None
    places: Sequence[int]
    asking: bool

    @property
    def complete(self) -> bool:
        return all(answer is not None for answer in self.answers)


def row_view(row: BlindRow, rated: int, language: str, *, asked_reveal: bool) -> Safe:
    """A row with its answers, without names until they are revealed."""
    place = text(
        language,
        "chat.blind.row",
        number=count(row.number + 1),
        count=count(row.sheet.count),
    )
    so_far = text(language, "chat.blind.rated", rated=count(rated), count=count(row.sheet.count))
    head = element("p", f"{place} · {so_far}", cls="mt-quiet", role="status")
    question = element(
        "div", in_pieces(visible(row.question.text)), cls="mt-field-value mt-blind-question"
    )
    pieces = [head, question]
    if row.question.reference:
        pieces.append(element("aside", reference_parts(row.question.reference, language)))
    if row.complete:
        pieces += [_answers(row, language), _verdict_bar(row, language)]
    else:
        done = sum(answer is not None for answer in row.answers)
        key = "chat.blind.waiting" if row.asking else "chat.blind.incomplete"
        words = text(language, key, done=done, total=len(row.answers))
        bar = element("progress", aria_label=words) if row.asking else ""
        pieces.append(element("div", words, bar, cls="mt-job", role="status"))
    if not row.ballot.revealed:
        hidden = text(language, "chat.blind.hidden")
        pieces.append(element("p", hidden, cls="mt-quiet mt-small"))
    pieces.append(_row_bar(row, rated, language, asked_reveal=asked_reveal))
    return element(
        "div",
        join(pieces),
        cls="mt-blind",
        data_row=row.number,
        data_revealed="yes" if row.ballot.revealed else "no",
    )


def _answers(row: BlindRow, language: str) -> Safe:
    cards = [
        _card(row, letter, answer, language)
        for letter, answer in enumerate(row.answers)
        if answer is not None
    ]
    return element("div", join(cards), cls="mt-blind-answers")


def _card(row: BlindRow, letter: int, answer: Answer, language: str) -> Safe:
    column, best = row.columns[letter], _is_best(row, letter)
    name, target = LETTERS[letter], f"{row.number}:{letter}"
    body: list[object]
    if row.ballot.revealed:
        title = text(language, "chat.blind.answer_of", letter=name, name=column.label)
        proof = element("code", column.fingerprint, cls="mt-small")
        body = [element("h4", title), proof, answer_stats(answer, language)]
        body.append(answer_parts(answer.reasoning, answer.text, answer.stats, language))
    elif answer.failed:
        # Why it failed may name the column.
        body = [element("h4", text(language, "chat.blind.answer", letter=name))]
        body.append(answer_parts(answer.reasoning, answer.text, {}, language))
        body.append(element("p", text(language, "chat.blind.failed"), cls="mt-bad"))
    else:
        body = [element("h4", text(language, "chat.blind.answer", letter=name))]
        body.append(answer_parts(answer.reasoning, answer.text, {}, language))
    buttons = [_best_button(row, letter, name, target, best=best, language=language)]
    buttons += [_mark_button(row, letter, one, target, language) for one in MARKS]
    return element(
        "section",
        *body,
        element("div", join(buttons), cls="mt-buttons"),
        cls="mt-blind-answer",
        data_best="yes" if best else "no",
        aria_label=text(language, "chat.blind.answer", letter=name),
    )


def _is_best(row: BlindRow, letter: int) -> bool:
    return row.vote is not None and row.vote.best == row.places[letter]


def _best_button(
    row: BlindRow, letter: int, name: str, target: str, *, best: bool, language: str
) -> Safe:
    words = text(language, "chat.blind.best", letter=name)
    return _toggle(row, f"{letter + 1} · {words}", "best", target, on=best)


def _mark_button(row: BlindRow, letter: int, name: str, target: str, language: str) -> Safe:
    on = row.vote is not None and name in row.vote.answers[row.places[letter]].marks
    return _toggle(row, text(language, f"chat.blind.marks.{name}"), name, target, on=on)


def _toggle(row: BlindRow, words: str, action: str, target: str, *, on: bool) -> Safe:
    """A button that is pressed or not; the mark says it beside the colour."""
    more: dict[str, object] = {"aria_pressed": "true" if on else "false"}
    if row.ballot.revealed:
        more["disabled"] = "disabled"
    shown = f"✓ {words}" if on else words
    return action_button(shown, action, target, tone="primary" if on else "", **more)


def _verdict_bar(row: BlindRow, language: str) -> Safe:
    said = row.vote.verdict if row.vote else ""
    buttons = [
        _toggle(
            row,
            f"{key} · {text(language, f'chat.blind.{name}')}",
            name,
            f"{row.number}",
            on=said == name,
        )
        for key, name in (("T", "tie"), ("B", "bad"))
    ]
    keys = text(language, "chat.blind.keys", most=len(row.answers))
    marks = text(language, "chat.blind.marks_help")
    note = element("p", f"{keys} {marks}", cls="mt-quiet mt-small")
    return element("div", element("div", join(buttons), cls="mt-buttons"), note)


def _row_bar(row: BlindRow, rated: int, language: str, *, asked_reveal: bool) -> Safe:
    buttons = []
    if row.number:
        back = text(language, "chat.blind.back")
        buttons.append(action_button(back, "turn", f"{row.number - 1}", data_way="back"))
    if row.number + 1 < row.sheet.count:
        forth = text(language, "chat.blind.forth")
        buttons.append(action_button(forth, "turn", f"{row.number + 1}", data_way="forth"))
    if not row.ballot.revealed and rated and not asked_reveal:
        buttons.append(action_button(text(language, "chat.blind.reveal"), "reveal", "-"))
    bar = element("div", join(buttons), cls="mt-buttons")
    if not asked_reveal or row.ballot.revealed:
        return bar
    yes, no = (text(language, f"chat.blind.revealing.{name}") for name in ("yes", "no"))
    question = element("p", text(language, "chat.blind.revealing.ask"))
    answers = [action_button(yes, "reveal-yes", "-", tone="bad"), action_button(no, "show", "-")]
    return element("div", bar, element("div", question, join(answers), cls="mt-ask", role="alert"))
