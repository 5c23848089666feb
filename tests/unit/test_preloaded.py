"""The page names what a browser would find out in five rounds."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr
import pytest

from ui import preloaded
from ui.preloaded import FRONTEND, needed, preloads, soon_shown, styles


def test_a_page_names_its_shell_and_the_scripts_of_its_components() -> None:
    names = list(dict.fromkeys(needed({"textbox", "html"})))
    assert re.match(r"index-.*\.js", names[0]), "the one that asks for all the others is first"
    for start in ("Index-", "core-", "Blocks-", "runtime-", "HTML-"):
        assert [name for name in names if name.startswith(start) and name.endswith(".js")]
    assert all((FRONTEND / "assets" / name).is_file() for name in names)
    code = set(needed({"textbox", "html", "code"})) - set(names)
    assert code, "a type of component has scripts of its own"


def test_only_what_is_shown_is_named_and_each_once() -> None:
    with gr.Blocks() as page:
        gr.Textbox()
        gr.Textbox()
        gr.Code(visible=False)
    page.theme_hash = "abc"
    links = re.findall(r"<\./([^>]+)>;rel=", preloads(page).decode())
    assert links[-1] == "theme.css?v=abc"
    assert len(links) == len(set(links))
    code = set(needed({"code"})) - set(needed({"textbox"}))
    assert not code & {link.removeprefix("assets/") for link in links}


def test_the_styles_of_its_components_are_in_the_page() -> None:
    """And Gradio's script, which looks for a link to each file, asks for none."""
    with gr.Blocks() as page, gr.Tabs():
        with gr.Tab():
            gr.Textbox()
        with gr.Tab():
            gr.Code()
    said = styles(page).decode()
    rules, off = said.removeprefix("<style>").split("</style>")
    linked = re.findall(r'<link rel="stylesheet" href="\./assets/([^"]+)" disabled>', off)
    types = {"tabs", "tabitem", "textbox", "code"}
    files = [name for name in dict.fromkeys(needed(types)) if name.endswith(".css")]
    entry = [name for name in files if name not in linked]
    assert [name.split("-")[0] for name in entry] == ["index"], "Gradio's page has that one itself"
    assert rules == "".join((FRONTEND / "assets" / name).read_text("utf-8") for name in linked)


def test_styles_that_name_files_beside_them_stay_in_theirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text("<html></html>", "utf-8")
    kinds = {
        "plain": "a { color: red }",
        "data": 'a { background: url("data:image/png;base64,AA") url(data:a) }',
        "beside": "a { background: url(./picture.png) }",
        "quoted": "a { background: url('picture.png') }",
        "imported": "@import 'other.css';",
        "closing": "a::after { content: '</style>' }",
    }
    for name, rules in kinds.items():
        (assets / f"{name}.css").write_text(rules, "utf-8")
    monkeypatch.setattr(preloaded, "FRONTEND", tmp_path)
    monkeypatch.setattr(preloaded, "needed", lambda _types: [f"{name}.css" for name in kinds])
    with gr.Blocks() as page:
        gr.Textbox()
    said = styles(page).decode()
    assert said.startswith(f"<style>{kinds['plain']}{kinds['data']}</style>")
    assert re.findall(r"assets/(\w+)\.css", said) == ["plain", "data"]


def test_what_only_one_closed_tab_has_is_not_named() -> None:
    """It waits until that tab is rendered; the editor of code alone is half of all scripts."""
    with gr.Blocks() as page:
        gr.Radio()
        with gr.Tabs():
            with gr.Tab("first"):
                gr.Textbox()
                with gr.Row(visible=False):
                    gr.Audio()
            with gr.Tab("second"):
                gr.Number()
                gr.Code()
            with gr.Tab("third"), gr.Tabs():
                with gr.Tab("inner"):
                    gr.Number()
                with gr.Tab("another"):
                    gr.Number()
                    gr.File()
    assert soon_shown(page) - {"blocks", "column", "form"} == {
        "radio", "tabs", "tabitem", "textbox", "number",
    }  # fmt: skip


def test_a_gradio_that_is_built_otherwise_gets_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloaded, "_TABLE", re.compile("another bundler"))
    assert [name for name in needed({"textbox"}) if not name.startswith("index-")] == []
