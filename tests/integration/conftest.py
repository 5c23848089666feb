"""What the tests share: for the engine a tiny base with three adapters, for downloads a hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.chat.engines import Column, Engine
from tests.fakes.hub_jobs import Desk, desk_running
from tests.fakes.tiny_columns import make_base, make_columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the base, in ``base``, and the adapters."""
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def columns(folder: Path) -> list[Column]:
    return make_columns(folder, make_base(folder / "base"))


@pytest.fixture(scope="module")
def engine(folder: Path, columns: list[Column]) -> Iterator[Engine]:
    made = Engine.start(folder / "base", columns, log=folder / "engine.log")
    try:
        made.wait_ready(120)
        yield made
    finally:
        made.unload()


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """Downloads from a local ModelScope; with ``BOTH_HUBS`` from a local Hugging Face as well."""
    home = tmp_path / "home"
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    with desk_running(tmp_path, getattr(request, "param", "modelscope")) as made:
        yield made
