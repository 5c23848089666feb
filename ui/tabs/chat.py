"""Chat: one question to the base and its checkpoints at once, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from backend.chat import choices
from backend.chat.engines import Engine
from backend.chat.room import MOST_COLUMNS, Room
from backend.errors import EngineError
from backend.services import Services
from backend.text import text
from backend.training.runs import find_run
from backend.units import size
from ui.components.chat_columns import (
    build_columns,
    column_label,
    column_updates,
    settings_of,
    streamed,
)
from ui.components.choices import UNSENT, choices_now
from ui.components.live_chart import checkpoint_of
from ui.components.pulse import Beat, Pulse
from ui.components.slot import slot
from ui.errors import told
from ui.html import element, empty
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

BEAT_SECONDS = 0.7
MOST_PAGES = 8
"""Pages that may ask at the same time; the engine puts their rows into one batch."""

FIRST_SETTINGS = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 512, "seed": 0}
"""DeepSeek's recommendation for the R1 distills; greedy is on until someone wants another."""


class ChatTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        base, columns: What is chosen to be loaded.
        chosen: Whether ``choose_run`` found what it was asked for.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio) -> None:
        self._services = services
        self._room = Room(services.workspace, services.engines)
        with gr.Row(equal_height=False):
            self._lay_out_choice(words)
        self.status = slot("chat-status")
        self.views = build_columns(words)
        with gr.Row(equal_height=False):
            self._lay_out_question(words)
        self.settings = _lay_out_settings(words)
        self.seen = gr.State("")
        self.chosen = gr.State(False)
        parts = [part for one in self.views for part in (one.box, one.head, one.chat, one.stats)]
        self._shown = [self.status, *parts, self.suggestion, self.seen]
        self._wire(language)
        self._wire_question(language)
        self.refresh = Refresh(
            self._show,
            [self.base, self.columns, *self._shown],
            inputs=[self.base, self.columns],
        )

    def _lay_out_choice(self, words: Words) -> None:
        self.base = words.make(
            gr.Dropdown, {"label": "chat.base"}, choices=[], value=None, elem_id="chat-base"
        )
        self.columns = words.make(
            gr.Dropdown,
            {"label": "chat.columns", "info": "chat.columns_help"},
            choices=[],
            value=[],
            multiselect=True,
            max_choices=MOST_COLUMNS,
            scale=2,
            elem_id="chat-columns",
        )
        with gr.Column(min_width=160, scale=0):
            self.load = words.make(
                gr.Button, {"value": "chat.load"}, variant="primary", elem_id="chat-load"
            )
            self.unload = words.make(gr.Button, {"value": "chat.unload"}, elem_id="chat-unload")

    def _lay_out_question(self, words: Words) -> None:
        self.question = words.make(
            gr.Textbox,
            {"label": "chat.question", "info": "chat.question_help"},
            lines=1,
            max_lines=6,
            scale=3,
            elem_id="chat-question",
        )
        self.suggestion = words.make(
            gr.Dropdown,
            {"label": "chat.suggestion", "info": "chat.suggestion_help"},
            choices=[],
            value=None,
            scale=2,
            elem_id="chat-suggestion",
        )
        small: dict[str, Any] = {"size": "sm", "min_width": 60}
        with gr.Column(min_width=160, scale=0):
            self.send = words.make(
                gr.Button, {"value": "chat.send"}, variant="primary", elem_id="chat-send"
            )
            with gr.Row():
                self.stop = words.make(
                    gr.Button, {"value": "chat.stop"}, elem_id="chat-stop", **small
                )
                self.clear = words.make(
                    gr.Button, {"value": "chat.clear"}, elem_id="chat-clear", **small
                )

    def _wire(self, language: gr.Radio) -> None:
        self.base.input(
            told(self._choose_base),
            [language, self.base],
            self.columns,
            trigger_mode="always_last",
            **PRIVATE,
        )
        self.load.click(
            told(self._load),
            [language, self.base, self.columns],
            self._shown,
            **PRIVATE,
        )
        self.unload.click(told(self._unload), language, self._shown, **PRIVATE)
        self.clear.click(told(self._clear), language, self._shown, **PRIVATE)
        self.pulse = Pulse(lambda language: Beat(self._sign(language)), every=BEAT_SECONDS)
        self.pulse.tick(self._tick, [language, self.seen], self._shown)

    def _wire_question(self, language: gr.Radio) -> None:
        self.suggestion.input(lambda chosen: chosen, self.suggestion, self.question, **PRIVATE)
        self.stop.click(self._stop, **PRIVATE)
        answers = [part for one in self.views for part in (one.chat, one.stats)]
        gr.on(
            [self.send.click, self.question.submit],
            told(self._send),
            [language, self.question, *self.settings],
            [self.question, *answers],
            concurrency_limit=MOST_PAGES,
            **PRIVATE,
        )

    # What happens

    def choose_run(self, language: str, run_id: str | None) -> list[Any]:
        """Base, first and last checkpoint of a run, chosen and ready to load; and that it went.

        Raises:
            EngineError: there is nothing of it to talk to.
        """
        run = find_run(self._services.workspace, run_id or "")
        base = choices.base_of(self._services.workspace, run)
        keys = [column.key for column in self._room.columns(base.id)]
        mine = [key for key in keys if key.startswith(f"{run.id}/")]
        return [*picked(self._room, base.id, [*keys[:1], *span(mine)], language), True]

    def choose_checkpoint(self, language: str, event: gr.EventData) -> list[Any]:
        """Base and the checkpoint whose marker was clicked, chosen; and that it went."""
        asked = checkpoint_of(event)
        if asked is None:
            return [gr.skip(), gr.skip(), False]
        run_id, checkpoint = asked
        run = find_run(self._services.workspace, run_id)
        base = choices.base_of(self._services.workspace, run)
        keys = [column.key for column in self._room.columns(base.id)]
        mine = [key for key in keys if key == f"{run.id}/{checkpoint}"]
        return [*picked(self._room, base.id, [*keys[:1], *mine], language), True]

    def _view(self, language: str, request: gr.Request) -> list[Any]:
        """Status and columns as the engine is now; columns that stream are left to their stream."""
        engine = self._room.engine
        now = self._room.conversation()
        updates = column_updates(engine, now, language)
        if self._room.is_asking(session_of(request)):
            updates = [gr.skip()] * len(updates)
        return [
            status_line(engine, self._room.freed, language),
            *updates,
            gr.update(choices=self._room.questions(now), value=None),
            self._sign(language),
        ]

    def _sign(self, language: str) -> str:
        """What the page shows, as far as a tick would draw it."""
        return f"{language} {stamp(self._room)}"

    def _tick(self, language: str, request: gr.Request, seen: str) -> list[Any]:
        """Look whether something has changed, and draw only then."""
        if self._sign(language) == seen or self._room.is_asking(session_of(request)):
            return [gr.skip()] * len(self._shown)
        return self._view(language, request)

    def _show(
        self, language: str, request: gr.Request, base_id: str | None, keys: list[str]
    ) -> list[Any]:
        chosen = picked(self._room, base_id, keys, language, sent=(base_id, keys))
        return [*chosen, *self._view(language, request)]

    def _choose_base(self, language: str, base_id: str | None) -> Any:
        known = [column.key for column in self._room.columns(base_id)]
        return gr.update(choices=_labelled(known, language), value=first_choice(known))

    def _load(
        self, language: str, request: gr.Request, base_id: str | None, keys: list[str]
    ) -> list[Any]:
        self._room.load(base_id, keys)
        return self._view(language, request)

    def _unload(self, language: str, request: gr.Request) -> list[Any]:
        if self._room.unload() is not None:
            return self._view(language, request)
        words = text(language, "chat.nothing_to_unload")
        return [element("p", words, role="status"), *self._view(language, request)[1:]]

    def _clear(self, language: str, request: gr.Request) -> list[Any]:
        self._room.clear(session_of(request))
        now = self._room.conversation()
        updates = column_updates(self._room.engine, now, language)
        return [gr.skip(), *updates, gr.skip(), self._sign(language)]

    def _send(
        self, language: str, request: gr.Request, question: str, *entered: Any
    ) -> Iterator[list[Any]]:
        """Stream all columns; the box is emptied when the question is on its way.

        What stays on the page at the end is drawn by the next tick, from what was kept.
        """
        now = self._room.conversation()
        if now is None:
            raise EngineError("chat.errors.nothing_loaded")
        asked = self._room.ask(session_of(request), now, question, settings_of(*entered))
        sent = ""
        for replies in asked:
            yield [sent, *streamed(now, question, replies, language)]
            sent = gr.skip()

    def _stop(self, request: gr.Request) -> None:
        self._room.stop(session_of(request))


def _lay_out_settings(words: Words) -> list[Any]:
    with (
        words.make(
            gr.Accordion, {"label": "chat.settings.title"}, open=False, elem_id="chat-settings"
        ),
        gr.Row(),
    ):
        greedy = words.make(
            gr.Checkbox, {"label": "chat.settings.greedy"}, value=True, elem_id="chat-greedy"
        )
        numbers = [
            words.make(
                gr.Number,
                {"label": f"chat.settings.{name}"},
                value=value,
                min_width=120,
                elem_id=f"chat-{name}",
            )
            for name, value in FIRST_SETTINGS.items()
        ]
    return [greedy, *numbers]


def session_of(request: gr.Request) -> str:
    """Which page asks; Gradio gives each its own."""
    return request.session_hash or ""


def picked(
    room: Room,
    base_id: str | None,
    keys: Sequence[str],
    language: str,
    *,
    sent: tuple[Any, Any] = (UNSENT, UNSENT),
) -> list[Any]:
    """The two dropdowns: what is on disk now, and what of it is chosen.

    With nothing chosen, what is loaded; else the first base and the newest run on it. What the page
    ``sent`` is left as it is, where it can be.
    """
    bases = choices.bases(room.workspace)
    known = [base.id for base in bases]
    engine = room.engine
    if base_id not in known and engine is not None:
        base_id = next((base.id for base in bases if base.path == engine.model_path), None)
        keys = [column.key for column in engine.columns]
    chosen = base_id if base_id in known else (known[0] if known else None)
    columns = [column.key for column in room.columns(chosen)]
    kept = [key for key in keys if key in columns] or first_choice(columns)
    labelled = _labelled(columns, language)
    return [
        choices_now(known, sent=sent[0], kept=chosen),
        choices_now(labelled, sent=sent[1], kept=kept[:MOST_COLUMNS]),
    ]


def first_choice(keys: Sequence[str]) -> list[str]:
    """The base, and the newest run's first and last checkpoint."""
    newest = keys[1].rsplit("/", 1)[0] if len(keys) > 1 else ""
    return [*keys[:1], *span([key for key in keys[1:] if key.rsplit("/", 1)[0] == newest])]


def span(keys: Sequence[str]) -> list[str]:
    """The first and the last, which show most of what a training has changed."""
    return list(dict.fromkeys([*keys[:1], *keys[-1:]]))


def _labelled(keys: Sequence[str], language: str) -> list[tuple[str, str]]:
    return [(column_label(key, language), key) for key in keys]


def stamp(room: Room) -> str:
    """Changes when the status, a column's head or the conversation would."""
    engine = room.engine
    if engine is None:
        return f"none|{room.freed}|{room.revision}"
    loading = engine.loading
    keys = ",".join(column.key for column in engine.columns)
    refused = ",".join(engine.column_errors)
    state = f"{engine.pid}|{loading.state}|{loading.column}"
    return f"{state}|{keys}|{refused}|{room.revision}"


def status_line(engine: Engine | None, freed: int | None, language: str) -> Any:
    """What is loaded or why not; after an unload, the bytes that it ``freed``."""
    if engine is None and freed is not None:
        words = text(language, "chat.unloaded", memory=size(freed))
        return element("p", words, role="status")
    if engine is None:
        return empty(language, "chat.empty")
    loading = engine.loading
    if loading.error:
        return element("p", loading.error.sentence(language), cls="mt-bad", role="status")
    if loading.state == "ready":
        words = text(
            language,
            "chat.loaded",
            columns=len(engine.columns) - len(engine.column_errors),
            memory=size(engine.memory()),
            device=engine.device,
        )
        return element("p", words, role="status", data_state="ready")
    stage = text(language, f"chat.stages.{loading.state}", column=loading.column or "")
    words = text(language, "chat.loading", stage=stage)
    return element(
        "div", words, element("progress"), role="status", data_state=loading.state, cls="mt-job"
    )
