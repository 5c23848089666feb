"""Where the hubs are, and the tokens for them.

A token belongs to one address and is sent to no other. It is held in memory, or, when the person
asks for it, in a file that only they can read, outside the workspace: a workspace is copied, shared
and backed up.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backend.errors import DownloadError
from backend.files import read_json
from backend.hub.repository import HubName
from backend.loopback import is_loopback
from backend.personal import personal_file, write_personal
from backend.problems import Problem
from backend.secrecy import keep_secret

DEFAULT_ENDPOINTS: Mapping[HubName, str] = {
    "modelscope": "https://modelscope.cn",
    "huggingface": "https://huggingface.co",
}

_LONGEST_TOKEN = 512
_TOKEN = re.compile(r"[!-~]+")


class HubSettings:
    """The addresses and tokens of this person, for every workspace.

    Args:
        file: Where addresses, and tokens that should be kept, are written with mode 0600.

    Attributes:
        unreadable: Why what was kept can't be read; it is not written over then. None if it can.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        kept, self.unreadable = _read(file)
        self._endpoints: dict[HubName, str] = {
            hub: _text(kept.get("endpoints"), hub) or DEFAULT_ENDPOINTS[hub]
            for hub in DEFAULT_ENDPOINTS
        }
        tokens = kept.get("tokens")
        self._kept = (
            {str(address): str(token) for address, token in tokens.items()}
            if isinstance(tokens, dict)
            else {}
        )
        self._tokens = dict(self._kept)
        for token in self._tokens.values():
            keep_secret(token)

    def __repr__(self) -> str:
        return f"HubSettings({str(self._file)!r})"

    @property
    def file(self) -> Path:
        return self._file

    def endpoint(self, hub: HubName) -> str:
        """The hub's address, without a slash at its end.

        Raises:
            DownloadError: there is no such hub.
        """
        if hub not in self._endpoints:
            raise DownloadError("hub.errors.hub_open")
        return self._endpoints[hub]

    def token(self, endpoint: str) -> str:
        """The token for an address; empty where there is none."""
        return self._tokens.get(endpoint, "")

    def has_token(self, hub: HubName) -> bool:
        return bool(self.token(self.endpoint(hub)))

    def is_kept(self, hub: HubName) -> bool:
        """Whether the hub's token is on disk."""
        return self.endpoint(hub) in self._kept

    def hosts(self) -> dict[str, HubName]:
        """Whose the hosts of the chosen addresses are: ``{"hub.local:8080": "modelscope"}``."""
        return {
            urlsplit(address).netloc.lower().removeprefix("www."): hub
            for hub, address in self._endpoints.items()
        }

    def change(self, hub: HubName, *, endpoint: str, token: str | None, keep: bool) -> None:
        """Take an address and a token for it.

        Args:
            endpoint: Empty for the hub's own.
            token: None leaves the address's token as it is; empty forgets it, also on disk.
            keep: Write the token to the file; otherwise it goes with this dashboard.

        Raises:
            DownloadError: the address is none, the token would travel in the open, or the file
                can't be written. Nothing is changed then.
        """
        address = checked_endpoint(endpoint) if endpoint.strip() else DEFAULT_ENDPOINTS[hub]
        clean = None if token is None else _checked_token(token, address)
        keep_secret(clean or "")
        with self._lock:
            endpoints = {**self._endpoints, hub: address}
            tokens, kept = dict(self._tokens), dict(self._kept)
            if clean is not None:
                tokens.pop(address, None)
            if clean:
                tokens[address] = clean
            kept.pop(address, None)
            if keep and address in tokens:
                kept[address] = tokens[address]
            self._write(endpoints, kept)
            self._endpoints, self._tokens, self._kept = endpoints, tokens, kept

    def _write(self, endpoints: Mapping[HubName, str], tokens: Mapping[str, str]) -> None:
        if self.unreadable is not None:
            raise DownloadError(self.unreadable.key, **self.unreadable.params)
        try:
            write_personal(self._file, {"endpoints": dict(endpoints), "tokens": dict(tokens)})
        except OSError as error:
            reason = error.strerror or error
            raise DownloadError(
                "hub.errors.settings_unwritable", file=self._file, reason=reason
            ) from error


def _read(file: Path) -> tuple[dict[str, Any], Problem | None]:
    """What was kept; and why it can't be read, where it is there and can't."""
    try:
        kept = read_json(file) if file.is_file() else None
    except OSError as error:
        params = {"file": str(file), "reason": error.strerror or str(error)}
        return {}, Problem("hub.errors.settings_unreadable", params)
    return kept if isinstance(kept, dict) else {}, None


def default_file() -> Path:
    """Where a person's settings are."""
    return personal_file("hubs.json")


def checked_endpoint(typed: str) -> str:
    """An address of a hub: a scheme and a host, no name or password, no slash at its end.

    Raises:
        DownloadError: it is none.
    """
    plain = typed.strip().rstrip("/")
    try:
        # "https:" is what is left of "https://" without its slashes.
        parts = urlsplit(plain if ":/" in f"{plain}/" else f"https://{plain}")
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ("http", "https") or not plain.isprintable():
        raise DownloadError("hub.errors.endpoint_bad", address=plain[:200])
    if parts.username or parts.password or parts.query or parts.fragment or " " in plain:
        raise DownloadError("hub.errors.endpoint_bad", address=parts.hostname or "")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _checked_token(token: str, address: str) -> str:
    clean = token.strip()
    if not clean:
        return ""
    if len(clean) > _LONGEST_TOKEN or not _TOKEN.fullmatch(clean):
        raise DownloadError("hub.errors.token_bad")
    parts = urlsplit(address)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise DownloadError("hub.errors.token_in_the_open", address=address)
    return clean


def _text(values: object, name: str) -> str:
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, str) else ""
