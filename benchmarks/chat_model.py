"""A random model that is large enough for its forward pass to matter, and adapters for it.

    python -m benchmarks.chat_model FOLDER [tiny]

A process of its own, because it imports torch. ``FOLDER`` gets ``base`` (Qwen2, 246 M parameters,
float32; 1 M with ``tiny``) and ``adapter-1`` … ``adapter-4`` (LoRA of rank 8 on every linear
layer), the same bytes each time. The model says nothing that means anything. Its tokens are whole
words, one for each id, so that an answer's text tells its tokens.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import Qwen2Config, Qwen2ForCausalLM

ADAPTERS = 4
RANK = 8
SPECIAL = (
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<unk>",
)
SHAPE = {
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "vocab_size": 32_000,
}
TINY = {
    **SHAPE,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "vocab_size": 2_000,
}


def main(folder: Path, shape: dict[str, int]) -> None:
    """Write the base and its adapters."""
    torch.manual_seed(0)
    base = folder / "base"
    config = Qwen2Config(
        **shape,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=0,
    )
    model = Qwen2ForCausalLM(config)
    model.save_pretrained(base)
    write_tokenizer(base, shape["vocab_size"])
    linears = {
        name: part
        for name, part in model.model.named_modules(prefix="model")
        if isinstance(part, torch.nn.Linear)
    }
    for number in range(1, ADAPTERS + 1):
        write_adapter(folder / f"adapter-{number}", base, linears)


def write_tokenizer(folder: Path, size: int) -> None:
    """A vocabulary of ``size`` words: the special ones, then w5, w6 and so on."""
    words = [*SPECIAL, *(f"w{number}" for number in range(len(SPECIAL), size))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, SPECIAL[-1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[0],
        "pad_token": SPECIAL[0],
        "unk_token": SPECIAL[-1],
        "model_max_length": 4096,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(described), encoding="utf-8")


def write_adapter(folder: Path, base: Path, linears: dict[str, torch.nn.Linear]) -> None:
    """An adapter that changes what the model says, as PEFT saves one."""
    tensors = {}
    for name, linear in linears.items():
        wide, high = linear.in_features, linear.out_features
        down, up = torch.randn(RANK, wide) * wide**-0.5, torch.randn(high, RANK) * 0.02
        tensors[f"base_model.model.{name}.lora_A.weight"] = down
        tensors[f"base_model.model.{name}.lora_B.weight"] = up
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.rpartition(".")[2] for name in linears}),
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(described), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), TINY if sys.argv[2:] == ["tiny"] else SHAPE)
