"""The next token of a row, from its logits and its own settings and generator.

Knows nothing about models or text. Order and meaning of the settings are those of transformers'
logits processors: repetition penalty, temperature, top-k, top-p.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backend.workers.engine_protocol import SamplingSettings

CANDIDATES = 1024
"""Sorting a vocabulary of 150,000 for each token is slow; top-p mostly needs the first few."""


class Sampler:
    """Chooses the tokens of one row.

    Args:
        settings: The row's settings. Without a seed every run differs.
        prompt: Token ids of the prompt, which the repetition penalty counts in.
        device: Where the logits are.
    """

    def __init__(
        self, settings: SamplingSettings, prompt: Sequence[int], device: torch.device
    ) -> None:
        self._settings = settings
        self._device = device
        self._seen = torch.tensor(sorted(set(prompt)), dtype=torch.long, device=device)
        # On the CPU, so that a seed gives the same numbers whatever the device.
        self._generator = torch.Generator(device="cpu")
        if settings.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(settings.seed)

    @property
    def plain_greedy(self) -> bool:
        """Whether the row only needs the largest of its logits."""
        return self._settings.temperature == 0 and self._settings.repetition_penalty == 1

    def pick(self, logits: torch.Tensor) -> int:
        """The next token for logits of shape [vocabulary]."""
        scores = self.penalised(logits.float())
        if self._settings.temperature == 0:
            token = int(scores.argmax())
        else:
            tokens, shares = self.distribution(scores)
            token = int(tokens[torch.multinomial(shares, 1, generator=self._generator)])
        self._remember(token)
        return token

    def penalised(self, scores: torch.Tensor) -> torch.Tensor:
        """``scores`` [vocabulary] with the tokens of prompt and answer made less likely."""
        penalty = self._settings.repetition_penalty
        if penalty == 1:
            return scores
        seen = scores[self._seen]
        scores = scores.clone()
        scores[self._seen] = torch.where(seen < 0, seen * penalty, seen / penalty)
        return scores

    def distribution(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Candidate tokens and their shares, both on the CPU, for penalised logits [vocabulary].

        The shares need not add up to 1.
        """
        settings = self._settings
        scores = scores / settings.temperature
        size = scores.shape[-1]
        if settings.top_k:
            values, tokens = scores.topk(min(settings.top_k, size))
            shares = values.softmax(-1)
        elif settings.top_p == 1:
            return torch.arange(size), scores.softmax(-1).cpu()
        else:
            total = scores.logsumexp(-1)
            values, tokens = scores.topk(min(CANDIDATES, size))
            shares = (values - total).exp()
            if float(shares.sum()) < settings.top_p:
                values, tokens = scores.sort(descending=True)
                shares = (values - total).exp()
        before = shares.cumsum(-1) - shares
        keep = before < settings.top_p
        keep[0] = True
        return tokens[keep].cpu(), shares[keep].cpu()

    def _remember(self, token: int) -> None:
        if self._settings.repetition_penalty != 1 and not bool((self._seen == token).any()):
            new = torch.tensor([token], dtype=torch.long, device=self._device)
            self._seen = torch.cat([self._seen, new])


def next_tokens(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """One token for each row of ``logits`` [rows, vocabulary]."""
    largest = logits.argmax(-1).tolist()
    return [
        int(largest[row]) if sampler.plain_greedy else sampler.pick(logits[row])
        for row, sampler in enumerate(samplers)
    ]
