"""What is in memory for the chat: each engine, how far it is, and what did not fit."""

from __future__ import annotations

from typing import Any

from backend.chat.engine import Engine
from backend.chat.fitting import fit
from backend.chat.loading import Loader, Memory
from backend.text import text
from backend.units import size
from ui.components.actions import action_button
from ui.components.speaking import says, state_said
from ui.html import Safe, element, join


def status(loader: Loader, language: str) -> Safe:
    """One line for each engine, and one for what an unload gave back."""
    engines = loader.engines
    lines = [_engine(one, loader, language, several=len(engines) > 1) for one in engines]
    lines += _no_room(loader, language)
    if not engines and loader.freed is not None:
        words = text(language, "chat.unloaded", memory=size(loader.freed))
        lines.append(element("p", words, role="status"))
    return join(lines)


def nothing(language: str) -> Safe:
    """What is said where there was nothing to unload."""
    return element("p", text(language, "chat.nothing_to_unload"), role="status")


def _engine(engine: Engine, loader: Loader, language: str, *, several: bool) -> Safe:
    loading, name = engine.loading, engine.model_path.name
    if loading.error:
        words = loading.error.sentence(language)
        return element("p", f"{name}: {words}" if several else words, cls="mt-bad", role="status")
    button = ""
    if several:
        words = text(language, "chat.unload_one", name=name)
        button = action_button(words, "unload", str(engine.model_path))
    if loading.state == "ready":
        loaded = text(
            language,
            "chat.loaded",
            columns=len(engine.columns) - len(engine.column_errors),
            memory=size(engine.memory()),
            device=engine.device,
        )
        parts = [loaded, _change(loader.memory(engine), language)]
        said = " · ".join(part for part in parts if part)
        return element(
            "div", f"{name} · " if several else "", said, " ", button,
            data_state="ready", **_heard(engine, text(language, "chat.stages.ready"), language),
        )  # fmt: skip
    stage = text(language, f"chat.stages.{loading.state}", column=loading.column or "")
    held, wanted = engine.memory(), fit(engine.model_path, engine.bits).needed
    words = text(
        language,
        "chat.loading",
        name=name,
        stage=stage,
        held=size(held),
        needed=size(wanted),
        seconds=f"{loading.seconds:.0f}",
    )
    share = f"{min(held / max(wanted, 1), 1):.3f}"
    bar = element("progress", value=share, max=1, aria_label=name)
    heard = _heard(engine, stage, language)
    return element("div", words, bar, button, data_state=loading.state, cls="mt-job", **heard)


def _heard(engine: Engine, stage: str, language: str) -> dict[str, Any]:
    """The stage without its figures, which change each second."""
    path = engine.model_path
    return says(f"engine {path}", state_said(language, path.name, stage))


def _change(memory: Memory | None, language: str) -> str:
    if memory is None or memory.after is None:
        return ""
    return text(language, "chat.free_memory", before=size(memory.before), after=size(memory.after))


def _no_room(loader: Loader, language: str) -> list[Safe]:
    lines = []
    for folder, room in loader.refused.items():
        words = text(
            language,
            "chat.no_room_for",
            name=folder.name,
            needed=size(room.needed),
            free=size(room.free),
        )
        buttons = [action_button(text(language, "chat.load_anyway"), "anyway", "")]
        if loader.engines:
            alone = action_button(text(language, "chat.load_alone"), "alone", str(folder))
            buttons.insert(0, alone)
        lines.append(
            element(
                "div",
                element("p", words),
                element("div", *buttons, cls="mt-buttons"),
                role="status",
                cls="mt-job mt-bad",
            )
        )
    return lines
