"""Names and salted password hashes in a file, for ``--auth``.

One line each: ``name:salt:hash`` in hexadecimal, scrypt with n=2^14, r=8, p=1, the interactive
parameters of RFC 7914's author (16 MiB and some 50 ms a try, which also slows guessing).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backend.errors import StartError
from backend.files import write_text

SHORTEST = 8
"""Shortest password, in characters (NIST SP 800-63B)."""


@dataclass(frozen=True)
class PasswordFile:
    """The names and hashes of one file."""

    hashes: Mapping[str, tuple[bytes, bytes]] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> PasswordFile:
        """Raises StartError: the file can't be read, is malformed, or names nobody."""
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            hashes = dict(_parsed(line) for line in lines if line.strip())
        except (OSError, ValueError) as error:
            raise StartError("app.errors.auth_unreadable", file=path) from error
        if not hashes:
            raise StartError("app.errors.auth_empty", file=path)
        return cls(hashes)

    def accepts(self, user: str, password: str) -> bool:
        """Whether the password is right; an unknown name costs as long as a known one."""
        salt, wanted = self.hashes.get(user, (b"\0" * 16, b""))
        return hmac.compare_digest(_hash(password, salt), wanted)


def add_password(path: Path, user: str, password: str) -> None:
    """Add or replace a name in the file, which only its owner may read.

    Raises:
        StartError: the name or the password can't be used, or the file is not a password file.
    """
    if not user.strip() or ":" in user or not user.isprintable():
        raise StartError("app.errors.auth_name")
    if len(password) < SHORTEST:
        raise StartError("app.errors.password_short", shortest=SHORTEST)
    hashes = dict(PasswordFile.read(path).hashes) if path.exists() else {}
    salt = secrets.token_bytes(16)
    hashes[user] = (salt, _hash(password, salt))
    lines = [f"{name}:{salt.hex()}:{digest.hex()}\n" for name, (salt, digest) in hashes.items()]
    try:
        write_text(path, "".join(lines))
        os.chmod(path, 0o600)
    except OSError as error:
        raise StartError("app.errors.auth_unwritable", file=path) from error


def _parsed(line: str) -> tuple[str, tuple[bytes, bytes]]:
    name, salt, digest = line.strip().split(":")
    return name, (bytes.fromhex(salt), bytes.fromhex(digest))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8"), salt=salt, n=2**14, r=8, p=1)
