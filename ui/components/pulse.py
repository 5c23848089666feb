"""What moves by itself: a page asks now and then, and is drawn anew only where something changed.

``gr.Timer`` makes an event at each tick, which goes through Gradio's queue and through its script's
tree of components: some ten milliseconds of a core on either side, whether or not anything is new.
A pulse asks by a plain call of a server function instead, and only where it can be seen: in the
open tab of a page that is in front. ``ui.pulse_line`` answers it at a twentieth of an event's cost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.text import ASSETS, LANGUAGES
from ui.errors import told
from ui.wiring import CARRYING, PRIVATE

BEAT = "beat"
"""The server function that a pulse's script asks."""

RIDING_SECONDS = 0.6
"""Between two looks while something rides along: a logged step is to be on the chart within
a second."""


@dataclass(frozen=True)
class Beat:
    """What there is to say at a look.

    Attributes:
        sign: Another one than before makes a tick; "" where nothing ever does.
        live: New content of places that are brought up to date without a tick, by their ids: HTML
            for an action slot, else what the place's own script takes.
    """

    sign: str
    live: Mapping[str, Any] = field(default_factory=dict)


class Pulse:
    """Asks ``look`` while it can be seen where it is placed.

    Args:
        look: Takes the page's language and what ``about`` was given last, and costs next to
            nothing. It is called in a worker thread with what a browser sends: text or None,
            whatever else was meant.
        about: How many of these there are.
        live: Ids of the places that its answers may fill.
        riders: What else may be asked along with it, by the names under which scripts of the page
            have such questions: a function of what a browser sends, which may be anything.
        every: Seconds between two looks; ``riding`` while something rides along.
        unseen: Goes on behind a closed tab and on a page in the background.

    Attributes:
        component: An output of the events that change what is asked about.
    """

    def __init__(
        self,
        look: Callable[..., Beat],
        *,
        about: int = 0,
        live: Sequence[str] = (),
        riders: Mapping[str, Callable[[Any], Any]] | None = None,
        every: float = 1.0,
        riding: float = RIDING_SECONDS,
        unseen: bool = False,
    ) -> None:
        known = riders or {}

        def beat(asked: Any) -> dict[str, Any]:
            sent = asked if isinstance(asked, dict) else {}
            language = sent.get("language")
            language = language if language in LANGUAGES else LANGUAGES[0]
            try:
                said = look(language, *_words(sent.get("about"), about))
            except MedTuneError:  # it went away; what the person does next says so
                said = Beat("")
            rides = sent.get("rides") if isinstance(sent.get("rides"), dict) else {}
            answers = {name: known[name](ride) for name, ride in rides.items() if name in known}
            # Words are drawn anew in another language.
            return {**asdict(said), "sign": f"{language} {said.sign}", "rides": answers}

        settings = {
            "every_ms": round(1000 * every),
            "riding_ms": round(1000 * riding),
            "unseen": unseen,
            "live": list(live),
            "riders": list(known),
        }
        script = (ASSETS / "js" / "pulse.js").read_text(encoding="utf-8")
        self.component = gr.HTML(
            value=[None] * about,
            html_template="",
            js_on_load=f"const settings = {json.dumps(settings)};\n{script}",
            visible="hidden",
            server_functions=[beat],
        )
        self._nudged = False

    def tick(
        self,
        draw: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> None:
        """Draw what has changed; ``draw`` takes the inputs, the first of which is the language."""
        # While one is under way another change comes after it, and is not forgotten.
        self.component.tick(told(draw), inputs, outputs, trigger_mode="always_last", **PRIVATE)
        if not self._nudged:
            self._nudged = True
            self.component.nudge(_nudge, None, None, **CARRYING)


def _nudge() -> None:
    """Nothing: that it is an event opens the stream in which earlier answers wait."""


def about(*asked: str | None) -> list[str | None]:
    """What a pulse is to ask about from now on, as a value of its component."""
    return list(asked)


def _words(asked: Any, number: int) -> list[str | None]:
    """What a browser asks about, which may be anything: so many texts or None."""
    sent = asked if isinstance(asked, list) else []
    words = [one if isinstance(one, str) else None for one in sent[:number]]
    return words + [None] * (number - len(words))
