"""DeepSpeed's file and FSDP's argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.files import read_json
from backend.training import layout
from backend.training.assigning import check_devices
from backend.training.devices import Gpu
from backend.training.making import Maker, ready_model
from backend.training.runs import Run
from backend.training.schema import FIELD, FieldError, validate, validation
from backend.training.sharding import deepspeed_settings, fsdp_argument, fsdp_choice
from backend.workspace import Workspace
from tests.fakes.ready_workspace import MODEL, VALUES


@pytest.mark.parametrize("choice", FIELD["deepspeed"].choices[1:])
def test_each_stage_leaves_to_transformers_what_other_arguments_say(choice: str) -> None:
    settings = deepspeed_settings(choice)
    zero = settings["zero_optimization"]
    assert zero["stage"] == int(choice[0])
    assert ("offload_optimizer" in zero) is choice.endswith("offload")
    assert ("offload_param" in zero) is (choice == "3_offload")
    for name in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_clipping"):
        assert settings[name] == "auto"
    gathered = zero.get("stage3_gather_16bit_weights_on_model_save", False)
    assert gathered is choice.startswith("3"), "else Chat could load no checkpoint"


@pytest.mark.parametrize("choice", FIELD["fsdp"].choices)
def test_fsdp_there_and_back(choice: str) -> None:
    if choice != "none":
        assert fsdp_argument(choice).endswith(" auto_wrap")
        assert fsdp_choice(fsdp_argument(choice)) == choice
    assert fsdp_choice("hybrid_shard") is None and fsdp_choice("") == "none"


def test_the_run_folder_gets_deepspeeds_file(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "is_installed", lambda _: True)
    values = validate({**VALUES, "deepspeed": "2_offload"})
    folder = Maker(ready).make(values, ready_model(ready, MODEL))
    named = Path(Run(folder.name, folder, "", values, None, None, None).config["deepspeed"])  # type: ignore[arg-type]
    assert named == folder / layout.DEEPSPEED
    assert read_json(named) == deepspeed_settings("2_offload")


def test_fsdp_without_gpus_is_refused() -> None:
    """accelerate leaves it out there: the training runs, and nothing is spread."""
    values = {"fsdp": "full_shard"}
    with pytest.raises(FieldError, match="there is none"):
        check_devices(values, ())
    check_devices(values, (Gpu(0, "GPU-0", "A", 1, 1, 8.0),))
