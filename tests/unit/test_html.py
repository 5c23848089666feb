"""Pieces of HTML: nothing from data reaches the page unescaped."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.units import size
from ui.html import count, duration, element, figure, join, safe, table


class Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0")))
def test_any_text_is_text_on_the_page(words: str) -> None:
    collector = Collector()
    collector.feed(element("p", words, cls=words))
    collector.close()
    assert collector.tags == ["p"] and collector.said == words


def test_pieces_are_escaped_once() -> None:
    inner = element("b", "a < b")
    assert element("p", inner, "&") == "<p><b>a &lt; b</b>&amp;</p>"
    assert join([inner, "<"]) == "<b>a &lt; b</b>&lt;"
    assert safe(safe("<")) == "&lt;"


def test_numbers_of_a_table_are_set_to_the_right() -> None:
    made = table(["name", "rows"], [["<x>", 3]], numeric=frozenset({1}))
    assert '<td class="mt-number">3</td>' in made and "&lt;x&gt;" in made


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(1500), "1.5 kB"),
        (size(7.6e9), "7.6 GB"),
        (duration(None), "–"),
        (duration(59.6), "1:00"),
        (duration(3661), "1:01:01"),
        (count(None), "–"),
        (count(42027), "42,027"),
        (figure(0.000123456), "0.0001235"),
        (figure(2.2), "2.2"),
    ],
)
def test_figures(made: str, wanted: str) -> None:
    assert made == wanted
