"""A tiny base and adapters of different ranks and targets, and an engine that holds them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backend.chat.engines import Column, Engine, Reply, Settings, ask
from tests.fakes.tiny_adapter import ALL_TARGETS, make_adapter, make_talkative
from tests.fakes.tiny_model import make_tiny_model

TEMPLATE = "deepseekr1"
TEXTS = [
    "Why does the heart beat faster in fever? 发热时心率为什么会加快？",
    "Because every degree of fever adds about ten beats. 体温每升高一度，心率约增加十次。",
]
SHAPES: Sequence[tuple[int, Sequence[str]]] = (
    (8, ALL_TARGETS),
    (4, ("q_proj", "v_proj")),
    (16, ALL_TARGETS),
)
LONG = Settings.greedy(max_tokens=48)

Messages = Sequence[Mapping[str, str]]


def make_base(folder: Path) -> Path:
    return make_talkative(make_tiny_model(folder, TEXTS * 20))


def make_columns(folder: Path, base: Path) -> list[Column]:
    """The base, then three adapters of different ranks; the second targets fewer layers."""
    columns = [Column("base", None, TEMPLATE)]
    for number, (rank, targets) in enumerate(SHAPES, start=1):
        path = folder / f"run-{number}" / "checkpoint-20"
        make_adapter(path, base, seed=number, rank=rank, targets=targets)
        columns.append(Column(f"run-{number}/checkpoint-20", path, TEMPLATE))
    return columns


def question(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def replies(
    engine: Engine,
    columns: Sequence[Column],
    conversation: Messages,
    settings: Settings = LONG,
) -> dict[str, Reply]:
    """What every column says to one conversation."""
    gathered = {column.key: Reply(column.key) for column in columns}
    conversations = {column.key: conversation for column in columns}
    for event in ask(engine, columns, conversations, settings):
        gathered[event.column].take(event)
    return gathered


def contents(
    engine: Engine,
    columns: Sequence[Column],
    conversation: Messages,
    settings: Settings = LONG,
) -> dict[str, str]:
    """As ``replies``, where no column may fail."""
    gathered = replies(engine, columns, conversation, settings)
    assert {key: reply.error for key, reply in gathered.items() if reply.error} == {}
    return {key: reply.content for key, reply in gathered.items()}


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return true()
