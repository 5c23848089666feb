"""Where a hub is, and the token for it. A token goes in and never comes out again."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.hub.repository import HubName
from backend.hub.settings import DEFAULT_ENDPOINTS, HubSettings
from backend.text import text
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, element
from ui.i18n import Words
from ui.wiring import PRIVATE


class HubSettingsForm:
    """The form, folded; it is about the hub that is chosen above it."""

    def __init__(
        self, settings: HubSettings, words: Words, language: gr.Radio, *, hub: gr.Radio
    ) -> None:
        self._settings = settings
        with words.make(
            gr.Accordion, {"label": "hub.settings"}, open=False, elem_id="hub-settings"
        ):
            self._lay_out(words)
        self.shown = [self.endpoint, self.keep, self.state]
        self.inputs = [hub]
        hub.change(told(self.show), [language, hub], self.shown, **PRIVATE)
        # Not the boxes: what is typed there may not be saved yet.
        language.change(told(self._state), [language, hub], self.state, **PRIVATE)
        self.save.click(
            told(self._save),
            [language, hub, self.endpoint, self.token, self.keep],
            [self.endpoint, self.keep, self.state, self.token],
            **PRIVATE,
        )
        self.forget.click(told(self._forget), [language, hub], [*self.shown, self.token], **PRIVATE)

    def _lay_out(self, words: Words) -> None:
        self.endpoint = words.make(
            gr.Textbox,
            {"label": "hub.endpoint", "info": "hub.endpoint_help"},
            max_lines=1,
            elem_id="hub-endpoint",
        )
        self.token = words.make(
            gr.Textbox,
            {"label": "hub.token", "info": "hub.token_help"},
            type="password",
            max_lines=1,
            elem_id="hub-token",
        )
        self.keep = words.make(
            gr.Checkbox,
            {"label": self._keep_label},
            value=False,
            elem_id="hub-keep-token",
        )
        self.state = slot("hub-token-state")
        with gr.Row():
            self.save = words.make(gr.Button, {"value": "hub.save"}, size="sm", elem_id="hub-save")
            self.forget = words.make(
                gr.Button, {"value": "hub.forget_token"}, size="sm", elem_id="hub-forget-token"
            )

    def _keep_label(self, language: str) -> str:
        return text(language, "hub.keep_token", file=self._settings.file)

    # What happens

    def show(self, language: str, hub: HubName) -> list[Any]:
        endpoint = self._settings.endpoint(hub)
        return [
            gr.update(
                value="" if endpoint == DEFAULT_ENDPOINTS[hub] else endpoint,
                placeholder=DEFAULT_ENDPOINTS[hub],
            ),
            gr.update(value=self._settings.is_kept(hub)),
            self._state(language, hub),
        ]

    def _save(
        self,
        language: str,
        hub: HubName,
        endpoint: str | None,
        token: str | None,
        keep: bool,
    ) -> list[Any]:
        # An empty box means the token of before: what was typed is never shown again.
        typed = (token or "").strip() or None
        self._settings.change(hub, endpoint=endpoint or "", token=typed, keep=bool(keep))
        gr.Info(text(language, "hub.saved"), duration=3)
        return [*self.show(language, hub), gr.update(value="")]

    def _forget(self, language: str, hub: HubName) -> list[Any]:
        endpoint = self._settings.endpoint(hub)
        self._settings.change(hub, endpoint=endpoint, token="", keep=False)
        return [*self.show(language, hub), gr.update(value="")]

    def _state(self, language: str, hub: HubName) -> Safe:
        if problem := self._settings.unreadable:
            return element("p", problem.sentence(language), cls="mt-bad", role="status")
        if not self._settings.has_token(hub):
            words = text(language, "hub.token_none")
        elif self._settings.is_kept(hub):
            words = text(language, "hub.token_kept", file=self._settings.file)
        else:
            words = text(language, "hub.token_memory")
        return element("p", words, cls="mt-quiet", role="status")
