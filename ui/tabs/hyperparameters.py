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
from backend.training.config import build_config, to_yaml
from backend.training.devices import gpus_lately
from backend.training.naming import free_name
from backend.training.presets import apply, list_presets, switched
from backend.training.schema import defaults, effective_batch_size, validate
from ui.components.choices import choices_now
from ui.components.form import build_form
from ui.components.plan_panel import PlanPanel
from ui.components.slot import slot
from ui.errors import told
from ui.html import element, facts
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
    """

    def __init__(
        self,
        services: Services,
        words: Words,
        language: gr.Radio,
        *,
        remembered: gr.BrowserState,
    ) -> None:
        self._services = services
        self._initial = first_values()
        with gr.Row():
            with gr.Column(scale=3):
                self.preset = words.make(
                    gr.Dropdown,
                    {"label": "hyperparameters.preset", "choices": _presets},
                    value=FIRST_PRESET,
                    elem_id="preset",
                )
                self.about = slot("preset-help")
                self.form = build_form(words, self._initial)
            with gr.Column(scale=2, min_width=340, elem_classes="mt-sticky"):
                self._lay_out_preview(words)
        self.ready = gr.State(False)
        self._picked = [self.form.components[name] for name in ("model", "dataset", "template")]
        self._wire(language)
        self.plan.wire(self.form, language)
        self._wire_memory(remembered)
        self.checked = self.go.click(lambda: False, None, self.ready, **PRIVATE).then(
            told(self._check), [language, *self.form.inputs], self.ready, **PRIVATE
        )
        self.refresh = Refresh(
            self._show,
            [self.about, *self._picked, self.summary, self.yaml, *self.plan.shown],
            inputs=[self.preset, *self.form.inputs],
        )
        self.restore = Refresh(self._restore, [self.preset, *self.form.inputs], inputs=[remembered])

    def _lay_out_preview(self, words: Words) -> None:
        self.go = words.make(
            gr.Button,
            {"value": "hyperparameters.go"},
            variant="primary",
            elem_id="go-training",
        )
        self.summary = slot("config-summary")
        self.plan = PlanPanel(self._services)
        self.yaml = words.make(
            gr.Code,
            {"label": "hyperparameters.yaml"},
            language="yaml",
            interactive=False,
            max_lines=30,
            elem_id="config-yaml",
        )

    def _wire(self, language: gr.Radio) -> None:
        gr.on(
            [component.change for component in self.form.inputs],
            self._preview,
            [language, *self.form.inputs],
            [self.summary, self.yaml, *self.form.inputs],
            trigger_mode="always_last",
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

    def _wire_memory(self, remembered: gr.BrowserState) -> None:
        """Keep in the browser what a person did, not what the page set while it was loading."""
        kept = [self.preset, *self.form.inputs]
        script = remember_script(["preset", *self.form.components])
        # A text box tells of a key before its value has it; leaving the box tells of all of it.
        edits = [one.input for one in self.form.inputs]
        edits += [one.blur for one in self.form.inputs if isinstance(one, gr.Textbox)]
        gr.on(edits, None, kept, remembered, js=script)
        for event in (self.chosen, self.plan.fixed):
            event.then(None, kept, remembered, js=script)

    # What happens

    def _preview(self, language: str, *entered: Any) -> list[Any]:
        values = self.form.values(entered)
        return [
            *config_preview(self._services, values, language),
            *self.form.visibility(values),
        ]

    def _choose_preset(self, language: str, name: str) -> list[Any]:
        chosen = next(one for one in list_presets() if one.name == name)
        return [_preset_help(name, language), *self.form.updates(switched(chosen))]

    def _choose_model(self, language: str, model_id: str | None) -> Any:
        # Where the model's template is not known the field is left open, and the page asks for it:
        # the template of the model before would train without a word.
        return gr.update(value=find_model(self._services.workspace, model_id or "").template)

    def _check(self, language: str, *entered: Any) -> bool:
        self._services.supervisor.check(self.form.values(entered))
        return True

    def _show(self, language: str, preset: str, *entered: Any) -> list[Any]:
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
            *self.plan.show(language, *entered),
        ]

    def _restore(self, language: str, remembered: Mapping[str, Any]) -> list[Any]:
        """What this browser had typed; what is no longer on disk is left open."""
        values = {**self._initial, "preset": FIRST_PRESET, **remembered}
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
    cleaned = validate(values)
    model = find_model(services.workspace, cleaned["model"])
    name = cleaned["run_name"] or free_name(services.workspace, model.id, cleaned)
    return build_config(
        cleaned,
        model_path=model.path,
        workspace=services.workspace,
        output_dir=services.workspace.named(services.workspace.runs, name),
    )


def config_preview(services: Services, values: Mapping[str, Any], language: str) -> tuple[Any, str]:
    """The figures and the YAML of a form, or the sentence that says why there is none."""
    try:
        config = checked_config(services, values)
    except MedTuneError as error:
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


def _preset_help(name: str, language: str) -> Any:
    return element("p", text(language, f"presets.{name}.help"), cls="mt-quiet")
