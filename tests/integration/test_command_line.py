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
from tests.fakes.accounts import write_users
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
    for option in ("--workspace", "--host", "--port", "--auth", "--public-url"):
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
    users = write_users(tmp_path / "users", ann="battery staple")
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
    users = write_users(tmp_path / "users", ann="battery staple")
    arguments = ["app.py", "--no-browser", "--port", "0", "--auth", users]
    with (
        serving([*arguments, "--workspace", tmp_path / "w"]) as server,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        urllib.request.urlopen(f"{server.address}/config", timeout=30)
    with caught.value as refusal:
        assert refusal.code == 401


def test_a_proxy_needs_a_password_too(tmp_path: Path) -> None:
    public = ("--public-url", "https://lab.example/medtune", "--workspace", tmp_path)
    assert "--auth" in refused(run(*public))
    sentence = refused(run("--public-url", "lab.example", "--workspace", tmp_path))
    assert "can't be the address" in sentence


def test_a_script_logs_in_with_gradios_own_client(tmp_path: Path) -> None:
    """In a process of its own: the client's warnings are not ours."""
    users = write_users(tmp_path / "users", ann="battery staple")
    options = ["app.py", "--no-browser", "--port", "0", "--auth", users]
    with serving([*options, "--workspace", tmp_path / "w"]) as server:
        for password, words in (("battery staple", "entered"), ("wrong", "AuthenticationError")):
            program = f"""
from gradio_client import Client
Client({server.address!r}, auth=("ann", {password!r}), verbose=False)
print("entered")
"""
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
            )
            assert words in done.stdout + done.stderr, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    import pty

    users = tmp_path / "users"
    for second, status in (("another staple", 1), ("battery staple", 0)):
        terminal, other = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "app.py", "--lang", "en", "passwd", str(users), "ann"],
            cwd=ROOT,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        said = until(terminal, b"Password for ann: ")
        os.write(terminal, b"battery staple\n")
        said += until(terminal, b"The same again: ")
        os.write(terminal, f"{second}\n".encode())
        said += until(terminal, None)
        os.close(terminal)
        assert process.wait(timeout=60) == status
        assert b"staple" not in said, said
        assert users.exists() is (status == 0)
    assert users.stat().st_mode & 0o777 == 0o600


def until(terminal: int, words: bytes | None) -> bytes:
    """What a terminal shows up to these words, or to its end."""
    said = b""
    while words is None or words not in said:
        try:
            piece = os.read(terminal, 1024)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        said += piece
    return said


def test_a_name_is_taken_out_by_the_command_line(tmp_path: Path) -> None:
    users = write_users(tmp_path / "users", ann="battery staple", bob="correct horse")
    assert run("passwd", users, "ann", "--remove").returncode == 0
    assert users.read_text().startswith("bob:") and users.read_text().count("\n") == 1
    assert "does not have the name" in refused(run("passwd", users, "ann", "--remove"))
