"""The log-in page: no script, nothing fetched, in both languages and themes."""

from __future__ import annotations

from collections.abc import Iterator

from backend.access.door import LoginQuestion
from backend.text import ASSETS, LANGUAGES, text
from ui.header import LANGUAGE_NAMES
from ui.html import Safe, element, join
from ui.i18n import TONGUES, preferred_language


def login_page(question: LoginQuestion, nonce: str) -> str:
    """The page as HTML.

    Args:
        nonce: Of its styles; any others are not applied.
    """
    spoken = preferred_language(question.languages, "en")
    language = question.chosen if question.chosen in LANGUAGES else spoken
    head = element(
        "head",
        Safe('<meta charset="utf-8">'),
        Safe('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Safe('<meta name="color-scheme" content="light dark">'),
        Safe('<link rel="icon" href="favicon.ico">'),
        element("title", text(language, "app.login.browser_title")),
        Safe(f'<style nonce="{nonce}">{_read("login.css")}</style>'),
    )
    body = element("body", element("main", *_pieces(question, language)))
    return f"<!doctype html>{element('html', head, body, lang=TONGUES[language])}"


def _pieces(question: LoginQuestion, language: str) -> Iterator[Safe]:
    yield element("header", Safe(_read("logo.svg")), element("h1", "MedTune"))
    yield element("p", text(language, "app.tagline"), cls="quiet")
    if question.wait:
        wait = text(language, "app.login.wait", seconds=question.wait)
        yield element("p", wait, cls="bad", role="alert")
    elif question.failed:
        yield element("p", text(language, "app.login.wrong"), cls="bad", role="alert")
    yield element(
        "form",
        _field("username", text(language, "app.login.name"), "text", "username", first=True),
        _field("password", text(language, "app.login.password"), "password", "current-password"),
        element("button", text(language, "app.login.enter"), type="submit"),
        method="post",
        action=f"login?lang={language}",
    )
    yield element("nav", *_languages(language), aria_label=text(language, "app.language"))
    yield element("p", text(language, "app.note"), cls="quiet note")


def _field(name: str, label: str, kind: str, fills: str, *, first: bool = False) -> Safe:
    focus = {"autofocus": "autofocus"} if first else {}
    box = element(
        "input",
        name=name,
        id=name,
        type=kind,
        required="required",
        autocomplete=fills,
        autocapitalize="none",
        spellcheck="false",
        **focus,
    )
    return join([element("label", label, for_=name), Safe(box.removesuffix("</input>"))])


def _languages(chosen: str) -> Iterator[Safe]:
    for name, code in LANGUAGE_NAMES:
        here = {"aria_current": "true"} if code == chosen else {}
        yield element(
            "a", name, href=f"login?lang={code}", hreflang=TONGUES[code], lang=TONGUES[code], **here
        )


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
