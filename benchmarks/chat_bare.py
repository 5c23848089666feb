"""What the chat engine is compared with: PEFT and transformers as one calls them by hand.

    python -m benchmarks.chat_bare FOLDER

``FOLDER`` is what ``benchmarks.chat_model`` made. Reads questions from its standard input and
answers each with a line of JSON:

    {"columns": ["base", "adapter-1", …], "way": "alone" | "mixed", "prompt": ids, "tokens": n}
    {"seconds": all, "first": seconds to the first token, "tokens": [ids of each column]}

``alone`` asks one column after another, ``mixed`` all in one batch by PEFT's ``adapter_names``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from benchmarks.chat_model import ADAPTERS


def main(folder: Path) -> None:
    """Answer until the input closes."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = load(folder)
    print(json.dumps({"ready": True}), file=output, flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            print(json.dumps(answered(model, **json.loads(line))), file=output, flush=True)


def load(folder: Path) -> Any:
    """The base in float32 with all adapters."""
    base = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder / "adapter-1", adapter_name="adapter-1")
    for number in range(2, ADAPTERS + 1):
        model.load_adapter(folder / f"adapter-{number}", adapter_name=f"adapter-{number}")
    return model.eval()


def answered(
    model: Any, columns: Sequence[str], way: str, prompt: Sequence[int], tokens: int
) -> dict[str, Any]:
    """The greedy answers of ``columns``, and what they took."""
    clock = Clock()
    if way == "mixed":
        names = ["__base__" if column == "base" else column for column in columns]
        rows = generated(model, [prompt] * len(names), tokens, clock, adapter_names=names)
    else:
        rows = [alone(model, column, prompt, tokens, clock) for column in columns]
    return {"seconds": time.perf_counter() - clock.begun, "first": clock.first, "tokens": rows}


def alone(model: Any, column: str, prompt: Sequence[int], tokens: int, clock: Clock) -> list[int]:
    """One column; the base is asked as if there were no PEFT."""
    if column == "base":
        context = model.disable_adapter()
    else:
        context = nullcontext()
        model.set_adapter(column)
    with context:
        return generated(model, [prompt], tokens, clock)[0]


def generated(
    model: Any, prompts: Sequence[Sequence[int]], tokens: int, clock: Clock, **options: Any
) -> list[list[int]]:
    """New tokens of each row, without those that only fill it."""
    ids = torch.tensor(prompts)
    one = {"streamer": clock} if len(prompts) == 1 else {}
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=tokens,
        pad_token_id=model.config.eos_token_id,
        **one,
        **options,
    )
    end = model.config.eos_token_id
    return [without_end(row, end) for row in output[:, ids.shape[1] :].tolist()]


def without_end(row: list[int], end: int) -> list[int]:
    return row[: row.index(end)] if end in row else row


class Clock:
    """A streamer for ``generate`` that notes when the first token came."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.first: float | None = None
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        """Called with the prompt, then with each token."""
        if self._prompt_seen and self.first is None:
            self.first = time.perf_counter() - self.begun
        self._prompt_seen = True

    def end(self) -> None:
        """Called at the end of an answer."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
