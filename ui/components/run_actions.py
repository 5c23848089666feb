"""What can be done to the run that is shown: stop, checkpoint now, resume, again; and the queue."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import text
from backend.training.asking import just_asked_to_stop
from backend.training.checkpoints import newest_whole
from backend.training.runs import Run, RunState
from ui.components.actions import action_button, action_slot, pressed
from ui.html import Safe, element, join
from ui.i18n import Words


class RunActions:
    """The buttons under a run's state and the list of those that wait.

    Attributes:
        shown: What ``show`` fills: the buttons, what stop offers to end, and the queue.
        ending: The run that the stop button offers to end at once; "" while it offers a checkpoint.
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        with gr.Row(elem_classes="mt-run-actions"):
            self.stop = _button(words, "training.stop", "run-stop", variant="stop")
            self.checkpoint = _button(words, "training.actions.checkpoint", "run-checkpoint")
            self.resume = _button(words, "training.actions.resume", "run-resume")
            self.again = _button(words, "training.actions.again", "run-again")
        self.ending = gr.State("")
        self.shown = [self.stop, self.checkpoint, self.resume, self.again, self.ending]

    def show(self, language: str, run: Run | None) -> list[Any]:
        if run is None:
            return [gr.update(interactive=False)] * 4 + [""]
        saves = run.state in (RunState.STARTING, RunState.RUNNING) and not run.checkpoint_asked
        ended = not run.state.pending
        # Not yet where the second press of a double click would land.
        stops = run.state.pending and not just_asked_to_stop(run)
        resumable = ended and run.state is not RunState.FINISHED
        return [
            gr.update(interactive=stops, value=text(language, stop_key(run))),
            gr.update(interactive=saves),
            gr.update(interactive=resumable and newest_whole(run.checkpoints()) is not None),
            gr.update(interactive=ended),
            run.id if run.state is RunState.STOPPING else "",
        ]

    # What happens; each gives the run to show afterwards.

    def do_stop(self, run_id: str | None, ending: str) -> str | None:
        self._services.supervisor.stop(run_id or "", now=bool(run_id) and ending == run_id)
        return run_id

    def do_checkpoint(self, run_id: str | None) -> str | None:
        self._services.supervisor.checkpoint_now(run_id or "")
        return run_id

    def do_resume(self, run_id: str | None) -> str | None:
        return self._services.supervisor.resume(run_id or "").id

    def do_again(self, run_id: str | None) -> str | None:
        return self._services.supervisor.run_again(run_id or "").id


def stop_key(run: Run) -> str:
    """What the stop button offers."""
    if run.state is RunState.QUEUED:
        return "training.cancel"
    return "training.end_now" if run.state is RunState.STOPPING else "training.stop"


class QueueList:
    """The runs that wait, in their order, with what can be done to each."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.slot = action_slot("run-queue")

    def show(self, language: str) -> Safe:
        waiting = self._services.supervisor.queue()
        if not waiting:
            return Safe("")
        last = len(waiting) - 1
        rows = [_waiting(run, place, last, language) for place, run in enumerate(waiting)]
        head = element("h3", text(language, "training.queue.title", count=len(waiting)))
        return element("section", head, element("ol", join(rows), cls="mt-queue"))

    def act(self, event: gr.EventData) -> None:
        action, run_id = pressed(event)
        match action:
            case "up" | "down":
                self._services.supervisor.move(run_id, up=action == "up")
            case "cancel":
                self._services.supervisor.cancel(run_id)


def _waiting(run: Run, place: int, last: int, language: str) -> Safe:
    buttons = []
    for action, at_end in (("up", place == 0), ("down", place == last), ("cancel", False)):
        disabled = {"disabled": "disabled"} if at_end else {}
        words = text(language, f"training.queue.{action}")
        label = text(language, f"training.queue.{action}_label", run=run.id)
        buttons.append(action_button(words, action, run.id, aria_label=label, **disabled))
    return element(
        "li",
        element("span", run.id, cls="mt-name"),
        element("span", join(buttons), cls="mt-buttons"),
        data_key=run.id,
    )


def _button(words: Words, key: str, elem_id: str, *, variant: str = "secondary") -> gr.Button:
    return words.make(
        gr.Button,
        {"value": key},
        variant=variant,
        size="md",
        min_width=110,
        interactive=False,
        elem_id=elem_id,
    )
