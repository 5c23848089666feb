"""Markdown of a model becomes HTML in which nothing of it is obeyed."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ui.markdown import markdown

ALLOWED = {
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em",
    "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td", "hr", "br", "span",
}  # fmt: skip
ATTRIBUTES = {"href", "target", "rel", "class", "data-alone", "start", "style", "title"}


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def seen(words: str) -> Seen:
    parser = Seen()
    parser.feed(markdown(words))
    return parser


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**b** *i* `c`", "<strong>b</strong> <em>i</em> <code>c</code>"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("![x](http://far/a.png)", '!<a href="http://far/a.png"'),
        ("$a_1 * b_2$ and \\(c_1\\)", '<span class="mt-formula" data-alone="">a_1 * b_2</span>'),
        ("\\[ x<y \\]", 'data-alone="1"> x&lt;y </span>'),
        ("costs $5 and $6", "costs $5 and $6"),
        ("`$x$`", "<code>$x$</code>"),
        ("| a |\n|--|\n| 1 |", "<td>1</td>"),
        ("a\nb", "a<br />"),
    ],
)
def test_markdown_is_rendered(written: str, shown: str) -> None:
    assert shown in markdown(written)


@pytest.mark.parametrize(
    "written",
    [
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "![a](javascript:alert(1))",
        "<javascript:alert(1)>",
        "[a][x]\n\n[x]: vbscript:alert(1)",
    ],
)
def test_no_link_runs_anything(written: str) -> None:
    targets = [value or "" for name, value in seen(written).attributes if name == "href"]
    assert not [one for one in targets if ":" in one and not one.startswith("http")]


PIECES = [
    *"<>&\"'`$\\[!*|)", "](", "\n", "\n\n", "script", "img src=x onerror=", "javascript:", "# ",
    "- ", "a ", "<svg/onload=", "~~~",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join))
@hypothesis_settings(deadline=None)
def test_only_harmless_tags_come_out_of_anything(words: str) -> None:
    found = seen(words)
    assert found.tags <= ALLOWED
    assert {name for name, _ in found.attributes} <= ATTRIBUTES
    hrefs = [value or "" for name, value in found.attributes if name == "href"]
    assert not [one for one in hrefs if one.lower().startswith(("javascript", "vbscript", "data"))]
