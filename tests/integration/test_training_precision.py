"""A model of half precision on a CPU that has no instructions for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import MODEL, make_ready

pytestmark = pytest.mark.integration

PROGRAM = """
import json, sys
import torch
from backend.workers import train_precision
folder = sys.argv[1]
seen = []
for config in ({}, {"bf16": True}):
    from llamafactory.model import loader
    before = loader.patch_config
    train_precision.load_single({"model_name_or_path": folder, **config})
    seen.append(loader.patch_config is not before)
    loader.patch_config = before
train_precision.load_single({"model_name_or_path": folder})
from llamafactory.hparams import get_train_args
from llamafactory.model import load_model, load_tokenizer
args = {"model_name_or_path": folder, "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "dataset": "none", "output_dir": sys.argv[2]}
model_args, _, _, finetuning_args, _ = get_train_args(args)
model = load_model(load_tokenizer(model_args)["tokenizer"], model_args, finetuning_args, True)
kinds = sorted({str(one.dtype) for one in model.parameters()})
print(json.dumps({"able": train_precision.multiplies_bf16(), "patched": seen, "kinds": kinds}))
"""


def test_a_model_in_bfloat16_trains_in_float32_without_instructions_for_it(
    workspace: Workspace,
) -> None:
    """A step of the demo model took 17 s instead of 0.3 on such a machine. Held to AVX2, oneDNN
    has as little bfloat16 here."""
    make_ready(workspace)
    folder = workspace.models / MODEL
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}))
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder, workspace.runs],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "CUDA_VISIBLE_DEVICES": ""},
    ).stdout  # fmt: skip
    assert json.loads(output.splitlines()[-1]) == {
        "able": False,
        "patched": [True, False],
        "kinds": ["torch.float32"],
    }
    assert "loaded in float32" in output
