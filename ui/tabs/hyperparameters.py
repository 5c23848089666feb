"""Hyperparameters: one form, presets, and the LLaMA-Factory file that will run, live."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from backend.data.meaning.records import Target
from backend.data.registry import list_prepared
from backend.errors import DataError, HyperparameterError, MedTuneError
from backend.library.models import find_model, list_models
from backend.library.templates import template_names
from backend.planning.room import processes
from backend.services import Services
from backend.text import ASSETS, text
from backend.training.config import to_yaml
from backend.training.devices import gpus_lately
from backend.training.presets import apply, list_presets, switched
from backend.training.preview import preview
from backend.training.schema import defaults, effective_batch_size, validate
from ui.components.choices import UNSENT, choices_now
from ui.components.config_import import ConfigImport
from ui.components.config_view import ConfigView
from ui.components.form import build_form
from ui.components.gradio_keys import let_keys_scroll
from ui.components.plan_panel import PlanPanel
from ui.components.settings_shelf import SettingsShelf
from ui.components.slot import slot
from ui.components.sweep_panel import SweepPanel
from ui.errors import told
from ui.html import element, empty, facts
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

FIRST_PRESET = "quick_demo"
"""What a newcomer finds filled in: it trains within two minutes without a GPU."""


class HyperparametersTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        form: The fields; what Training starts with.
        checked: The event after which ``ready`` says whether the form can be trained with.
        plan: What the training would be.
        refresh: Choices, preview and plan again.
        restore: What this browser had typed, once, when the page loads.
        taken: What ``take`` fills.
        remember: Keeps in the browser what an event has filled; gives the event after that.
    """

    def __init__(
        self,
        services: Services,
        words: Words,
        language: gr.Radio,
        *,
        remembered: gr.HTML,
    ) -> None:
        self._services = services
        self._initial = first_values()
        self.view = ConfigView(services)
        with gr.Row():
            with gr.Column(scale=3):
                self.preset = words.make(
                    gr.Dropdown,
                    {"label": "hyperparameters.preset", "choices": _presets},
                    value=FIRST_PRESET,
                    elem_id="preset",
                )
                self.about = slot("preset-help")
                self.shelf = SettingsShelf(services, words)
                self.imported = ConfigImport(services, words)
                self.form = build_form(words, self._initial)
                self.sweep = SweepPanel(services, words)
            with gr.Column(scale=2, min_width=340, elem_classes="mt-sticky"):
                self._lay_out_preview(words)
        self.ready = gr.State(False)
        self._picked = [self.form.components[name] for name in ("model", "dataset", "template")]
        self.taken = [self.preset, self.about, *self.form.inputs]
        self._wire(language)
        self.shelf.wire(language, self.form, self._fill)
        self.imported.wire(language, self.form, self._fill)
        self.sweep.wire(language, self.form)
        self.plan.wire(self.form, language)
        self._wire_memory(remembered)
        self.checked = self.go.click(lambda: False, None, self.ready, **PRIVATE).then(
            told(self._check), [language, *self.form.inputs], self.ready, **PRIVATE
        )
        self.refresh = Refresh(
            self._show,
            [
                self.about,
                *self._picked,
                self.summary,
                self.yaml,
                *self.view.shown,
                *self.shelf.shown,
                *self.plan.shown,
            ],
            inputs=[self.preset, *self.shelf.asked, *self.form.inputs],
        )
        self.restore = Refresh(self._restore, [self.preset, *self.form.inputs], inputs=[remembered])

    def _lay_out_preview(self, words: Words) -> None:
        self.go = words.make(
            gr.Button,
            {"value": "hyperparameters.go"},
            variant="primary",
            elem_id="go-training",
        )
        self.view.lay_out_question(words)
        self.summary = slot("config-summary")
        self.view.lay_out(words)
        self.plan = PlanPanel(self._services)
        self.yaml = words.make(
            gr.Code,
            {"label": "hyperparameters.yaml"},
            language="yaml",
            interactive=False,
            max_lines=30,
            elem_id="config-yaml",
        )
        let_keys_scroll("config-command", "config-yaml")

    def _wire(self, language: gr.Radio) -> None:
        gr.on(
            [component.change for component in [*self.sweep.axes, *self.form.inputs]],
            self._preview,
            [language, *self.sweep.axes, *self.form.inputs],
            [self.summary, self.yaml, *self.view.shown, self.sweep.plan, *self.form.shown],
            trigger_mode="always_last",
            # What is said then would be of the form as it was; the answer itself is kept.
            cancels=[self.view.wire(language, self.form)],
            **PRIVATE,
        )
        self.chosen = self.preset.input(
            told(self._choose_preset),
            [language, self.preset],
            [self.about, *self.form.inputs],
            trigger_mode="always_last",
            **PRIVATE,
        )
        model, template = self.form.components["model"], self.form.components["template"]
        model.input(
            told(self._choose_model),
            [language, model],
            template,
            trigger_mode="always_last",
            **PRIVATE,
        )

    def _wire_memory(self, remembered: gr.HTML) -> None:
        """Keep in the browser what a person did, not what the page set while it was loading."""
        kept = [self.preset, *self.form.inputs]
        script = remember_script(["preset", *self.form.components])

        def remember(event: Any) -> Any:
            return event.then(None, kept, remembered, js=script)

        self.remember = remember
        # A text box tells of a key before its value has it; leaving the box tells of all of it.
        edits = [one.input for one in self.form.inputs]
        edits += [one.blur for one in self.form.inputs if isinstance(one, gr.Textbox)]
        gr.on(edits, None, kept, remembered, js=script)
        for filled in (self.chosen, self.shelf.loaded, self.imported.taken, self.plan.fixed):
            remember(filled)

    # What happens

    def take(self, language: str, values: Mapping[str, Any]) -> list[Any]:
        """The form with the first preset's settings, and these values."""
        return [FIRST_PRESET, _preset_help(FIRST_PRESET, language), *self._fill(values)]

    def _preview(self, language: str, *entered: Any) -> list[Any]:
        axes = len(self.sweep.axes)
        values = self.form.values(entered[axes:])
        return [
            *config_preview(self._services, values, language),
            *self.view.show(language, values),
            self.sweep.show(language, entered[:axes], values),
            *self.form.visibility(values),
        ]

    def _choose_preset(self, language: str, name: str) -> list[Any]:
        chosen = next((one for one in list_presets() if one.name == name), None)
        if chosen is None:
            return [gr.skip() for _ in (self.about, *self.form.inputs)]
        return [_preset_help(name, language), *self.form.updates(switched(chosen))]

    def _choose_model(self, language: str, model_id: str | None) -> Any:
        # Where the model's template is not known the field is left open, and the page asks for it:
        # the template of the model before would train without a word.
        return gr.update(value=find_model(self._services.workspace, model_id or "").template)

    def _check(self, language: str, *entered: Any) -> bool:
        values = self.form.values(entered)
        self._services.supervisor.check(values)
        self.view.begin(values)
        return True

    def _show(
        self, language: str, preset: str, source: str | None, other: str | None, *entered: Any
    ) -> list[Any]:
        """The choices that are on disk now; what is chosen stays as long as it is there."""
        values = self.form.values(entered)
        picked = picked_choices(self._services)
        return [
            _preset_help(preset, language),
            *(
                _pick(values.get(name), picked[name], name, sent=values.get(name))
                for name in picked
            ),
            *config_preview(self._services, values, language),
            *self.view.show(language, values),
            *self.shelf.show(language, source, other, values),
            *self.plan.show(language, *entered),
        ]

    def _restore(self, language: str, remembered: Mapping[str, Any]) -> list[Any]:
        """What this browser had typed; what is no longer on disk is left open."""
        values = {**self._initial, "preset": FIRST_PRESET, **_mapping(remembered)}
        picked = picked_choices(self._services)
        known = {preset.name for preset in list_presets()}
        preset = values["preset"] if values["preset"] in known else FIRST_PRESET
        # What stands in the form as it was laid out is not sent: it may be typed over by now.
        return [
            gr.update(value=preset) if preset != FIRST_PRESET else gr.skip(),
            *(
                _pick(values.get(name), picked[name], name, sent=self._initial.get(name))
                if name in picked
                else gr.update(value=values[name])
                if values[name] != self._initial[name]
                else gr.skip()
                for name in self.form.components
            ),
        ]

    def _fill(self, values: Mapping[str, Any]) -> list[Any]:
        """The form with other values, as far as there are some; of what can be picked only what is
        on disk."""
        picked = picked_choices(self._services)
        updates = self.form.updates(values)
        for at, name in enumerate(self.form.components):
            if name in values and name in picked:
                kept = values[name] if values[name] in picked[name] else None
                updates[at] = choices_now(picked[name], sent=UNSENT, kept=kept)
        return updates


def remember_script(names: Sequence[str]) -> str:
    """What the browser runs to keep values under these names: its inputs in, one object out."""
    script = (ASSETS / "js" / "remember.js").read_text(encoding="utf-8")
    return f"(...entered) => ({script})({json.dumps(names)}, entered)"


def first_values() -> dict[str, Any]:
    """The defaults under the first preset."""
    preset = next(one for one in list_presets() if one.name == FIRST_PRESET)
    return apply(preset, defaults())


def checked_config(services: Services, values: Mapping[str, Any]) -> dict[str, Any]:
    """The LLaMA-Factory configuration of a form, with the name that the run would have now.

    Raises:
        MedTuneError: a value, the model or the dataset can't be trained with.
    """
    return dict(preview(services.workspace, values).config)


def config_preview(services: Services, values: Mapping[str, Any], language: str) -> tuple[Any, str]:
    """The figures and the YAML of a form, or the sentence that says why there is none."""
    try:
        config = checked_config(services, values)
    except MedTuneError as error:
        if not values.get("dataset") and not picked_choices(services)["dataset"]:
            return empty(language, "hyperparameters.no_dataset", "data#data-source"), ""
        tone = "mt-bad" if isinstance(error, HyperparameterError) else "mt-notice"
        return element("p", error.sentence(language), cls=tone, role="status"), ""
    cleaned = validate(values)
    rows = effective_batch_size(cleaned, processes(cleaned, gpus_lately()))
    return facts([(text(language, "hyperparameters.effective_batch"), rows)]), to_yaml(config)


def picked_choices(services: Services) -> dict[str, list[str]]:
    """What can be chosen now: ready models, prepared datasets newest first, templates.

    Preference pairs are left out: what is trained here is supervised.
    """
    try:
        prepared = list_prepared(services.workspace)
    except DataError:
        # The Data tab says what is wrong; models and templates can be chosen all the same.
        prepared = []
    taught = [one for one in prepared if one.report.target is not Target.RANKING]
    datasets = sorted(taught, key=lambda one: one.created, reverse=True)
    return {
        "model": [one.id for one in list_models(services.workspace) if one.ready],
        "dataset": [one.name for one in datasets],
        "template": template_names(),
    }


def _pick(current: str | None, choices: list[str], name: str, *, sent: Any) -> Any:
    """Keep what is chosen; with nothing chosen, offer the newest dataset."""
    kept = current if current in choices else None
    if kept is None and name == "dataset" and choices:
        kept = choices[0]
    return choices_now(choices, sent=sent, kept=kept)


def _presets(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"presets.{one.name}.label"), one.name) for one in list_presets()]


def _preset_help(name: str | None, language: str) -> Any:
    if name not in {preset.name for preset in list_presets()}:
        return ""
    return element("p", text(language, f"presets.{name}.help"), cls="mt-quiet")


def _mapping(remembered: object) -> Mapping[str, Any]:
    """What a browser kept, which it may have got from anywhere."""
    return remembered if isinstance(remembered, Mapping) else {}
