"""The tools of ``--mcp``, asked by the protocol's own client, and who gets through to them; and who
gets through to the endpoints."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError, AuthenticationError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from backend.access.sessions import Accounts
from backend.access.site import Site
from backend.access.throttle import FREE
from backend.chat.room import Room
from backend.passwords import PasswordFile
from backend.services import Services
from backend.workspace import Workspace
from tests.fakes.accounts import write_users
from ui.outside.endpoint import Endpoint
from ui.outside.offering import endpoints, offer
from ui.serving import launch

PASSWORD = "a long password"
ASK = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Served:
    address: str
    offered: list[Endpoint]

    def post(self, content: Any = ASK, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.address}mcp", json=content, headers={**ACCEPT, **headers})


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = Services.of(Workspace.open(tmp_path_factory.mktemp("tools") / "workspace"))
    yield made
    made.close()


@contextmanager
def serving(
    services: Services, *, tools: bool = True, accounts: Accounts | None = None
) -> Iterator[Served]:
    """A page with the endpoints and nothing else, behind the gate."""
    room = Room(services.workspace, services.engines, services.remotes)
    made = endpoints(services, room)
    with gr.Blocks(analytics_enabled=False) as page:
        offer(page, made)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = Site("127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(services.workspace.uploads))
        address = launch(
            page, site=site, port=port, accounts=accounts, open_browser=False, tools=tools
        )
        yield Served(address, made)
        page.close(verbose=False)


@pytest.fixture(scope="module")
def served(services: Services) -> Iterator[Served]:
    """Open to this machine."""
    with serving(services) as found:
        yield found


def ask(served: Served, what: Callable[[ClientSession], Awaitable[Any]], **headers: str) -> Any:
    """What a client gets, in a session of its own."""

    async def talk() -> Any:
        async with (
            httpx.AsyncClient(headers=headers) as http,
            streamable_http_client(f"{served.address}mcp", http_client=http) as (came, goes, _),
            ClientSession(came, goes) as session,
        ):
            await session.initialize()
            return await what(session)

    return asyncio.run(talk())


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def test_the_tools_are_the_endpoints(served: Served) -> None:
    tools = ask(served, lambda session: session.list_tools()).tools
    assert [one.name for one in tools] == [one.name for one in served.offered]
    for tool, endpoint in zip(tools, served.offered, strict=True):
        arguments = {one.name for one in endpoint.arguments}
        assert set(tool.inputSchema["properties"]) == arguments
        assert tool.description.startswith(endpoint.about)
        assert tool.annotations.readOnlyHint == endpoint.reads


def test_a_tool_is_called(served: Served) -> None:
    answered = ask(served, lambda session: session.call_tool("list_models", {}))
    assert not answered.isError
    (model,) = answered.structuredContent["result"]
    assert model["id"] == "medtune/demo" and model["ready"]
    assert json.loads(answered.content[0].text) == answered.structuredContent


@pytest.mark.parametrize(
    ("tool", "given", "sentence"),
    [
        ("follow_run", {"run": "../x"}, "没有名为“../x”的训练任务"),
        ("follow_run", {"run": 1}, "“run”必须是文本"),
        ("follow_run", {}, "缺少参数“run”"),
        ("list_models", {"x": 1}, "没有名为“x”的参数"),
        ("on_load", {}, "没有名为“on_load”的工具"),
    ],
)
def test_a_refusal_is_a_sentence(
    served: Served, tool: str, given: dict[str, Any], sentence: str
) -> None:
    call = {"name": tool, "arguments": given}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    answered = served.post(asked, **{"accept-language": "zh-CN"}).json()["result"]
    assert answered["isError"] and sentence in answered["content"][0]["text"]


def test_a_fault_of_the_program_is_told_to_the_terminal_only(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret path")

    monkeypatch.setattr("ui.outside.library.list_models", fail)
    answered = ask(served, lambda session: session.call_tool("list_models", {}))
    assert answered.isError and answered.content[0].text == "MedTune failed; its terminal says why."
    assert "a secret path" in caplog.text


def test_only_what_is_meant_for_it_comes_through(served: Served) -> None:
    assert served.post(origin="https://elsewhere.example").status_code == 403
    assert served.post(host="elsewhere.example").status_code == 421
    assert served.post(["no object"]).status_code == 400
    deep: Any = {}
    for _ in range(60):
        deep = {"a": deep}
    assert served.post(deep).status_code == 400
    assert served.post({"a": "x" * 5_000_000}).status_code == 413
    for method in ("GET", "DELETE"):  # no stream of news, no session to end
        assert httpx.request(method, f"{served.address}mcp").status_code == 405


def test_without_the_option_there_are_no_tools(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ui.outside.tools", raising=False)
    with serving(services, tools=False) as served:
        assert served.post().status_code == 404
        assert served.post(**basic("ada", PASSWORD)).status_code == 404
    assert "ui.outside.tools" not in sys.modules


def test_a_password_opens_it_and_is_looked_at_once(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    accepted = PasswordFile.accepted

    def looked(self: PasswordFile, name: str, password: str) -> Any:
        looks.append(name)
        return accepted(self, name, password)

    monkeypatch.setattr(PasswordFile, "accepted", looked)
    users = write_users(tmp_path / "users", ada=PASSWORD, bob=PASSWORD)
    with serving(services, accounts=Accounts(users)) as served:
        assert served.post().status_code == 401
        assert served.post(authorization="Bearer x").status_code == 401
        assert served.post(authorization="Basic ???").status_code == 400
        assert served.post(**basic("ada", "wrong")).status_code == 401
        assert looks == ["ada"]
        for _ in range(3):
            assert served.post(**basic("ada", PASSWORD)).status_code == 200
        assert looks == ["ada", "ada"]
        tools = ask(served, lambda session: session.list_tools(), **basic("bob", PASSWORD)).tools
        assert len(tools) == len(served.offered)
        # It is no way to the page.
        page = httpx.get(f"{served.address}config", headers=basic("ada", PASSWORD))
        assert page.status_code == 401
        write_users(users, bob=PASSWORD)
        assert served.post(**basic("ada", PASSWORD)).status_code == 401


def test_guesses_are_slowed_down(services: Services, tmp_path: Path) -> None:
    accounts = Accounts(write_users(tmp_path / "users", ada=PASSWORD))
    with serving(services, accounts=accounts) as served:
        tried = [served.post(**basic("ada", f"guess {n}")).status_code for n in range(FREE + 1)]
        assert tried == [*[401] * FREE, 429]
        assert served.post(**basic("ada", PASSWORD)).status_code == 429


def test_gradios_own_client_logs_in(services: Services, tmp_path: Path) -> None:
    accounts = Accounts(write_users(tmp_path / "users", ada=PASSWORD))
    with serving(services, accounts=accounts, tools=False) as served:
        with pytest.raises(AuthenticationError):
            Client(served.address, auth=("ada", "wrong"), verbose=False)
        chinese = {"Accept-Language": "zh"}
        client = Client(served.address, auth=("ada", PASSWORD), verbose=False, headers=chinese)
        try:
            assert client.predict(api_name="/list_models")[0]["id"] == "medtune/demo"
            with pytest.raises(AppError, match="没有名为“x”的训练任务"):
                client.predict(run="x", api_name="/follow_run")
        finally:
            client.close()
