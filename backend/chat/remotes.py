"""Models behind OpenAI-compatible addresses, and the keys for them.

A key belongs to one address and is sent to no other. It is held in memory, or, when the person asks
for it, in a file that only they can read, outside the workspace. What is asked of an address that
is not this machine's leaves it: that is agreed to once for each address.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from backend.errors import EngineError
from backend.files import read_json
from backend.loopback import leads_to_loopback
from backend.personal import personal_file, write_personal
from backend.secrecy import keep_secret

_PATIENCE = httpx.Timeout(10.0)
_LONGEST_KEY = 512
_LONGEST_LIST = 4 * 1024 * 1024
"""Bytes of a list of models; a server that sends more is not one that lists models."""
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class _Server:
    """What is known of an address; ``models`` are those that were added as columns."""

    agreed: bool = False
    models: tuple[str, ...] = ()
    key: str = field(default="", repr=False)
    kept: bool = False


class Remotes:
    """The addresses that this person has added, for every workspace.

    Args:
        file: Where addresses, models, and keys that should be kept, are written with mode 0600.

    Attributes:
        unreadable: Why what was kept can't be read; it is not written over then.
        revision: Rises with each change.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.unreadable: EngineError | None = None
        self.revision = 0
        self._servers = self._read()
        for server in self._servers.values():
            keep_secret(server.key)

    def __repr__(self) -> str:
        return f"Remotes({str(self._file)!r})"

    @property
    def file(self) -> Path:
        return self._file

    def models(self) -> list[tuple[str, str]]:
        """Address and model of all that were added, in that order."""
        return [(at, model) for at, one in self._servers.items() for model in one.models]

    def headers(self, address: str) -> dict[str, str]:
        """What is sent with each request to an address; its key, where there is one."""
        key = self._servers.get(address, _Server()).key
        return {"Authorization": f"Bearer {key}"} if key else {}

    def has_key(self, address: str) -> bool:
        return bool(self.headers(address))

    def is_agreed(self, address: str) -> bool:
        """Whether questions may be sent there: it is this machine, or the person has agreed."""
        return leads_to_loopback(address) or self._servers.get(address, _Server()).agreed

    def list_models(self, address: str, key: str | None = None) -> list[str]:
        """What the server there says that it serves.

        Args:
            address: As ``checked_address`` gives it.
            key: None for the one that is known.

        Raises:
            EngineError: it does not answer, refuses the key, or answers nonsense.
        """
        headers = self.headers(address) if key is None else _header(checked_key(key))
        try:
            status, content = _fetch(f"{address}/models", headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(address, error) from error
        if status in (401, 403):
            raise EngineError("chat.remote.errors.key_refused", address=address, status=status)
        names = _names(content) if status == 200 else None
        if names is None:
            raise EngineError("chat.remote.errors.no_api", address=address, status=status)
        if not names:
            raise EngineError("chat.remote.errors.no_models", address=address)
        return names

    def add(self, address: str, model: str, *, key: str | None, keep: bool, agreed: bool) -> None:
        """Offer a model of an address as a column.

        Args:
            address: As ``checked_address`` gives it.
            key: None leaves the address's key as it is; empty forgets it.
            keep: Write the key to the file; otherwise it goes with this dashboard.
            agreed: The person knows that questions leave this machine.

        Raises:
            EngineError: it is not this machine and nobody agreed, the key can't be one, or the file
                can't be written. Nothing is changed then.
        """
        with self._lock:
            known = self._servers.get(address, _Server())
            if not (agreed or known.agreed or leads_to_loopback(address)):
                raise EngineError("chat.remote.errors.not_agreed", host=_host(address))
            secret = known.key if key is None else checked_key(key)
            keep_secret(secret)
            models = tuple(dict.fromkeys([*known.models, model]))
            one = _Server(known.agreed or agreed, models, secret, keep and bool(secret))
            self._change({**self._servers, address: one})

    def remove(self, address: str, model: str) -> None:
        """Offer a model no more; with its last model an address and its key are forgotten.

        Raises:
            EngineError: the file can't be written.
        """
        with self._lock:
            known = self._servers.get(address, _Server())
            left = tuple(one for one in known.models if one != model)
            servers = {at: one for at, one in self._servers.items() if at != address}
            if left:
                servers[address] = _Server(known.agreed, left, known.key, known.kept)
            self._change(servers)

    def _change(self, servers: Mapping[str, _Server]) -> None:
        self._write(servers)
        self._servers = dict(servers)
        self.revision += 1

    def _read(self) -> dict[str, _Server]:
        try:
            kept = read_json(self._file) if self._file.is_file() else None
        except OSError as error:
            reason = error.strerror or str(error)
            self.unreadable = EngineError(
                "chat.remote.errors.unreadable", file=self._file, reason=reason
            )
            return {}
        servers = kept.get("servers") if isinstance(kept, dict) else None
        found: dict[str, _Server] = {}
        for address, one in servers.items() if isinstance(servers, dict) else ():
            match one:
                case {"agreed": bool(agreed), "models": list(models), "key": str(key)}:
                    found[str(address)] = _Server(agreed, tuple(map(str, models)), key, bool(key))
        return found

    def _write(self, servers: Mapping[str, _Server]) -> None:
        if self.unreadable is not None:
            raise self.unreadable
        kept = {
            at: {"agreed": one.agreed, "models": one.models, "key": one.key if one.kept else ""}
            for at, one in servers.items()
        }
        try:
            write_personal(self._file, {"servers": kept})
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineError(
                "chat.remote.errors.unwritable", file=self._file, reason=reason
            ) from error


def checked_address(typed: str) -> str:
    """An address up to and with ``/v1``: a scheme and a host, no name or password in it.

    Without a scheme it is ``http`` on this machine and ``https`` elsewhere; without a path,
    ``/v1``. An address of one of the API's own paths is cut back to its root.

    Raises:
        EngineError: it is none.
    """
    plain = typed.strip()
    if plain and "://" not in plain:
        plain = f"{'http' if leads_to_loopback(f'http://{plain}') else 'https'}://{plain}"
    try:
        parts = urlsplit(plain)
        whole = bool(parts.hostname) and parts.port != 0 and plain.isprintable()
        # What the system's resolver does too, which says so by an error of no connection.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise EngineError("chat.remote.errors.address_bad", address=typed[:200]) from None
    secret = bool(parts.username or parts.password or parts.query or parts.fragment)
    if not whole or secret or parts.scheme not in ("http", "https") or " " in plain:
        shown = parts.hostname or "" if secret else typed[:200]
        raise EngineError("chat.remote.errors.address_bad", address=shown)
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/models"):
        path = path.removesuffix(ending)
    return f"{parts.scheme}://{parts.netloc.lower()}{path or '/v1'}"


def checked_key(key: str) -> str:
    """The key as it is sent.

    Raises:
        EngineError: no header can carry it. The key itself is not repeated.
    """
    clean = key.strip()
    if clean and (len(clean) > _LONGEST_KEY or not _KEY.fullmatch(clean)):
        raise EngineError("chat.remote.errors.key_bad")
    return clean


def unreachable(address: str, error: Exception) -> EngineError:
    """That nobody answers at an address."""
    reason = str(error).strip() or type(error).__name__
    return EngineError("chat.remote.errors.no_answer", address=address, reason=reason[:200])


def default_file() -> Path:
    """Where a person's servers are."""
    return personal_file("servers.json")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _header(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _fetch(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    # No redirect is followed: the key belongs to this address alone.
    with (
        httpx.Client(timeout=_PATIENCE, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", url, headers=dict(headers)) as response,
    ):
        content = b""
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _LONGEST_LIST:
                break
        return response.status_code, content


def _names(content: bytes) -> list[str] | None:
    """Names of the models in a list; None where it is no such list."""
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    listed = value.get("data") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return None
    names = [one.get("id") for one in listed if isinstance(one, dict)]
    return sorted({name for name in names if isinstance(name, str) and name})
