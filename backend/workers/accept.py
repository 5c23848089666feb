"""Asks LLaMA-Factory's parser: ``python -m backend.workers.accept [together] < config.json``.

It prints one line of JSON, ``{"accepted", "reason"}``. With ``together`` it parses as one process
of a distributed training does, which has rules of its own.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import orjson


def main() -> int:
    """Parse what standard input holds. The result is the exit status."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no part of the answer
    if hasattr(os, "nice"):
        os.nice(10)  # a trainer or the page may want the core
    config = orjson.loads(sys.stdin.buffer.read())
    if "together" in sys.argv[1:]:
        os.environ |= _alone_in_a_group()
    reason = refusal(config)
    output.write(orjson.dumps({"accepted": not reason, "reason": reason}) + b"\n")
    return 0


def refusal(config: dict[str, Any]) -> str:
    """Why LLaMA-Factory refuses a configuration, in its words; empty where it accepts."""
    from llamafactory.hparams import get_train_args

    try:
        get_train_args(config)
    except Exception as error:  # whatever it ends in, the training would end in as well
        return " ".join(str(error).split())[:500] or type(error).__name__
    return ""


def _alone_in_a_group() -> dict[str, str]:
    """What torchrun tells the only process of a group."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    single = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    return {**single, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


if __name__ == "__main__":
    sys.exit(main())
