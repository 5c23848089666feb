"""Memory by part: against published figures, against what was measured, and by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.library.footprint import activations, quantised
from backend.library.models import DEMO_PATH, read_config
from backend.library.shape import Shape, shape_of
from backend.library.weights import count_parameters, list_tensors
from backend.planning.memory import PARTS, needs_of, stock_of, trained_of
from backend.planning.method import Method, method_of
from backend.text import LANGUAGES
from backend.training.schema import defaults
from tests.fakes.headers import LLAMA, QWEN_1_5B, config_of, stock, tensors_of

GB = 1_000_000_000

# LLaMA-Factory 0.9.5, README, "Hardware Requirement" (estimated), in GB. Its columns are 7B, 14B
# and 30B; when it was written those were Llama 1 and 2.
TABLE: dict[str, tuple[Method, dict[str, int]]] = {
    "full": (Method("full"), {"7B": 120, "14B": 240, "30B": 600}),
    "full, pure_bf16": (Method("full", pure=True), {"7B": 60, "14B": 120, "30B": 300}),
    "lora": (Method("lora"), {"7B": 16, "14B": 32, "30B": 64}),
    "freeze": (Method("freeze"), {"7B": 16, "14B": 32, "30B": 64}),
    "qlora, 8 bits": (Method("lora", bits=8), {"7B": 10, "14B": 20, "30B": 40}),
    "qlora, 4 bits": (Method("lora", bits=4), {"7B": 6, "14B": 12, "30B": 24}),
}


@pytest.mark.parametrize("size", LLAMA)
@pytest.mark.parametrize("name", TABLE)
def test_it_is_near_llamafactorys_own_table(name: str, size: str) -> None:
    """Within a third, which is how coarse the table is: its "30B" has 32.5 billion parameters, and
    it gives freezing what it gives LoRA, though two whole layers are trained."""
    method, published = TABLE[name]
    needs = needs_of(stock(LLAMA[size]), method, length=1024)
    assert 0.66 < needs.total / (published[size] * GB) < 1.34


def test_full_fine_tuning_takes_18_bytes_a_parameter_and_8_in_bfloat16() -> None:
    """The table's own rule ("18x GB" and "8x GB"), for parameters and without a batch."""
    llama = stock(LLAMA["7B"])
    for method, each in ((Method("full"), 18), (Method("full", pure=True), 8)):
        needs = needs_of(llama, method, length=8)
        assert needs.total - needs.part("overhead") == pytest.approx(
            each * llama.parameters, rel=0.01
        )


# Peak of one training step in bytes, without overhead, as counted tensor by tensor (see
# ``library.footprint``): DeepSeek-R1-Distill-Qwen-1.5B, LoRA of rank 16 in bfloat16, 1,024 tokens.
COUNTED = 5_738_700_000


def test_it_is_near_what_a_step_was_counted_to_allocate() -> None:
    needs = needs_of(stock(QWEN_1_5B), Method("lora", rank=16), length=1024)
    counted = COUNTED + needs.part("overhead")
    assert 0.98 < needs.total / counted < 1.05


def test_the_parts_of_a_small_adapter_by_hand() -> None:
    """Two layers of width 8, two query heads and one of keys and values, each 4 wide, an MLP of 16
    and ten words."""
    shape = Shape(2, 8, 16, 2, 1, 4, 10, tied=True)
    needs = needs_of(stock(shape), Method("lora", rank=4, batch=3), length=8)
    norms = 2 * 2 * 8 + 8
    parameters = 2 * (8 * 8 + 2 * 8 * 4 + 8 * 8 + 3 * 8 * 16) + 10 * 8 + norms
    adapter = 2 * 4 * (2 * (8 + 8) + 2 * (8 + 4) + 3 * (8 + 16))
    layer = 10 * 8 + 15 * 8 + 28 * 4 + 18 * 16
    assert needs.part("weights") == parameters * 2
    assert needs.part("adapter") == needs.part("gradients") == adapter * 4
    assert needs.part("optimiser") == adapter * 8
    assert needs.part("activations") == 24 * (2 * 8 * 2 + layer) + 2 * adapter
    assert (needs.trained, needs.tokens) == (adapter, 24)


def test_parameters_come_from_the_headers_of_the_demo_model() -> None:
    found = stock_of(list_tensors(DEMO_PATH), read_config(DEMO_PATH))
    assert found is not None
    assert found.parameters == count_parameters(DEMO_PATH)
    assert found.shape == Shape(3, 256, 768, 4, 2, 64, 3000, tied=True)
    assert sum(one.count for one in found.linear) == found.shape.linear
    assert found.adapter(Method("lora", rank=64)) == found.shape.adapter(64)
    # Embedding and last norm are in no layer.
    every = found.unfrozen(Method("freeze", trained_layers=3))
    assert found.parameters - every == 3000 * 256 + 256


def test_an_adapter_counts_the_layers_that_get_one() -> None:
    small = stock(QWEN_1_5B)
    everywhere = small.adapter(Method("lora", rank=16))
    assert everywhere == QWEN_1_5B.adapter(16) == 18_464_768  # as peft counts it
    queries = small.adapter(Method("lora", rank=16, targets=("q_proj", "v_proj")))
    assert queries == 28 * 16 * (1536 + 1536 + 1536 + 256)
    assert small.adapter(Method("lora", rank=16, targets=("self_attn.q_proj",))) == (
        28 * 16 * (1536 + 1536)
    )
    magnitudes = 28 * (1536 + 256 + 256 + 1536 + 8960 + 8960 + 1536)
    assert small.adapter(Method("lora", rank=16, dora=True)) == everywhere + magnitudes


def test_freezing_trains_the_last_blocks() -> None:
    llama = stock(LLAMA["7B"])
    block = 4 * 4096 * 4096 + 3 * 4096 * 11008 + 2 * 4096
    assert trained_of(llama, Method("freeze", trained_layers=3)) == 3 * block
    assert trained_of(llama, Method("freeze", trained_layers=999)) == 32 * block
    assert trained_of(llama, Method("freeze", trained_layers=-1)) == block
    attention = Method("freeze", trained_layers=1, trained_modules=("self_attn",))
    assert trained_of(llama, attention) == 4 * 4096 * 4096
    output = Method("freeze", trained_layers=1, extra_modules=("lm_head",))
    assert trained_of(llama, output) == block + 32000 * 4096


@pytest.mark.parametrize(
    ("less", "part"),
    [
        ({"bits": 4}, "weights"),
        ({"rank": 4}, "adapter"),
        ({"rank": 4}, "gradients"),
        ({"optimiser": "adamw_8bit"}, "optimiser"),
        ({"batch": 1}, "activations"),
        ({"fused_loss": True}, "activations"),
    ],
)
def test_what_saves_memory_saves_it_in_its_part(less: dict[str, Any], part: Any) -> None:
    usual = Method("lora", rank=8, batch=4)
    before = needs_of(stock(QWEN_1_5B), usual, length=1024)
    after = needs_of(stock(QWEN_1_5B), replace(usual, **less), length=1024)
    assert after.part(part) < before.part(part)
    assert after.total < before.total


@pytest.mark.parametrize("kind", ["lora", "full", "freeze"])
def test_what_costs_memory_costs_it(kind: str) -> None:
    usual = Method(kind)
    base = needs_of(stock(LLAMA["7B"]), usual, length=2048).total
    for more in ({"checkpointing": False}, {"eager": True}, {"batch": 2}):
        assert needs_of(stock(LLAMA["7B"]), replace(usual, **more), length=2048).total > base


def test_logits_are_the_largest_part_of_a_batch_with_a_large_vocabulary() -> None:
    qwen = activations(QWEN_1_5B, "adapter")
    assert qwen.logits == 12 * 151_936 > 5 * qwen.layer > 5 * qwen.kept
    llama = activations(LLAMA["7B"], "adapter")
    assert llama.logits == pytest.approx(llama.layer, rel=0.1), "of 32,000 words"


def test_without_checkpointing_every_layer_is_kept() -> None:
    less = activations(LLAMA["7B"], "adapter")
    more = activations(LLAMA["7B"], "adapter", checkpointing=False)
    assert more.kept > 10 * less.kept
    assert more.layer < less.layer, "the layer itself is kept already"


def test_zero_shares_out_what_its_stage_says() -> None:
    llama, alone = stock(LLAMA["7B"]), Method("full")
    one, two, three = (
        needs_of(llama, replace(alone, stage=stage, processes=4), length=8) for stage in (1, 2, 3)
    )
    # Weights and gradients in 16 bits, weights and moments in 32 (arXiv:1910.02054, section 3.1).
    assert one.part("weights") == one.part("gradients") == 2 * llama.parameters
    assert one.part("optimiser") == 12 * llama.parameters / 4
    assert two.part("gradients") == one.part("gradients") / 4
    assert three.part("weights") == one.part("weights") / 4
    offloaded = replace(alone, stage=2, processes=4, offload=True)
    assert needs_of(llama, offloaded, length=8).part("optimiser") == 0


def test_several_processes_hold_their_gradients_twice() -> None:
    llama = stock(LLAMA["7B"])
    one = needs_of(llama, Method("lora"), length=8).part("gradients")
    assert needs_of(llama, Method("lora", processes=2), length=8).part("gradients") == 2 * one


def test_a_quantised_weight_has_a_share_of_its_constants() -> None:
    assert quantised(8) == 1.0
    assert quantised(4) == pytest.approx(0.516, abs=0.001)
    assert quantised(4, double=False) == pytest.approx(0.5625)


def test_weights_quantised_on_disk_count_as_they_are() -> None:
    config = config_of(QWEN_1_5B, quantization_config={"bits": 4, "quant_method": "gptq"})
    packed = stock_of(tensors_of(QWEN_1_5B), config)
    assert packed is not None
    assert needs_of(packed, Method("lora"), length=8).part("weights") == packed.stored


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "it says nothing"),
        ({**config_of(QWEN_1_5B), "num_experts": 64}, "a mixture of experts"),
        ({**config_of(QWEN_1_5B), "hidden_size": "1536"}, "no number"),
    ],
)
def test_a_model_that_can_t_be_told_has_no_estimate(config: dict[str, Any], why: str) -> None:
    assert stock_of(tensors_of(QWEN_1_5B), config) is None, why
    assert stock_of((), config_of(QWEN_1_5B)) is None, "pickles have no headers"


def test_the_shape_is_read_from_configurations_of_other_families() -> None:
    chatglm = {
        "num_layers": 28, "hidden_size": 4096, "ffn_hidden_size": 13696, "kv_channels": 128,
        "num_attention_heads": 32, "multi_query_group_num": 2, "padded_vocab_size": 65024,
    }  # fmt: skip
    assert shape_of(chatglm) == Shape(28, 4096, 13696, 32, 2, 128, 65024, tied=False)
    inside = {"text_config": config_of(QWEN_1_5B), "vision_config": {"hidden_size": 1280}}
    assert shape_of(inside) == QWEN_1_5B


def test_what_sees_gets_no_adapter() -> None:
    tower = replace(tensors_of(QWEN_1_5B)[1], name="visual.blocks.0.attn.qkv.weight")
    found = stock_of((*tensors_of(QWEN_1_5B), tower), config_of(QWEN_1_5B))
    assert found is not None
    assert found.adapter(Method("lora", rank=16)) == QWEN_1_5B.adapter(16)
    assert found.parameters == stock(QWEN_1_5B).parameters + tower.count


def test_the_form_becomes_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.planning.method.best_precision", lambda devices: "bf16")
    usual = method_of(defaults(), on_gpu=True, processes=1)
    optimiser = str(defaults()["optim"])
    assert usual == Method("lora", rank=8, batch=1, precision="bf16", optimiser=optimiser)
    assert usual.half and usual.mixed
    chosen = {
        **defaults(), "quantization_bit": "4", "use_dora": True, "lora_dropout": 0.1,
        "disable_gradient_checkpointing": True, "enable_liger_kernel": True,
        "optim": "adamw_8bit", "deepspeed": "z3_offload", "lora_target": "q_proj,v_proj",
        "flash_attn": "disabled",
    }  # fmt: skip
    assert method_of(chosen, on_gpu=True, processes=2) == Method(
        "lora", bits=4, dora=True, dropout=True, checkpointing=False, fused_loss=True, eager=True,
        optimiser="adamw_8bit", stage=3, offload=True, targets=("q_proj", "v_proj"), processes=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "stage"),
    [("", 0), ("none", 0), (None, 0), ("2", 2), ("zero3", 3), ("ds_z2_config.json", 2), ("0", 0)],
)
def test_the_stage_is_read_from_a_choice_or_a_file(value: str | None, stage: int) -> None:
    assert method_of({"deepspeed": value}, on_gpu=True, processes=1).stage == stage


def test_on_a_cpu_all_is_in_single_precision_unless_asked() -> None:
    small = stock(QWEN_1_5B)
    cpu = Method("lora", precision="fp32", on_gpu=False)
    assert not cpu.half
    assert needs_of(small, cpu, length=8).part("weights") == 4 * small.parameters
    half = replace(cpu, precision="bf16")
    assert needs_of(small, half, length=8).part("weights") == 2 * small.parameters


# Peaks of real trainers (VmHWM, Linux, two cores): the demo model and rows of 1,024 tokens
# of medical-o1, two rounds of accumulation.
REAL = [
    (Method("lora", rank=8, batch=1), 16, 1_055_000_000),
    (Method("lora", rank=64, batch=8), 1024, 2_122_000_000),
    (Method("full", batch=8), 1024, 1_937_000_000),
    (Method("freeze", batch=16), 1024, 1_965_000_000),
]


@pytest.mark.parametrize(("method", "length", "peak"), REAL)
def test_on_a_cpu_it_is_near_what_real_trainers_took(
    method: Method, length: int, peak: int
) -> None:
    """Rather too much than too little: glibc's heap gives back more or less of it."""
    demo = stock_of(list_tensors(DEMO_PATH), read_config(DEMO_PATH))
    assert demo is not None
    alone = replace(method, on_gpu=False, precision="fp32")
    assert 0.9 < needs_of(demo, alone, length=length).total / peak < 1.3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "method",
    [
        Method("lora"), Method("lora", bits=4), Method("full"),
        Method("full", stage=3, offload=True), Method("full", stage=2, processes=2),
        Method("freeze", on_gpu=False, precision="fp32"),
    ],
)  # fmt: skip
def test_every_part_says_how_it_is_computed(method: Method, language: str) -> None:
    for shape in (QWEN_1_5B, LLAMA["7B"]):
        needs = needs_of(stock(shape), method, length=512)
        assert {part.name for part in needs.parts} <= set(PARTS)
        assert all(part.formula.sentence(language) for part in needs.parts)
