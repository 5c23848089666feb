"""The door: log-in, log-out, and whether a session is still alive.

``POST /login`` takes a form from a browser and from ``gradio_client``, which gets JSON. The pages
are made by who opens the door (``ui/login_page.py``); their words are not known here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import parse_qs

from backend.access.bodies import Receive, Refusal, whole
from backend.access.sessions import LONGEST_SECONDS, Accounts, Session, Sessions
from backend.access.site import Site
from backend.access.throttle import Throttle
from backend.passwords import Hashed, composed

MOST_FORM = 16 * 1024
"""Bytes of a name and a password, written for a form."""

PLACES = {"/login": {"GET", "HEAD", "POST"}, "/logout": {"POST"}, "/presence": {"GET", "POST"}}
"""What the door answers itself, and how it is asked."""

log = logging.getLogger("medtune.access")


@dataclass(frozen=True)
class Visitor:
    """Who asks, and for what.

    Attributes:
        address: Of the machine that asks, as far as that is known.
        session: The log-in, where there is one that has not ended.
    """

    address: str
    headers: Mapping[str, str] = field(repr=False)
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)
    session: Session | None = None

    @property
    def reads_pages(self) -> bool:
        return "text/html" in self.headers.get("accept", "")


@dataclass(frozen=True)
class LoginQuestion:
    """What the log-in page has to say.

    Attributes:
        failed: The last try was wrong.
        wait: Seconds until the next try is looked at; 0 for none.
    """

    languages: str
    chosen: str
    failed: bool = False
    wait: int = 0


LoginPage = Callable[[LoginQuestion, str], str]
"""Makes the page from what it has to say and the nonce of its styles."""


class Answer(Protocol):
    async def json(self, status: int, value: object, **headers: str) -> None: ...

    async def html(self, status: int, page: Callable[[str], str], **headers: str) -> None: ...

    async def redirect(self, to: str, **headers: str) -> None: ...


@dataclass(frozen=True)
class _Tried:
    """What came of a name and a password.

    Attributes:
        hashed: The password's, where it is right.
        wait: Seconds until a try is looked at; 0 where this one was.
    """

    hashed: Hashed | None
    wait: int = 0


class Door:
    """Lets in who has a name and a password.

    Args:
        port: Part of the cookie's name: browsers share cookies between the ports of a machine.
    """

    def __init__(
        self,
        accounts: Accounts,
        site: Site,
        page: LoginPage,
        *,
        port: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = Sessions(accounts, clock)
        self._accounts = accounts
        self._site = site
        self._page = page
        self._throttle = Throttle(clock)
        self._cookie = f"{'__Secure-' if site.secure else ''}medtune-{port}"
        # One at a time: each takes a core and 16 MiB.
        self._checking = asyncio.Semaphore(1)
        # By a hash of what is sent; only of what was right.
        self._by_header: dict[bytes, str] = {}

    def has(self, method: str, path: str) -> bool:
        return method in PLACES.get(path, ())

    def recognised(self, visitor: Visitor) -> Visitor:
        """The visitor with the session of their cookie."""
        token = self._token(visitor.headers.get("cookie", ""))
        if not token:
            return visitor
        # A page asks by itself as well, and says so; it tells /presence of what a person does.
        by_script = visitor.method == "POST" and "origin" not in visitor.headers
        touch = by_script or (visitor.path == "/presence" and visitor.method == "POST")
        return replace(visitor, token=token, session=self.sessions.of(token, touch=touch))

    async def by_header(self, visitor: Visitor) -> Visitor:
        """The visitor with the session of a name and password that come with each request (RFC
        7617), as programs send them that keep no cookies; the first one begins it.

        No browser does so by itself: nothing here asks it to.

        Raises:
            Refusal: they are wrong, or no try is looked at now.
        """
        scheme, _, pair = visitor.headers.get("authorization", "").partition(" ")
        if visitor.session is not None or scheme.lower() != "basic":
            return visitor
        key = hashlib.sha256(pair.encode("utf-8")).digest()
        token = self._by_header.get(key, "")
        session = self.sessions.of(token, touch=True) if token else None
        if session is None:
            name, password = _pair(pair)
            tried = await self._try(visitor, name, password)
            if tried.hashed is None:
                raise Refusal(429 if tried.wait else 401, "nobody is logged in")
            token = self._by_header[key] = self.sessions.begin(name, tried.hashed)
            session = self.sessions.of(token, touch=True)
        return replace(visitor, token=token, session=session)

    async def answer(self, visitor: Visitor, receive: Receive, answer: Answer) -> None:
        match visitor.path, visitor.method:
            case "/logout", _:
                self.sessions.end(visitor.token)
                await answer.redirect(f"{self._site.path}/login", set_cookie=self._set("", 0))
            case "/presence", _:
                if visitor.session is None:
                    raise Refusal(401, "nobody is logged in")
                await answer.json(200, {"left": round(self.sessions.left(visitor.session))})
            case _, "POST":
                await self._log_in(visitor, receive, answer)
            case _:
                if visitor.session is not None:
                    await answer.redirect(f"{self._site.path}/")
                else:
                    await self._ask(visitor, answer, 200)

    async def _log_in(self, visitor: Visitor, receive: Receive, answer: Answer) -> None:
        name, password = _credentials(await whole(receive, MOST_FORM))
        tried = await self._try(visitor, name, password)
        if tried.wait:
            await self._ask(visitor, answer, 429, wait=tried.wait)
            return
        if tried.hashed is None:
            await self._ask(visitor, answer, 401, failed=True)
            return
        self.sessions.end(visitor.token)
        cookie = self._set(self.sessions.begin(name, tried.hashed), round(LONGEST_SECONDS))
        if visitor.reads_pages:
            await answer.redirect(f"{self._site.path}/", set_cookie=cookie)
        else:
            await answer.json(200, {"success": True}, set_cookie=cookie)

    async def _try(self, visitor: Visitor, name: str, password: str) -> _Tried:
        """Look at a name and a password, unless somebody guesses too fast."""
        wait = self._throttle.begin(visitor.address, name)
        if wait > 0:
            return _Tried(None, math.ceil(wait))
        async with self._checking:
            hashed = await asyncio.to_thread(self._accounts.now().accepted, name, password)
        if hashed is None:
            log.warning("a log-in from %s was refused", visitor.address)
        else:
            self._throttle.succeeded(visitor.address, name)
        return _Tried(hashed)

    async def _ask(
        self, visitor: Visitor, answer: Answer, status: int, *, failed: bool = False, wait: int = 0
    ) -> None:
        headers = {"retry_after": str(wait)} if wait else {}
        if status != 200 and not visitor.reads_pages:
            await answer.json(status, {"detail": "not logged in", "wait": wait}, **headers)
            return
        question = LoginQuestion(
            languages=visitor.headers.get("accept-language", ""),
            chosen=visitor.query.get("lang", ""),
            failed=failed,
            wait=wait,
        )
        await answer.html(status, lambda nonce: self._page(question, nonce), **headers)

    def _token(self, cookies: str) -> str:
        for part in cookies.split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie:
                return value
        return ""

    def _set(self, token: str, seconds: int) -> str:
        secure = "; Secure" if self._site.secure else ""
        return (
            f"{self._cookie}={token}; Path={self._site.path or '/'}; Max-Age={seconds}; "
            f"HttpOnly; SameSite=Lax{secure}"
        )


def _pair(encoded: str) -> tuple[str, str]:
    """The name and the password of an ``Authorization`` header."""
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError as error:
        raise Refusal(400, "the header has no name and password") from error
    return composed(name), password


def _credentials(form: bytes) -> tuple[str, str]:
    try:
        fields = parse_qs(form.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise Refusal(400, "the body is no form") from error
    # Not stripped: a space may be part of a password.
    return composed(fields.get("username", [""])[0]), fields.get("password", [""])[0]
