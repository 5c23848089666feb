"""A folder shown on a desktop, and only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.library import reveal as module
from backend.library.reveal import reveal
from backend.services import Services
from backend.workspace import Workspace
from ui.components import shelf_view
from ui.components.shelf_view import Shelf
from ui.i18n import Words


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was started, on a machine with every file manager."""
    commands: list[list[str]] = []
    monkeypatch.setattr(module.subprocess, "Popen", lambda command, **_: commands.append(command))
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return commands


@pytest.mark.parametrize(
    "platform, command", [("win32", "explorer"), ("darwin", "open"), ("linux", "xdg-open")]
)
def test_the_desktops_own_file_manager_opens_the_folder(
    opened: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    command: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("DISPLAY", ":0")
    (tmp_path / "--odd name.json").write_text("[]")
    assert reveal(tmp_path) and reveal(tmp_path / "--odd name.json")
    assert opened == [[f"/usr/bin/{command}", str(tmp_path)]] * 2


@pytest.mark.parametrize("remote", [{}, {"DISPLAY": ":10", "SSH_CONNECTION": "1 2 3 4"}])
def test_without_a_desktop_nothing_is_opened(
    opened: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    remote: dict[str, str],
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name, value in remote.items():
        monkeypatch.setenv(name, value)
    assert not reveal(tmp_path) and opened == []


def test_a_file_manager_that_does_not_start(
    opened: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> subprocess.Popen[bytes]:
        raise OSError("exec format error")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(module.subprocess, "Popen", broken)
    assert not reveal(tmp_path)


def test_the_page_says_where_it_is_when_nothing_can_be_opened(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a rented machine the button did its work where nobody sees it."""
    place = workspace.raw_datasets / "<b>rows.json"
    place.write_text('[{"a": 1}]')
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(gr, "Info", lambda words, **more: told.append((str(words), more["title"])))
    can_open = [True, False]
    monkeypatch.setattr(shelf_view, "reveal", lambda _: can_open.pop(0))
    with gr.Blocks():
        shelf = Shelf(Services.of(workspace), Words("en"), gr.Radio(["en", "zh"]))
    shelf._show_place("en", "dataset", "<b>rows.json")
    assert told == []
    shelf._show_place("en", "dataset", "<b>rows.json")
    assert told == [(f"<code>{workspace.raw_datasets}/&lt;b&gt;rows.json</code>", "It is here")]
