"""The command line's own checks: what is said of each option, and which port is free."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterator

import pytest

import app
from backend.errors import StartError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on, at 127.0.0.1."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def test_help_says_something_of_every_option() -> None:
    """--workspace and the file and name of passwd stood there bare."""
    actions = [action for one in parsers(app.parser()) for action in one._actions]
    subcommands = [one for one in actions if isinstance(one, argparse._SubParsersAction)]
    silent = [one.dest for one in actions if not one.help and one not in subcommands]
    assert len(actions) > 8 and silent == []


def test_help_tells_the_defaults() -> None:
    said = " ".join(app.parser().format_help().split())
    for default in ("./workspace", "127.0.0.1", "from 7860 on", "the terminal's language"):
        assert f"default: {default}" in said or f"default: the first free one {default}" in said


@pytest.mark.parametrize(("written", "host"), [("[::1]", "::1"), ("::1", "::1"), ("[", "[")])
def test_an_ipv6_address_may_have_a_browsers_brackets(written: str, host: str) -> None:
    assert app.parser().parse_args(["--host", written]).host == host


def test_a_port_is_free_only_where_gradio_looks_as_well(taken: int) -> None:
    """Serving on ::1 with a port that is taken on 127.0.0.1 was a traceback of Gradio's."""
    for host in ("127.0.0.1", "127.0.0.2"):
        with pytest.raises(StartError) as caught:
            app.free_port(host, taken)
        assert caught.value.key == "app.errors.port_in_use"


def test_without_a_wish_the_next_free_port_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "DEFAULT_PORT", taken)
    assert app.free_port("127.0.0.1", None) != taken


def test_windows_is_not_asked_to_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """There SO_REUSEADDR binds a port in use, and two programs answer in turns."""
    assert app.probe_option() == socket.SO_REUSEADDR
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", -5, raising=False)
    assert app.probe_option() == -5
