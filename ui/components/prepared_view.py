"""Prepared datasets: as a list with what can be done to each, two of them compared, and the
registry when it is broken.

Takes plain values; knows nothing about the workspace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.text import text
from ui.components.actions import action_button
from ui.components.data_canvas import CHOOSE
from ui.html import Safe, badge, count, element, empty, facts, join, table


@dataclass(frozen=True)
class PreparedCard:
    """A prepared dataset.

    Attributes:
        source: Name of the file that it was made from.
        created: When, as it is shown.
        about: What else is said of it, such as its format in words.
    """

    name: str
    train: int
    validation: int
    left_out: int
    mended: int
    source: str
    created: str = ""
    about: str = ""


@dataclass(frozen=True)
class DeleteQuestion:
    """Whether a dataset should be deleted, and the names of the runs that used it."""

    name: str
    runs: Sequence[str] = ()


def prepared_list(
    cards: Sequence[PreparedCard],
    language: str,
    *,
    question: DeleteQuestion | None = None,
    comparing: str = "",
) -> Safe:
    """The prepared datasets as cards.

    The buttons are ``compare`` and ``delete``, and where it is asked ``delete_now`` and ``keep``,
    all with the dataset's name as target. Of the one that another is to be compared with,
    ``compare`` takes the choice back.

    Args:
        comparing: Name of the dataset that was chosen first to be compared; empty for none.
    """
    if not cards:
        return empty(language, "data.view.prepared.empty", CHOOSE)
    asked = {question.name: question} if question else {}
    made = (_card(card, asked.get(card.name), comparing, language) for card in cards)
    return element("div", join(made), cls="mt-prepared")


def _card(
    card: PreparedCard, question: DeleteQuestion | None, comparing: str, language: str
) -> Safe:
    figures = [
        (text(language, f"data.view.prepared.{name}"), count(getattr(card, name)))
        for name in ("train", "validation", "left_out", "mended")
    ]
    origin = text(language, "data.view.prepared.source", source=card.source)
    said = " · ".join(part for part in (origin, card.about, card.created) if part)
    chosen = card.name == comparing
    mark = badge(text(language, "data.view.prepared.chosen"), "busy") if chosen else Safe("")
    buttons = _ask(question, language) if question else _buttons(card.name, comparing, language)
    return element(
        "article",
        element("div", element("strong", card.name), mark, cls="mt-job-head"),
        facts(figures),
        element("p", said, cls="mt-quiet mt-small"),
        buttons,
        cls=f"mt-download mt-edge-{'busy' if chosen else 'quiet'}",
        data_key=card.name,
        data_prepared=card.name,
    )


def _buttons(name: str, comparing: str, language: str) -> Safe:
    key = "compare"
    if comparing:
        key = "uncompare" if name == comparing else "compare_with"
    words = text(language, f"data.view.prepared.{key}", name=comparing)
    delete = text(language, "data.view.prepared.delete")
    return element(
        "div",
        action_button(words, "compare", name, data_key="compare", aria_label=f"{words}: {name}"),
        action_button(delete, "delete", name, data_key="delete", aria_label=f"{delete}: {name}"),
        cls="mt-buttons",
    )


def _ask(question: DeleteQuestion, language: str) -> Safe:
    """The question, the runs that used it, and the two answers."""
    used: list[Safe] = []
    if question.runs:
        runs = join(element("li", run) for run in question.runs)
        words = text(language, "data.view.prepared.used", number=count(len(question.runs)))
        used = [element("p", words), element("ul", runs)]
    yes = action_button(
        text(language, "data.view.prepared.delete_now"), "delete_now", question.name, tone="bad"
    )
    no = action_button(text(language, "data.view.prepared.keep"), "keep", question.name)
    return element(
        "div",
        element("p", text(language, "data.view.prepared.question", name=question.name)),
        *used,
        element("div", yes, no, cls="mt-buttons"),
        cls="mt-ask",
    )


def registry_broken(file: str, line: int, reason: str, language: str) -> Safe:
    """Says that ``dataset_info.json`` is damaged, where and how, with a button ``repair``.

    Args:
        line: From 1; 0 where it is not known.
    """
    key = "broken" if line else "unreadable"
    said = text(language, f"data.view.registry.{key}", file=file, line=count(line))
    repair = action_button(
        text(language, "data.view.registry.repair"), "repair", file, tone="primary"
    )
    return element(
        "div",
        element("p", element("strong", said)),
        element("p", reason, cls="mt-name") if reason else "",
        element("p", text(language, "data.view.registry.effect")),
        element("div", repair, cls="mt-buttons"),
        cls="mt-ask mt-registry",
        role="status",
    )


# --- Two datasets compared ----------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A setting that differs, with both values as they are shown."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """How dataset ``after`` differs from ``before``.

    Attributes:
        changes: Settings that differ.
        only_before: Rows that only the first has.
        only_after: Rows that only the second has.
        both: Rows that both have.
        examples_before: Questions of a few of the rows that only the first has.
        examples_after: The same of the second.
    """

    before: str
    after: str
    changes: Sequence[Change]
    only_before: int
    only_after: int
    both: int
    examples_before: Sequence[str] = ()
    examples_after: Sequence[str] = ()


def comparison_view(comparison: Comparison, language: str) -> Safe:
    """Settings that differ, old → new, and the rows that only one has; the button is ``close``."""
    one = comparison
    figures = [
        (text(language, "data.view.compare.only", name=one.before), count(one.only_before)),
        (text(language, "data.view.compare.both"), count(one.both)),
        (text(language, "data.view.compare.only", name=one.after), count(one.only_after)),
    ]
    title = text(language, "data.view.compare.title", before=one.before, after=one.after)
    close = action_button(text(language, "data.view.compare.close"), "close", one.after)
    return element(
        "section",
        element("div", element("h4", title), close, cls="mt-compare-head"),
        _changes(one, language),
        facts(figures),
        _examples(one.before, one.examples_before, language),
        _examples(one.after, one.examples_after, language),
        cls="mt-compare",
        aria_label=title,
    )


def _changes(comparison: Comparison, language: str) -> Safe:
    if not comparison.changes:
        return element("p", text(language, "data.view.compare.same"), cls="mt-quiet")
    headers = [text(language, "data.view.compare.setting"), comparison.before, comparison.after]
    rows = [
        [change.label, element("span", change.before, cls="mt-name"), _after(change)]
        for change in comparison.changes
    ]
    return table(headers, rows, numeric=frozenset())


def _after(change: Change) -> Safe:
    return element("span", "→ ", change.after, cls="mt-name")


def _examples(name: str, questions: Sequence[str], language: str) -> Safe:
    if not questions:
        return Safe("")
    items = join(element("li", question) for question in questions)
    title = text(language, "data.view.compare.examples", name=name)
    return element(
        "details", element("summary", title), element("ul", items), data_key=f"examples-{name}"
    )
