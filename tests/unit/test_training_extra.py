"""Arguments by name: which are taken, which are refused, and why."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.errors import HyperparameterError
from backend.text import LANGUAGES
from backend.training.arguments import arguments
from backend.training.schema import FIELD, validate
from backend.training.schema.extra import REASONS, check_extra, parse_extra, written
from backend.training.schema.reading import read_settings

CHOSEN = {"model": "medtune/demo", "dataset": "notes", "template": "deepseekr1"}


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("tf32: true\nadam_epsilon: 1e-6", {"tf32": True, "adam_epsilon": 1e-6}),
        ("lr_scheduler_kwargs: {min_lr: 1E-7}", {"lr_scheduler_kwargs": {"min_lr": 1e-7}}),
        ("data_seed: 7 # mine", {"data_seed": 7}),
        ("save_strategy: epoch\nlogging_first_step: true", None),
        ("use_galore: true\ngalore_rank: 32\ngalore_proj_type: left", None),
        ("rope_scaling: yarn\nuse_reentrant_gc: false", None),
    ],
)
def test_arguments_are_taken_as_llamafactory_reads_them(
    words: str, value: dict[str, Any] | None
) -> None:
    parsed = parse_extra(words)
    assert value is None or parsed == value
    clean = validate({**CHOSEN, "extra": words})["extra"]
    assert parse_extra(clean) == parsed and validate({**CHOSEN, "extra": clean})["extra"] == clean


REFUSED = [
    ("learning_rte: 1", "unknown", "Check the spelling"),
    ("learning_rate: 1e-3", "field", "Learning rate"),
    ("bf16: true", "field", "Precision"),
    ("warmup_ratio: 0.1", "field", "Warm-up"),
    ("output_dir: /etc", "folder", "own folder"),
    ("adapter_name_or_path: /data/other", "folder", "own folder"),
    ("fsdp_config: /tmp/fsdp.json", "folder", "own folder"),
    ("trust_remote_code: true", "code", "never run"),
    ("report_to: wandb", "network", "leaves this machine"),
    ("hub_token: abc", "network", "leaves this machine"),
    ("swanlab_api_key: abc", "network", "leaves this machine"),
    ("resume_from_checkpoint: x", "run", "resumed"),
    ("disable_tqdm: false", "run", "resumed"),
    ("ray_num_workers: 4", "launch", "Devices"),
    ("stage: dpo", "stage", "supervised"),
    ("val_size: 0.1", "validation", "split off"),
    ("export_dir: /tmp", "elsewhere", "no effect"),
    ("tf32: maybe", "kinds.bool", "true or false"),
    ("data_seed: 1.5", "kinds.int", "whole number"),
    ("adam_epsilon: small", "kinds.float", "a number"),
    ("galore_proj_type: down", "choice", "std"),
    ("label_names: labels", "kinds.list", "list"),
    ("lr_scheduler_kwargs: [1]", "kinds.dict", "braces"),
    ("default_system: 5", "kinds.str", "quotes"),
    ("default_system: '${oc.env:HOME}'", "variable", "${"),
]


@pytest.mark.parametrize(("words", "reason", "said"), REFUSED)
def test_what_can_not_be_given_is_refused_with_the_reason(
    words: str, reason: str, said: str
) -> None:
    with pytest.raises(HyperparameterError, match=re.escape(said)) as caught:
        validate({**CHOSEN, "extra": words})
    assert caught.value.key == f"training.errors.extra.{reason}"
    assert all("{" not in caught.value.sentence(one).replace("${", "") for one in LANGUAGES) or (
        reason == "kinds.dict"
    )


def test_every_reason_is_met() -> None:
    assert set(REASONS) <= {reason for _, reason, _ in REFUSED}


def test_nothing_that_sounds_like_a_folder_a_file_or_a_hub_gets_through() -> None:
    """A new version may bring another of these; it must not slip in as a free argument."""
    suspicious = re.compile(r"(?:^|_)(?:dir|path|folder|file|token|hub|url|secret|key)(?:_|$)")
    harmless = {"ignore_pad_token_for_loss", "data_shared_file_system"}
    taken = set()
    for name in arguments():
        if suspicious.search(name) and name not in FIELD:
            try:
                check_extra(name, arguments()[name].default)
            except HyperparameterError as error:
                if not error.key.endswith((".str", ".bool", ".choice")):
                    continue
            taken.add(name)
    assert taken <= harmless


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("a: &x [1]\nb: *x", "yaml_alias"),
        ("a: [1", "yaml_broken"),
        ("a: b: c", "yaml_broken"),
        ("just words", "yaml_no_settings"),
        ("- a\n- b", "yaml_no_settings"),
        ("1: 2", "yaml_no_settings"),
        ("x" * 100_001, "yaml_long"),
        ("\x00", "yaml_broken"),
        ("a: 2024-99-99", "yaml_broken"),
    ],
)
def test_a_text_that_is_no_settings_is_refused(words: str, key: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        read_settings(words)
    assert caught.value.key == f"training.errors.{key}"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200) | st.sampled_from([words for words, _, _ in REFUSED]))
def test_any_text_is_taken_or_refused_with_a_sentence(words: str) -> None:
    try:
        clean = validate({**CHOSEN, "extra": words})["extra"]
    except HyperparameterError as error:
        assert all(error.sentence(language) for language in LANGUAGES)
    else:
        assert written(parse_extra(clean)) == clean
