"""The inspector, ``python -m backend.workers.inspect``: lessons as LLaMA-Factory encodes them.

It answers lines of JSON, one for one and in order: ``{"id", "op", …}``, where op is encode, parity
or ping, with ``{"id", "result": …}`` or ``{"id", "error": {"key", "params"}}``. Standard output
carries nothing else. It ends when its input closes, or when nothing was asked for ten minutes.
torch is not loaded.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from backend.data.tokens.stamps import tokenizer_stamp
from backend.data.tokens.wire import encoding_to_json, lesson_from_json, parity_to_json
from backend.errors import DataError

if TYPE_CHECKING:
    from backend.workers.inspect_model import Fitted

IDLE_SECONDS = 600.0
"""After so long without a request it ends; the next request starts another."""

KEPT_MODELS = 2
"""So many tokenizers with their templates stay in memory."""

Answer = Callable[[Mapping[str, Any]], Any]


def main() -> int:
    """Answer until the input closes. The result is the exit status."""
    output = _protocol_only()
    from backend.workers.inspect_source import hide_torch

    hide_torch()
    for line in _lines(sys.stdin.fileno(), IDLE_SECONDS):
        output.write(orjson.dumps(_reply(orjson.loads(line))) + b"\n")
    return 0


def _protocol_only() -> Any:
    """The output; what libraries print goes to standard error."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return output


def _lines(source: int, patience: float) -> Iterator[bytes]:
    """Lines of a file descriptor until it closes or is silent for ``patience`` seconds."""
    rest = b""
    while select.select([source], [], [], patience)[0]:
        read = os.read(source, 1 << 20)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        yield from lines


def _reply(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"id": asked["id"], "result": _ANSWERS[asked["op"]](asked)}
    except DataError as error:
        params = {name: str(value) for name, value in error.params.items()}
        return {"id": asked["id"], "error": {"key": error.key, "params": params}}


def _ping(_asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"pid": os.getpid(), "torch": sys.modules.get("torch") is not None}


def _encode(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    from backend.workers.inspect_encode import encode

    lesson = lesson_from_json(asked["lesson"])
    return [encoding_to_json(one) for one in encode(_model(asked), lesson, asked["cutoff"])]


def _parity(asked: Mapping[str, Any]) -> dict[str, Any]:
    from backend.workers.inspect_parity import parity

    return parity_to_json(parity(_model(asked), lesson_from_json(asked["lesson"])))


def _model(asked: Mapping[str, Any]) -> Fitted:
    folder = Path(asked["model"])
    return _fitted(folder, asked["template"], tokenizer_stamp(folder))


@lru_cache(maxsize=KEPT_MODELS)
def _fitted(folder: Path, template: str, _stamp: str) -> Fitted:
    from backend.workers.inspect_model import fit

    return fit(folder, template)


_ANSWERS: Mapping[str, Answer] = {"ping": _ping, "encode": _encode, "parity": _parity}


if __name__ == "__main__":
    sys.exit(main())
