"""A model's tokenizer with a chat template fitted to it, as LLaMA-Factory fits them for training.

Knows nothing about lessons.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from backend.errors import DataError
from backend.workers.chat_templates import UnknownTemplateError, fitted_template, template_module
from backend.workers.inspect_source import Processors, processors

_LOAD_ERRORS = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError)
"""What transformers ends in on a damaged tokenizer_config.json; ``tokenizers`` has its own."""


class TextOnly:
    """``template.mm_plugin`` for rows without pictures: it changes nothing, as ``BasePlugin``."""

    def process_messages(self, messages: Any, *_media: Any) -> Any:
        return messages

    def process_token_ids(self, input_ids: Any, labels: Any, *_media: Any) -> Any:
        return input_ids, labels


@dataclass(frozen=True)
class Fitted:
    """A tokenizer with the special tokens of a template, and that template.

    Attributes:
        name: Of the template.
        new: Tokens that the template added, which the model was never trained with.
    """

    folder: Path
    name: str
    tokenizer: Any
    template: Any
    processors: Processors
    new: tuple[str, ...] = ()

    @property
    def reasoning(self) -> bool:
        """The template treats thought words in a way of its own."""
        return isinstance(self.template, template_module().ReasoningTemplate)

    @property
    def tail(self) -> int:
        """Tokens that LLaMA-Factory adds behind the last turn of a row: 0 or 1."""
        return 1 if self.template.efficient_eos else 0

    @cached_property
    def own(self) -> Any:
        """The tokenizer as its folder has it, without what the template added."""
        return load_tokenizer(self.folder)

    @cached_property
    def specials(self) -> dict[int, str]:
        """Tokens that no text is cut into by itself: markers, with what they stand for."""
        added = {
            number: str(token) for number, token in self.tokenizer.added_tokens_decoder.items()
        }
        return {number: token for number, token in added.items() if token.strip()}

    def decode(self, ids: list[int]) -> str:
        """Text of tokens, special ones included."""
        return str(
            self.tokenizer.decode(
                ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )


def fit(folder: Path, template: str) -> Fitted:
    """The tokenizer in ``folder`` with LLaMA-Factory's ``template``.

    Raises:
        DataError: the folder has no tokenizer that can be loaded, or there is no such template.
    """
    tokenizer = load_tokenizer(folder)
    before = set(tokenizer.get_vocab())
    try:
        fitted = fitted_template(template, tokenizer)
    except UnknownTemplateError as error:
        raise DataError("data.errors.template_unknown", template=template[:80]) from error
    if fitted.mm_plugin is None:  # the light source's; text needs no more
        fitted.mm_plugin = TextOnly()
    new = sorted(set(tokenizer.get_added_vocab()) - before)
    return Fitted(folder, template, tokenizer, fitted, processors(), tuple(new))


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in ``folder``, loaded as LLaMA-Factory loads it, without running its code.

    Raises:
        DataError: there is none, or it can't be loaded.
    """
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise DataError("data.errors.tokenizer_missing", model=folder.name)
    _check(folder)
    try:
        return AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, padding_side="right"
        )
    except _LOAD_ERRORS as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
        raise DataError("data.errors.tokenizer_broken", model=folder.name, reason=reason) from error


def _check(folder: Path) -> None:
    """A damaged tokenizer.json raises a bare ``Exception`` in Rust: look before it is loaded."""
    from backend.files import read_json

    file = folder / "tokenizer.json"
    if file.is_file() and not isinstance(read_json(file), dict):
        reason = "tokenizer.json"
        raise DataError("data.errors.tokenizer_broken", model=folder.name, reason=reason)
