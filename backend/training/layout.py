"""The files of a run's folder. LLaMA-Factory's ``output_dir`` is the folder itself.

Shared by the supervisor, the readers and the trainer; knows only names.
"""

from __future__ import annotations

from typing import Literal

CONFIG = "config.yaml"
"""What LLaMA-Factory reads."""

DEEPSPEED = "deepspeed.json"
"""DeepSpeed's settings, which ``config.yaml`` names; where it was chosen."""

ACCEPTED = "accepted"
"""Not in a run's folder but in the workspace's cache: what LLaMA-Factory's parser said, by file."""

RUN = "run.json"
"""``{"id", "created", "values", "asked"}``, written before the trainer starts; replaced only when
the run is resumed with other values. ``asked`` is the name that the person gave, or empty."""

QUEUED = "queued.json"
"""``{"order", "since"}``; it says that the run waits for its turn. The trainer removes it."""

LAUNCH = "launch.json"
"""``{"devices", "processes", "since", "log_offset"}`` of the newest attempt, written before it is
started; the last is the byte of ``process.log`` from which on it prints."""

PROCESS = "process.json"
"""``{"pid", "born"}`` of the trainer, written by the supervisor and by the trainer itself."""

LOCK = "trainer.lock"
"""Locked (flock) for as long as a trainer lives, from before it is started."""

STOP = "stop.json"
"""``{"now": bool}``; its presence asks the trainer to save a checkpoint and end."""

CHECKPOINT = "checkpoint.json"
"""Its presence asks the trainer for a checkpoint and to go on; removed when that is saved."""

PROBE = "probe.json"
"""``{"steps"}``: how many the trainer takes before it leaves without saving anything."""

PROBED = "probed.json"
"""What a trainer measured on those steps, see ``probing``."""

RESUME = "resume.json"
"""``{"checkpoint", "step", "tokens"}``: from where the newest attempt goes on."""

EXIT = "exit.json"
"""``{"code", "reason", "error", "when"}``, the last thing that the trainer writes; ``problem`` is
there too when it never came to a trainer, and ``full`` when the disk was."""

EXIT_ROOM = ".exit.room"
"""Room on the disk for ``exit.json``, taken at the start: a full disk still gets its reason."""

ATTEMPTS = "attempts"
"""``attempts/<n>/`` holds what the attempts before the newest one left."""

RECORD = "record.json"
"""What else the result depends on: data, model, versions, devices, MedTune's commit."""

LOG = "process.log"
"""All that the trainer prints."""

TRAINER_LOG = "trainer_log.jsonl"
"""LLaMA-Factory's own log: steps, losses, times."""

METRICS = "metrics.jsonl"
"""What that log lacks, from our callback: when training began, gradient norm, memory, GPU."""

Reason = Literal["finished", "stopped", "failed"]
