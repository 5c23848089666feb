"""Both languages say the same things, and the code asks for nothing that they lack."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
import yaml

from backend.text import ASSETS, LANGUAGES, catalogue, text
from tests.conftest import ROOT

SAME_IN_CHINESE = re.compile(r"[A-Za-z0-9 +\-·().,/_&%（）、：{}]+")
"""Words that may stay as they are: names of methods, numbers, units, and what is put together."""

NOT_KEYS = {"chat.completion", "chat.completion.chunk"}
"""Dotted words of others: OpenAI's names of its objects."""

KEY = re.compile(r"[a-z]\w*(\.\w+)+")


def source_files() -> list[Path]:
    return [ROOT / "app.py", *ROOT.glob("backend/**/*.py"), *ROOT.glob("ui/**/*.py")]


def used_keys() -> tuple[set[str], list[re.Pattern[str]]]:
    """Keys in the code: whole ones, and patterns for those put together from parts."""
    whole: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if KEY.fullmatch(node.value):
                    whole.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w.]+"
                    for part in node.values
                ]
                if re.match(r"[a-z]+\\\.", parts[0]):
                    patterns.append(re.compile("".join(parts)))
    return whole, patterns


def placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


def test_languages_have_the_same_keys() -> None:
    english, chinese = (set(catalogue(language)) for language in LANGUAGES)
    assert english == chinese


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_written_twice(language: str) -> None:
    """YAML lets a later key silently replace an earlier one, and half a section is gone."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):  # type: ignore[no-untyped-def]
            names = [self.construct_object(key) for key, _ in node.value]
            twice = {name for name in names if names.count(name) > 1}
            assert not twice, f"{language}.yaml, line {node.start_mark.line + 1}: {twice}"
            return super().construct_mapping(node, deep)

    yaml.load((ASSETS / "locales" / f"{language}.yaml").read_text(encoding="utf-8"), Loader=Strict)


def test_sentences_have_the_same_placeholders() -> None:
    english, chinese = (catalogue(language) for language in LANGUAGES)
    different = [k for k in english if placeholders(english[k]) != placeholders(chinese[k])]
    assert not different


def test_chinese_is_chinese() -> None:
    untranslated = [
        key
        for key, words in catalogue("zh").items()
        if not re.search(r"[\u4e00-\u9fff]", words) and not SAME_IN_CHINESE.fullmatch(words)
    ]
    assert not untranslated


def test_every_key_that_the_code_uses_exists_and_is_used() -> None:
    whole, patterns = used_keys()
    known = catalogue("en")
    sections = {key.split(".")[0] for key in known}
    missing = {
        key
        for key in whole
        if key.split(".")[0] in sections and key.count(".") and key not in known
    }
    # A dotted constant may also be a module or a file name: only what looks like a key counts.
    missing = {
        key for key in missing if not key.endswith((".py", ".json", ".yaml", ".jsonl", ".log"))
    } - NOT_KEYS
    missing = {key for key in missing if not any(other.startswith(key + ".") for other in known)}
    assert not missing
    unused = [
        key
        for key in known
        if key not in whole and not any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert not unused


def test_text_fills_in_its_placeholders() -> None:
    said = text("zh", "workspace.errors.name_bad", name="a/b")
    assert "a/b" in said and "{" not in said


def test_an_unknown_language_is_answered_in_english() -> None:
    assert text("fr", "app.note") == text("en", "app.note")
