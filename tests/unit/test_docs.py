"""The documentation says what is true of the checkout: links lead somewhere, labels are the page's.

In the README and in the guide **bold** marks a label of the page and nothing else. It stands there
as the page shows it, with “…” where the page puts something in, so that a label that is renamed is
found here.
"""

from __future__ import annotations

import html
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from app import parser
from backend.data.checks.registry import CHECKS
from backend.text import LANGUAGES, catalogue
from tests.conftest import ROOT

GUIDE = ROOT / "docs" / "guide"
READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
PAGES = ("download", "data", "hyperparameters", "training", "chat", "troubleshooting")

FENCE = re.compile(r"^(```|~~~).*?^\1\s*?$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
PLACEHOLDER = re.compile(r"\{\w+\}")
PYTHON_FILE = re.compile(r"[\w./-]+\.py")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
TARGET = re.compile(r"\bmake ([a-z]+)\b")


def documents() -> list[Path]:
    """All that is written for people."""
    folders = (ROOT, ROOT / "docs", GUIDE / "en", GUIDE / "zh", ROOT / "assets" / "samples")
    return sorted(path for folder in folders for path in folder.glob("*.md"))


def today() -> list[Path]:
    """All but the changelog, which names what was there when it was written."""
    return [path for path in documents() if path.name != "CHANGELOG.md"]


def guide(language: str) -> list[Path]:
    """Where bold means a label."""
    return [READMES[language], *sorted((GUIDE / language).glob("*.md"))]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """The text without what stands in code."""
    return SPAN.sub("", FENCE.sub("", text))


def code(text: str) -> list[str]:
    """Spans and lines of code."""
    blocks = [match[0] for match in FENCE.finditer(text)]
    return [*SPAN.findall(FENCE.sub("", text)), *(line for b in blocks for line in b.splitlines())]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def every(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=name(path)) for path in paths]


# --- Links --------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """What GitHub calls a heading in an address: its words in small letters, with hyphens."""
    words = re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {anchor(heading) for _, heading in HEADING.findall(FENCE.sub("", read(path)))}


def dead_links(path: Path) -> Iterator[str]:
    for target in LINK.findall(FENCE.sub("", read(path))):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, part = unquote(target).partition("#")
        found = (path.parent / place).resolve() if place else path
        if not found.exists() or (part and part not in anchors(found)):
            yield target


@pytest.mark.parametrize("path", every(documents()))
def test_links_and_pictures_are_there(path: Path) -> None:
    assert list(dead_links(path)) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One two\n[a](page.md#one-two) [b](#one-two) [c](gone.md) [d](#gone)\n")
    assert list(dead_links(page)) == ["gone.md", "#gone"]


# --- Two languages ------------------------------------------------------------------------------


def levels(path: Path) -> list[int]:
    return [len(marks) for marks, _ in HEADING.findall(FENCE.sub("", read(path)))]


def test_each_tab_has_a_page_in_each_language() -> None:
    for language in LANGUAGES:
        assert {path.stem for path in (GUIDE / language).glob("*.md")} == {*PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_as_much_in_both_languages(page: str) -> None:
    english, chinese = (GUIDE / language / f"{page}.md" for language in LANGUAGES)
    assert levels(english) == levels(chinese)


def test_the_readmes_say_as_much_in_both_languages() -> None:
    assert levels(READMES["en"]) == levels(READMES["zh"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_leads_to_the_other_language(language: str) -> None:
    other = next(one for one in LANGUAGES if one != language)
    for page in PAGES:
        assert f"](../{other}/{page}.md)" in read(GUIDE / language / f"{page}.md"), page
    assert f"]({READMES[other].name})" in read(READMES[language])


# --- Labels -------------------------------------------------------------------------------------


def labels(words: Mapping[str, str]) -> set[str]:
    """All that the page says, without Markdown's own marks and the numbers of the tabs; of a
    sentence with something in bold also that alone."""
    said = [part for one in words.values() for part in (one, *BOLD.findall(one))]
    plain = (re.sub(r"^(#+|\d) ", "", one).replace("**", "") for one in said)
    return {PLACEHOLDER.sub("…", one).replace("{{", "{").replace("}}", "}") for one in plain}


def unknown_labels(text: str, words: Mapping[str, str]) -> list[str]:
    known = labels(words)
    return [label for label in BOLD.findall(prose(text)) if html.unescape(label) not in known]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_bold_is_on_the_page(language: str) -> None:
    wrong = {
        name(path): unknown_labels(read(path), catalogue(language)) for path in guide(language)
    }
    assert {page: found for page, found in wrong.items() if found} == {}


def test_a_label_that_was_renamed_is_found() -> None:
    words = {"a": "### Start here", "b": "Resume from {checkpoint}", "c": "4 Training"}
    good = "**Start here**, **Resume from …**, **Training**, `**not bold**`"
    assert unknown_labels(f"{good} **Begin here**", words) == ["Begin here"]


@pytest.mark.parametrize("path", every(guide("zh")))
def test_bold_beside_chinese_is_bold(path: Path) -> None:
    """CommonMark leaves stars as they are between punctuation inside and a letter outside."""
    for match in BOLD.finditer(text := prose(read(path))):
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        assert match[1][-1].isalnum() or not after.isalnum(), match[0] + after
        assert match[1][0].isalnum() or not before.isalnum(), before + match[0]


# --- Commands and files -------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))


@pytest.mark.parametrize("path", every(today()))
def test_make_has_the_targets_that_are_named(path: Path) -> None:
    assert {word for one in code(read(path)) for word in TARGET.findall(one)} <= targets()


def options(made: ArgumentParser) -> set[str]:
    """All options, those of its commands too."""
    found = set()
    for action in made._actions:
        found |= {*action.option_strings}
        if isinstance(action.choices, dict):
            found |= set().union(*(options(command) for command in action.choices.values()))
    return found


@pytest.mark.parametrize("path", every(today()))
def test_app_has_the_options_that_are_named(path: Path) -> None:
    known = options(parser())
    ours = [one for one in code(read(path)) if re.match(r"--|.*\bapp\.py|make run", one)]
    assert {option for one in ours for option in OPTION.findall(one)} <= known


def test_the_readmes_name_every_option() -> None:
    known = {option for action in parser()._actions for option in action.option_strings}
    for readme in READMES.values():
        assert known - {"-h", "--help"} <= set(OPTION.findall(read(readme)))


def llamafactory_files() -> list[str]:
    """The installed sources, which pages may point to; nothing of them is imported."""
    found = find_spec("llamafactory")
    folders = found.submodule_search_locations if found else None
    return [path.as_posix() for folder in folders or () for path in Path(folder).rglob("*.py")]


@pytest.mark.parametrize("path", every(today()))
def test_python_files_that_are_named_exist(path: Path) -> None:
    ours = [name(found) for found in [*ROOT.glob("*.py"), *ROOT.glob("[!.]*/**/*.py")]]
    there = [f"/{one}" for one in [*ours, *llamafactory_files()]]
    named = {word for one in code(read(path)) for word in PYTHON_FILE.findall(one)}
    assert [one for one in named if not any(found.endswith(f"/{one}") for found in there)] == []


def test_numbers_that_are_named_are_those_of_the_code() -> None:
    said = {"en": f"{len(CHECKS)} checks", "zh": f"{len(CHECKS)} 项"}
    version = re.search(r"llamafactory==([\d.]+)", read(ROOT / "requirements.txt"))
    assert version
    for language in LANGUAGES:
        assert said[language] in read(READMES[language])
        assert said[language] in read(GUIDE / language / "data.md")
        assert version[1] in read(READMES[language])


def test_troubleshooting_answers_what_is_asked_most() -> None:
    for language in LANGUAGES:
        questions = levels(GUIDE / language / "troubleshooting.md").count(3)
        assert questions >= 20, language
