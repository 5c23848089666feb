"""By what a model's tokenizer is recognised: how its files stand on disk, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "config.json",
)
"""What transformers reads for a tokenizer; of config.json the type of the model."""


def tokenizer_stamp(model: Path) -> str:
    """Changes when a file of the tokenizer in a model's folder is written; nothing is read."""
    return repr([(file.name, size, written) for file, size, written in _files(model)])


def tokenizer_digest(model: Path) -> str:
    """The same for the same content of the files; each is read once while it stays as it is."""
    digest = blake2b(digest_size=12)
    for file, size, written in _files(model):
        digest.update(file.name.encode() + b"\0" + _content(file, size, written))
    return digest.hexdigest()


def _files(model: Path) -> Iterator[tuple[Path, int, int]]:
    for name in FILES:
        try:
            status = (model / name).stat()
        except OSError:
            continue
        yield model / name, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=128)
def _content(file: Path, _size: int, _written: int) -> bytes:
    try:
        with file.open("rb") as opened:
            digest = blake2b(digest_size=16)
            while block := opened.read(1 << 20):
                digest.update(block)
    except OSError:
        return b""
    return digest.digest()
