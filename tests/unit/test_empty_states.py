"""What an empty place says leads to what is to be done next, in both languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import gradio as gr
import pytest

from backend.text import LANGUAGES, text
from tests.conftest import ROOT
from ui.components.data_canvas import CHOOSE
from ui.html import empty, linked


def said() -> Iterator[tuple[str, int]]:
    """Key and number of ways of each empty place in the code."""
    for path in ROOT.glob("ui/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "empty":
                _, key, *ways = node.args
                if isinstance(key, ast.Constant):
                    yield str(key.value), len(ways)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_has_words_in_every_language(language: str) -> None:
    found = list(said())
    assert len([key for key, ways in found if ways]) > 10
    wrong = [key for key, ways in found if text(language, key).count("[") != ways]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_empty_place_can_be_drawn(language: str) -> None:
    for key, ways in said():
        drawn = empty(language, key, *["#place"] * ways)
        assert drawn.count('data-way="#place"') == ways
        assert "[" not in drawn


def test_words_of_others_are_escaped() -> None:
    words = linked("<b> [to <i>] & back", "#i")
    assert words == (
        '&lt;b&gt; <a href="#" data-way="#i" class="mt-link">to &lt;i&gt;</a> &amp; back'
    )


def test_a_sentence_without_ways_is_taken_as_it_is() -> None:
    assert linked("rows [1, 2]") == "rows [1, 2]"


def test_a_way_without_words_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        linked("nothing to press", "data")


def test_ways_lead_somewhere(page: gr.Blocks) -> None:
    """To a tab, to a field that some component has as its id, or to both."""
    ids = {getattr(block, "elem_id", None) for block in page.blocks.values()}
    found = ways()
    assert len(found) > 5
    for way in {*found, CHOOSE}:
        tab, _, field = way.partition("#")
        assert not tab or f"tab-{tab}" in ids, way
        assert not field or field in ids, way


def ways() -> set[str]:
    """The ways in the code, as far as they are written where they are used."""
    found = set()
    for path in ROOT.glob("ui/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {"empty": node.args[2:], "linked": node.args[1:]}.get(node.func.id, [])
                found |= {str(one.value) for one in given if isinstance(one, ast.Constant)}
    return found
