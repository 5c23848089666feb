"""Sampling gives each token the share that transformers' own logits processors give it."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from backend.workers import engine_sampling
from backend.workers.engine_protocol import SamplingSettings
from backend.workers.engine_sampling import Sampler, next_tokens

pytestmark = pytest.mark.integration

CPU = torch.device("cpu")
SIZE = 500
PROMPT = [3, 3, 7, 11]


def logits(seed: int) -> torch.Tensor:
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(seed)) * 3


def theirs(settings: SamplingSettings, scores: torch.Tensor) -> torch.Tensor:
    steps = LogitsProcessorList([TemperatureLogitsWarper(settings.temperature)])
    if settings.repetition_penalty != 1:
        steps.insert(0, RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    if settings.top_k:
        steps.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1:
        steps.append(TopPLogitsWarper(settings.top_p))
    return steps(torch.tensor([PROMPT]), scores[None])[0].softmax(-1)


def ours(settings: SamplingSettings, scores: torch.Tensor) -> torch.Tensor:
    sampler = Sampler(settings, PROMPT, CPU)
    tokens, shares = sampler.distribution(sampler.penalised(scores))
    return torch.zeros(SIZE).scatter(0, tokens, shares / shares.sum())


@pytest.mark.parametrize("candidates", [20, 1024])
@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(temperature=1.0),
        SamplingSettings(temperature=0.3),
        SamplingSettings(temperature=1.5, top_k=7),
        SamplingSettings(temperature=0.8, top_p=0.5),
        SamplingSettings(temperature=2.0, top_p=0.99),
        SamplingSettings(temperature=1.0, top_k=40, top_p=0.7),
        SamplingSettings(temperature=0.6, top_p=0.95, repetition_penalty=1.3),
        SamplingSettings(temperature=1.0, top_p=0.0),
        SamplingSettings(temperature=1.0, top_k=10_000),
    ],
)
def test_shares_are_those_of_transformers(
    settings: SamplingSettings, candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the nucleus is larger than the candidates that are looked at first."""
    monkeypatch.setattr(engine_sampling, "CANDIDATES", candidates)
    for seed in range(5):
        torch.testing.assert_close(ours(settings, logits(seed)), theirs(settings, logits(seed)))


def test_temperature_zero_is_the_largest() -> None:
    scores = logits(1)
    for penalty in (1.0, 1.5):
        settings = SamplingSettings(temperature=0.0, repetition_penalty=penalty)
        sampler = Sampler(settings, PROMPT, CPU)
        likeliest = int(sampler.penalised(scores).argmax())
        assert sampler.pick(scores) == likeliest


def test_a_token_that_was_made_is_penalised_too() -> None:
    scores = torch.tensor([5.0, 4.9, 0.0])
    sampler = Sampler(SamplingSettings(temperature=0.0, repetition_penalty=2.0), [2], CPU)
    assert [sampler.pick(scores) for _ in range(3)] == [0, 1, 0]


def test_rows_do_not_share_their_chance() -> None:
    """A row's tokens come from its own seed, whichever row it is and whoever else samples."""
    settings = [SamplingSettings(temperature=1.0, seed=seed) for seed in (1, 2)]

    def run(order: list[int]) -> dict[int, list[int]]:
        samplers = [Sampler(settings[number], PROMPT, CPU) for number in order]
        made = [
            next_tokens(torch.stack([logits(step)] * len(order)), samplers) for step in range(9)
        ]
        return {number: [row[place] for row in made] for place, number in enumerate(order)}

    assert run([0, 1]) == run([1, 0])
    assert run([0])[0] == run([0, 1])[0] != run([0, 1])[1]
