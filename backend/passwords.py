"""Names and salted password hashes in a file, for ``--auth``.

One line each: ``name:$scrypt$ln=14,r=8,p=5$salt$hash``, the hash as passlib writes scrypt's.
``ln=14, r=8, p=5`` is the setting of OWASP's Password Storage Cheat Sheet for 16 MiB, which it puts
level with 128 MiB and ``p=1``: a try costs a third of a second on a slow core, and the web process
stays small. Lines with other parameters are read as well, so that a later version may raise them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.errors import StartError
from backend.files import replacing

SHORTEST = 8
"""Shortest password, in characters (OWASP ASVS 5.0, 6.2.1)."""

LONGEST = 1024
"""Longest name or password that is looked at, in characters: no person has a longer one."""

_LINE = re.compile(
    r"(?P<name>[^:]+):\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,2}),p=(?P<p>\d{1,2})"
    r"\$(?P<salt>[\w+/]{16,})\$(?P<digest>[\w+/]{22,})"
)
_MOST_MEMORY = 64 * 2**20
"""Bytes that one try may take: a line of the file could ask for all there is."""


@dataclass(frozen=True)
class Hashed:
    """One password's hash, with what it takes to make it again."""

    salt: bytes
    digest: bytes
    ln: int = 14
    r: int = 8
    p: int = 5

    @classmethod
    def of(cls, password: str) -> Hashed:
        made = cls(secrets.token_bytes(16), b"")
        return cls(made.salt, made.again(password))

    def again(self, password: str) -> bytes:
        return hashlib.scrypt(
            composed(password).encode("utf-8", "surrogatepass"),
            salt=self.salt,
            n=2**self.ln,
            r=self.r,
            p=self.p,
            maxmem=2 * _MOST_MEMORY,
            dklen=32,
        )

    def matches(self, password: str) -> bool:
        """Whether the password is right, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.again(password), self.digest)

    def line(self, name: str) -> str:
        salt, digest = (_written(value) for value in (self.salt, self.digest))
        return f"{name}:$scrypt$ln={self.ln},r={self.r},p={self.p}${salt}${digest}\n"


_NOBODY = Hashed(b"\0" * 16, b"")


@dataclass(frozen=True)
class PasswordFile:
    """The names and hashes of one file."""

    hashes: Mapping[str, Hashed] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> PasswordFile:
        """Raises StartError: the file can't be read, is malformed, names nobody, or is not private.

        A file that others may read or write is refused, as ssh does with a key: they could guess at
        the passwords as fast as their machine goes, or add themselves.
        """
        try:
            with path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                lines = file.read().split("\n")
            hashes = dict(_parsed(line) for line in lines if line.strip())
        except (OSError, ValueError) as error:
            raise StartError("app.errors.auth_unreadable", file=path) from error
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise StartError("app.errors.auth_open", file=path)
        if not hashes:
            raise StartError("app.errors.auth_empty", file=path)
        return cls(hashes)

    def accepted(self, user: str, password: str) -> Hashed | None:
        """The name's hash if the password is right; an unknown name costs as long as a known one.

        Args:
            user: As ``composed`` has it.
        """
        if len(user) > LONGEST or len(password) > LONGEST:
            return None
        known = self.hashes.get(user)
        tried = known or next(iter(self.hashes.values()), _NOBODY)
        return known if tried.matches(password) else None


def add_password(path: Path, user: str, password: str) -> None:
    """Add or replace a name in the file, which only its owner may read.

    Raises:
        StartError: the name or the password can't be used, or the file is not a password file.
    """
    name = check_user(user)
    if len(password) < SHORTEST:
        raise StartError("app.errors.password_short", shortest=SHORTEST)
    if len(password) > LONGEST:
        raise StartError("app.errors.password_long", longest=LONGEST)
    hashes = dict(PasswordFile.read(path).hashes) if path.exists() else {}
    _write(path, {**hashes, name: Hashed.of(password)})


def check_user(user: str) -> str:
    """The name as it stands in a file.

    Raises:
        StartError: it can't stand there.
    """
    name = composed(user)
    if not name.strip() or ":" in name or not name.isprintable() or len(name) > LONGEST:
        raise StartError("app.errors.auth_name")
    return name


def remove_password(path: Path, user: str) -> None:
    """Take a name out of the file. A dashboard that runs ends the sessions of that name.

    Raises:
        StartError: the file does not have that name, or is not a password file.
    """
    hashes = dict(PasswordFile.read(path).hashes)
    if hashes.pop(composed(user), None) is None:
        raise StartError("app.errors.auth_unknown", user=user, file=path)
    _write(path, hashes)


def _write(path: Path, hashes: Mapping[str, Hashed]) -> None:
    lines = "".join(hashed.line(name) for name, hashed in hashes.items())
    try:
        with replacing(path, private=True) as file:
            file.write(lines.encode("utf-8"))
    except OSError as error:
        raise StartError("app.errors.auth_unwritable", file=path) from error


def _parsed(line: str) -> tuple[str, Hashed]:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ValueError("no name and hash")
    ln, r, p = (int(found[name]) for name in ("ln", "r", "p"))
    if not (ln >= 1 and r >= 1 and p >= 1) or 128 * r * 2**ln > _MOST_MEMORY:
        raise ValueError("parameters that would cost too much")
    return found["name"], Hashed(_read(found["salt"]), _read(found["digest"]), ln, r, p)


def composed(words: str) -> str:
    """The same letters typed on another keyboard are the same password (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", words)


def _written(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii").rstrip("=")


def _read(value: str) -> bytes:
    return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
