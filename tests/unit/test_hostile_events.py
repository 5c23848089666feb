"""Every event of the page, sent what no page of ours would send, over HTTP to the real server.

Events are found by themselves: a new one is asked without a line here. None may fail other than by
a sentence, write or read outside of the workspace, ask another machine, or put a script into the
page.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.access.site import Site
from backend.hub.settings import HubSettings, default_file
from backend.services import Services
from backend.workspace import Workspace
from tests.fakes.hostile import FILE, SCRIPT, NoProcess, Watch, values, watching
from tests.fakes.ready_workspace import make_ready
from ui.dashboard import build_dashboard
from ui.serving import launch

ROUNDS = 4
"""Each event is sent as many different sets of values."""

SECRET = "canary 4711"

FILES = (gr.UploadButton, gr.File)


@dataclass(frozen=True)
class Served:
    page: gr.Blocks
    port: int
    workspace: Workspace
    outside: Path

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"content-type": "application/json"}
            connection.request("POST", f"/gradio_api/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def messages(self, session: str) -> Iterator[dict[str, Any]]:
        """What the server tells a page, until it has no more to say."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
            answer = connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hostile")
    outside = folder / "outside" / "rows.json"
    outside.parent.mkdir()
    outside.write_text(json.dumps([{"Question": SECRET, "Response": SECRET}]))
    workspace = Workspace.open(folder / "workspace", sources=[])
    make_ready(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "workspace" / "config"))
        patch.setenv("GRADIO_TEMP_DIR", str(workspace.uploads))
        patch.setenv("MPLCONFIGDIR", str(workspace.cache / "matplotlib"))
        patch.setattr("sys.dont_write_bytecode", True)
        patch.setattr(subprocess, "Popen", NoProcess)
        # Nobody is asked but this machine, where nobody answers.
        hubs = HubSettings(default_file())
        for hub in ("modelscope", "huggingface"):
            hubs.change(hub, endpoint="http://127.0.0.1:9", token=None, keep=False)
        services = Services.of(workspace)
        page = build_dashboard(services, language="en")
        port = free_port()
        launch(page, site=Site("127.0.0.1"), port=port, accounts=None, open_browser=False)
        yield Served(page, port, workspace, outside)
        page.close(verbose=False)
        services.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_event_does_what_it_should_not(
    served: Served, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    sent = values(served.outside)
    session = f"hostile{number}"
    with watching(served.workspace.root, served.outside.parent) as watch:
        names = {}
        for index, event in served.page.fns.items():
            if event.fn is None:
                continue
            chosen = [
                sent[(number * 5 + index + place * (number + 1)) % len(sent)]
                for place in range(len(event.inputs) + 1)
            ]
            data = [
                "en" if getattr(block, "elem_id", None) == "language" else value
                for block, value in zip(event.inputs, chosen, strict=False)
            ]
            body = {"fn_index": index, "data": data, "session_hash": session}
            status, told = served.post("queue/join", {**body, "event_data": carried(chosen[-1])})
            assert status == 200, (event.name, status, told)
            names[told["event_id"]] = f"{index} {event.name}"
        faults = heard(served, session, names)
    assert faults == []
    assert idle(watch), watch
    assert SECRET not in capfd.readouterr().err


def carried(value: Any) -> Any:
    """As a button's press would be, as far as it looks like one."""
    return {"action": value, "target": value, "run": value, "index": value, "value": value}


def heard(served: Served, session: str, names: dict[str, str]) -> list[str]:
    """What went wrong, in the words of the server's messages."""
    left, faults = dict(names), []
    for message in served.messages(session):
        said = json.dumps(message)
        if "Traceback" in said or SECRET in said:
            faults.append(said[:500])
        if message["msg"] == "log" and SCRIPT in said:
            faults.append(f"a script in a message: {said[:500]}")
        if message["msg"] == "process_completed":
            name = left.pop(message["event_id"])
            faults += [f"{name}: {one}" for one in wrong(served, name, message)]
    assert not left
    return faults


def wrong(served: Served, name: str, message: dict[str, Any]) -> Iterator[str]:
    output, event = message["output"], served.page.fns[int(name.split()[0])]
    if not message["success"]:
        # Gradio's own refusals are sentences, but for what is no file at all.
        no_file = any(isinstance(block, FILES) for block in event.inputs)
        if not (output.get("error") or no_file) or SCRIPT in str(output):
            yield f"failed: {output}"
        return
    shown = (gr.HTML, gr.Markdown)
    for block, value in zip(event.outputs, output.get("data", []), strict=False):
        content = value.get("value") if isinstance(value, dict) else value
        if isinstance(block, shown) and isinstance(content, str) and SCRIPT in content:
            yield f"a script in {block.elem_id}"


TYPED = {"true"}
"""Chat asks the server whose address is typed for its models; of what is sent, this is a name."""


def idle(watch: Watch) -> bool:
    return not (watch.written or watch.read or watch.asked - TYPED or watch.started)


def test_what_the_page_does_not_have_is_no_fault(served: Served) -> None:
    silent = next(index for index, event in served.page.fns.items() if event.fn is None)
    for index in (silent, -1, 10**9, None, "0", "__class__", [0], {"a": 1}, True):
        status, _ = served.post(
            "queue/join", {"fn_index": index, "data": [], "session_hash": "absent"}
        )
        assert status == 404, index
    for name in ("predict", "lambda", "..", "__init__"):
        for version in ("", "v2/"):
            assert served.post(f"call/{version}{name}", {"data": []})[0] == 404


def test_no_value_is_missed_or_too_many(served: Served) -> None:
    """Gradio's own complaint is an answer too, and not a 500."""
    index = next(i for i, event in served.page.fns.items() if event.fn and len(event.inputs) > 3)
    for data in ([], ["en"] * 100):
        body = {"fn_index": index, "data": data, "session_hash": "count"}
        assert served.post("queue/join", body)[0] == 200
    for message in served.messages("count"):
        assert "Traceback" not in json.dumps(message)


def test_no_function_of_a_component_fails(served: Served) -> None:
    with watching(served.workspace.root, served.outside.parent) as watch:
        functions = [
            (number, name)
            for number, block in served.page.blocks.items()
            for name in dir(block)
            if not name.startswith("__")
            and getattr(getattr(type(block), name, None), "_is_server_fn", False)
            or name in {function.__name__ for function in getattr(block, "server_fns", [])}
        ]
        assert functions
        for number, name in functions:
            for value in values(served.outside):
                for data in (value, [value, value], {"runs": value, "offsets": {"a": value}}):
                    body = {
                        "component_id": number,
                        "fn_name": name,
                        "session_hash": "server",
                        "data": data,
                    }
                    status, told = served.post("component_server", body)
                    assert status in {200, 400}, (name, data, status, told)
                    assert SECRET not in json.dumps(told)
        for name in ("__init__", "get_config", "nothing", "_x"):
            body = {"component_id": functions[0][0], "fn_name": name, "session_hash": "server"}
            assert served.post("component_server", {**body, "data": []})[0] == 404
    assert idle(watch), watch


def test_a_file_that_was_not_uploaded_is_no_file(served: Served) -> None:
    with watching(served.workspace.root, served.outside.parent) as watch:
        for index, event in served.page.fns.items():
            if not any(isinstance(block, FILES) for block in event.inputs):
                continue
            for path in (str(served.outside), "http://192.0.2.7/x", "//192.0.2.7/x", "file:///etc"):
                file = {"path": path, "url": path, "meta": FILE}
                for value in (file, [file], {"value": file}):
                    data = [value for _ in event.inputs]
                    body = {"fn_index": index, "data": data, "session_hash": "files"}
                    assert served.post("queue/join", body)[0] == 400
    assert idle(watch), watch
