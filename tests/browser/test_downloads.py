"""Downloads on the page: chosen, watched, paused, killed, resumed, and used."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.hub import jobs
from backend.workspace import Workspace
from tests.browser.conftest import Open, wait_until
from tests.browser.downloading import Downloader, dashboard, end_downloads
from tests.browser.person import PATIENCE, Person
from tests.conftest import ROOT
from tests.fakes.hub import Hub, hub_running
from tests.fakes.server import Server

pytestmark = pytest.mark.browser

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
DATA = "FreedomIntelligence/medical-o1-reasoning-SFT"
CHINESE = "medical_o1_sft_Chinese.json"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Two repositories of the catalogue; what is in them is MedTune's own."""
    demo = ROOT / "assets" / "demo_model"
    with hub_running() as running:
        files: dict[str, bytes | Path] = {
            file.name: file for file in demo.iterdir() if file.suffix != ".md"
        }
        files["pytorch_model.bin"] = b"\x80" * 50_000
        running.add(kind="model", id=MODEL, files=files, licence="mit", redirect=True)
        rows = (ROOT / "assets" / "samples" / "medical_zh.json").read_bytes()
        running.add(
            kind="dataset",
            id=DATA,
            files={"medical_o1_sft.json": rows, CHINESE: rows + b"\n", "README.md": b"# rows"},
        )
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


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


def test_two_downloads_one_paused_and_killed_end_whole_and_are_offered(
    medtune: Server, hub: Hub, workspace: Workspace, open_page: Open
) -> None:
    me = Person(open_page(medtune.address).page)
    me.arrives()
    downloader = Downloader(me)
    held = hub.hold(MODEL, "model.safetensors", at=3_000_000)
    me.listens()

    # From the catalogue, with what it says before anything is asked.
    me.chooses("hub-catalogue", re.compile("Distill-Qwen-1.5B"))
    expect(me.sees("hub-details")).to_contain_text("deepseekr1", timeout=PATIENCE)
    me.presses("hub-show")
    downloader.sees_files("model.safetensors", "pickle")
    expect(me.sees("hub-files").get_by_label(re.compile("pytorch_model.bin"))).not_to_be_checked()
    expect(me.sees("hub-plan")).to_contain_text("mit")
    downloader.starts()
    downloader.sees(MODEL, "running")

    # Beside it the Chinese rows alone.
    downloader.asks_for(DATA, kind="Dataset")
    downloader.sees_files(CHINESE)
    downloader.ticks("medical_o1_sft.json", on=False)
    downloader.ticks("README.md", on=False)
    downloader.starts()
    downloader.sees(DATA, "done")
    expect(downloader.job(DATA)).to_contain_text("Verified: SHA-256 as the hub states it")

    # Paused in the middle, taken up again, and its process killed.
    assert held.reached.wait(30)
    expect(downloader.job(MODEL)).to_contain_text("3.0 MB", timeout=PATIENCE)
    downloader.does("pause", MODEL)
    downloader.sees(MODEL, "paused")
    held.reached.clear()
    downloader.does("resume", MODEL)
    downloader.sees(MODEL, "running")
    job = next(one for one in jobs.list_jobs(workspace) if one.repository.id == MODEL)
    process = jobs.process_of(job.folder)
    assert process is not None and process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    downloader.sees(MODEL, "interrupted")
    expect(downloader.job(MODEL)).to_contain_text("What came is kept")
    assert not (workspace.models / MODEL).exists(), "half a model is not offered"
    held.release()
    downloader.does("retry", MODEL)
    downloader.sees(MODEL, "done")
    expect(downloader.job(MODEL)).to_contain_text("Verified: SHA-256 as the hub states it")
    wait_until(lambda: f"{MODEL}: done" in me.hears(), "its end is heard")

    # Both are there without a reload, also where they are used.
    expect(me.sees("models")).to_contain_text(MODEL, timeout=PATIENCE)
    expect(me.sees("datasets")).to_contain_text(CHINESE)
    me.goes_to("hyperparameters")
    me.chooses("field-model", MODEL)
    me.goes_to("data")
    me.chooses("data-source", re.compile(CHINESE))
    expect(me.sees("data-survey")).to_contain_text("64", timeout=PATIENCE)
    me.goes_to("chat")
    me.chooses("chat-columns", MODEL)

    size = (ROOT / "assets/demo_model/model.safetensors").stat().st_size
    assert hub.bytes_sent(MODEL, "model.safetensors") < size * 1.2, "it went on where it stopped"
    original = (ROOT / "assets/demo_model/model.safetensors").read_bytes()
    assert (workspace.models / MODEL / "model.safetensors").read_bytes() == original
    assert not hub.asked(MODEL, "pytorch_model.bin")
    assert not hub.asked(DATA, "medical_o1_sft.json")


def test_what_is_on_the_shelf_is_checked_and_deleted(
    medtune: Server, hub: Hub, workspace: Workspace, open_page: Open
) -> None:
    hub.add(kind="dataset", id="org/rows", files={"rows.json": b'[{"a": 1}]'})
    me = Person(open_page(medtune.address).page)
    me.arrives()
    Downloader(me).fetches("org/rows", kind="Dataset")
    row = me.sees("datasets").locator("tr").filter(has_text="org/rows/rows.json")
    expect(row).to_be_visible(timeout=PATIENCE)
    row.locator("button[data-action=verify]").click()
    expect(row).to_contain_text("Unchanged since it arrived", timeout=PATIENCE)
    path = workspace.raw_datasets / "org" / "rows" / "rows.json"
    path.write_bytes(b'[{"a": 2}]')
    row.locator("button[data-action=verify]").click()
    expect(row.locator(".mt-bad")).to_contain_text("rows.json", timeout=PATIENCE)
    row.locator("button[data-action=delete]").click()
    expect(row).to_contain_text("This frees 10 B")
    row.locator("button[data-action=keep]").click()
    expect(row).not_to_contain_text("This frees")
    assert path.exists()
    row.locator("button[data-action=delete]").click()
    row.locator("button[data-action=delete_now]").click()
    expect(row).to_be_hidden(timeout=PATIENCE)
    assert not path.exists()


def test_a_private_repository_and_its_token(
    medtune: Server, hub: Hub, folder: Path, open_page: Open
) -> None:
    hub.add(kind="dataset", id="me/secret", files={"rows.json": b"[1]"}, private_token="ms-right")
    me = Person(open_page(medtune.address).page)
    me.arrives()
    downloader = Downloader(me)
    downloader.asks_for("me/secret", kind="Dataset")
    me.is_told("set a token")
    me.sees("hub-settings").locator("button").first.click()
    me.types("hub-token", "ms-right")
    me.presses("hub-save")
    expect(me.sees("hub-token-state")).to_contain_text("until MedTune is closed", timeout=PATIENCE)
    assert me.value_of("hub-token") == "", "a token is not shown again"
    me.presses("hub-show")
    downloader.sees_files("rows.json")
    downloader.starts()
    downloader.sees("me/secret", "done")
    for path in folder.rglob("*"):
        assert path.is_dir() or b"ms-right" not in path.read_bytes(), path
    assert not [one for one in hub.requests if "ms-right" in one.target]
    me.presses("hub-forget-token")
    expect(me.sees("hub-token-state")).to_contain_text("No token", timeout=PATIENCE)


def test_a_reload_and_a_second_page_see_the_same(
    medtune: Server, hub: Hub, open_page: Open
) -> None:
    hub.add(kind="dataset", id="org/slow", files={"rows.json": b"[1]" + b" " * 3_000_000})
    held = hub.hold("org/slow", "rows.json", at=1_000_000)
    me, other = (Person(open_page(medtune.address).page) for _ in range(2))
    me.arrives()
    other.arrives()
    Downloader(me).fetches("org/slow", kind="Dataset")
    Downloader(other).sees("org/slow", "running")
    me.page.reload()
    me.arrives()
    expect(Downloader(me).job("org/slow")).to_contain_text("1.0 MB", timeout=PATIENCE)
    # Pressed in both, it is cancelled once; and what came is gone.
    for one in (me, other):
        Downloader(one).does("cancel", "org/slow")
    Downloader(me).does("delete_now", "org/slow")
    expect(Downloader(other).job("org/slow")).to_be_hidden(timeout=PATIENCE)
    held.release()


def test_a_dashboard_killed_and_started_again(hub: Hub, tmp_path: Path, open_page: Open) -> None:
    hub.add(kind="dataset", id="org/long", files={"rows.json": b"[1]" + b" " * 3_000_000})
    held = hub.hold("org/long", "rows.json", at=1_000_000)
    with dashboard(hub, tmp_path, kill=True) as server:
        opened = open_page(server.address)
        me = Person(opened.page)
        me.arrives()
        Downloader(me).fetches("org/long", kind="Dataset")
        assert held.reached.wait(30)
        me.leaves()
    held.release()
    with dashboard(hub, tmp_path) as server:
        me = Person(open_page(server.address).page)
        me.arrives()
        Downloader(me).sees("org/long", "done")
        me.leaves()
    assert hub.bytes_sent("org/long", "rows.json") == 3_000_003, "it went on all the while"


def test_a_model_of_this_machine_is_linked_where_it_is(
    medtune: Server, workspace: Workspace, tmp_path: Path, open_page: Open
) -> None:
    source = tmp_path / "elsewhere"
    shutil.copytree(ROOT / "assets" / "demo_model", source)
    me = Person(open_page(medtune.address).page)
    me.arrives()
    me.marks("import-kind", "Model")
    me.marks("import-way", "Link")
    me.types("import-path", str(source))
    me.types("import-name", "mine/linked")
    me.presses("import-start")
    row = me.sees("models").locator("tr").filter(has_text="mine/linked")
    expect(row).to_contain_text("Ready", timeout=PATIENCE)
    expect(row).to_contain_text(str(source))
    assert (workspace.models / "mine" / "linked").is_symlink()
    row.locator("button[data-action=delete]").click()
    expect(row).to_contain_text("This frees 0 B")
    row.locator("button[data-action=delete_now]").click()
    expect(row).to_be_hidden(timeout=PATIENCE)
    assert (source / "model.safetensors").exists(), "what a link leads to is never deleted"


def test_pickles_are_brought_in_only_by_agreement(
    medtune: Server, tmp_path: Path, open_page: Open
) -> None:
    source = tmp_path / "pickled"
    shutil.copytree(ROOT / "assets" / "demo_model", source)
    (source / "model.safetensors").unlink()
    (source / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": 1}))
    me = Person(open_page(medtune.address).page)
    me.arrives()
    me.marks("import-kind", "Model")
    me.types("import-path", str(source))
    me.presses("import-start")
    me.is_told("pickle")
    me.sees("import-pickle").locator("input").check()
    me.presses("import-start")
    expect(me.sees("models").locator("tr").filter(has_text="pickled")).to_contain_text(
        "Ready", timeout=PATIENCE
    )
