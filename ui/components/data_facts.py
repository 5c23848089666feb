"""What is known of a data file and of prepared datasets, in figures, cards and sentences.

Takes plain values; knows nothing about where they are from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.data.meaning.mapping import Shape
from backend.data.study_values import Fate
from backend.problems import Problem
from backend.text import text
from backend.units import size
from ui.components.actions import action_button
from ui.components.speaking import says, share_said
from ui.html import Safe, badge, count, duration, element, facts, join

# --- The file -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A data file.

    Attributes:
        kind: Its format in words, such as "JSON lines".
        encoding: As it is called, such as "UTF-8"; empty where the format has none.
        size: In bytes.
        rows: None as long as they are not counted.
        shape: What its rows are; None where that is not known.
        notes: What else is to be known of it.
    """

    name: str
    kind: str
    encoding: str
    size: int
    rows: int | None = None
    shape: Shape | None = None
    notes: Sequence[Problem] = ()


@dataclass(frozen=True)
class Work:
    """What is being done with a file, or how it ended in failure.

    Attributes:
        id: Target of its buttons.
        doing: In words.
        share: From 0 to 1; None where it is not known yet.
        rows: Done so far.
        seconds_left: None where it is not known.
        problem: Why it failed; None while it goes on.
    """

    id: str
    doing: str
    share: float | None = None
    rows: int | None = None
    seconds_left: float | None = None
    problem: Problem | None = None


def source_facts(source: Source, language: str, *, work: Work | None = None) -> Safe:
    """What the file is, and how far the work on it is.

    The buttons are ``cancel`` and, where the work failed, ``retry``, with the work's id as target.
    """
    pairs = [
        ("rows", count(source.rows)),
        ("kind", source.kind),
        ("encoding", source.encoding),
        ("shape", text(language, f"data.shapes.{source.shape}") if source.shape else ""),
        ("size", size(source.size)),
    ]
    shown = [(text(language, f"data.view.source.{name}"), value) for name, value in pairs if value]
    notes = (element("p", note.sentence(language), cls="mt-notice") for note in source.notes)
    return element("div", facts(shown), join(notes), _work(work, language), cls="mt-source")


def _work(work: Work | None, language: str) -> Safe:
    if work is None:
        return Safe("")
    if work.problem is not None:
        return _failed(work, work.problem, language)
    share = work.share
    bar = (
        element("progress", max=1, aria_label=work.doing)
        if share is None
        else element("progress", value=f"{share:.4f}", max=1, aria_label=work.doing)
    )
    cancel = action_button(text(language, "data.view.source.cancel"), "cancel", work.id)
    return element(
        "div",
        element("div", element("strong", work.doing), " ", _figures(work, language)),
        bar,
        element("div", cancel, cls="mt-buttons"),
        cls="mt-work mt-edge-busy",
        data_key="work",
        **says(f"work {work.id}", share_said(language, work.doing, share or 0, 1)),
    )


def _figures(work: Work, language: str) -> Safe:
    """Share, rows and time left, as far as they are known."""
    said: list[str] = []
    if work.share is not None:
        said.append(f"{100 * work.share:.0f} %")
    if work.rows is not None:
        said.append(text(language, "data.view.source.so_far", number=count(work.rows)))
    if work.seconds_left is not None:
        left = duration(work.seconds_left)
        said.append(text(language, "data.view.source.left", time=left))
    return element("span", " · ".join(said), cls="mt-quiet")


def _failed(work: Work, problem: Problem, language: str) -> Safe:
    retry = action_button(text(language, "data.view.source.retry"), "retry", work.id)
    return element(
        "div",
        element("p", element("strong", work.doing)),
        element("p", problem.sentence(language), cls="mt-bad", role="status"),
        element("div", retry, cls="mt-buttons"),
        cls="mt-work mt-edge-bad",
        data_key="work",
    )


@dataclass(frozen=True)
class Fit:
    """How many of the first rows make a lesson when they are read as one shape.

    Attributes:
        why: What is wrong with the first row that does not.
    """

    shape: Shape
    fitting: int
    rows: int
    why: Problem | None = None


def evidence(fits: Sequence[Fit], language: str, *, chosen: Shape | None = None) -> Safe:
    """Which shapes fit the first rows, in the order given; the chosen one is marked."""
    items = join(_fit(fit, fit.shape is chosen, language) for fit in fits)
    return element("ul", items, cls="mt-fits")


def _fit(fit: Fit, chosen: bool, language: str) -> Safe:
    mark = badge(text(language, "data.view.fits.chosen"), "good") if chosen else Safe("")
    said = text(language, "data.view.fits.rows", number=count(fit.fitting), total=count(fit.rows))
    why = element("div", fit.why.sentence(language), cls="mt-quiet mt-small") if fit.why else ""
    name = text(language, f"data.shapes.{fit.shape}")
    return element(
        "li",
        element("span", name, " ", mark, cls="mt-fit-name"),
        element("span", said, cls="mt-number"),
        element("meter", value=fit.fitting, max=max(fit.rows, 1), aria_label=name),
        why,
        data_key=fit.shape.value,
    )


def selection_facts(counts: Mapping[Fate, int], language: str) -> Safe:
    """How many rows will be taught, and how many are left out on whose word."""
    taught, rows = counts[Fate.TAUGHT], sum(counts.values())
    key = "all" if taught == rows else "some" if taught else "none"
    said = text(language, f"data.view.selection.{key}", number=count(taught), total=count(rows))
    left_out = join(
        element("li", element("b", count(counts[fate])), " ", _reason(fate, language))
        for fate in Fate
        if fate is not Fate.TAUGHT and counts[fate]
    )
    return element(
        "div",
        element("p", said, cls="mt-selection-taught" if taught else "mt-bad"),
        element("p", text(language, "data.view.selection.left_out"), cls="mt-quiet")
        if left_out
        else "",
        element("ul", left_out) if left_out else "",
        cls="mt-selection",
        # It changes by what is done elsewhere on the page.
        role="status",
    )


def _reason(fate: Fate, language: str) -> str:
    return text(language, f"data.view.reasons.{fate.name.lower()}")
