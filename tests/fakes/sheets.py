"""Sheets and votes as they lie in a workspace, made without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.chat.settings import Settings
from backend.chat.sheets import Answer, Contestant, Question, Sheet, make_sheet
from backend.workspace import Workspace

BASE = Contestant("base:demo", "demo", "base", "demo", "deepseekr1", "b" * 12)
TUNED = Contestant("first/checkpoint-20", "first · 20", "lora", "demo", "deepseekr1", "c" * 12)
OTHER = Contestant("first/checkpoint-40", "first · 40", "lora", "demo", "deepseekr1", "d" * 12)
QUESTIONS = (Question("Tired and pale?"), Question("Fever?", reference="Rest."))


def put_sheet(
    workspace: Workspace,
    columns: Sequence[Contestant] = (BASE, TUNED, OTHER),
    questions: Sequence[Question] = QUESTIONS,
    *,
    answered: bool = True,
    single: bool = False,
) -> Sheet:
    """A sheet; each column has answered each question with its own name and the question."""
    settings = Settings.greedy(max_tokens=64)
    sheet = make_sheet(workspace, questions, columns, settings, single=single)
    for number in range(len(questions)) if answered else ():
        for column in columns:
            sheet.add(answer(number, column, f"{column.label} on {number}"))
    return sheet


def answer(number: int, column: Contestant, text: str, **stats: object) -> Answer:
    """An answer that came to its end, with reasoning."""
    content = f"<think>\nhm\n</think>\n\n{text}"
    known: Mapping[str, object] = {"reason": "stop", "reasoning_closed": True, "tokens": 9}
    return Answer(number, column.key, content, "hm", text, {**known, **stats})
