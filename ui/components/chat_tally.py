"""What the revealed votes say of each checkpoint, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.chat.preferences import save_pairs
from backend.chat.tally import Share, Standing, contestants, tally
from backend.chat.votes import all_votes
from backend.text import text
from backend.workspace import Workspace
from ui.components.choices import choices_now
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, count, element, empty, table
from ui.i18n import Words
from ui.wiring import PRIVATE


class TallyPanel:
    """The panel's components."""

    def __init__(self, words: Words, workspace: Workspace) -> None:
        self._workspace = workspace
        with gr.Row(elem_classes="mt-pager"):
            self.against = words.make(
                gr.Dropdown,
                {"label": "chat.tally.against"},
                choices=[],
                value=None,
                scale=3,
                elem_id="tally-against",
            )
            self.pairs = words.make(gr.Button, {"value": "chat.tally.pairs"}, elem_id="tally-pairs")
        self.said = slot("tally-said")
        self.view = slot("tally")
        self.shown = [self.against, self.view]

    def wire(self, language: gr.Radio) -> None:
        self.against.input(told(self.show), [language, self.against], self.shown, **PRIVATE)
        self.pairs.click(told(self._save), language, self.said, **PRIVATE)

    def show(self, language: str, against: str | None) -> list[Any]:
        """The tally of all that has been revealed."""
        votes = all_votes(self._workspace)
        columns = contestants(votes)
        choices = [(f"{one.label} [{one.identity[:17]}]", one.identity) for one in columns]
        standings = tally(votes, against)
        first = standings[0].column.identity if standings else None
        return [
            choices_now(choices, sent=against, kept=first),
            tally_view(standings, language),
        ]

    def _save(self, language: str) -> Safe:
        path, pairs = save_pairs(self._workspace)
        words = text(
            language,
            "chat.tally.pairs_saved",
            pairs=count(len(pairs.rows)),
            name=path.name,
            undecided=count(pairs.undecided),
            unfit=count(pairs.unfit),
        )
        return element("p", words, cls="mt-notice", role="status")


def tally_view(standings: Sequence[Standing], language: str) -> Safe:
    """A row for each weights, and what the figures mean."""
    if not standings:
        return empty(language, "chat.tally.empty")
    name = standings[0].column.label
    heads = [
        text(language, f"chat.tally.{head}", name=name)
        for head in (
            *("column", "votes", "best", "ties", "bad"),
            *("unsafe", "unsupported", "win_rate", "verdict"),
        )
    ]
    rows = [_row(one, first=one is standings[0], language=language) for one in standings]
    shown = table(heads, rows, numeric=frozenset(range(1, 8)))
    about = element("p", text(language, "chat.tally.about"), cls="mt-quiet mt-small")
    return element("div", shown, about, cls="mt-tally")


def _row(one: Standing, *, first: bool, language: str) -> list[object]:
    proof = element("code", one.column.fingerprint, cls="mt-small")
    return [
        element("div", one.column.label, " ", proof, cls="mt-name"),
        count(one.rated),
        _share(one.share, language),
        count(one.ties),
        count(one.bad),
        _share(one.marks["unsafe"], language),
        _share(one.marks["unsupported"], language),
        _share(one.against, language) if one.against else "–",
        _verdict(one, first=first, language=language),
    ]


def _share(share: Share, language: str) -> str:
    if share.value is None:
        return "–"
    value, low, high = (f"{100 * part:.0f}%" for part in (share.value, share.low, share.high))
    return text(language, "chat.tally.share", value=value, low=low, high=high)


def _verdict(one: Standing, *, first: bool, language: str) -> str:
    if first:
        return text(language, "chat.tally.reference")
    rate = one.against
    if rate is None or rate.value is None:
        return text(language, "chat.tally.alone")
    if one.clear:
        key = "better" if rate.value > 0.5 else "worse"
    else:
        key = "even" if one.needed is None else "unclear"
    needed = count(one.needed)
    return text(language, f"chat.tally.{key}", count=count(rate.count), needed=needed)
