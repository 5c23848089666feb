"""What is on this machine, as tables with what can be done to each: check, show, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.library.datasets import RawDataset
from backend.library.models import Model
from backend.library.verify import Verification
from backend.problems import Problem
from backend.text import text
from backend.units import count_short, size
from ui.components.actions import action_button
from ui.components.speaking import says, share_said
from ui.html import Safe, badge, element, empty, join, table

Item = Model | RawDataset


@dataclass(frozen=True)
class Question:
    """Whether a thing should be deleted, as the person is asked.

    Attributes:
        users: What uses it.
        freed: Bytes that deleting gives back.
    """

    item_id: str
    users: tuple[Problem, ...]
    freed: int


def models_table(
    models: Sequence[Model],
    language: str,
    *,
    checks: Sequence[Verification] = (),
    question: Question | None = None,
) -> Safe:
    """The models of the workspace and the bundled one, and whether each can be used."""
    headers = [
        text(language, f"download.models.{name}")
        for name in ("name", "size", "parameters", "template", "state", "actions")
    ]
    latest = {check.id: check for check in checks if check.kind == "model"}
    rows = [
        [
            _name(model, language),
            size(model.size),
            count_short(model.parameters),
            model.template or "–",
            _state(model, latest.get(model.id), language),
            _actions(model, question, language),
        ]
        for model in models
    ]
    return table(headers, rows, numeric=frozenset({1, 2}))


def datasets_table(
    datasets: Sequence[RawDataset],
    language: str,
    *,
    checks: Sequence[Verification] = (),
    question: Question | None = None,
) -> Safe:
    """The data files of the workspace and the samples, and whether each can be used."""
    if not datasets:
        return empty(language, "download.datasets.empty", "#hub-catalogue", "#import-path")
    headers = [
        text(language, f"download.datasets.{name}") for name in ("name", "size", "state", "actions")
    ]
    latest = {check.id: check for check in checks if check.kind == "dataset"}
    rows = [
        [
            _name(dataset, language),
            size(dataset.size),
            _state(dataset, latest.get(dataset.id), language),
            _actions(dataset, question, language),
        ]
        for dataset in datasets
    ]
    return table(headers, rows, numeric=frozenset({1}))


def _name(item: Item, language: str) -> Safe:
    """Its id, where it is from, and where the files of a link really are."""
    badges: list[object] = []
    if item.bundled:
        badges.append(badge(text(language, "download.bundled"), "quiet"))
    if item.linked:
        badges.append(badge(text(language, "download.linked"), "quiet"))
        badges.append(element("div", str(item.linked), cls="mt-quiet mt-small"))
    elif item.manifest and "hub" in item.manifest.source:
        source = item.manifest.source
        badges.append(
            element("div", f"{source['hub']} · {source['commit'][:12]}", cls="mt-quiet mt-small")
        )
    return element("span", item.id, *badges, cls="mt-name")


def _state(item: Item, check: Verification | None, language: str) -> Safe:
    """ "Ready" or what is missing, and how the last check of its files ended."""
    if item.problems:
        sentences = [element("div", problem.sentence(language)) for problem in item.problems]
        pieces = [badge(text(language, "download.not_ready"), "bad"), *sentences]
    else:
        pieces = [badge(text(language, "download.ready"), "good")]
    if check is not None:
        pieces.append(_check(item.id, check, language))
    return join(pieces)


def _check(name: str, check: Verification, language: str) -> Safe:
    if check.state == "checking":
        words = text(
            language,
            "download.verify.checking",
            checked=size(check.checked),
            total=size(check.total),
        )
        bar = element("progress", value=check.checked, max=max(check.total, 1), aria_label=name)
        heard = says(f"check {name}", share_said(language, name, check.checked, check.total))
        return element("div", words, bar, cls="mt-busy", **heard)
    if check.error is not None:
        return element("div", check.error.sentence(language), cls="mt-bad", role="status")
    if check.state == "cancelled":
        return element("div", text(language, "download.verify.cancelled"), cls="mt-quiet")
    if check.result:
        sentences = join(element("li", problem.sentence(language)) for problem in check.result)
        return element("ul", sentences, cls="mt-bad", role="status")
    if check.note is not None:
        return element("div", check.note.sentence(language), cls="mt-quiet", role="status")
    words = text(language, "download.verify.well", count=len(check.files))
    return element("div", words, cls="mt-good", role="status")


def _actions(item: Item, question: Question | None, language: str) -> Safe:
    if question and question.item_id == item.id:
        return _ask(question, language)
    buttons = [
        action_button(words, action, item.id, aria_label=f"{words}: {item.id}")
        for action in ("verify", "place", *(() if item.bundled else ("delete",)))
        for words in (text(language, f"download.actions.{action}"),)
    ]
    return element("div", join(buttons), cls="mt-buttons")


def _ask(question: Question, language: str) -> Safe:
    """The size to be freed, what uses it, and the two answers."""
    used = element(
        "ul", join(element("li", problem.sentence(language)) for problem in question.users)
    )
    freed = text(language, "download.delete.question", size=size(question.freed))
    yes = action_button(
        text(language, "download.delete.confirm"), "delete_now", question.item_id, tone="bad"
    )
    no = action_button(text(language, "download.delete.keep"), "keep", question.item_id)
    return element(
        "div",
        element("p", freed),
        used if question.users else "",
        element("div", yes, no, cls="mt-buttons"),
        cls="mt-ask",
    )
