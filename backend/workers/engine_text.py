"""Text to token ids and back: prompts by LLaMA-Factory's template, answers token by token.

Knows nothing about models.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Container, Sequence
from typing import Any

from backend.workers.chat_templates import fitted_template


class PromptEncoder:
    """Builds the prompt that a run with this template was trained on.

    The tokenizer becomes this encoder's own: a template adds its special tokens to it.
    """

    def __init__(self, tokenizer: Any, template_name: str) -> None:
        self.tokenizer = tokenizer
        self.template = fitted_template(template_name, tokenizer)
        self.stop_ids = frozenset(
            token for token in self.template.get_stop_token_ids(tokenizer) if isinstance(token, int)
        )
        self._written = WrittenText(tokenizer)
        thoughts = {
            tokenizer.convert_tokens_to_ids(word.strip()) for word in self.template.thought_words
        }
        self._dropped = (set(tokenizer.all_special_ids) | self.stop_ids) - (
            thoughts - {tokenizer.unk_token_id}
        )

    def encode(self, messages: Sequence[dict[str, str]], thinking: bool | None = None) -> list[int]:
        """Token ids of the prompt for the next answer, as LLaMA-Factory's inference builds it:
        reasoning of earlier answers is left out where the template is a reasoning one.

        Args:
            thinking: False puts an empty block of reasoning into the prompt, as LLaMA-Factory does
                with ``enable_thinking: false``; True puts ``opening`` there. None, or a template
                without reasoning, leaves it to the model.
        """
        turns = [dict(message) for message in messages]
        for message in turns:
            if message["role"] != "assistant":
                message["content"] = self._written.hide(message["content"])
        system = turns.pop(0)["content"] if turns[0]["role"] == "system" else None
        answer = {"role": "assistant", "content": ""}
        prompt, _ = self.template.encode_oneturn(self._written, [*turns, answer], system)
        if thinking is False and self._reasons:
            return [*prompt, *self.template.get_thought_word_ids(self.tokenizer)]
        return [*prompt, *self._written.encode(self.opening)] if thinking else list(prompt)

    @property
    def opening(self) -> str:
        """What an answer that reasons begins with; empty for a template without reasoning."""
        return str(self.template.thought_words[0]) if self._reasons else ""

    @property
    def _reasons(self) -> bool:
        # LLaMA-Factory's ReasoningTemplate; every template has the words.
        return "Reasoning" in type(self.template).__name__

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of any tokens, special ones included."""
        return str(
            self.tokenizer.decode(
                list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def detokenizer(self) -> Detokenizer:
        """For one answer: special tokens are dropped, reasoning tags are kept."""
        return Detokenizer(self.decode, dropped=self._dropped)


class WrittenText:
    """A tokenizer for templates in which special tokens that a person typed stay plain text.

    ``hide`` replaces the text of added tokens by marks before the template is applied; ``encode``
    then knows the template's own special tokens from a person's, and encodes the latter with a copy
    of the tokenizer that has no added tokens. Text without such words goes through the tokenizer as
    it is. Everything else is the tokenizer's own.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
        self._words = [word for word in added if word.strip()]
        self._added = re.compile("|".join(map(re.escape, self._words)) or r"(?!)")
        self._nonce = f"\ufdd0{secrets.token_hex(8)}:"
        self._mark = re.compile(rf"{self._nonce}(\d+)\ufdd1")
        self._plain = _without_added_tokens(tokenizer) if self._words else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def hide(self, text: str) -> str:
        if self._plain is None:
            return text
        return self._added.sub(
            lambda match: f"{self._nonce}{self._words.index(match[0])}\ufdd1", text
        )

    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        if self._nonce not in text:
            return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))
        ids: list[int] = []
        start = 0
        for match in self._added.finditer(text):
            ids += self._piece(text[start : match.start()])
            ids.append(self._tokenizer.convert_tokens_to_ids(match[0]))
            start = match.end()
        return ids + self._piece(text[start:])

    def _piece(self, text: str) -> list[int]:
        if self._nonce not in text:
            return list(self._tokenizer.encode(text, add_special_tokens=False)) if text else []
        assert self._plain is not None, "only hide makes marks"
        shown = self._mark.sub(lambda match: self._words[int(match[1])], text)
        return list(self._plain.encode(shown, add_special_tokens=False).ids)


def _without_added_tokens(tokenizer: Any) -> Any:
    """A copy that knows the vocabulary only; None for a tokenizer that is not a fast one."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    from tokenizers import Tokenizer

    content = json.loads(backend.to_str())
    content.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(content))


class Detokenizer:
    """Text of an answer as its tokens arrive, without ever cutting a character in two.

    A token may be a part of a character's bytes. Text is given out when it no longer ends with the
    replacement character; the tokens given out last stay as the context of the next, because
    some tokenizers write a word differently at the start of a text.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], *, dropped: Container[int] = ()
    ) -> None:
        self._decode = decode
        self._dropped = dropped
        self._context: list[int] = []
        self._context_text = ""
        self._new: list[int] = []

    def add(self, token: int) -> str:
        """The text that ``token`` completes, possibly none yet."""
        if token in self._dropped:
            return ""
        self._new.append(token)
        whole = self._decode([*self._context, *self._new])
        return "" if whole.endswith("\ufffd") else self._give(whole)

    def finish(self) -> str:
        """What is left: half a character becomes the replacement character."""
        return self._give(self._decode([*self._context, *self._new])) if self._new else ""

    def _give(self, whole: str) -> str:
        text = whole[len(self._context_text) :]
        self._context, self._new = self._new, []
        self._context_text = self._decode(self._context)
        return text


class StopTexts:
    """Cuts an answer before the stop text that is complete first, in whatever pieces it arrives."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def add(self, text: str) -> str:
        """What can be shown now; sets ``found`` when a stop text was met."""
        if not self._stops:
            return text
        shown = ""
        for letter in text:
            if self.found:
                break
            shown += self._add_letter(letter)
        return shown

    def finish(self) -> str:
        """What was held back in case a stop text would follow."""
        rest, self._held = self._held, ""
        return rest

    def _add_letter(self, letter: str) -> str:
        held = self._held + letter
        ended = [stop for stop in self._stops if held.endswith(stop)]
        self.found = bool(ended)
        if ended:
            kept, self._held = held[: len(held) - max(map(len, ended))], ""
            return kept
        end = len(held) - max(_overlap(held, stop) for stop in self._stops)
        self._held = held[end:]
        return held[:end]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that ``stop`` starts with."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
