"""Who is logged in: sessions that end by themselves.

A session lives in this process's memory; a restart ends all of them. Its token is a cookie, of
which only a hash is kept here.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.errors import StartError
from backend.passwords import Hashed, PasswordFile

IDLE_SECONDS = 2 * 3600.0
"""A session ends this long after the person did something last. A page that only shows something
does not keep it: it may be open where nobody sits any more."""

LONGEST_SECONDS = 12 * 3600.0
"""A session ends this long after its log-in in any case (NIST SP 800-63B, AAL2)."""

MOST_SESSIONS = 1_000
"""The oldest ends when there are more."""

MOST_PAGES = 200
"""Pages of one session that are remembered as its own."""


@dataclass
class Session:
    """One log-in: whose, since when, and the pages (Gradio's ``session_hash``) that it opened."""

    user: str
    hashed: Hashed = field(repr=False)
    began: float
    active: float
    pages: dict[str, None] = field(default_factory=dict, repr=False)


class Accounts:
    """The password file as it is now: who was taken out of it, or has another password, is out."""

    def __init__(self, path: Path) -> None:
        """Raises StartError: as ``PasswordFile.read``."""
        self._path = path
        self._lock = threading.Lock()
        self._seen = _identity(path)
        self._file = PasswordFile.read(path)

    def now(self) -> PasswordFile:
        """The file, read again only when it is another one; nobody, while it can't be read."""
        with self._lock:
            identity = _identity(self._path)
            if identity != self._seen:
                self._seen = identity
                try:
                    self._file = PasswordFile.read(self._path)
                except StartError:
                    self._file = PasswordFile({})
            return self._file


class Sessions:
    """The sessions of one dashboard; all methods may be called from any thread.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, accounts: Accounts, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._pages: dict[str, Session] = {}

    def begin(self, user: str, hashed: Hashed) -> str:
        """A new session's token, for a name whose password was right."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._drop_ended(now)
            while len(self._sessions) >= MOST_SESSIONS:
                self._forget(next(iter(self._sessions)))
            self._sessions[_key(token)] = Session(user, hashed, now, now)
        return token

    def of(self, token: str, *, touch: bool) -> Session | None:
        """The session of a token, or None where it has ended.

        Args:
            touch: The person did something just now.
        """
        now = self._clock()
        with self._lock:
            key = _key(token)
            session = self._sessions.get(key)
            if session is None:
                return None
            if self._ended(session, now):
                self._forget(key)
                return None
            if touch:
                session.active = now
            return session

    def left(self, session: Session) -> float:
        """Seconds until a session ends if nothing is done in it."""
        ends = min(session.active + IDLE_SECONDS, session.began + LONGEST_SECONDS)
        return max(ends - self._clock(), 0.0)

    def end(self, token: str) -> None:
        """Log out."""
        with self._lock:
            self._forget(_key(token))

    def owns(self, session: Session, page: str) -> bool:
        """Whether a page is this session's; one that nobody has had before becomes its own.

        Gradio tells pages apart by a name that the browser made up, and gives what happened on one
        to whoever knows that name.
        """
        with self._lock:
            owner = self._pages.setdefault(page, session)
            if owner is not session:
                return False
            session.pages[page] = None
            while len(session.pages) > MOST_PAGES:
                oldest = next(iter(session.pages))
                del session.pages[oldest]
                self._pages.pop(oldest, None)
            return True

    def _drop_ended(self, now: float) -> None:
        for key in [key for key, one in self._sessions.items() if self._ended(one, now)]:
            self._forget(key)

    def _ended(self, session: Session, now: float) -> bool:
        return (
            now - session.active >= IDLE_SECONDS
            or now - session.began >= LONGEST_SECONDS
            or self._accounts.now().hashes.get(session.user) != session.hashed
        )

    def _forget(self, key: bytes) -> None:
        session = self._sessions.pop(key, None)
        for page in session.pages if session else ():
            self._pages.pop(page, None)


def _key(token: str) -> bytes:
    # Looked up by its hash: how long that takes tells nothing about the token.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _identity(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode
