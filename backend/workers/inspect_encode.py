"""A lesson token by token, as the model sees it in training. Knows nothing about processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.data.meaning.lesson import Lesson
from backend.data.tokens.values import Encoding, Token
from backend.workers.inspect_model import Fitted
from backend.workers.inspect_notes import notes_of
from backend.workers.inspect_segments import Segment, ids_of, segments_of

HELD = 4
"""A character of UTF-8 has at most so many bytes, and is held back for at most so many tokens."""


def encode(fitted: Fitted, lesson: Lesson, cutoff: int) -> tuple[Encoding, ...]:
    """All tokens of a lesson at a cutoff length in tokens; of a pair the chosen answer's first.

    Raises:
        DataError: as ``segments_of``.
    """
    variants = ("chosen", "rejected") if lesson.pair else ("",)
    found = segments_of(fitted, lesson, cutoff)
    return tuple(
        Encoding(
            _tokens(fitted, segments), cutoff, variant, notes_of(fitted, lesson, segments, variant)
        )
        for variant, segments in zip(variants, found, strict=True)
    )


def _tokens(fitted: Fitted, segments: Sequence[Segment]) -> tuple[Token, ...]:
    texts = iter(token_texts(fitted.decode, ids_of(segments)))
    ignored, specials = fitted.processors.ignored, fitted.specials
    return tuple(
        Token(token, next(texts), label != ignored, token in specials, place >= one.kept)
        for one in segments
        for place, (token, label) in enumerate(zip(one.ids, one.labels, strict=True))
    )


def token_texts(decode: Callable[[list[int]], str], ids: Sequence[int]) -> list[str]:
    """What each token adds to the text before it.

    A character whose bytes lie in several tokens stands at the last of them, and U+FFFD at each
    before. Tokens are decoded behind those of the step before, since a tokenizer may treat a text's
    first word in another way.
    """
    texts: list[str] = []
    before, start = 0, 0  # the last step's tokens are ids[before:start]
    for end in range(1, len(ids) + 1):
        known = decode(list(ids[before:start]))
        now = decode(list(ids[before:end]))
        if now.endswith("\ufffd") and end - start < HELD:
            texts.append("\ufffd")
            continue
        texts.append(now[len(known) :])
        before, start = start, end
    return texts
