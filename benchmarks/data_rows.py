"""Large files of medical reasoning, made of the bundled samples.

Rows are as long as those of medical-o1-reasoning-SFT and have about as many numbers, half of them
in English and half in Chinese. Each is of sentences drawn anew with numbers of its own in some. In
questions each fourth word is another as well: real ones have few words in a row in common, and how
many they have decides how long near duplicates are sought.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

from backend.text import ASSETS

ROWS = 42_027
"""What the file of 139 MB that the promises speak of has, and what is made here for it."""

Row = dict[str, str]


def rows_asked() -> int:
    """The first argument of a benchmark that is run by itself: rows of the file that it makes."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else ROWS


_TEXTS = {"Question": (400, 2), "Complex_CoT": (2000, 8), "Response": (750, 8)}
"""Bytes of UTF-8 from which a text is long enough (3.3 kB a row in all), and of how many
sentences one has a number."""

_LANGUAGES = {"en": (" ", ", {} mL,"), "zh": ("", "，{}毫升，")}
"""What stands between sentences, and how a number is worked into one."""

_SHORTEST = 20
"""Bytes of a sentence: so many are drawn that a text is as long as wanted, by far."""

_VARIED = 4
"""One of so many words of a question is replaced by another; in Chinese, of so many characters."""

_POOL = 4000
_CHUNK = 500


def rows(seed: int = 1) -> Iterator[Row]:
    """Rows without end, the same for the same seed."""
    random = Random(seed)
    sentences = {language: _sentences(language) for language in _LANGUAGES}
    words = {one: _vocabulary(sentences[one], one) for one in _LANGUAGES}
    for number in count():
        language = "zh" if number % 2 else "en"
        row = {
            column: _text(random, sentences[language], language, length, numbered)
            for column, (length, numbered) in _TEXTS.items()
        }
        yield {**row, "Question": _varied(random, row["Question"], words[language], language)}


def write_file(path: Path, number: int = ROWS) -> None:
    """Write a JSON array of ``number`` rows that are all different."""
    _write(path, islice(rows(), number))


def write_large(path: Path, size: int) -> int:
    """Write a JSON array of at least ``size`` bytes; returns the number of its rows.

    The same few thousand rows over and over with other questions: making all anew takes minutes.
    """
    pool = list(islice(rows(), _POOL))
    each = sum(len(_encoded(row)) for row in pool) // _POOL
    number = size // each + 1
    _write(path, (_numbered(pool[place % _POOL], place) for place in range(number)))
    return number


def _numbered(row: Row, place: int) -> Row:
    return {**row, "Question": f"{place + 1}. {row['Question']}"}


def _write(path: Path, made: Iterable[Row]) -> None:
    texts = map(_encoded, made)
    with path.open("wb") as file:
        file.write(b"[\n" + next(texts))
        while chunk := list(islice(texts, _CHUNK)):
            file.write(b",\n" + b",\n".join(chunk))
        file.write(b"\n]\n")


def _encoded(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, indent=2).encode()


def _sentences(language: str) -> list[str]:
    """All sentences of the samples of a language."""
    samples = json.loads((ASSETS / "samples" / f"medical_{language}.json").read_text("utf-8"))
    texts = [text for row in samples for text in row.values()]
    found = [one.strip() for text in texts for one in re.split(r"(?<=[。？！])|(?<=[.?!]) ", text)]
    return sorted({one for one in found if one})


def _text(random: Random, sentences: list[str], language: str, length: int, numbered: int) -> str:
    """Sentences in any order, none twice, of about ``length`` bytes.

    Args:
        numbered: The first of each so many has a number in it.
    """
    between, number = _LANGUAGES[language]
    chosen: list[str] = []
    size = 0
    for place, sentence in enumerate(random.sample(sentences, length // _SHORTEST)):
        if place % numbered == 0:
            gap = _gap(random, sentence, language)
            sentence = sentence[:gap] + number.format(random.randrange(1, 1000)) + sentence[gap:]
        chosen.append(sentence)
        size += len(sentence.encode()) + len(between)
        if size >= length:
            break
    return between.join(chosen)


def _vocabulary(sentences: list[str], language: str) -> list[str]:
    return sorted({word for sentence in sentences for word in _words(sentence, language)})


def _words(text: str, language: str) -> list[str]:
    return list(text) if language == "zh" else text.split(" ")


def _varied(random: Random, text: str, vocabulary: list[str], language: str) -> str:
    words = _words(text, language)
    for place in range(random.randrange(_VARIED), len(words), _VARIED):
        words[place] = random.choice(vocabulary)
    return _LANGUAGES[language][0].join(words)


def _gap(random: Random, sentence: str, language: str) -> int:
    """A place in a sentence where a number can stand: before its end, and not inside a word."""
    place = random.randrange(1, len(sentence))
    if language == "zh":
        return place
    space = sentence.find(" ", place)
    return space if space >= 0 else len(sentence) - 1
