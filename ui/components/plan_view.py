"""A planned training as figures, a bar of its memory, and what to mind with buttons that fix it."""

from __future__ import annotations

from backend.planning.advice import Advice
from backend.planning.memory import Needs
from backend.planning.plan import Plan
from backend.planning.room import Room
from backend.planning.speed import Speed
from backend.text import text
from backend.units import size
from ui.components.actions import action_button
from ui.components.speaking import says
from ui.html import Safe, badge, count, duration, element, facts, join, table

FIX = "fix"
"""The buttons' action; the target is the advice's kind."""

_TIGHT = 0.9
"""From this share of the free memory on it may be too little after all: a tenth is normal error."""


def plan_view(plan: Plan, language: str) -> Safe:
    """A plan for an ``action_slot``."""
    return element(
        "section",
        element("h3", text(language, "planning.title")),
        _figures(plan, language),
        _notes(plan, language),
        _advice(plan, language),
        _memory(plan, language),
        cls="mt-plan",
        **says("plan", _memory_title(plan, language) if plan.needs else ""),
        data_steps=plan.steps.total,
        data_memory=plan.needed,
    )


# --- Figures ------------------------------------------------------------------------------------


def _figures(plan: Plan, language: str) -> Safe:
    def label(name: str) -> str:
        return text(language, f"planning.figures.{name}")

    steps, work, saved = plan.steps, plan.workload, plan.saved
    each = text(language, "planning.figures.epoch_steps", steps=count(steps.per_epoch))
    pairs: list[tuple[str, object]] = [
        (label("steps"), join([count(steps.total), _small(each)])),
    ]
    if work.samples != work.rows:
        pairs.append((label("packs"), _about(count(work.samples), language)))
    tokens = count(work.tokens)
    pairs.append((label("tokens"), tokens if work.exact else _about(tokens, language)))
    pairs.append((label("time"), _about(duration(plan.seconds), language)))
    if saved is not None:
        pairs.append((label("checkpoints"), f"{saved.count} × {size(saved.each)}"))
    return facts(pairs)


def _about(value: str, language: str) -> str:
    return value if value == count(None) else text(language, "planning.about", value=value)


def _small(words: str) -> Safe:
    return element("span", f" · {words}", cls="mt-quiet mt-small")


def _notes(plan: Plan, language: str) -> Safe:
    """From where tokens and time are known."""
    notes = []
    if plan.workload.tokens is None:
        notes.append(text(language, "planning.tokens_unknown"))
    elif not plan.workload.exact:
        rows = count(plan.workload.measured)
        notes.append(text(language, "planning.tokens_sampled", rows=rows))
    speed = plan.speed
    if speed is None:
        notes.append(text(language, "planning.time_unknown"))
    else:
        notes.append(_speed_words(speed, language))
    return element("p", " ".join(notes), cls="mt-quiet mt-small")


def _speed_words(speed: Speed, language: str) -> str:
    tokens = count(speed.tokens_per_second)
    if speed.source:
        key = "planning.time_near" if speed.near else "planning.time_far"
        return text(language, key, run=speed.source, speed=tokens)
    if not speed.near:
        return text(language, "planning.time_probed_far", speed=tokens)
    return text(language, "planning.time_probed", speed=tokens, memory=size(speed.memory))


# --- What to mind -------------------------------------------------------------------------------


def _advice(plan: Plan, language: str) -> Safe:
    if not plan.advice:
        return element("p", text(language, "planning.advice.none"), cls="mt-quiet")
    items = join(_one(advice, language) for advice in plan.advice)
    title = element("h4", text(language, "planning.advice.title"))
    return join([title, element("ul", items, cls="mt-health mt-advice")])


def _one(advice: Advice, language: str) -> Safe:
    pieces = [element("p", advice.problem.sentence(language))]
    if advice.fix is not None:
        pieces.append(action_button(advice.fix.sentence(language), FIX, advice.kind))
    return element(
        "li",
        join(pieces),
        cls="mt-finding mt-edge-busy",
        data_key=advice.kind,
        data_kind=advice.kind,
    )


# --- Memory -------------------------------------------------------------------------------------


def _memory(plan: Plan, language: str) -> Safe:
    if plan.needs is None:
        return element("p", text(language, "planning.unknown_model"), cls="mt-quiet")
    return join(
        [
            element("h4", _memory_title(plan, language)),
            join(_room(room, plan.needs, plan.needed, language) for room in plan.rooms),
            _parts(plan.needs, language),
        ]
    )


def _memory_title(plan: Plan, language: str) -> str:
    total = size(plan.needed)
    if not plan.method.on_gpu:
        return text(language, "planning.memory.title_machine", total=total)
    if plan.method.processes == 1:
        return text(language, "planning.memory.title", total=total)
    processes = plan.method.processes
    return text(language, "planning.memory.title_each", total=total, processes=processes)


def _room(room: Room, needs: Needs, needed: int, language: str) -> Safe:
    """A device: its name, what is free, and the parts as a bar as long as the larger of both."""
    if room.gpu is None:
        name = text(language, "planning.memory.machine")
    else:
        name = f"GPU {room.gpu} · {room.name}"
    if not room.free:
        free, verdict, tone = text(language, "planning.memory.unknown"), "", "quiet"
    else:
        params = {"free": size(room.free), "total": size(room.total)}
        free = text(language, "planning.memory.free", **params)
        verdict, tone = _verdict(needed / room.free, language)
    head = element(
        "div",
        element("span", name),
        element("span", free, cls="mt-quiet"),
        badge(verdict, tone) if verdict else "",
        cls="mt-room-head",
    )
    longest = max(needed, room.free, 1)
    scale = needed / max(needs.total, 1)
    bars = join(
        element(
            "span",
            cls=f"mt-part mt-part-{part.name}",
            style=f"width:{100 * part.size * scale / longest:.2f}%",
            title=f"{_part_name(part.name, language)}: {size(part.size)}",
        )
        for part in needs.parts
    )
    bar = element("div", bars, cls="mt-parts", aria_hidden="true")
    key = "machine" if room.gpu is None else str(room.gpu)
    return element("div", head, bar, cls="mt-room", data_key=f"room-{key}")


def _verdict(share: float, language: str) -> tuple[str, str]:
    if share > 1:
        return text(language, "planning.memory.short"), "bad"
    if share > _TIGHT:
        return text(language, "planning.memory.tight"), "busy"
    return text(language, "planning.memory.fits"), "good"


def _parts(needs: Needs, language: str) -> Safe:
    def word(name: str) -> str:
        return text(language, f"planning.memory.{name}")

    rows = [
        (
            join(
                [
                    element("span", cls=f"mt-key mt-part-{part.name}"),
                    _part_name(part.name, language),
                ]
            ),
            size(part.size),
            part.formula.sentence(language),
        )
        for part in needs.parts
    ]
    headers = [word("part"), word("size"), word("formula")]
    return element(
        "details",
        element("summary", word("how")),
        table(headers, rows, numeric=frozenset({1})),
        element("p", word("source"), cls="mt-quiet mt-small"),
        cls="mt-how",
        data_key="how",
    )


def _part_name(name: str, language: str) -> str:
    return text(language, f"planning.memory.parts.{name}")
