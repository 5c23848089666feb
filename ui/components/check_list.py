"""What the checks found in a file, what is done about it, and what can't be used at all.

Takes counts; knows nothing about how checks work or where decisions are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.data.checks.registry import Check
from backend.data.study_values import Count
from backend.problems import Problem
from backend.text import text
from ui.components.actions import action_button
from ui.html import Safe, badge, count, element, join


@dataclass(frozen=True)
class CheckLine:
    """A check with what it found; ``applied`` says whether its remedy is."""

    check: Check
    count: Count
    applied: bool


def check_list(
    lines: Sequence[CheckLine], unusable: Sequence[tuple[Problem, Count]], language: str
) -> Safe:
    """Rows that can't be used, then the checks that found something, then those that did not.

    The buttons are ``apply``, ``spare`` and ``show`` with a check's id as target, ``show_problem``
    with the place in ``unusable``, and ``jump`` with a row's number.

    Args:
        lines: In the order in which they are shown.
        unusable: Each kind of fault.
    """
    found = [line for line in lines if line.count.rows]
    silent = [line for line in lines if not line.count.rows]
    pieces = [_problems(unusable, language)]
    if found:
        shown = join(_line(line, language) for line in found)
        pieces.append(element("ul", shown, cls="mt-checks"))
    elif lines:
        pieces.append(element("p", text(language, "data.view.checks.nothing"), cls="mt-good"))
    return element("div", join(pieces), _silent(silent, language), cls="mt-check-list")


def _problems(unusable: Sequence[tuple[Problem, Count]], language: str) -> Safe:
    if not unusable:
        return element("p", text(language, "data.view.unusable.none"), cls="mt-quiet")
    total = sum(found.rows for _, found in unusable)
    items = join(
        _problem(place, problem, found, language) for place, (problem, found) in enumerate(unusable)
    )
    title = text(language, "data.view.unusable.title", number=count(total))
    return join(
        [
            element("p", title, cls="mt-bad mt-check-title"),
            element("ul", items, cls="mt-checks"),
        ]
    )


def _problem(place: int, problem: Problem, found: Count, language: str) -> Safe:
    sentence = problem.sentence(language)
    show = _named(language, "show", sentence, "show_problem", str(place))
    return element(
        "li",
        element("span", sentence, cls="mt-check-name"),
        _rows(found, language),
        element("span", badge(text(language, "data.view.done.unusable"), "bad")),
        element("span", show, cls="mt-buttons"),
        _examples(found, language),
        cls="mt-check mt-edge-bad",
        data_key=f"problem-{place}",
    )


def _line(line: CheckLine, language: str) -> Safe:
    check = line.check
    name = text(language, f"data.checks.{check.id}.name")
    return element(
        "li",
        element("strong", name, cls="mt-check-name"),
        _rows(line.count, language),
        element("span", _done(line, language)),
        element("span", _buttons(line, name, language), cls="mt-buttons"),
        _examples(line.count, language),
        _why(check, language),
        cls=f"mt-check mt-edge-{'busy' if line.applied else 'quiet'}",
        data_key=f"check-{check.id}",
        data_check=check.id,
    )


def _rows(found: Count, language: str) -> Safe:
    key = "row" if found.rows == 1 else "rows"
    words = text(language, f"data.view.checks.{key}", number=count(found.rows))
    return element("span", words, cls="mt-check-rows mt-number")


def _done(line: CheckLine, language: str) -> Safe:
    """What is done, and what is advised where that is something else."""
    remedy = line.check.remedy.value
    done = badge(
        text(language, f"data.view.done.{remedy if line.applied else 'kept'}"),
        "busy" if line.applied else "quiet",
    )
    if line.applied is line.check.advised:
        return done
    advised = text(language, f"data.view.advice.{remedy if line.check.advised else 'kept'}")
    note = text(language, "data.view.checks.advised", what=advised)
    return join([done, element("span", note, cls="mt-quiet mt-small mt-check-advice")])


def _buttons(line: CheckLine, name: str, language: str) -> Safe:
    check = line.check
    change = ("spare", "spare") if line.applied else (check.remedy.value, "apply")
    return join(
        [
            _named(language, change[0], name, change[1], check.id),
            _named(language, "show", name, "show", check.id),
        ]
    )


def _named(language: str, words: str, name: str, action: str, target: str) -> Safe:
    """A button whose words stand in several lines, with the line's name for those who hear it."""
    said = text(language, f"data.view.actions.{words}")
    # Applied or not, it is one and the same button: it keeps the focus when its words change.
    key = "choose" if action in ("apply", "spare") else action
    return action_button(said, action, target, data_key=key, aria_label=f"{said}: {name}")


def _examples(found: Count, language: str) -> Safe:
    buttons = [
        action_button(
            count(row),
            "jump",
            str(row),
            data_key=row,
            aria_label=text(language, "data.view.row", number=count(row)),
        )
        for row in found.examples
    ]
    more = found.rows - len(found.examples)
    rest = text(language, "data.view.checks.more", number=count(more)) if more > 0 else ""
    return element(
        "span",
        element("span", text(language, "data.view.checks.examples"), cls="mt-quiet mt-small"),
        join(buttons),
        element("span", rest, cls="mt-quiet mt-small"),
        cls="mt-buttons mt-check-examples",
    )


def _why(check: Check, language: str) -> Safe:
    return element(
        "details",
        element("summary", text(language, "data.view.checks.why")),
        element("p", text(language, f"data.checks.{check.id}.why")),
        cls="mt-check-why",
    )


def _silent(lines: Sequence[CheckLine], language: str) -> Safe:
    """The checks that found nothing, by name: that nothing was found is worth knowing too."""
    if not lines:
        return Safe("")
    names = join(
        element("li", text(language, f"data.checks.{line.check.id}.name"), data_key=line.check.id)
        for line in lines
    )
    title = text(language, "data.view.checks.silent", number=count(len(lines)))
    return element(
        "details",
        element("summary", title),
        element("ul", names),
        cls="mt-check-silent",
        data_key="silent",
    )
