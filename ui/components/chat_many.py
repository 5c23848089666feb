"""Ask many: a list of questions to all columns, and the table of what they answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from backend.chat.asking_many import AskingMany
from backend.chat.ballots import is_blind
from backend.chat.bench import Bench
from backend.chat.dataset_questions import (
    Seen,
    file_questions,
    seen_datasets,
    some_validation,
    typed_questions,
)
from backend.chat.questions import own_questions
from backend.chat.settings import Settings
from backend.chat.sheet_export import export_sheet
from backend.chat.sheets import (
    MOST_QUESTIONS,
    Question,
    Sheet,
    delete_sheet,
    find_sheet,
    list_sheets,
    make_sheet,
)
from backend.errors import MedTuneError
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import action_slot, on_press, pressed
from ui.components.chat_sheet import PAGE, sheet_card, sheet_table
from ui.components.choices import choices_now
from ui.components.formulas import answer_slot
from ui.components.latest import Latest
from ui.errors import told
from ui.html import Safe, element, empty, join
from ui.i18n import Words
from ui.wiring import PRIVATE

SOURCES = ("typed", "own", "validation", "file")
MOST_SHEETS = 30
"""So many are listed, the newest."""

NOT_OPENED = ("", 0)
"""No table is shown."""


class ManyPanel:
    """The panel's components.

    Attributes:
        opened: The sheet whose table is shown, and the number of its first row, from 0.
        rate: The id of the sheet that is to be rated; who hears of it turns there.
    """

    def __init__(
        self, words: Words, workspace: Workspace, bench: Bench, asking: AskingMany
    ) -> None:
        self._workspace, self._bench, self._asking = workspace, bench, asking
        self._latest = Latest()
        with gr.Row(elem_classes="mt-pager"):
            self.source = words.make(
                gr.Radio,
                {"label": "chat.many.from", "choices": _sources},
                value="typed",
                scale=3,
                elem_id="many-from",
            )
            self.dataset = words.make(
                gr.Dropdown,
                {"label": "chat.many.dataset"},
                choices=[],
                value=None,
                visible=False,
                scale=2,
                elem_id="many-dataset",
            )
            self.count = words.make(
                gr.Number,
                {"label": "chat.many.count"},
                value=30,
                precision=0,
                visible=False,
                min_width=120,
                elem_id="many-count",
            )
        self.typed = words.make(
            gr.Textbox,
            {"label": "chat.many.typed", "info": "chat.many.typed_help"},
            lines=4,
            max_lines=12,
            elem_id="many-typed",
        )
        self.file = words.make(
            gr.File,
            {"label": "chat.many.file"},
            file_types=[".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".gz"],
            visible=False,
            height=120,
            elem_id="many-file",
        )
        with gr.Row(elem_classes="mt-pager"):
            self.name = words.make(
                gr.Textbox,
                {"label": "chat.many.name", "info": "chat.many.name_help"},
                max_lines=1,
                scale=3,
                elem_id="many-name",
            )
            self.start = words.make(
                gr.Button, {"value": "chat.many.start"}, variant="primary", elem_id="many-start"
            )
        self.list = action_slot("many")
        self.download = gr.DownloadButton(
            "", visible=False, size="sm", variant="primary", elem_id="many-download"
        )
        self.table = answer_slot("many-table")
        self.opened = gr.State(NOT_OPENED)
        self.rate = gr.State("")

    def wire(self, language: gr.Radio, settings: Sequence[Any], read: Any) -> None:
        """Let the panel's buttons do what they say.

        Args:
            settings: The components of the settings; ``read`` makes ``Settings`` of their values.
        """
        self.source.input(
            told(self._choose_source),
            [language, self.source, self.dataset],
            [self.typed, self.dataset, self.count, self.file],
            **PRIVATE,
        )
        asked = [self.source, self.typed, self.dataset, self.count, self.file, self.name]

        def start(language: str, *inputs: Any) -> list[Any]:
            return self._start(language, inputs[: len(asked)], read(*inputs[len(asked) :]))

        self.start.click(
            told(start), [language, *asked, *settings], [self.list, self.name], **PRIVATE
        )
        outputs = [self.list, self.table, self.opened, self.rate, self.download]
        on_press(self.list, self._press, [language, self.opened], outputs)
        on_press(self.table, self._turn, [language, self.opened], [self.table, self.opened])

    # What is shown

    def stamp(self, opened: tuple[str, int]) -> str:
        """Changes when the list, or the table that is open, would look different."""
        parts = []
        for sheet in self._listed():
            now = self._asking.progress(sheet)
            blind = is_blind(self._workspace, sheet.id)
            parts.append(f"{sheet.id}:{now.state}:{now.done}:{now.failed}:{blind}")
        return f"{opened}|{'|'.join(parts)}"

    def show(self, language: str, request: gr.Request, opened: tuple[str, int]) -> list[Any]:
        """The list, and the table that is open unless the page has turned to another."""
        left = self._latest.has_left(request, f"{opened}")
        return [self._cards(language), gr.skip() if left else self._table(language, *opened)]

    def _listed(self) -> list[Sheet]:
        return [one for one in list_sheets(self._workspace) if not one.single][:MOST_SHEETS]

    def _cards(self, language: str) -> Safe:
        sheets = self._listed()
        if not sheets:
            return empty(language, "chat.many.empty")
        return join(
            sheet_card(
                sheet,
                self._asking.progress(sheet),
                language,
                blind=is_blind(self._workspace, sheet.id),
            )
            for sheet in sheets
        )

    def _table(self, language: str, sheet_id: str, first: int) -> Safe:
        try:
            sheet = find_sheet(self._workspace, sheet_id) if sheet_id else None
        except MedTuneError:  # it was deleted, perhaps by another page
            sheet = None
        if sheet is None:
            return Safe("")
        if is_blind(self._workspace, sheet.id):
            return element("p", text(language, "chat.many.hidden"), cls="mt-notice")
        end = min(first + PAGE, sheet.count)
        return sheet_table(
            sheet, first, sheet.questions(first, end), sheet.answers(first, end), language
        )

    # What happens

    def _choose_source(self, language: str, source: str, dataset: str | None) -> list[Any]:
        names = self._with_validation()
        chosen = dataset if dataset in names else next(iter(names), None)
        choices = [(one.dataset.name, name) for name, one in names.items()]
        return [
            gr.update(visible=source == "typed"),
            {
                **choices_now(choices, sent=dataset, kept=chosen),
                "visible": source == "validation",
            },
            gr.update(visible=source == "validation"),
            gr.update(visible=source == "file"),
        ]

    def _with_validation(self) -> Mapping[str, Seen]:
        found = seen_datasets(self._workspace, self._bench.runs())
        return {f"{one.run}/{one.dataset.name}": one for one in found if one.count("validation")}

    def _start(self, language: str, inputs: Sequence[Any], settings: Settings) -> list[Any]:
        source, typed, dataset, number, file, name = inputs
        questions = self._questions(source, typed, dataset, number, file)
        columns = self._bench.contestants()
        sheet = make_sheet(self._workspace, questions, columns, settings, title=name)
        self._asking.start(sheet, self._bench.target)
        return [self._cards(language), ""]

    def _questions(
        self, source: str, typed: str, dataset: str | None, number: Any, file: str | None
    ) -> list[Question]:
        if source == "own":
            return own_questions(self._workspace)
        if source == "file":
            path = Path(file) if file else None
            most = MOST_QUESTIONS + 1
            return file_questions(self._workspace, path, most=most) if path else []
        if source == "validation":
            seen = self._with_validation().get(dataset or "")
            wanted = max(0, int(number or 0))
            return some_validation(self._workspace, seen, wanted) if seen else []
        return typed_questions(typed)

    def _press(
        self, language: str, request: gr.Request, opened: tuple[str, int], event: gr.EventData
    ) -> list[Any]:
        action, target = pressed(event)
        skip = gr.skip()
        if not action:
            return [skip] * 5
        sheet = find_sheet(self._workspace, target)
        if action in ("csv", "jsonl"):
            path = export_sheet(self._workspace, sheet, "csv" if action == "csv" else "jsonl")
            label = text(language, "chat.many.download", name=path.name)
            offered = gr.update(value=str(path), label=label, visible=True)
            return [skip, skip, skip, skip, offered]
        rate: Any = skip
        if action == "open":
            opened = (sheet.id, 0)
        elif action == "stop":
            self._asking.stop(sheet)
        elif action == "resume":
            self._asking.start(sheet, self._bench.target)
        elif action == "delete":
            self._asking.stop(sheet)
            delete_sheet(self._workspace, sheet.id)
        elif action == "rate":
            rate = sheet.id
        self._latest.turn(request, f"{opened}")
        return [*self.show(language, request, opened), opened, rate, skip]

    def _turn(
        self, language: str, request: gr.Request, opened: tuple[str, int], event: gr.EventData
    ) -> list[Any]:
        _, target = pressed(event)
        if not target.isdecimal():
            return [gr.skip(), gr.skip()]
        turned = (opened[0], int(target))
        self._latest.turn(request, f"{turned}")
        return [self._table(language, *turned), turned]


def _sources(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"chat.many.sources.{name}"), name) for name in SOURCES]
