"""What the model sees of a row, token by token, and how training and serving differ.

Takes tokens and pieces of text; knows nothing about tokenizers and templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from backend.data.tokens.values import Encoding, Parity, Piece, Token
from backend.text import text
from ui.components.marking import visible
from ui.html import Safe, count, element, join, safe

DRAWN = 6_000
"""So many tokens are drawn at most: half from the start, half from the end."""

SAME_CHARACTERS = 4_000
"""What is the same in both templates is shown up to this length, its middle left out."""

_MARKED = re.compile(r"(\r\n|\r|\n|\t)")


def token_view(encoding: Encoding, language: str) -> Safe:
    """All tokens of a row with what becomes of each, and their counts."""
    pieces = [_title(encoding, language), _legend(encoding, language)]
    if encoding.notes:
        notes = join(element("li", note.sentence(language)) for note in encoding.notes)
        pieces.append(element("ul", notes, cls="mt-parity-notes"))
    if encoding.tokens and not encoding.trained:
        pieces.append(element("p", text(language, "data.view.tokens.untrained"), cls="mt-bad"))
    drawn = join(_drawn(encoding, language))
    name = text(language, "data.view.tokens.name")
    # It scrolls by itself, so the keyboard must be able to reach it.
    body = element("div", drawn, cls="mt-tokens", tabindex=0, role="group", aria_label=name)
    return element("div", join(pieces), body, cls="mt-token-view")


def _title(encoding: Encoding, language: str) -> Safe:
    if not encoding.variant:
        return Safe("")
    key = "chosen" if encoding.variant == "chosen" else "rejected"
    return element("h4", text(language, f"data.view.fields.{key}"))


# --- Tokens -------------------------------------------------------------------------------------


def _drawn(encoding: Encoding, language: str) -> Iterator[Safe]:
    """The tokens; those in the middle of very many as one line that counts them."""
    tokens = encoding.tokens
    if len(tokens) <= DRAWN:
        yield from _runs(encoding, 0, len(tokens), language)
        return
    start, end = DRAWN // 2, len(tokens) - DRAWN // 2
    yield from _runs(encoding, 0, start, language)
    yield _folded(encoding, start, end, language)
    yield from _runs(encoding, end, len(tokens), language)


def _runs(encoding: Encoding, start: int, end: int, language: str) -> Iterator[Safe]:
    """Neighbours of one kind together, the cutoff before those that it drops."""
    place = start
    for kind, run in groupby(encoding.tokens[start:end], _kind):
        tokens = list(run)
        if kind == "dropped" and not (place and encoding.tokens[place - 1].dropped):
            yield _cutoff_line(encoding, place, language)
        yield _run(kind, tokens, language)
        place += len(tokens)


def _kind(token: Token) -> str:
    if token.dropped:
        return "dropped"
    return "trained" if token.trained else "prompt"


def _run(kind: str, tokens: Sequence[Token], language: str) -> Safe:
    return element(
        "s" if kind == "dropped" else "span",
        join(_token(token) for token in tokens),
        cls=f"mt-tokens-{kind}",
        role="group",
        aria_label=text(language, f"data.view.tokens.{kind}"),
    )


def _token(token: Token) -> Safe:
    shown = spaced(token.text) if token.text else safe(f"#{token.id}")
    cls = "mt-token mt-token-special" if token.special else "mt-token"
    return element("span", shown, cls=cls, title=token.id)


def _cutoff_line(encoding: Encoding, place: int, language: str) -> Safe:
    following = encoding.tokens[place:]
    dropped = next(
        (number for number, token in enumerate(following) if not token.dropped), len(following)
    )
    words = text(
        language,
        "data.view.tokens.cutoff",
        cutoff=count(encoding.cutoff),
        number=count(dropped),
    )
    return element("div", words, cls="mt-token-line", role="separator", aria_label=words)


def _folded(encoding: Encoding, start: int, end: int, language: str) -> Safe:
    """How many are not drawn, of which kind, and whether the cutoff is among them."""
    hidden = encoding.tokens[start:end]
    kinds = [_kind(token) for token in hidden]
    said = text(
        language,
        "data.view.tokens.folded",
        number=count(len(hidden)),
        **{kind: count(kinds.count(kind)) for kind in ("prompt", "trained", "dropped")},
    )
    if _begins_dropping(encoding, start, end):
        said += " " + text(language, "data.view.tokens.inside", cutoff=count(encoding.cutoff))
    return element("div", said, cls="mt-token-fold")


def _begins_dropping(encoding: Encoding, start: int, end: int) -> bool:
    tokens = encoding.tokens[start - 1 : end]
    return any(
        now.dropped and not before.dropped for before, now in zip(tokens, tokens[1:], strict=False)
    )


def spaced(content: str) -> Safe:
    """Text whose line ends, tabs and outer spaces are seen; what is copied stays as it was."""
    words = content.strip(" ")
    if not words:
        return _space(content)
    first, _, last = content.partition(words)
    return join([_space(first), _lines(words), _space(last)])


def _space(spaces: str) -> Safe:
    return join(element("i", " ", cls="mt-space") for _ in spaces)


def _lines(content: str) -> Safe:
    # Every second piece is what separates: a tab or the end of a line.
    pieces = _MARKED.split(content)
    return join(
        _separator(piece) if place % 2 else safe(visible(piece))
        for place, piece in enumerate(pieces)
    )


def _separator(piece: str) -> Safe:
    if piece == "\t":
        return element("i", piece, cls="mt-tab")
    return element("i", "\n", cls="mt-newline")


def _legend(encoding: Encoding, language: str) -> Safe:
    counts = {
        "prompt": encoding.prompt,
        "trained": encoding.trained,
        "special": encoding.special,
        "dropped": encoding.dropped,
    }
    items = [
        _legend_item(name, number, language)
        for name, number in (*counts.items(), ("total", len(encoding.tokens)))
    ]
    return element("dl", join(items), cls="mt-legend")


def _legend_item(name: str, number: int, language: str) -> Safe:
    cls = "mt-token mt-token-special" if name == "special" else f"mt-tokens-{name}"
    tag = "s" if name == "dropped" else "span"
    words = element(tag, text(language, f"data.view.tokens.{name}"), cls=cls)
    return element("div", element("dt", words), element("dd", count(number)))


# --- Training and serving -----------------------------------------------------------------------


def parity_view(parity: Parity, language: str) -> Safe:
    """What the differences mean, then the prompt and the whole text with the differences marked."""
    notes = join(element("li", note.sentence(language)) for note in parity.notes)
    return element(
        "div",
        element("ul", notes, cls="mt-notice mt-parity-notes") if parity.notes else "",
        _parity_legend(language),
        _pieces("prompt", parity.prompt, language),
        _pieces("whole", parity.whole, language),
        cls="mt-parity",
    )


def _parity_legend(language: str) -> Safe:
    training = element("ins", text(language, "data.view.parity.training"))
    serving = element("del", text(language, "data.view.parity.serving"))
    same = element("span", text(language, "data.view.parity.same"))
    return element("p", training, " ", serving, " ", same, cls="mt-legend")


def _pieces(name: str, pieces: Sequence[Piece], language: str) -> Safe:
    title = text(language, f"data.view.parity.{name}")
    return element(
        "section",
        element("h4", title),
        element(
            "div",
            join(_parity_piece(piece, language) for piece in pieces),
            cls="mt-tokens",
            tabindex=0,
            role="group",
            aria_label=title,
        ),
    )


def _parity_piece(piece: Piece, language: str) -> Safe:
    match piece.kind:
        case "training":
            return element("ins", spaced(piece.text))
        case "serving":
            return element("del", spaced(piece.text))
        case "same":
            return _same(piece.text, language)


def _same(content: str, language: str) -> Safe:
    left = len(content) - SAME_CHARACTERS
    if left <= 0:
        return _lines(content)
    half = SAME_CHARACTERS // 2
    note = text(language, "data.view.parity.folded", number=count(left))
    fold = element("div", note, cls="mt-token-fold")
    return join([_lines(content[:half]), fold, _lines(content[-half:])])
