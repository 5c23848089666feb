"""Markdown as safe HTML: what a model wrote is shown, never obeyed.

Raw HTML in it is text. An image would be fetched, perhaps from afar, and tell someone that it was
looked at: it becomes a link. Formulas are left as they are in elements that the page's script
typesets; inside them nothing else is Markdown.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from ui.html import Safe

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_FORMULAS = (("$$", "$$", True), ("\\[", "\\]", True), ("\\(", "\\)", False), ("$", "$", False))
"""Opening and closing of a formula, and whether it stands on a line of its own."""


@lru_cache(maxsize=512)
def markdown(words: str) -> Safe:
    """``words`` rendered; the last few hundred texts are remembered."""
    return Safe(_renderer().render(words))


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    # Imported at the first use: a page that shows no answer does without.
    from markdown_it import MarkdownIt

    # "zero" nesting limits and linkify stay as they are: html off is what makes it safe.
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(
        ["table", "strikethrough"]
    )
    made.inline.ruler.before("escape", "formula", _formula)
    made.add_render_rule("formula", _formula_html)
    made.add_render_rule("image", _image_html)
    made.add_render_rule("link_open", _link_html)
    return made


def _formula(state: StateInline, silent: bool) -> bool:
    for opening, closing, alone in _FORMULAS:
        if not state.src.startswith(opening, state.pos):
            continue
        start = state.pos + len(opening)
        end = state.src.find(closing, start)
        if end < 0 or end > state.posMax or not _is_formula(state.src, start, end, opening):
            continue
        if not silent:
            token = state.push("formula", "", 0)
            token.content = state.src[start:end]
            token.meta = {"alone": alone}
        state.pos = end + len(closing)
        return True
    return False


def _is_formula(source: str, start: int, end: int, opening: str) -> bool:
    """Whether something between dollars is a formula and not two prices, as Pandoc has it."""
    inner = source[start:end]
    if not inner.strip():
        return False
    if opening != "$":
        return True
    after = source[end + 1 : end + 2]
    return not (inner[0].isspace() or inner[-1].isspace() or after.isdigit() or "\n" in inner)


def _formula_html(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    _options: Any,
    _env: MutableMapping[str, Any],
) -> str:
    alone = "1" if tokens[place].meta["alone"] else ""
    source = escape(tokens[place].content)
    return f'<span class="mt-formula" data-alone="{alone}">{source}</span>'


def _image_html(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    _options: Any,
    _env: MutableMapping[str, Any],
) -> str:
    address = str(tokens[place].attrs.get("src", ""))
    words = tokens[place].content or address
    return f'!<a href="{escape(address)}" target="_blank" rel="noreferrer">{escape(words)}</a>'


def _link_html(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    _env: MutableMapping[str, Any],
) -> str:
    tokens[place].attrSet("target", "_blank")
    tokens[place].attrSet("rel", "noreferrer")
    return renderer.renderToken(tokens, place, options, _env)
