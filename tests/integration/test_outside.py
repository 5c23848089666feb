"""The example does what the page promises, against the real program, with a password."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from backend.data.registry import list_prepared
from backend.training.runs import RunState, list_runs
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.accounts import write_users
from tests.fakes.server import serving
from tests.fakes.trainers import end_trainers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PASSWORD = "a long password"
ANSWERED = re.compile(
    r"^  (\S+) \(\d+ tokens, ended by (\w+)\)\n  thinks: (.*)\n  answers: (.*)$", re.MULTILINE
)


def test_the_main_job_without_a_browser(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    users = write_users(tmp_path / "users", ada=PASSWORD)
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    with serving([*arguments, "--mcp", "--auth", users]) as server:
        try:
            script = [sys.executable, "examples/headless.py", "--url", server.address]
            done = subprocess.run(
                [*script, "--user", "ada", "--password-file", str(secret)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=800,
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.output()}"
            told = asyncio.run(ask_agent(f"{server.address}/mcp", "list_runs"))
        finally:
            end_trainers(workspace)
        assert "Traceback" not in server.output()
    (dataset,), (run,) = list_prepared(workspace), list_runs(workspace)
    assert dataset.report.validation_rows > 0 and run.state is RunState.FINISHED
    assert [one["run"] for one in told["result"]] == [run.id]
    assert done.stdout.count("  step ") == 96
    answers = ANSWERED.findall(done.stdout)
    tuned = [answer for column, end, _, answer in answers if column != "base:medtune/demo"]
    assert len(answers) == 6 and len(tuned) == 3, done.stdout
    # One of the file's first three rows may have been kept for validation.
    first = [one["Response"] for one in sample()[:3]]
    assert sum(map(str.__eq__, tuned, first)) >= 2, done.stdout
    assert {end for _, end, _, _ in answers} == {"stop"}


def sample() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((ROOT / "assets/samples/medical_en.json").read_text())
    return rows


async def ask_agent(address: str, tool: str) -> Any:
    pair = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    async with (
        httpx.AsyncClient(headers={"authorization": f"Basic {pair}"}, timeout=60) as http,
        streamable_http_client(address, http_client=http) as (came, goes, _),
        ClientSession(came, goes) as session,
    ):
        await session.initialize()
        answered = await session.call_tool(tool, {})
    assert not answered.isError, answered
    return answered.structuredContent
