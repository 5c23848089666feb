"""What a page asks by itself, whatever a browser sends and whatever became of it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from typing import Any

import gradio as gr
import orjson
import pytest

from backend.errors import RunError
from backend.services import Services
from backend.workspace import Workspace
from ui.components.pulse import Beat, Pulse
from ui.dashboard import build_dashboard
from ui.pulse_line import PulseLine
from ui.serving import QUEUE_SECONDS, calm


def asks(pulse: Pulse, sent: Any) -> dict[str, Any]:
    answer: dict[str, Any] = pulse.component.beat({"language": "zh", "about": sent})
    return answer


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (["a", "one"], ("zh", "a", "one")),
        (["a", None, "more"], ("zh", "a", None)),
        (["a"], ("zh", "a", None)),
        ([{}, ["a"]], ("zh", None, None)),
        (None, ("zh", None, None)),
        ("a", ("zh", None, None)),
    ],
)
def test_a_browser_may_send_anything(sent: Any, asked: tuple[str | None, ...]) -> None:
    looked: list[tuple[str | None, ...]] = []

    def look(*words: str | None) -> Beat:
        looked.append(words)
        return Beat("now", {"place": "<p>words</p>"})

    with gr.Blocks():
        pulse = Pulse(look, about=2)
    answer = {"sign": "zh now", "live": {"place": "<p>words</p>"}, "rides": {}}
    assert asks(pulse, sent) == answer
    assert looked == [asked]


def test_what_went_away_makes_no_error_each_second() -> None:
    def look(language: str) -> Beat:
        raise RunError("training.errors.run_missing", run="gone")

    with gr.Blocks():
        pulse = Pulse(look)
    assert asks(pulse, []) == {"sign": "zh ", "live": {}, "rides": {}}


@pytest.mark.parametrize("asked", [None, [], "about", {"rides": ["chart"]}, {"rides": {"no": 1}}])
def test_nothing_rides_that_is_not_known(asked: Any) -> None:
    with gr.Blocks():
        pulse = Pulse(
            lambda language: Beat(language), riders={"chart": lambda question: [question]}
        )
    assert pulse.component.beat(asked)["rides"] == {}
    assert pulse.component.beat({"rides": {"chart": 1}})["rides"] == {"chart": [1]}


@pytest.mark.parametrize("language", [None, "fr", 1, ["zh"], {}])
def test_a_language_that_is_none_of_ours_is_english(language: Any) -> None:
    with gr.Blocks():
        pulse = Pulse(lambda language: Beat(language))
    assert pulse.component.beat({"language": language})["sign"] == "en en"
    assert pulse.component.beat({"language": "zh"})["sign"] == "zh zh", "so that all is drawn anew"


def ask(line: PulseLine, body: dict[str, Any], **headers: str) -> tuple[bytes, dict[bytes, bytes]]:
    """The body and the headers of an answer, as a server would send them."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps(body), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/gradio_api/component_server/",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(line(scope, receive, send))
    return sent[1]["body"], dict(sent[0]["headers"])


async def gradio(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Stands for Gradio's application; says what came to it."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def test_a_pulse_is_answered_before_gradio() -> None:
    with gr.Blocks() as page:
        pulse = Pulse(lambda language, asked: Beat(f"{asked}", {"place": "x" * 3000}), about=1)
        other = gr.HTML(server_functions=[gradio])
    line = PulseLine(gradio, page)
    asked = {"language": "en", "about": ["a"]}
    body = {"component_id": pulse.component._id, "fn_name": "beat", "session_hash": "p"}

    plain, _ = ask(line, {**body, "data": asked})
    assert orjson.loads(plain) == {**pulse.component.beat(asked), "waiting": False}
    packed, headers = ask(line, {**body, "data": asked}, **{"accept-encoding": "br, gzip"})
    assert headers[b"content-encoding"] == b"gzip"
    assert len(packed) == int(headers[b"content-length"]) < len(plain)
    assert gzip.decompress(packed) == plain
    assert orjson.loads(ask(line, body)[0])["sign"] == "en None", "nothing is asked about"

    for elsewhere in ({**body, "fn_name": "look"}, {**body, "component_id": other._id}):
        assert orjson.loads(ask(line, elsewhere)[0]) == elsewhere


def test_a_pulse_hears_of_an_answer_that_nobody_fetches() -> None:
    """A list of files never came: Gradio's stream had closed just when its event joined, and the
    page made no other event that would have opened the next."""
    with gr.Blocks() as page:
        pulse = Pulse(lambda language: Beat("same"))
    body = {"component_id": pulse.component._id, "fn_name": "beat", "session_hash": "p"}
    line = PulseLine(gradio, page)
    for messages, waiting in ((asyncio.Queue(), False), (full(), True)):
        page._queue.pending_messages_per_session["p"] = messages
        assert orjson.loads(ask(line, body)[0])["waiting"] is waiting
        assert not orjson.loads(ask(line, {**body, "session_hash": "q"})[0])["waiting"]


def full() -> asyncio.Queue[Any]:
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait("an answer")
    return messages


@pytest.fixture
def services(workspace: Workspace) -> Iterator[Services]:
    services = Services.of(workspace)
    yield services
    services.close()


def test_every_pulse_of_the_page_can_be_asked(services: Services) -> None:
    """Of a fresh workspace, and about what is not there."""
    page = build_dashboard(services, language="en")
    pulses = [one for one in page.blocks.values() if hasattr(one, "beat")]
    assert len(pulses) == 8
    for pulse in pulses:
        for sent in ([], ["no such run"], ["no such file"]):
            answer = pulse.beat({"about": sent})
            assert answer == pulse.beat({"about": sent}), "nothing has changed, so nothing is drawn"


def test_nothing_ticks_by_a_clock(services: Services) -> None:
    """An open page that nobody used took a fifth of a browser's core, and 6 % of the server's."""
    page = build_dashboard(services, language="en")
    assert not [one for one in page.blocks.values() if isinstance(one, gr.Timer)]


def test_gradios_queue_sleeps_longer(services: Services) -> None:
    page = build_dashboard(services, language="en")
    assert page._queue.sleep_when_free < QUEUE_SECONDS
    calm(page)
    assert page._queue.sleep_when_free == QUEUE_SECONDS
