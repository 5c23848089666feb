"""A prepared dataset, loaded by LLaMA-Factory's own code from its own registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.data.registry import lessons_of
from backend.library.templates import template_names
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.tiny_model import make_tiny_model

pytestmark = pytest.mark.integration

# LLaMA-Factory's own path from arguments to what is trained on: registry, files, template, masks.
LOAD = """
import json, sys
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

model, datasets, name, output = sys.argv[1:]
model_args, data_args, training_args, *_ = get_train_args(dict(
    model_name_or_path=model, dataset_dir=datasets, dataset=name, eval_dataset=name + "_validation",
    template="deepseekr1", cutoff_len=4096, output_dir=output, stage="sft", do_train=True,
    report_to="none", finetuning_type="lora", eval_strategy="steps", eval_steps=5,
))
loaded = load_tokenizer(model_args)
tokenizer = loaded["tokenizer"]
template = get_template_and_fix_tokenizer(tokenizer, data_args)
module = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)
def answers(dataset):
    trained = ([t for t in row["labels"] if t >= 0] for row in dataset)
    return [tokenizer.decode(tokens, skip_special_tokens=False) for tokens in trained]
with open(output + "/loaded.json", "w", encoding="utf-8") as file:
    json.dump({"train": answers(module["train_dataset"]),
               "validation": answers(module["eval_dataset"]),
               "templates": sorted(TEMPLATES)}, file)
"""

PLACES = "头胃牙背肩颈胸腹腿脚手肘膝踝腰眼耳喉舌指"
"""Questions that differ in a number only would be nearly the same, and go to one side."""

ROWS = [
    {
        "Question": f"{place}痛三天，怎么办？",
        "Complex_CoT": f'先看"危险信号"。\nThen step {number}: look — carefully…\u2028\ttab',
        "Response": f"Rest, water, and see a doctor if it lasts ({number}). 🙂",
    }
    for number, place in enumerate(PLACES)
]


def loaded_by_llamafactory(workspace: Workspace, name: str, folder: Path) -> dict[str, list[str]]:
    model = make_tiny_model(folder / "model", [text for row in ROWS for text in row.values()])
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(model), str(workspace.datasets), name, str(folder)],
        cwd=ROOT,
        env={**os.environ, **offline, "HF_DATASETS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found: dict[str, list[str]] = json.loads((folder / "loaded.json").read_text("utf-8"))
    return found


def test_llamafactory_trains_on_exactly_what_was_prepared(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "rows.json"
    source.write_text(json.dumps(ROWS, ensure_ascii=False), encoding="utf-8")
    prepared = prepare_now(workspace, source, PrepareSettings("医学-demo", validation_share=0.2))
    assert (prepared.report.train_rows, prepared.report.validation_rows) == (16, 4)

    loaded = loaded_by_llamafactory(workspace, prepared.name, tmp_path)

    end = "<｜end▁of▁sentence｜>"
    for side in ("train", "validation"):
        taught = lessons_of(prepared, validation=side == "validation")
        expected = [lesson.output + end for lesson in taught]
        assert sorted(loaded[side]) == sorted(expected)
    assert loaded["templates"] == sorted(template_names())
