"""Lessons of every form, loaded by LLaMA-Factory's own code from its own registry.

One process loads them all: importing LLaMA-Factory takes ten seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from backend.data.meaning.lesson import Lesson, Pair, Turn, output_of
from backend.data.meaning.records import Target, entry_of, record_of
from tests.conftest import ROOT
from tests.fakes.tiny_model import make_tiny_model

pytestmark = pytest.mark.integration

# LLaMA-Factory's own path from arguments to what is trained on: registry, files, template, masks.
# The chat template "default" writes what it is given; "deepseekr1" would take reasoning out of
# earlier turns, which is its business and not that of the file.
LOAD = """
import json, sys
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer

model, datasets, output, *jobs = sys.argv[1:]
loaded_all = {}
for job in jobs:
    name, stage = job.split(":")
    model_args, data_args, training_args, *_ = get_train_args(dict(
        model_name_or_path=model, dataset_dir=datasets, dataset=name, template="default",
        cutoff_len=8192, output_dir=output, stage=stage, do_train=True, report_to="none",
        finetuning_type="lora",
    ))
    loaded = load_tokenizer(model_args)
    tokenizer = loaded["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    module = get_dataset(template, model_args, data_args, training_args, stage=stage, **loaded)
    def text(tokens):
        return tokenizer.decode(tokens, skip_special_tokens=False)
    def parts(ids, labels):
        return [text(ids), text([token for token in labels if token >= 0])]
    sides = ("chosen_", "rejected_") if stage == "rm" else ("",)
    loaded_all[name] = [
        [parts(row[side + "input_ids"], row[side + "labels"]) for side in sides]
        for row in module["train_dataset"]
    ]
with open(output + "/loaded.json", "w", encoding="utf-8") as file:
    json.dump(loaded_all, file)
"""

HARD = '先看"危险信号"。\\n\n\u2028Then {step}: look — carefully…\ttab\u0085 🙂'
END = "<｜end▁of▁sentence｜>"


def turns(*said: str) -> tuple[Turn, ...]:
    return tuple(
        Turn("assistant" if place % 2 else "user", words) for place, words in enumerate(said)
    )


def single(number: int, system: str = "") -> Lesson:
    return Lesson(turns(f"问题 {number}? {HARD}", output_of(HARD, f"Answer {number}.")), system)


def several(number: int, system: str = "") -> Lesson:
    said = (f"q{number}", f"a{number} {HARD}", f"再问 {number}", f"Last {number}. ")
    return Lesson(turns(*said), system)


def pair(number: int, system: str = "", before: tuple[str, ...] = ()) -> Lesson:
    good, bad = output_of(HARD, f"Good {number}"), f"Bad {number} {HARD}"
    return Lesson(turns(*before, f"Which {number}? {HARD}"), system, Pair(good, bad))


LESSONS: dict[str, tuple[Target, list[Lesson]]] = {
    "plain": (Target.ALPACA, [single(1), single(2)]),
    # The first system prompt is empty: Arrow must not settle on a column of nothing.
    "guided": (Target.ALPACA, [single(1), single(2, HARD), single(3, "Be brief.")]),
    "talks": (Target.SHAREGPT, [several(1), single(2), several(3, "Be brief."), several(4, HARD)]),
    "pairs": (
        Target.RANKING,
        [pair(1), pair(2, "Be brief."), pair(3, HARD, ("q", "a")), pair(4, "", (HARD, HARD))],
    ),
}


def write_datasets(folder: Path) -> None:
    entries = {}
    for name, (target, lessons) in LESSONS.items():
        lines = [orjson.dumps(record_of(lesson, target)) for lesson in lessons]
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        system = any(lesson.system for lesson in lessons)
        entries[name] = entry_of(f"{name}.jsonl", target, system=system)
    (folder / "dataset_info.json").write_text(json.dumps(entries), encoding="utf-8")


def expected(lesson: Lesson) -> list[list[str]]:
    """Whole text and trained text, of each of the answers."""
    answers = list(lesson.pair) if lesson.pair else [lesson.output]
    said = [turn.content for turn in (lesson.turns if lesson.pair else lesson.turns[:-1])]
    prompt = f"System: {lesson.system}{END}\n" if lesson.system else ""
    for place, words in enumerate(said):
        prompt += f"{words}{END}\n" if place % 2 else f"Human: {words}{END}\nAssistant:"
    # A pair is trained on its answers only, a conversation on all of the assistant's words.
    trained = "" if lesson.pair else "".join(f"{words}{END}\n" for words in said[1::2])
    return [[f"{prompt}{answer}{END}\n", f"{trained}{answer}{END}\n"] for answer in answers]


def test_llamafactory_reads_every_lesson_as_it_is(tmp_path: Path) -> None:
    write_datasets(tmp_path)
    words = [
        turn.content for _, lessons in LESSONS.values() for one in lessons for turn in one.turns
    ]
    model = make_tiny_model(tmp_path / "model", [*words, HARD, "System: Human: Assistant:"])
    jobs = [
        f"{name}:{'rm' if target is Target.RANKING else 'sft'}"
        for name, (target, _) in LESSONS.items()
    ]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(model), str(tmp_path), str(tmp_path), *jobs],
        cwd=ROOT,
        env={**os.environ, **offline, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    loaded: dict[str, Any] = json.loads((tmp_path / "loaded.json").read_text("utf-8"))
    for name, (_, lessons) in LESSONS.items():
        assert sorted(loaded[name]) == sorted(map(expected, lessons)), name
