"""A bad line and a bad hub as a person meets them: words on the page, nothing odd on the disk.

The real client runs against a local hub with one fault at a time. What is finer than the page
shows, such as which bytes were asked for again, is asserted in ``tests/integration``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.downloading import Downloader, dashboard, end_downloads
from tests.browser.person import PATIENCE, Person
from tests.fakes.hub import INFO, LISTING, Hub, hub_running
from tests.fakes.server import Server

pytestmark = pytest.mark.browser

FILE = "rows.json"
CONTENT = b"[1]" + random.Random(5).randbytes(2_000_000).replace(b"\n", b"x")
LONG = 60_000


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with hub_running() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Workspace:
    return Workspace.open(folder / "workspace")


@pytest.fixture(scope="module")
def medtune(hub: Hub, folder: Path, workspace: Workspace) -> Iterator[Server]:
    with dashboard(hub, folder) as server:
        try:
            yield server
        finally:
            end_downloads(workspace)
        assert "Traceback" not in server.output()


@pytest.fixture
def me(medtune: Server, open_page: Open) -> Person:
    person = Person(open_page(medtune.address).page)
    person.arrives()
    return person


PASSING: dict[str, tuple[dict[str, int], str]] = {
    "dropped-once": ({"drop_after": 700_000, "times": 1}, "can't be reached"),
    "dropped-for-ever": ({"drop_after": 400_000}, "can't be reached"),
    "fails-for-a-while": ({"status": 500, "times": 2}, "fault of its own (500)"),
    "asks-for-a-pause": ({"status": 429, "retry_after": 3, "times": 1}, "asks for a pause"),
    "stalls": ({"stall_after": 600_000, "times": 1}, "does not answer in time"),
    "slow": ({"rate": 1_500_000}, ""),
    "wrong-once": ({"other_bytes": True, "times": 1}, ""),
}
"""Fault, and what the page says of it while it goes on."""


def test_what_passes(me: Person, hub: Hub, workspace: Workspace) -> None:
    """All at once: each goes on by itself, says why it had to, and ends whole."""
    downloader, troubles = Downloader(me), {}
    for name, (fault, _) in PASSING.items():
        hub.add(kind="dataset", id=f"org/{name}", files={FILE: CONTENT})
        troubles[name] = hub.fault(f"org/{name}", FILE, **fault)
        downloader.fetches(f"org/{name}", kind="Dataset")
    for name, (_, said) in PASSING.items():
        downloader.sees(f"org/{name}", "done", timeout=LONG)
        expect(downloader.job(f"org/{name}")).to_contain_text(said)
        assert troubles[name].hits
        assert (workspace.raw_datasets / "org" / name / FILE).read_bytes() == CONTENT
        expect(me.sees("datasets")).to_contain_text(f"org/{name}/{FILE}", timeout=PATIENCE)


ENDING: dict[str, tuple[dict[str, int], str]] = {
    "wrong-for-ever": ({"other_bytes": True}, "differs from the hub's hash"),
    "truncated": ({"truncate_to": 900}, "another size"),
    "html": ({"html": True}, "another size"),
    "401": ({"status": 401}, "private, gated, or not there"),
    "403": ({"status": 403}, "does not let you read"),
    "404": ({"status": 404}, "does not have it any more"),
}
"""Fault, and what the page says of the download that it ended."""


def test_what_ends_it(me: Person, hub: Hub, workspace: Workspace) -> None:
    """Nothing is put where it could be taken for whole; mended, the same job ends well.

    Gradio forgot each press that came while another was being answered, without a word, and the
    download stayed as it was.
    """
    downloader = Downloader(me)
    for name, (fault, _) in ENDING.items():
        hub.add(kind="dataset", id=f"bad/{name}", files={FILE: CONTENT})
        hub.fault(f"bad/{name}", FILE, **fault)
        downloader.fetches(f"bad/{name}", kind="Dataset")
    for name, (_, said) in ENDING.items():
        downloader.sees(f"bad/{name}", "failed", timeout=LONG)
        expect(downloader.job(f"bad/{name}")).to_contain_text(said)
        assert not (workspace.raw_datasets / "bad" / name).exists()
        hub.mend(f"bad/{name}")
    downloader.does_fast("retry", [f"bad/{name}" for name in ENDING], workspace)
    for name in ENDING:
        downloader.sees(f"bad/{name}", "done")
        assert (workspace.raw_datasets / "bad" / name / FILE).read_bytes() == CONTENT


def test_listings_that_are_none(me: Person, hub: Hub, workspace: Workspace) -> None:
    """Each follows a list that is there: the list of before, and its button, are gone."""
    faults: dict[str, tuple[dict[str, Any], str]] = {
        "500": ({"status": 500, "retry_after": 0}, "fault of its own (500)"),
        "429": ({"status": 429, "retry_after": 0}, "asks for a pause"),
        "gone": ({"path": INFO, "no_answer": True}, "can't be reached"),
        "html": ({"html": True}, "web page instead of data"),
        "empty": ({"empty": True}, "lists no files"),
        "403": ({"status": 403}, "does not let you read"),
        "null": ({"body": b"null"}, "in a way that no hub does"),
    }
    for name, (fault, _) in faults.items():
        hub.add(kind="model", id=f"odd/{name}", files={"config.json": b"{}"})
        hub.fault(f"odd/{name}", **{"path": LISTING, **fault})
    hub.add(kind="model", id="good/one", files={"config.json": b"{}"})
    for name, (_, said) in faults.items():
        Downloader(me).asks_for("good/one")
        Downloader(me).sees_files("config.json")
        expect(me.sees("hub-start")).to_be_visible()
        Downloader(me).asks_for(f"odd/{name}")
        me.is_told(said)
        expect(me.sees("hub-start")).to_be_hidden()
    assert not (workspace.models / "odd").exists()


def test_names_that_climb_out(me: Person, hub: Hub, folder: Path) -> None:
    for path in ("../evil.json", "/evil.json", "a\\..\\evil.json"):
        hub.add(kind="dataset", id="evil/names", files={FILE: CONTENT, path: b"[666]"})
        Downloader(me).asks_for("evil/names", kind="Dataset")
        me.is_told("leads out of its folder")
    assert not [one for one in folder.rglob("*evil*") if one.is_file()]
    assert not Path("/evil.json").exists()


def test_a_revision_that_is_not_there(me: Person, hub: Hub) -> None:
    """The client takes the branch of another hub for an empty repository."""
    hub.add(
        kind="model", id="org/branches", files={"config.json": b"{}"}, revisions=("master", "v2")
    )
    Downloader(me).asks_for("org/branches@main")
    me.is_told("It has: master, v2")


def test_a_repository_that_is_not_there(me: Person, hub: Hub) -> None:
    Downloader(me).asks_for("nobody/nothing")
    me.is_told("Check the name, and whether it is a model or a dataset")


def test_another_hub_says_the_same_in_chinese(medtune: Server, hub: Hub, open_page: Open) -> None:
    me = Person(open_page(medtune.address, locale="zh-CN").page)
    me.arrives()
    expect(me.sees("hub-show")).to_have_text("查看文件", timeout=PATIENCE)
    Downloader(me).asks_for("nobody/nothing", kind="数据集", hub="Hugging Face")
    me.is_told(re.compile("私有的、需要授权，或不存在|没有这一类的"))


def test_typing_what_is_no_repository(me: Person) -> None:
    for typed, said in (
        ("", "No repository is named"),
        ("just-a-name", "names no repository"),
        ("https://example.org/a/b", "is not a hub that MedTune knows"),
    ):
        Downloader(me).asks_for(typed)
        me.is_told(said)
