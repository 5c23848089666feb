"""A sheet on the page: its card in the list, and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.chat.asking_many import Progress
from backend.chat.sheets import Answer, Question, Sheet
from backend.text import text
from ui.components.actions import action_button
from ui.components.chat_answers import answer_parts, answer_stats
from ui.components.chat_questions import origin_words, reference_parts
from ui.components.marking import visible
from ui.components.pieces import in_pieces
from ui.components.speaking import says, share_said, state_said
from ui.html import Safe, badge, count, duration, element, join

PAGE = 5
"""Questions on one page of the table."""

_TONES = {"asking": "busy", "complete": "good", "stopped": "quiet", "interrupted": "bad"}


# --- The list -----------------------------------------------------------------------------------


def sheet_card(sheet: Sheet, now: Progress, language: str, *, blind: bool) -> Safe:
    """A sheet in the list: how far it is, and what can be done with it."""
    tone = _TONES[now.state]
    head = element(
        "div",
        element("strong", sheet.title),
        badge(text(language, f"chat.many.states.{now.state}"), tone),
        element("span", _about(sheet, language), cls="mt-quiet"),
        cls="mt-job-head",
    )
    bar = (
        element("progress", value=now.done, max=now.total, aria_label=sheet.title)
        if now.done < now.total
        else ""
    )
    # Who could not answer would tell which answers are whose.
    reasons = [] if blind else _lost(sheet, now, language)
    lost = [element("p", one, cls="mt-bad") for one in reasons]
    return element(
        "article",
        head,
        element("p", _said(now, language), cls="mt-job-figures"),
        bar,
        join(lost),
        element("div", join(_buttons(sheet, now, language, blind=blind)), cls="mt-buttons"),
        cls=f"mt-download mt-edge-{tone}",
        data_key=sheet.id,
        data_state=now.state,
        **says(f"sheet {sheet.id}", _heard(sheet, now, language)),
    )


def _heard(sheet: Sheet, now: Progress, language: str) -> str:
    """A tenth of it more, or another state."""
    far = share_said(language, sheet.title, now.done, now.total)
    if now.state == "asking" and far:
        return far
    return state_said(language, sheet.title, text(language, f"chat.many.states.{now.state}"))


def _about(sheet: Sheet, language: str) -> str:
    return text(
        language,
        "chat.many.about",
        questions=count(sheet.count),
        columns=len(sheet.columns),
        created=sheet.created[:16].replace("T", " "),
    )


def _said(now: Progress, language: str) -> str:
    said = [text(language, "chat.many.progress", done=count(now.done), total=count(now.total))]
    if now.failed:
        said.append(text(language, "chat.many.failed", failed=count(now.failed)))
    if now.seconds_left is not None:
        said.append(text(language, "chat.many.left", time=duration(now.seconds_left)))
    return " · ".join(said)


def _lost(sheet: Sheet, now: Progress, language: str) -> list[str]:
    said = []
    for key, error in now.lost.items():
        column, reason = sheet.column(key), error.sentence(language)
        name = column.label if column else key
        kind = "lost" if key else "lost_all"
        said.append(text(language, f"chat.many.{kind}", name=name, reason=reason))
    return said


def _buttons(sheet: Sheet, now: Progress, language: str, *, blind: bool) -> list[Safe]:
    offered = ["open"]
    offered += ["stop"] if now.state == "asking" else []
    offered += ["resume"] if now.state in ("stopped", "interrupted") else []
    offered += ["rate"] if len(sheet.columns) > 1 and now.done else []
    offered += [] if blind or not now.done else ["csv", "jsonl"]
    offered += ["delete"] if now.state != "asking" else []
    return [
        action_button(
            text(language, f"chat.many.{action}"),
            action,
            sheet.id,
            tone="bad" if action == "delete" else "",
        )
        for action in offered
    ]


# --- The table ----------------------------------------------------------------------------------


def sheet_table(
    sheet: Sheet,
    first: int,
    questions: Sequence[Question],
    answers: Mapping[tuple[int, str], Answer],
    language: str,
) -> Safe:
    """A page of a sheet: a row for each question, a column for each contestant."""
    heads = [element("th", text(language, "chat.many.question"), scope="col")]
    for column in sheet.columns:
        proof = element("code", column.fingerprint) if column.fingerprint else ""
        heads.append(element("th", column.label, " ", proof, scope="col"))
    rows = [
        _table_row(sheet, number, question, answers, language)
        for number, question in enumerate(questions, first)
    ]
    table = element(
        "table",
        element("thead", element("tr", join(heads))),
        element("tbody", join(rows)),
        cls="mt-table mt-sheet",
    )
    pager = _pager(sheet, first, len(questions), language)
    return element("div", element("h4", sheet.title), pager, element("div", table, cls="mt-scroll"))


def _table_row(
    sheet: Sheet,
    number: int,
    question: Question,
    answers: Mapping[tuple[int, str], Answer],
    language: str,
) -> Safe:
    asked = [
        element("strong", f"{number + 1}"),
        element("div", in_pieces(visible(question.text)), cls="mt-field-value"),
        element("p", origin_words(question, language), cls="mt-quiet mt-small"),
    ]
    if question.reference:
        asked.append(reference_parts(question.reference, language))
    cells = [element("th", join(asked), scope="row")]
    for column in sheet.columns:
        answer = answers.get((number, column.key))
        if answer is None:
            words = element("span", text(language, "chat.many.not_yet"), cls="mt-quiet")
        else:
            words = join(
                [
                    answer_parts(answer.reasoning, answer.text, answer.stats, language),
                    answer_stats(answer, language),
                ]
            )
        cells.append(element("td", words))
    return element("tr", join(cells), data_key=number)


def _pager(sheet: Sheet, first: int, shown: int, language: str) -> Safe:
    said = text(
        language,
        "chat.many.rows",
        first=count(first + 1),
        last=count(first + shown),
        count=count(sheet.count),
    )
    buttons = []
    if first:
        before = str(max(0, first - PAGE))
        buttons.append(action_button(text(language, "chat.many.back"), "turn", before))
    if first + shown < sheet.count:
        after = str(first + PAGE)
        buttons.append(action_button(text(language, "chat.many.forth"), "turn", after))
    return element("div", element("span", said, cls="mt-quiet"), join(buttons), cls="mt-buttons")
