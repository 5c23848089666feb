"""All runs in one table: found, sorted, laid over each other on the chart, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import text
from backend.training.overview import ORDERS, Overview, RunRow
from backend.training.runs import Run, list_runs
from backend.training.storage import size_of
from backend.units import size
from ui.components.actions import action_button, action_slot, pressed
from ui.components.live_chart import MOST_RUNS
from ui.components.run_view import TONES, no_run, state_words
from ui.html import Safe, badge, count, duration, element, empty, figure, join, table
from ui.i18n import Words

MOST_ROWS = 200
"""Rows shown at once; the search finds the others."""


class RunsTable:
    """The table with its search, and what its buttons do.

    Attributes:
        over: Ids of the runs laid over the shown one on the chart.
        doubt: Id of the run whose deletion is asked about; "".
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._overview = Overview()
        with gr.Row():
            self.words = words.make(
                gr.Textbox,
                {"label": "training.runs.search", "info": "training.runs.search_help"},
                max_lines=1,
                elem_id="runs-search",
            )
            self.order = words.make(
                gr.Dropdown,
                {"label": "training.runs.order", "choices": _orders},
                value=ORDERS[0],
                elem_id="runs-order",
            )
        self.slot = action_slot("runs")
        self.over = gr.State([])
        self.doubt = gr.State("")
        self.inputs = [self.words, self.order, self.over, self.doubt]

    def show(
        self,
        language: str,
        chosen: Run | None,
        words: str | None,
        order: str | None,
        over: Sequence[str],
        doubt: str,
    ) -> Safe:
        runs = list_runs(self._services.workspace)
        if not runs:
            return no_run(language)
        known = next((one for one in ORDERS if one == order), ORDERS[0])
        rows = self._overview.rows(runs, words=words or "", order=known)
        if not rows:
            return empty(language, "training.runs.none_found")
        shown = [_row(row, chosen, over, doubt, language) for row in rows[:MOST_ROWS]]
        more = len(rows) - len(shown)
        note = text(language, "training.runs.more", count=more) if more > 0 else ""
        return join([
            table(_headers(language), shown, numeric=frozenset({4, 5, 6, 7})),
            element("p", note, cls="mt-quiet"),
        ])  # fmt: skip

    def act(
        self, run_id: str | None, over: Sequence[str], doubt: str, event: gr.EventData
    ) -> tuple[str | None, list[str], str]:
        """Do what a button says: the run to show, those laid over it, and what is asked about."""
        action, target = pressed(event)
        laid = list(over)
        match action:
            case "show":
                run_id = target
                laid = [one for one in laid if one != target]
            case "over" if target in laid:
                laid.remove(target)
            case "over" if len(laid) < MOST_RUNS - 1:
                laid.append(target)
            case "delete":
                return run_id, laid, target
            case "delete_now" if doubt == target:
                self._services.supervisor.delete(target)
                laid = [one for one in laid if one != target]
        return run_id, laid, ""

    def laid_over(self, over: Sequence[str], chosen: Run) -> list[Run]:
        """The runs that are to be drawn over the chosen one and still exist."""
        runs = {run.id: run for run in list_runs(self._services.workspace)}
        return [runs[one] for one in over if one in runs and one != chosen.id]


def _orders(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"training.runs.orders.{order}"), order) for order in ORDERS]


def _headers(language: str) -> list[str]:
    names = (
        "run", "state", "model", "dataset", "best", "last", "duration", "tokens", "tags", "actions",
    )  # fmt: skip
    return [text(language, f"training.runs.columns.{name}") for name in names]


def _row(
    row: RunRow, chosen: Run | None, over: Sequence[str], doubt: str, language: str
) -> list[Any]:
    figures = row.figures
    is_chosen = chosen is not None and chosen.id == row.run.id
    name = element("strong", row.run.id) if is_chosen else element("span", row.run.id)
    return [
        element("span", name, cls="mt-name"),
        badge(state_words(row.run, language), TONES[row.run.state]),
        element("span", row.model, cls="mt-name"),
        element("span", row.dataset, cls="mt-name"),
        figure(figures.best),
        figure(figures.last),
        duration(figures.seconds),
        count(figures.tokens),
        _tags(row),
        _actions(row.run, is_chosen, row.run.id in over, doubt, language),
    ]


def _tags(row: RunRow) -> Safe:
    tags = join(badge(tag, "quiet") for tag in row.note.tags)
    return element("span", tags, title=row.note.note) if row.note.note else tags


def _actions(run: Run, is_chosen: bool, laid: bool, doubt: str, language: str) -> Safe:
    if doubt == run.id and not run.state.pending:
        freed = text(language, "training.runs.question", size=size(size_of(run.folder)))
        yes = text(language, "download.delete.confirm")
        no = text(language, "download.delete.keep")
        buttons = [
            action_button(yes, "delete_now", run.id, tone="bad"),
            action_button(no, "keep", run.id),
        ]
        asked = element("div", join(buttons), cls="mt-buttons")
        return element("div", element("p", freed), asked, cls="mt-ask")
    offers = [] if is_chosen else ["show", "unlay" if laid else "over"]
    offers += [] if run.state.pending else ["delete"]
    return element(
        "div",
        join(
            action_button(
                text(language, f"training.runs.{offer}"),
                "over" if offer == "unlay" else offer,
                run.id,
                aria_label=f"{text(language, f'training.runs.{offer}')}: {run.id}",
            )
            for offer in offers
        ),
        cls="mt-buttons",
    )
