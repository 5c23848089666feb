"""Linear layers in oneDNN's order compute what the plain ones do, and are in memory once."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from backend.workers.engine_linear import PackedLinear, pack

pytestmark = pytest.mark.integration


class Small(nn.Module):
    """An embedding with a head that is tied to it, or not, and two layers between."""

    def __init__(self, *, tied: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 24)
        self.up = nn.Linear(24, 70)
        self.down = nn.Linear(70, 24, bias=False)
        self.head = nn.Linear(24, 50, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.down(self.up(self.embed(ids))))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 4, 40])
def test_packed_layers_compute_what_plain_ones_do(rows: int, tied: bool) -> None:
    model = Small(tied=tied).eval().requires_grad_(False)
    ids = torch.randint(50, (rows, 5))
    with torch.inference_mode():
        plain = model(ids)
        pack(model)
        packed = model(ids)
    torch.testing.assert_close(packed, plain, rtol=1e-5, atol=1e-5)
    assert type(model.up) is type(model.down) is PackedLinear
    # A tied head would be in memory twice.
    assert (type(model.head) is nn.Linear) == tied
    assert (model.head.weight is model.embed.weight) == tied
    assert sum(name.endswith("weight") for name, _ in model.named_parameters()) == 1


def test_a_copy_of_a_packed_layer_is_plain_and_its_own() -> None:
    """Whoever copies a layer, as PEFT does for modules_to_save, writes into the copy."""
    linear = nn.Linear(24, 70).requires_grad_(False)
    packed = PackedLinear.of(linear)
    shared = packed.sharing()
    plain = copy.deepcopy(packed)
    assert type(plain) is nn.Linear
    assert torch.equal(plain.weight, linear.weight)
    plain.weight.zero_()
    shared.bias.zero_()
    assert torch.equal(packed.weight, linear.weight)
    assert torch.equal(packed.bias, linear.bias)


def test_other_numbers_stay_as_they_are() -> None:
    model = Small(tied=False).to(torch.bfloat16)
    pack(model)
    assert type(model.up) is nn.Linear
