"""The chat engine: one base model, any number of LoRA adapters, an OpenAI-compatible API.

Started by ``backend.chat.engines`` as ``python -m backend.workers.engine``. It reads one line from
its standard input, ``{"model": folder, "token": secret}``, with ``"bits": 4`` or 8 for a quantised
base, and writes lines of JSON to its standard output: ``{"state": …}`` while it loads, then
``{"ready": port, …}``, or ``{"error": {key, params}}``.
It ends when its input closes, so that it never outlives whoever started it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from backend.workers.engine_model import Base

LOG_LIMIT = 1_000_000
"""Bytes after which the log file starts afresh."""

_log = logging.getLogger("medtune.engine")


def main() -> int:
    """Load the base, then serve until the input closes. The result is the exit status."""
    tell = _Teller()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("medtune").setLevel(logging.INFO)
    order = json.loads(sys.stdin.buffer.readline())
    # Before anything slow: the input may close while torch is imported.
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    threading.Thread(target=_keep_log_short, daemon=True).start()
    started = time.perf_counter()
    from backend.workers.engine_model import BaseError, load_base, memory

    imported = time.perf_counter()
    _log.info("imports took %.1f s", imported - started)
    tell(state="loading_base")
    before = memory()
    try:
        base = load_base(Path(order["model"]), bits=order.get("bits"))
    except BaseError as error:
        tell(error={"key": error.key, "params": error.params})
        return 1
    loaded = time.perf_counter()
    _log.info("%s on %s in %s: %.1f s", base.path, base.device, base.dtype, loaded - imported)
    facts = {
        "seconds": [round(imported - started, 3), round(loaded - imported, 3)],
        "memory": {"before": before, "after": memory()},
        "bits": base.bits,
    }
    serve(base, order["token"], tell, facts)
    return 0


class _Teller:
    """Writes to whoever started the engine. Prints of libraries go to the log instead."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)

    def __call__(self, **message: Any) -> None:
        self._output.write(json.dumps(message).encode() + b"\n")


def serve(base: Base, token: str, tell: _Teller, facts: Mapping[str, object]) -> None:
    """Answer requests on a free port of loopback; ``facts`` are told with it."""
    import uvicorn

    from backend.workers.engine_api import create_app
    from backend.workers.engine_batch import BatchLoop
    from backend.workers.engine_served import ServedModels

    loop = BatchLoop(base)
    threading.Thread(target=loop.run, daemon=True, name="batch").start()
    app = create_app(ServedModels(base, loop), token)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        loop="asyncio",
        ws="none",
    )
    tell(
        ready=listener.getsockname()[1],
        context=base.context,
        device=str(base.device),
        dtype=str(base.dtype).removeprefix("torch."),
        **facts,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _end_with(pipe: BinaryIO) -> None:
    while pipe.read(1):
        pass
    # At once: whatever torch is in the middle of, nothing here needs to be saved.
    os._exit(0)


def _keep_log_short() -> None:
    while True:
        time.sleep(5)
        if os.fstat(2).st_size > LOG_LIMIT:
            os.ftruncate(2, 0)
            _log.warning("the log was longer than %d bytes and starts afresh", LOG_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
