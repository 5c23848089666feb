"""A Qwen2 of 0.2 M parameters with random weights, made in well under a second and without torch.

It knows nothing and can be trained: what a test of the machinery around training needs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

HIDDEN = 64
LAYERS = 2
HEADS = 4
INNER = 128
SPECIAL = (
    "<｜end▁of▁sentence｜>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "<｜User｜>{{ message['content'] }}{% else %}<｜Assistant｜>{{ message['content'] }}"
    "{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)


def make_tiny_model(folder: Path, texts: list[str], *, seed: int = 0) -> Path:
    """Write config, tokenizer and weights of a tiny model into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder, texts)
    _write_config(folder, vocabulary)
    _write_weights(folder, vocabulary, seed)
    return folder


def _write_tokenizer(folder: Path, texts: list[str]) -> int:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(
        [AddedToken(tag, normalized=False, special=False) for tag in ("<think>", "</think>")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL[1],
            "eos_token": SPECIAL[0],
            "pad_token": SPECIAL[0],
            "add_bos_token": True,
            "clean_up_tokenization_spaces": False,
            "model_max_length": 2048,
            "chat_template": CHAT_TEMPLATE,
        },
    )
    return int(tokenizer.get_vocab_size())


def _write_config(folder: Path, vocabulary: int) -> None:
    _write_json(
        folder / "config.json",
        {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "vocab_size": vocabulary,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": True,
            "bos_token_id": 1,
            "eos_token_id": 0,
            "torch_dtype": "float32",
        },
    )


def _write_weights(folder: Path, vocabulary: int, seed: int) -> None:
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.02).astype(np.float32)

    ones, zeros = np.ones(HIDDEN, np.float32), np.zeros(HIDDEN, np.float32)
    weights = {"model.embed_tokens.weight": matrix(vocabulary, HIDDEN), "model.norm.weight": ones}
    for index in range(LAYERS):
        layer = f"model.layers.{index}"
        for name in "qkv":
            weights[f"{layer}.self_attn.{name}_proj.weight"] = matrix(HIDDEN, HIDDEN)
            weights[f"{layer}.self_attn.{name}_proj.bias"] = zeros.copy()
        weights[f"{layer}.self_attn.o_proj.weight"] = matrix(HIDDEN, HIDDEN)
        weights[f"{layer}.mlp.gate_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{layer}.mlp.up_proj.weight"] = matrix(INNER, HIDDEN)
        weights[f"{layer}.mlp.down_proj.weight"] = matrix(HIDDEN, INNER)
        weights[f"{layer}.input_layernorm.weight"] = ones.copy()
        weights[f"{layer}.post_attention_layernorm.weight"] = ones.copy()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
