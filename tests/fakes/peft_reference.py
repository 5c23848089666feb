"""What the engine is compared with: LLaMA-Factory's own templates and PEFT, one row at a time.

Run as ``python -m tests.fakes.peft_reference ORDER ANSWERS`` in a process of its own, because it
imports torch, peft and llamafactory. ``ORDER`` is a JSON file:

    {"base": folder, "adapters": {column: folder or null}, "conversations": {name: messages},
     "template": name, "max_tokens": n, "template_cases": [messages, …],
     "make": {folder: {"kind": PEFT's class, …its options}}}

``make`` may be left out; its adapters are made first (``make_adapters``). Without template cases
the prompts are the engine's own: that they are LLaMA-Factory's is what the cases prove, and
importing LLaMA-Factory takes longer than all the rest.

``ANSWERS`` gets, for each column and conversation, the greedy tokens and their text; the prompts'
token ids; and the templates (all that LLaMA-Factory has) whose light twin differs.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from backend.workers.engine_text import PromptEncoder

Messages = list[dict[str, str]]


def main(order_path: str, answers_path: str) -> None:
    # More threads than one wait for each other longer than such small products take.
    torch.set_num_threads(1)
    order = json.loads(Path(order_path).read_text(encoding="utf-8"))
    make_adapters(order["base"], order.get("make", {}))
    cases = order["template_cases"]
    answers = {
        "different_templates": different_templates(order["base"], cases) if cases else [],
        **all_answers(order),
    }
    Path(answers_path).write_text(json.dumps(answers), encoding="utf-8")


def make_adapters(base: str, wanted: dict[str, dict[str, Any]]) -> None:
    """Adapters of any kind that PEFT has, with large random weights, so that each says something
    else. What they say means nothing."""
    plain = load(base)
    for seed, (folder, described) in enumerate(wanted.items()):
        torch.manual_seed(seed)
        options = {key: value for key, value in described.items() if key != "kind"}
        config = getattr(peft, described["kind"])(task_type="CAUSAL_LM", **options)
        changed = peft.get_peft_model(copy.deepcopy(plain), config)
        with torch.no_grad():
            for parameter in changed.parameters():
                if parameter.requires_grad:
                    parameter += torch.randn_like(parameter) * 0.15
        changed.save_pretrained(folder)


def load(base: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def real_template(tokenizer: Any, name: str) -> Any:
    from llamafactory.data.template import get_template_and_fix_tokenizer

    options = SimpleNamespace(
        template=name,
        train_on_prompt=False,
        tool_format=None,
        default_system=None,
        enable_thinking=True,
        preserve_thinking=False,
    )
    return get_template_and_fix_tokenizer(tokenizer, options)


def real_prompt(template: Any, tokenizer: Any, messages: Messages) -> list[int]:
    turns = [dict(message) for message in messages]
    system = turns.pop(0)["content"] if turns[0]["role"] == "system" else None
    return template.encode_oneturn(
        tokenizer, [*turns, {"role": "assistant", "content": ""}], system
    )[0]


def different_templates(base: str, cases: list[Messages]) -> list[str]:
    """Templates with a prompt or a stop token that differs from the engine's."""
    from llamafactory.data.template import TEMPLATES

    return [name for name in sorted(TEMPLATES) if not same_template(base, name, cases)]


def same_template(base: str, name: str, cases: list[Messages]) -> bool:
    tokenizer = AutoTokenizer.from_pretrained(base)
    template = real_template(tokenizer, name)
    encoder = PromptEncoder(AutoTokenizer.from_pretrained(base), name)
    stops = {token for token in template.get_stop_token_ids(tokenizer) if token is not None}
    trained = all(trained_prompt(template, tokenizer, case) for case in cases)
    return (
        trained
        and stops == encoder.stop_ids
        and all(encoder.encode(case) == real_prompt(template, tokenizer, case) for case in cases)
    )


def trained_prompt(template: Any, tokenizer: Any, messages: Messages) -> bool:
    """A first turn's prompt in training (``encode_multiturn``) is the one that is asked with."""
    turns = [dict(message) for message in messages]
    system = turns.pop(0)["content"] if turns[0]["role"] == "system" else None
    answer = {"role": "assistant", "content": "<think>\nSo.\n</think>\n\nYes."}
    (trained, _), *_ = template.encode_multiturn(tokenizer, [turns[0], answer], system)
    head = messages[:2] if messages[0]["role"] == "system" else messages[:1]
    return trained == real_prompt(template, tokenizer, head)


def all_answers(order: dict[str, Any]) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(order["base"])
    encode, stops = encoder_of(order, tokenizer)
    prompts = {name: encode(messages) for name, messages in order["conversations"].items()}
    plain = load(order["base"])
    columns = {}
    for column, adapter in order["adapters"].items():
        model = copy.deepcopy(plain)
        if adapter is not None:
            model = peft.PeftModel.from_pretrained(model, adapter)
        columns[column] = {
            name: one_answer(model.eval(), tokenizer, prompt, stops, order["max_tokens"])
            for name, prompt in prompts.items()
        }
    return {"prompts": prompts, "columns": columns}


def encoder_of(
    order: dict[str, Any], tokenizer: Any
) -> tuple[Callable[[Messages], list[int]], list[int]]:
    """What makes prompts of messages, and the tokens that end an answer."""
    if not order["template_cases"]:
        ours = PromptEncoder(tokenizer, order["template"])
        return ours.encode, list(ours.stop_ids)
    template = real_template(tokenizer, order["template"])
    return (
        lambda messages: real_prompt(template, tokenizer, messages),
        template.get_stop_token_ids(tokenizer),
    )


@torch.inference_mode()
def one_answer(
    model: Any, tokenizer: Any, prompt: list[int], stops: list[int], longest: int
) -> dict[str, Any]:
    output = model.generate(
        input_ids=torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=longest,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id,
    )
    tokens = output[0, len(prompt) :].tolist()
    ended = tokens[-1] in stops
    tokens = tokens[:-1] if ended else tokens
    shown = [token for token in tokens if token not in tokenizer.all_special_ids]
    text = tokenizer.decode(shown, clean_up_tokenization_spaces=False)
    return {"tokens": tokens, "text": text, "ended": ended}


if __name__ == "__main__":
    main(*sys.argv[1:])
