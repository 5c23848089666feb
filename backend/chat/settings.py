"""How columns answer: the sampling settings of one question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from backend.errors import EngineError
from backend.text import text

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.01, 1.0),
    "top_k": (0, 1000),
    "repetition_penalty": (0.5, 2.0),
    "max_tokens": (1, 32768),
    "seed": (0, 2**31 - 1),
}
Thinking = Literal["trained", "on", "off"]
"""Whether the model reasons before it answers: as it was taught to, always, or never. "on" and
"off" go into the prompt where its chat template has reasoning."""

THINKS: Mapping[Thinking, bool | None] = {"trained": None, "on": True, "off": False}
"""What a request says of it."""

MOST_SYSTEM = 20_000
"""Characters of a system prompt."""

_WHOLE = {"top_k", "max_tokens", "seed"}


class SettingError(EngineError):
    """A setting has a value that can't be sampled with; named by its label on the page."""

    def sentence(self, language: str) -> str:
        label = text(language, f"chat.settings.{self.params['name']}")
        return text(language, self.key, **{**self.params, "name": label})


@dataclass(frozen=True)
class Settings:
    """Sampling settings; temperature 0 is greedy and ignores the rest but the penalty.

    The defaults are those that DeepSeek recommends for the R1 distills (temperature 0.6, top-p
    0.95). ``top_k`` 0 is off; ``seed`` None gives another answer each time.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_tokens: int = 1024
    seed: int | None = None
    system: str = ""
    thinking: Thinking = "trained"

    def __post_init__(self) -> None:
        """
        Raises:
            SettingError: a value is out of its range.
        """
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "seed":
                continue
            whole = name in _WHOLE
            if not _is_number(value, whole=whole) or not low <= value <= high:
                key = "chat.errors.setting_whole" if whole else "chat.errors.setting"
                raise SettingError(key, name=name, low=f"{low:.10g}", high=f"{high:.10g}")
        if len(self.system) > MOST_SYSTEM:
            raise SettingError("chat.errors.setting_long", name="system", limit=MOST_SYSTEM)
        if self.thinking not in get_args(Thinking):
            raise SettingError("chat.errors.setting_choice", name="thinking")

    @classmethod
    def greedy(
        cls,
        *,
        max_tokens: int = 1024,
        repetition_penalty: float = 1.0,
        system: str = "",
        thinking: Thinking = "trained",
    ) -> Settings:
        """The most likely token at each step: the same answer each time."""
        return cls(
            temperature=0.0,
            top_p=1.0,
            repetition_penalty=repetition_penalty,
            max_tokens=max_tokens,
            system=system,
            thinking=thinking,
        )

    def body(self) -> dict[str, Any]:
        """The settings as fields of a chat request; the system prompt is a message instead."""
        kept = {name: value for name, value in asdict(self).items() if value is not None}
        del kept["system"], kept["thinking"]
        return kept | thinking_options(THINKS[self.thinking])

    def plain_body(self) -> dict[str, Any]:
        """As ``body``, for a server of whom nothing is known: what OpenAI's API does not have is
        left out unless it says something, since some servers refuse what they don't know."""
        kept = self.body()
        if not self.top_k:
            del kept["top_k"]
        if self.repetition_penalty == 1:
            del kept["repetition_penalty"]
        return kept


def thinking_options(thinking: bool | None) -> dict[str, Any]:
    """Fields of a request for an answer that reasons or not, as vLLM and SGLang name them; none
    where it is left to the model."""
    return {} if thinking is None else {"chat_template_kwargs": {"enable_thinking": thinking}}


def _is_number(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and (not whole or float(value).is_integer())
