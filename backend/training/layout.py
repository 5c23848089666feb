"""The files of a run's folder. LLaMA-Factory's ``output_dir`` is the folder itself.

Shared by the supervisor, the readers and the trainer; knows only names.
"""

from __future__ import annotations

from typing import Literal

CONFIG = "config.yaml"
"""What LLaMA-Factory reads."""

RUN = "run.json"
"""``{"id", "created", "values"}``, written before the trainer starts and never after."""

PROCESS = "process.json"
"""``{"pid", "born"}`` of the trainer, written when it has been started."""

STOP = "stop.json"
"""``{"now": bool}``; its presence asks the trainer to save a checkpoint and end."""

EXIT = "exit.json"
"""``{"code", "reason", "error", "when"}``, the last thing that the trainer writes."""

LOG = "process.log"
"""All that the trainer prints."""

TRAINER_LOG = "trainer_log.jsonl"
"""LLaMA-Factory's own log: steps, losses, times."""

METRICS = "metrics.jsonl"
"""What that log lacks, from our callback: when training began, gradient norm, memory."""

Reason = Literal["finished", "stopped", "failed"]
