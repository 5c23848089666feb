"""The shelf on the page: the tables, and what their buttons do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.hub.plan import target_of
from backend.library import Kind
from backend.library.datasets import find_raw_dataset, list_raw_datasets
from backend.library.models import find_model, list_models
from backend.library.removal import freed, remove, users_of
from backend.library.reveal import reveal
from backend.services import Services
from backend.text import text
from ui.components.actions import action_slot, on_press, pressed
from ui.components.shelf import Question, datasets_table, models_table
from ui.components.titles import title
from ui.html import element
from ui.i18n import Words


class Shelf:
    """The tables' components, and what happens when a button in them is pressed.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio) -> None:
        self._services = services
        title(words, "download.models.title")
        self.models = action_slot("models")
        title(words, "download.datasets.title")
        self.datasets = action_slot("datasets")
        self.question = gr.State(None)
        self.shown = [self.models, self.datasets]
        for slot, act in ((self.models, self._act_model), (self.datasets, self._act_dataset)):
            on_press(slot, act, [language, self.question], [*self.shown, self.question])

    @property
    def checking(self) -> bool:
        return any(job.state == "checking" for job in self._services.verifier.jobs())

    def show(self, language: str, question: tuple[Kind, str] | None) -> list[Any]:
        """Both tables; the question stands beside what it is about."""
        workspace = self._services.workspace
        checks = self._services.verifier.jobs()
        models, datasets = list_models(workspace), list_raw_datasets(workspace)
        asked = question if question and _known(question, models, datasets) else None
        return [
            models_table(models, language, checks=checks, question=self._question(asked, "model")),
            datasets_table(
                datasets, language, checks=checks, question=self._question(asked, "dataset")
            ),
        ]

    # What happens

    def _act_model(
        self, language: str, question: tuple[Kind, str] | None, event: gr.EventData
    ) -> list[Any]:
        return self._act(language, "model", question, event)

    def _act_dataset(
        self, language: str, question: tuple[Kind, str] | None, event: gr.EventData
    ) -> list[Any]:
        return self._act(language, "dataset", question, event)

    def _act(
        self, language: str, kind: Kind, question: tuple[Kind, str] | None, event: gr.EventData
    ) -> list[Any]:
        action, item_id = pressed(event)
        asked = question
        match action:
            case "verify":
                self._services.verifier.start(kind, item_id)
            case "place":
                self._show_place(language, kind, item_id)
            case "delete":
                asked = (kind, item_id)
            case "delete_now" if question == (kind, item_id):
                remove(
                    self._services.workspace,
                    kind,
                    item_id,
                    loaded=self._services.loaded_models(),
                    downloading=self._downloading(kind),
                )
                self._services.verifier.forget(kind, item_id)
                asked = None
            case _:
                asked = None
        return [*self.show(language, asked), asked]

    def _show_place(self, language: str, kind: Kind, item_id: str) -> None:
        """Open the folder where there is a desktop; else say where it is."""
        workspace = self._services.workspace
        find = find_model if kind == "model" else find_raw_dataset
        path = find(workspace, item_id).path
        if not reveal(path):
            gr.Info(
                element("code", str(path)),
                title=text(language, "download.place"),
                duration=None,
            )

    def _downloading(self, kind: Kind) -> list[str]:
        """What downloads write into now: ids of models, or folders of data files."""
        workspace = self._services.workspace
        parent = workspace.home(kind)
        return [
            target_of(workspace, job.repository).relative_to(parent).as_posix()
            for job in self._services.downloads.jobs()
            if job.state.active and job.repository.kind == kind
        ]

    def _question(self, asked: tuple[Kind, str] | None, kind: Kind) -> Question | None:
        if asked is None or asked[0] != kind:
            return None
        item_id = asked[1]
        workspace = self._services.workspace
        users = users_of(
            workspace,
            kind,
            item_id,
            loaded=self._services.loaded_models(),
            downloading=self._downloading(kind),
        )
        return Question(item_id, users, freed(workspace, kind, item_id))


def _known(question: tuple[Kind, str], models: Any, datasets: Any) -> bool:
    """Whether what is asked about is still there."""
    kind, item_id = question
    return any(item.id == item_id for item in (models if kind == "model" else datasets))
