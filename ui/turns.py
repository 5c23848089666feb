"""Events that fill the same place are answered in the order in which they were asked for.

Gradio answers events side by side, and the answer to the first may come last. What moves by itself
(``ui.components.pulse``) begins whenever something has changed on disk, also in the middle of what
a person does: its answer, which knows nothing of that yet, would take a question back that was just
asked, or show the log of the run that was chosen before.
"""

from __future__ import annotations

from collections.abc import Iterable

import gradio as gr
from gradio.blocks import BlockFunction

TICK = "tick"
"""The event by which a pulse has its places drawn anew."""


def take_turns(page: gr.Blocks) -> None:
    """Let each tick and all events that fill one of its places wait for each other.

    Labels, choices and the like don't count: they are of the page's words, which a change of the
    language fills as a whole.
    """
    for number, together in enumerate(_groups(page.fns.values())):
        for event in together:
            event.concurrency_id = f"turn-{number}"
            event.concurrency_limit = 1


def _groups(events: Iterable[BlockFunction]) -> list[list[BlockFunction]]:
    """The events around each tick; ticks that share a place have one group."""
    all_events = list(events)
    groups: list[set[int]] = []
    for tick in all_events:
        if not any(name == TICK for _, name in tick.targets):
            continue
        places = _places(tick)
        around = {event._id for event in all_events if places & _places(event)}
        for other in [group for group in groups if group & around]:
            groups.remove(other)
            around |= other
        groups.append(around)
    return [[event for event in all_events if event._id in group] for group in groups]


def _places(event: BlockFunction) -> set[int]:
    return {one._id for one in event.outputs if isinstance(one, gr.HTML | gr.State)}
