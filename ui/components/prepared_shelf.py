"""The prepared datasets on the page: comparing, deleting, and a registry that is broken."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.data.registry import PreparedDataset, prepared_folders
from backend.data.registry import list_prepared as register_all
from backend.data.registry_repair import Repaired, repair, trouble_of
from backend.data.versions import (
    Comparison,
    Difference,
    compare,
    delete_version,
    users_of_prepared,
)
from backend.errors import DataError
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import action_slot, on_press, pressed
from ui.components.prepared_view import (
    Change,
    DeleteQuestion,
    PreparedCard,
    comparison_view,
    prepared_list,
    registry_broken,
)
from ui.components.prepared_view import Comparison as ShownComparison
from ui.components.setting_words import setting_name, setting_value
from ui.components.titles import title
from ui.html import Safe, element, join
from ui.i18n import Words


class PreparedShelf:
    """The shelf's components, and what happens when a button on it is pressed.

    Attributes:
        shown: What ``show`` fills.
        state: What ``show`` takes beside the language: what is asked, and what is compared.
    """

    def __init__(self, workspace: Workspace, words: Words, language: gr.Radio) -> None:
        self._workspace = workspace
        title(words, "data.prepared.title")
        self.list = action_slot("prepared")
        self.question = gr.State("")
        self.comparing = gr.State(())
        self.shown = [self.list]
        self.state = [self.question, self.comparing]
        on_press(self.list, self._act, [language, *self.state], [self.list, *self.state])

    def show(self, language: str, question: str, comparing: tuple[str, ...]) -> list[Any]:
        """The prepared datasets, newest last; what is wrong with the registry before them."""
        trouble = trouble_of(self._workspace)
        if trouble is None:
            register_all(self._workspace)
        datasets = prepared_folders(self._workspace)
        names = {one.name for one in datasets}
        asked = self._question(question) if question in names else None
        chosen = tuple(name for name in comparing if name in names)
        pieces = [
            registry_broken(
                str(trouble.file),
                trouble.line,
                text(language, f"data.registry.{trouble.key}", near=trouble.near),
                language,
            )
            if trouble
            else Safe(""),
            self._comparison(language, *chosen) if len(chosen) == 2 else Safe(""),
            prepared_list(
                [_card(one, language) for one in datasets],
                language,
                question=asked,
                comparing=chosen[0] if len(chosen) == 1 else "",
            ),
        ]
        return [join(pieces)]

    def _act(
        self,
        language: str,
        question: str,
        comparing: tuple[str, ...],
        event: gr.EventData,
    ) -> list[Any]:
        action, name = pressed(event)
        match action:
            case "delete":
                question = name
            case "delete_now" if question == name:
                delete_version(self._workspace, name)
                question = ""
            case "compare":
                comparing = _compared(tuple(comparing), name)
            case "repair":
                self._repair(language)
            case "close":
                comparing = ()
            case _:
                question = ""
        return [*self.show(language, question, tuple(comparing)), question, comparing]

    def _repair(self, language: str) -> None:
        done: Repaired = repair(self._workspace)
        said = text(
            language,
            "data.registry.repaired",
            kept=len(done.kept),
            restored=len(done.restored),
            backup=done.backup.name,
        )
        gr.Info(element("span", said), title=text(language, "data.registry.repaired_title"))

    def _question(self, name: str) -> DeleteQuestion:
        active, ended = users_of_prepared(self._workspace, name)
        return DeleteQuestion(name, [*active, *ended])

    def _comparison(self, language: str, old: str, new: str) -> Safe:
        try:
            found = compare(self._workspace, old, new)
        except DataError as error:
            return element("p", error.sentence(language), cls="mt-bad", role="status")
        return comparison_view(_shown(found, language), language)


def _compared(comparing: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The datasets to compare after one more was chosen; choosing one again takes it back."""
    if name in comparing:
        return tuple(one for one in comparing if one != name)
    return (*comparing[:1], name) if len(comparing) < 2 else (name,)


def _card(one: PreparedDataset, language: str) -> PreparedCard:
    report = one.report
    return PreparedCard(
        name=one.name,
        train=report.train_rows,
        validation=report.validation_rows,
        left_out=report.left_out_rows,
        mended=report.mended,
        source=report.source,
        created=one.created.replace("T", " ")[:16],
        about=text(language, f"data.targets.{report.target.value}"),
    )


def _shown(found: Comparison, language: str) -> ShownComparison:
    return ShownComparison(
        before=found.old.name,
        after=found.new.name,
        changes=[_change(one, language) for one in found.settings],
        only_before=found.only_old,
        only_after=found.only_new,
        both=found.both,
        examples_before=found.examples_old,
        examples_after=found.examples_new,
    )


def _change(one: Difference, language: str) -> Change:
    values = (setting_value(language, one.name, value) for value in (one.old, one.new))
    return Change(setting_name(language, one.name), *values)
