"""Takes the screenshots of the docs from the running program: a real run of the quick demo.

    make screenshots

Starts MedTune in a workspace of its own, downloads from a local hub (which lists what the real ones
do, and holds other bytes), prepares sample data, trains, chats, and photographs each tab in both
languages. The pictures show the checkout's path: take them from a clone whose path says
nothing about you, and look at them before you commit them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from backend.workspace import Workspace
from tests.browser.chromium import find_chromium
from tests.browser.conftest import FLAGS
from tests.browser.downloading import Downloader, dashboard, end_downloads
from tests.browser.person import PREPARING, Person
from tests.conftest import ROOT
from tests.fakes.hub import Content, Repeated, hub_running
from tests.fakes.trainers import end_trainers

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1440, "height": 900}
TRAINING = 300_000
"""Milliseconds for the quick demo on a slow machine."""

MODEL = "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
WEIGHTS = 3_554_214_752
HELD = 1_300_000_000
"""Bytes of the model's weights, and where the picture finds them."""
DATA = "FreedomIntelligence/medical-o1-reasoning-SFT"
SAMPLES = ROOT / "assets" / "samples" / "medical_zh.json"

LANGUAGES = {"en": "English", "zh": "中文"}


def main() -> None:
    # Beside the code, since its path is in the pictures.
    folder = ROOT / "test-results"
    workspace = Workspace.open(folder / "workspace")
    with hub_running() as hub:
        hub.add(kind="model", id=MODEL, licence="mit", files=model_files())
        hub.add(kind="dataset", id=DATA, files={SAMPLES.name: SAMPLES, "README.md": b"# rows"})
        hub.hold(MODEL, "model.safetensors", at=HELD)
        try:
            with dashboard(hub, folder) as server:
                photograph(server.address)
        finally:
            end_downloads(workspace)
            end_trainers(workspace)
            for made in (workspace.root, folder / "config"):
                shutil.rmtree(made)


def model_files() -> dict[str, bytes | Path | Content]:
    """The repository's files by name and, for the weights, by size."""
    demo = ROOT / "assets" / "demo_model"
    small = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
    return {"model.safetensors": Repeated(WEIGHTS), **{name: demo / name for name in small}}


def photograph(address: str) -> None:
    """One journey through all tabs, each photographed when it has something to show."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        me = Person(chromium.new_context(viewport=SIZE, locale="en-US").new_page())
        me.opens(address)
        download(me)
        in_both_languages(me, "download")
        Downloader(me).does("cancel", MODEL)
        Downloader(me).does("delete_now", MODEL)
        prepare(me)
        in_both_languages(me, "data")
        me.goes_to("hyperparameters")
        me.types("field-run_name", "quick-demo")
        expect(me.sees("config-yaml")).to_contain_text("runs/quick-demo")
        in_both_languages(me, "hyperparameters")
        train(me)
        in_both_languages(me, "training")
        ask(me)
        in_both_languages(me, "chat")
        chromium.close()


def download(me: Person) -> None:
    downloader = Downloader(me)
    downloader.fetches(DATA, kind="Dataset")
    downloader.sees(DATA, "done")
    me.marks("hub-kind", "Model")
    me.chooses("hub-catalogue", re.compile("Distill-Qwen-1.5B"))
    expect(me.sees("hub-details")).to_contain_text("deepseekr1")
    me.presses("hub-show")
    downloader.sees_files("model.safetensors")
    downloader.starts()
    expect(downloader.job(MODEL)).to_contain_text("GB of", timeout=30_000)
    me.page.wait_for_timeout(3000)
    me.page.mouse.wheel(0, -5000)


def prepare(me: Person) -> None:
    me.goes_to("data")
    me.chooses("data-source", "sample/medical_en")
    expect(me.sees("rows")).to_contain_text("Complex_CoT")
    me.types("data-name", "samples")
    me.presses("data-start")
    expect(me.sees("prepared")).to_contain_text("samples", timeout=PREPARING)


def train(me: Person) -> None:
    me.presses("go-training")
    expect(me.sees("run-start")).to_be_visible()
    me.presses("run-start")
    status = me.sees("run-status").locator(".mt-run")
    expect(status).to_have_attribute("data-state", "finished", timeout=TRAINING)
    chart = me.sees("tab-training").locator(".mt-chart")
    expect(chart).to_have_attribute("data-last-step", "96", timeout=30_000)


def ask(me: Person) -> None:
    me.presses("run-chat")
    expect(me.sees("tab-chat")).to_be_visible()
    me.presses("chat-load")
    ready = me.sees("chat-status").locator("[data-state=ready]")
    expect(ready).to_be_visible(timeout=TRAINING)
    me.sees("questions").locator("li").first.get_by_role("button").click()
    expect(me.sees("chat-question").locator("textarea, input").first).not_to_have_value("")
    me.presses("chat-send")
    expect(me.figures(3)).to_contain_text("tokens/s", timeout=60_000)


def in_both_languages(me: Person, tab: str) -> None:
    me.goes_to(tab)
    for code, name in LANGUAGES.items():
        me.marks("language", name)
        # What the server sends, and what the browser then lays out, has no sign to wait for.
        me.page.wait_for_timeout(2000)
        IMAGES.mkdir(parents=True, exist_ok=True)
        me.page.screenshot(path=IMAGES / f"{tab}-{code}.png")
    me.marks("language", LANGUAGES["en"])
    me.page.wait_for_timeout(1000)


if __name__ == "__main__":
    main()
