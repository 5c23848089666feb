"""The file that LLaMA-Factory reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from backend.errors import DataError
from backend.training import config as config_module
from backend.training.config import build_config, read_config, to_yaml
from backend.training.schema import FieldError, validate, validation
from backend.workspace import Workspace
from tests.fakes.ready_workspace import DATASET_WITH_VALIDATION, VALUES, make_ready


def build(workspace: Workspace, **changes: Any) -> dict[str, Any]:
    return build_config(
        validate({**VALUES, **changes}),
        model_path=workspace.models / "tiny",
        workspace=workspace,
        output_dir=workspace.runs / "first",
    )


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    return make_ready(workspace)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_module, "best_precision", lambda _: "fp32")


def test_only_what_has_an_effect_is_written(ready: Workspace) -> None:
    config = build(ready)
    assert config["finetuning_type"] == "lora" and config["lora_rank"] == 8
    assert config["max_steps"] == 6 and "num_train_epochs" not in config
    for name in ("freeze_trainable_layers", "packing", "max_samples", "bf16", "fp16", "eval_steps",
                 "model", "precision", "run_name", "preprocessing_num_workers"):  # fmt: skip
        assert name not in config
    by_epochs = build(ready, max_steps=-1, finetuning_type="full")
    assert by_epochs["num_train_epochs"] == 3.0 and "max_steps" not in by_epochs
    assert not any(name.startswith("lora") for name in by_epochs)


AS_THEY_ARE: list[dict[str, Any]] = [
    {"use_rslora": True, "loraplus_lr_ratio": 16.0},
    {"pissa_init": True, "pissa_convert": True},
    {"packing": True, "neat_packing": True},
    {"optim": "adafactor", "weight_decay": 0.1, "max_grad_norm": 0.3},
    {"adam_beta2": 0.95, "neftune_noise_alpha": 5.0},
    {"flash_attn": "sdpa", "disable_gradient_checkpointing": True},
    {"mask_history": True, "save_total_limit": 2},
]


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        *((one, one) for one in AS_THEY_ARE),
        ({"enable_thinking": "no_thinking"}, {"enable_thinking": False}),
        ({"enable_thinking": "mixed"}, {"enable_thinking": None}),
        ({"fsdp": "full_shard_offload"}, {"fsdp": "full_shard offload auto_wrap"}),
    ],
)
def test_a_choice_stands_in_the_file_as_llamafactory_calls_it(
    ready: Workspace, changes: dict[str, Any], written: dict[str, Any]
) -> None:
    before, config = build(ready), build(ready, **changes)
    assert {name: config[name] for name in config.keys() - before.keys()} == written
    assert OmegaConf.to_container(OmegaConf.create(to_yaml(config))) == config
    assert "### other" not in to_yaml(config)


def test_an_argument_by_name_stands_in_the_file_and_has_the_last_word(ready: Workspace) -> None:
    extra = "tf32: false\npreprocessing_num_workers: 3\nlr_scheduler_kwargs: {min_lr: 1e-6}"
    config = build(ready, extra=extra)
    assert config["preprocessing_num_workers"] == 3 and config["tf32"] is False
    assert config["lr_scheduler_kwargs"] == {"min_lr": 1e-6} and "extra" not in config
    assert OmegaConf.to_container(OmegaConf.create(to_yaml(config))) == config


def test_freezing_names_what_is_trained(ready: Workspace) -> None:
    chosen = {"freeze_trainable_modules": "mlp", "freeze_extra_modules": "embed_tokens"}
    config = build(ready, finetuning_type="freeze", **chosen)
    assert config.items() >= {**chosen, "freeze_trainable_layers": 2}.items()
    assert not build(ready, **chosen).keys() & chosen.keys(), "LoRA hides them"


def test_a_quantised_base_is_written_with_whole_bits(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "is_installed", lambda _: True)
    config = build(ready, quantization_bit="4", double_quantization=False)
    assert config["quantization_bit"] == 4 and config["double_quantization"] is False
    assert "quantization_method" not in config
    full = build(ready, quantization_bit="4", finetuning_type="full")
    assert not any("quantization" in name for name in full)


def test_the_best_checkpoint_is_asked_for_only_where_something_is_evaluated(
    ready: Workspace,
) -> None:
    best = {"load_best_model_at_end": True, "early_stopping_steps": 3, "save_steps": 4}
    assert not build(ready, **best).keys() & {"load_best_model_at_end", "early_stopping_steps"}
    config = build(ready, dataset=DATASET_WITH_VALIDATION, eval_steps=2, **best)
    assert config["load_best_model_at_end"] is True and config["early_stopping_steps"] == 3
    assert config["metric_for_best_model"] == "eval_loss" and "compute_accuracy" not in config
    counted = build(
        ready, dataset=DATASET_WITH_VALIDATION, eval_steps=2, early_stopping_steps=1,
        metric_for_best_model="eval_accuracy",
    )  # fmt: skip
    assert counted["compute_accuracy"] and counted["metric_for_best_model"] == "eval_accuracy"
    assert "load_best_model_at_end" not in counted


def test_pure_bf16_is_a_precision_of_its_own(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FieldError, match="needs a GPU with bf16"):
        build(ready, finetuning_type="full", pure_bf16=True)
    monkeypatch.setattr(config_module, "best_precision", lambda _: "bf16")
    config = build(ready, finetuning_type="full", pure_bf16=True)
    assert config["pure_bf16"] is True and "bf16" not in config
    assert "pure_bf16" not in build(ready, pure_bf16=True), "LoRA hides it"


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        ("glm4", {"train_on_prompt": True}),
        ("qwen", {"enable_thinking": "no_thinking"}),
    ],
)
def test_what_a_template_can_not_do_is_refused(
    ready: Workspace, template: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(FieldError, match=template) as caught:
        build(ready, template=template, **changes)
    assert caught.value.field == next(iter(changes))


def test_paths_are_absolute_and_remote_code_is_off(ready: Workspace) -> None:
    config = build(ready)
    for name in ("model_name_or_path", "dataset_dir", "output_dir"):
        assert Path(config[name]).is_absolute()
    assert config["trust_remote_code"] is False
    assert config["report_to"] == "none"
    assert config["save_only_model"] is False


def test_precision_follows_the_device_unless_chosen(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(ready, precision="bf16")["bf16"] is True
    monkeypatch.setattr(config_module, "best_precision", lambda _: "fp16")
    assert build(ready, precision="auto")["fp16"] is True
    assert "fp16" not in build(ready, precision="fp32")


def test_evaluation_needs_validation_rows(ready: Workspace) -> None:
    config = build(ready, dataset=DATASET_WITH_VALIDATION, eval_steps=2)
    assert config["eval_dataset"] == f"{DATASET_WITH_VALIDATION}_validation"
    assert config["eval_strategy"] == "steps" and config["eval_steps"] == 2
    with pytest.raises(FieldError, match="no validation rows") as caught:
        build(ready, eval_steps=2)
    assert caught.value.field == "eval_steps"


def test_a_dataset_that_is_not_prepared_is_refused(ready: Workspace) -> None:
    with pytest.raises(DataError):
        build(ready, dataset="gone")


def test_large_datasets_are_tokenised_by_several_processes(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_module, "MANY_ROWS", 10)
    assert build(ready)["preprocessing_num_workers"] >= 1


def test_the_file_is_grouped_stable_and_reads_back(ready: Workspace) -> None:
    config = build(ready)
    text = to_yaml(config)
    assert text.startswith("### model\nmodel_name_or_path: ")
    assert "### other" not in text
    assert to_yaml(dict(reversed(config.items()))) == text
    path = ready.root / "config.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_config(path) == config
    assert OmegaConf.to_container(OmegaConf.load(path)) == config


def test_an_argument_that_we_do_not_know_is_written_too() -> None:
    assert to_yaml({"stage": "sft", "tf32": True}).endswith("### other\ntf32: true\n")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a: [", b"- 1"])
def test_a_damaged_file_is_read_as_empty(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    assert read_config(path) == {}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    # "${" begins a variable to OmegaConf; no name and no workspace may hold it (backend.workspace).
    st.text(st.characters(exclude_categories=("Cs", "Cc"))).filter(lambda text: "${" not in text),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_both_readers_see_the_same_values(words: str, number: float) -> None:
    """A dataset named 1e5 was the number 100000 to LLaMA-Factory, which reads with OmegaConf."""
    config = {"dataset": words, "learning_rate": number}
    text = to_yaml(config)
    assert yaml.safe_load(text) == config
    assert OmegaConf.to_container(OmegaConf.create(text)) == config


@pytest.mark.parametrize(
    "words",
    ["1e5", ".5", "nan", ".inf", "-.INF", "on", "null", "~", "0x10", "1_000", "1:30", "中文"],
)
def test_names_that_look_like_something_else_stay_text(words: str) -> None:
    text = to_yaml({"dataset": words})
    assert yaml.safe_load(text) == {"dataset": words}
    assert OmegaConf.to_container(OmegaConf.create(text)) == {"dataset": words}
