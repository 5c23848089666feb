"""The command line as a person uses it: the real program in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fakes.server import serving

pytestmark = pytest.mark.integration


def run(*arguments: str | Path, lang: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", "--no-browser", "--lang", lang, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence with which the program left."""
    assert result.returncode == 1 and "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_help_names_every_option() -> None:
    said = run("--help").stdout
    for option in ("--workspace", "--host", "--port", "--auth", "--lang", "--no-browser"):
        assert option in said


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_it_serves_on_the_loopback_of_ipv6(tmp_path: Path) -> None:
    """Gradio made http://::1:7860/ of it, asked there whether it had started, and fell over."""
    arguments = ["app.py", "--no-browser", "--host", "::1", "--port", "0", "--workspace", tmp_path]
    with serving(arguments) as server:
        assert server.address.startswith("http://[::1]:")
        with urllib.request.urlopen(server.address, timeout=30) as answer:
            assert answer.status == 200 and b"MedTune" in answer.read()
        assert "Traceback" not in server.output()


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refused(run("--port", str(port), "--workspace", tmp_path))
        assert f"Port {port} is in use" in sentence
        assert "已被其他程序占用" in refused(
            run("--port", str(port), "--workspace", tmp_path, lang="zh")
        )


def test_an_address_that_others_reach_needs_a_password(tmp_path: Path) -> None:
    assert "--auth" in refused(run("--host", "0.0.0.0", "--workspace", tmp_path))


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("ann:00:00\n")
    sentence = refused(
        run("--host", "192.0.2.1", "--auth", users, "--port", "0", "--workspace", tmp_path)
    )
    assert "192.0.2.1 is not an address of this machine" in sentence


def test_a_workspace_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    """Root may write everywhere, so the folder's place is taken by a file."""
    taken = tmp_path / "file"
    taken.write_text("")
    assert "can't be written" in refused(run("--workspace", taken / "workspace", "--port", "0"))


@pytest.mark.parametrize("port", ["-1", "70000", "eighty"])
def test_what_is_no_port_is_refused(port: str) -> None:
    result = run(f"--port={port}")
    assert result.returncode == 2 and "is not a port" in result.stderr


def test_it_serves_on_loopback_without_torch(tmp_path: Path) -> None:
    """The promise that makes it light: the web process never loads the heavy libraries."""
    with serving(["app.py", "--no-browser", "--port", "0", "--workspace", tmp_path]) as server:
        with urllib.request.urlopen(server.address, timeout=30) as answer:
            assert answer.status == 200 and b"MedTune" in answer.read()
        if sys.platform == "linux":
            mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
            assert "libtorch" not in mapped
    assert os.path.isdir(tmp_path / "runs")


def test_with_a_password_file_a_stranger_sees_nothing(tmp_path: Path) -> None:
    from backend.passwords import add_password

    users = tmp_path / "users"
    add_password(users, "ann", "battery staple")
    arguments = ["app.py", "--no-browser", "--port", "0", "--auth", users]
    with (
        serving([*arguments, "--workspace", tmp_path / "w"]) as server,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        urllib.request.urlopen(f"{server.address}/config", timeout=30)
    with caught.value as refusal:
        assert refusal.code == 401
