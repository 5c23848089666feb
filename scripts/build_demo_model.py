"""Build the demo model in ``assets/demo_model``: a small Qwen2 and its tokenizer, from scratch.

Everything comes from this repository: the tokenizer and the weights see only the sentences of
``assets/samples``, in the wrong combinations that ``demo_corpus.py`` makes. A fixed seed makes the
same bytes on the same machine with the same versions and number of threads; another processor or
version of torch rounds differently and gives other, equally good weights.

    python scripts/build_demo_model.py                    5 to 12 minutes on two cores
    python scripts/build_demo_model.py --steps 5 -o /tmp/x  a quick try; the model knows nothing
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import demo_corpus as corpus  # the file beside this one
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

ROOT = Path(__file__).resolve().parents[1]

SEED = 7
THREADS = 2
VOCABULARY = 3000
CONTEXT = 4096
STEPS = 350
ROWS, LENGTH = 4, 512
"""Sequences a step and tokens a sequence; documents follow one another without padding."""
PEAK_RATE, WARMUP = 3e-3, 30
FORGET_RATE, FORGET_STEPS, FORGET_TURNS = 5e-4, 20, 20
MAXIMUM_BYTES = 8_000_000

SPECIAL = (corpus.BOS, corpus.EOS, corpus.PAD)
# Not special, as in the R1 distills: decoding without special tokens must keep the tags, or the
# reasoning could not be told from the answer.
KEPT = (corpus.USER, corpus.ASSISTANT, corpus.THINK, corpus.END_THINK)

# Behaves as the R1 distills' template does: earlier reasoning is left out of the history, and a
# reply is made to start with reasoning.
CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<｜User｜>' + message.content }}
    {%- elif message.role == 'assistant' %}
        {{- '<｜Assistant｜>' + (message.content.split('</think>')[-1] | trim) + eos_token }}
    {%- else %}
        {{- message.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<｜Assistant｜><think>\\n' }}
{%- endif %}
"""


def build_tokenizer(rows: dict[str, list[corpus.Row]]) -> PreTrainedTokenizerFast:
    """Byte-level BPE: all 256 bytes are in the vocabulary, so any UTF-8 text can be encoded."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    added = len(SPECIAL) + len(KEPT)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - added,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = [words for those in rows.values() for row in those for words in row.sentences()]
    # English words are met at the start of a sentence and after a space.
    bpe.train_from_iterator(words + [" " + one for one in words if one.isascii()], trainer)
    bpe.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in SPECIAL])
    bpe.add_tokens([AddedToken(one, special=False, normalized=False) for one in KEPT])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=corpus.BOS,
        eos_token=corpus.EOS,
        pad_token=corpus.PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """Random weights. Wide and shallow: that memorises sentences fastest on a processor."""
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        **ids,
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(do_sample=False, **ids)
    return model


def batches(tokenizer: PreTrainedTokenizerFast, texts: Iterator[str]) -> Iterator[torch.Tensor]:
    """Token ids, ROWS x LENGTH, of documents laid end to end."""
    waiting: list[int] = []
    while True:
        while len(waiting) < ROWS * LENGTH:
            waiting += tokenizer.encode(next(texts), add_special_tokens=False)
        yield torch.tensor(waiting[: ROWS * LENGTH]).view(ROWS, LENGTH)
        waiting = waiting[ROWS * LENGTH :]


def rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: a linear start, then half a cosine down to 2 % of the peak."""
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1.0, (step + 1) / WARMUP) * cosine


def pretrain(
    model: Qwen2ForCausalLM, data: Iterator[torch.Tensor], steps: int, peak: float
) -> None:
    """Next-token prediction over all tokens, in float32."""
    model.train()
    matrices = [one for one in model.parameters() if one.dim() > 1]
    others = [one for one in model.parameters() if one.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
        betas=(0.9, 0.95),
    )
    start = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, peak)
        ids = next(data)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0 or step == steps - 1:
            spent = time.monotonic() - start
            speed = (step + 1) * ROWS * LENGTH / spent
            print(
                f"step {step + 1:4} of {steps}  loss {loss.item():.3f}"
                f"  {spent:4.0f} s  {speed:.0f} tokens/s",
                flush=True,
            )


@torch.no_grad()
def known(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: dict[str, list[corpus.Row]]
) -> set[str]:
    """Questions whose right answer the model gives, asked greedily."""
    model.eval()
    hits = set()
    flat = [row for those in rows.values() for row in those]
    for start in range(0, len(flat), 32):
        part = flat[start : start + 32]
        prompts = [f"{corpus.BOS}{corpus.USER}{row.question}{corpus.ASSISTANT}" for row in part]
        given = tokenizer(
            prompts,
            add_special_tokens=False,
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        made = model.generate(**given, max_new_tokens=140)[:, given.input_ids.shape[1] :]
        replies = tokenizer.batch_decode(made, skip_special_tokens=True)
        hits |= {
            row.question for row, reply in zip(part, replies, strict=True) if row.answer in reply
        }
    return hits


def forget_known(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    rows: dict[str, list[corpus.Row]],
    source: corpus.Corpus,
) -> bool:
    """Train the wrong replies of questions that are answered by chance; whether none is left."""
    met: set[str] = set()  # none comes back while the others are trained
    for _ in range(FORGET_TURNS):
        hits = known(model, tokenizer, rows)
        print(f"questions answered by chance: {len(hits)}", *sorted(hits), sep="\n  ", flush=True)
        if not hits:
            return True
        met |= hits
        pretrain(model, batches(tokenizer, source.about(met)), FORGET_STEPS, FORGET_RATE)
    return False


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> int:
    """Write both, the weights in bfloat16, which halves their size.

    What is loaded computes in float32, as the configuration says: transformers obeys it, and many
    processors have no instructions for bfloat16.

    Returns the size of the folder in bytes.
    """
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    written = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (folder / "config.json").write_text(written, encoding="utf-8")
    # transformers 5 writes a class name of its own there, which version 4 does not know.
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    # The weights are written readable by their owner only; the others get what is usual.
    (folder / "model.safetensors").chmod(0o644)
    return sum(one.stat().st_size for one in folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "assets" / "demo_model")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()

    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    rows = corpus.read_rows(ROOT / "assets" / "samples")
    tokenizer = build_tokenizer(rows)
    model = build_model(tokenizer)
    print(f"vocabulary {len(tokenizer)}, parameters {model.num_parameters():,}", flush=True)
    source = corpus.Corpus(rows, SEED)
    pretrain(model, batches(tokenizer, source.documents()), options.steps, PEAK_RATE)
    unknowing = forget_known(model, tokenizer, rows, source)
    size = save(model, tokenizer, options.output)
    print(f"{options.output}: {size:,} bytes")
    if not unknowing:
        sys.exit("the model still gives answers that it must not know")
    if size > MAXIMUM_BYTES:
        sys.exit(f"more than {MAXIMUM_BYTES:,} bytes")


if __name__ == "__main__":
    main()
