"""LLaMA-Factory's templates, read without importing it, and which one fits a model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.errors import LibraryError
from backend.library import templates
from backend.library.templates import guess_template, template_names
from tests.conftest import ROOT

R1 = "{% if '</think>' in content %}{% endif %}{{'<｜User｜>'}}{{'<｜Assistant｜><think>\\n'}}"
V3 = "{{'<｜User｜>' + message['content']}}{{'<｜Assistant｜>'}}"
CHATML = "{{'<|im_start|>' + message.role}}<|im_end|>"
CHATML_THINK = CHATML + "{% set content = content.split('</think>') %}"
LLAMA3 = "{{ '<|start_header_id|>' + role + '<|end_header_id|>' }}<|eot_id|>"
LLAMA2 = "{{ '[INST] <<SYS>>' + system + '[/INST]' }}"
GEMMA = "{{ '<start_of_turn>' + role }}<end_of_turn>"

GUESSES = [
    ("qwen2", R1, "deepseekr1"),  # R1-Distill-Qwen
    ("llama", R1, "deepseekr1"),  # R1-Distill-Llama
    ("qwen3", R1, "deepseekr1"),  # R1-0528-Qwen3
    ("deepseek_v3", V3, "deepseek3"),
    ("qwen2", CHATML, "qwen"),
    ("qwen3", CHATML_THINK, "qwen3"),
    ("qwen3", CHATML, "qwen3_nothink"),  # Qwen3-Instruct-2507
    ("qwen3_moe", CHATML_THINK, "qwen3"),
    ("qwen2_5_vl", CHATML, "qwen2_vl"),
    ("llama", LLAMA3, "llama3"),
    ("llama", LLAMA2, "llama2"),
    ("gemma", GEMMA, "gemma"),
    ("gemma2", GEMMA, "gemma2"),
    ("gemma3", GEMMA, "gemma3"),
    ("chatglm", "[gMASK]<sop>{{'<|user|>'}}", "glm4"),
    ("phi3", "<|im_start|>user<|im_sep|>", "phi4"),
    ("llama", CHATML, None),  # many families write so
    ("mistral", "[INST] {{ content }} [/INST]", None),  # two templates, told apart by a blank
    ("gpt2", "{{ content }}", None),
]


def model_folder(folder: Path, model_type: str, template: Any, tokens: list[str]) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    settings = {} if template is None else {"chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    added = [{"id": number, "content": token} for number, token in enumerate(tokens)]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    return folder


@pytest.mark.parametrize(("model_type", "template", "guess"), GUESSES)
def test_guess(tmp_path: Path, model_type: str, template: str, guess: str | None) -> None:
    assert guess_template(model_folder(tmp_path, model_type, template, [])) == guess


def test_guess_from_a_template_file(tmp_path: Path) -> None:
    model_folder(tmp_path, "qwen2", None, [])
    (tmp_path / "chat_template.jinja").write_text(R1, encoding="utf-8")
    assert guess_template(tmp_path) == "deepseekr1"


def test_guess_from_named_templates(tmp_path: Path) -> None:
    named = [{"name": "default", "template": CHATML}, {"name": "tools", "template": "x"}, 7]
    assert guess_template(model_folder(tmp_path, "qwen2", named, [])) == "qwen"


def test_guess_from_tokens_alone(tmp_path: Path) -> None:
    tokens = ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"]
    assert guess_template(model_folder(tmp_path, "qwen2", None, tokens)) == "deepseekr1"


def test_thinking_may_be_seen_in_the_tokens_only(tmp_path: Path) -> None:
    assert guess_template(model_folder(tmp_path, "qwen2", V3, ["</think>"])) == "deepseekr1"


def test_tokens_do_not_outweigh_the_chat_template(tmp_path: Path) -> None:
    """Qwen3-Instruct-2507 has the thinking tokens and was not taught to think."""
    folder = model_folder(tmp_path, "qwen3", CHATML, ["<think>", "</think>"])
    assert guess_template(folder) == "qwen3_nothink"


def test_folder_name_is_no_evidence(tmp_path: Path) -> None:
    """A tutorial downloads Qwen2.5-0.5B-Instruct into a folder named for DeepSeek-R1."""
    folder = tmp_path / "DeepSeek-R1-Distill-Qwen-1.5B"
    folder.mkdir()
    assert guess_template(model_folder(folder, "qwen2", CHATML, [])) == "qwen"


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"added_tokens": 7, "model_type": []}'])
def test_damaged_files_give_no_guess(tmp_path: Path, content: str) -> None:
    assert guess_template(tmp_path) is None
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        (tmp_path / name).write_text(content)
    assert guess_template(tmp_path) is None


def test_names() -> None:
    names = template_names()
    assert {"default", "deepseekr1", "qwen", "qwen3", "llama3"} <= set(names)
    assert len(names) == len(set(names)) > 100
    assert {rule.template for rule in templates._RULES} <= set(names)


def test_names_without_importing_llamafactory() -> None:
    script = (
        "import sys; from backend.library.templates import template_names; template_names(); "
        "assert not {'torch', 'llamafactory', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_llamafactory_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "find_spec", lambda name: None)
    templates._registered.cache_clear()
    with pytest.raises(LibraryError, match="not installed"):
        template_names()


@pytest.mark.parametrize(
    ("name", "reasoning", "prompts"),
    [
        ("deepseekr1", True, True),
        ("qwen3", True, True),
        ("qwen", False, True),
        ("glm4", False, False),
    ],
)
def test_what_a_template_can_do_is_read_too(name: str, reasoning: bool, prompts: bool) -> None:
    assert templates.is_reasoning(name) is reasoning
    assert templates.can_teach_prompts(name) is prompts
