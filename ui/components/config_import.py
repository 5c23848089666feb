"""A LLaMA-Factory file from elsewhere, pasted or uploaded, into the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from backend.errors import HyperparameterError
from backend.services import Services
from backend.text import text
from backend.training.importing import Imported, import_settings
from backend.training.schema.reading import MOST_CHARACTERS
from ui.components.form import Form
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, element, join
from ui.i18n import Words
from ui.wiring import PRIVATE

Fill = Callable[[Mapping[str, Any]], list[Any]]


class ConfigImport:
    """The fold's components.

    Attributes:
        taken: The event after which the form has other values.
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._workspace = services.workspace
        with words.make(
            gr.Accordion,
            {"label": "hyperparameters.import.title"},
            open=False,
            elem_id="config-import",
        ):
            self.words = words.make(
                gr.Textbox,
                {"label": "hyperparameters.import.words", "info": "hyperparameters.import.help"},
                lines=6,
                max_lines=20,
                elem_id="config-import-words",
            )
            with gr.Row():
                self.upload = words.make(
                    gr.UploadButton,
                    {"label": "hyperparameters.import.upload"},
                    file_types=[".yaml", ".yml", ".json"],
                    elem_id="config-import-upload",
                )
                self.take = words.make(
                    gr.Button,
                    {"value": "hyperparameters.import.take"},
                    elem_id="config-import-take",
                )
            self.result = slot("config-import-result")

    def wire(self, language: gr.Radio, form: Form, fill: Fill) -> None:
        """Let the button fill the form; ``fill`` makes its updates."""

        def take(spoken: str, words: str) -> list[Any]:
            imported = import_settings(words or "", self._workspace)
            return [*fill(imported.values), import_view(imported, spoken)]

        # The file's words come into the box, where they can be read before they count.
        self.upload.upload(told(_words_of), [language, self.upload], self.words, **PRIVATE)
        self.taken = self.take.click(
            told(take), [language, self.words], [*form.inputs, self.result], **PRIVATE
        )


def import_view(imported: Imported, language: str) -> Safe:
    """How much was taken, and each argument that was not, with the reason."""
    count = len(imported.taken)
    pieces = [
        element(
            "p", text(language, "hyperparameters.import.taken", count=count), cls="mt-quiet",
            role="status",
        )
    ]  # fmt: skip
    if imported.refused:
        pieces.append(element("p", text(language, "hyperparameters.import.refused")))
        pieces.append(
            element(
                "ul",
                join(
                    element("li", element("code", name), " ", error.sentence(language))
                    for name, error in imported.refused
                ),
            )
        )
    return join(pieces)


def _words_of(_language: str, file: str | None) -> Any:
    if not file:
        return gr.skip()
    content = Path(file).read_bytes()[: 4 * MOST_CHARACTERS + 1]
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HyperparameterError("training.errors.yaml_no_text") from error
