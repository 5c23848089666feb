"""Where the page is served, and which requests come from that page.

A browser sends whatever any page asks of it, with the cookies of the address that it asks. Two
headers say which page that was, and no page can change them: ``Host`` is the address as the browser
has it, ``Origin`` (or ``Sec-Fetch-Site``) the page that asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.errors import StartError
from backend.loopback import is_loopback

FORWARDED = ("forwarded", "x-forwarded-", "x-real-ip", "x-gradio-server")
"""Headers (or how they begin) with which a proxy speaks of what is before it. Gradio believes them
from anybody; it gets none of them."""


@dataclass(frozen=True)
class Site:
    """The addresses of one dashboard.

    Attributes:
        host: What it listens on.
        public: The address at a reverse proxy, without a slash at the end; None without one.
        proxies: Addresses of proxies that say truly who asks (``X-Forwarded-For``).
    """

    host: str
    public: str | None = None
    proxies: frozenset[str] = frozenset()

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def secure(self) -> bool:
        """Whether browsers reach it through TLS."""
        return (self.public or "").startswith("https:")

    @property
    def path(self) -> str:
        """What comes before every path in a browser: "" or "/medtune"."""
        return urlsplit(self.public).path if self.public else ""

    def serves(self, host: str) -> bool:
        """Whether a ``Host`` header can be that of a page of ours.

        On loopback it has to be a name of it: a page from afar whose name was made to lead to this
        machine (DNS rebinding) has its own name there. On another address no name is known; there
        a password is needed, whose cookie such a page does not get.
        """
        if not self.local:
            return True
        name = _name(host)
        known = is_loopback(name)
        return known or (self.public is not None and host == urlsplit(self.public).netloc)

    def asked_by_us(self, headers: Mapping[str, str]) -> bool:
        """Whether a page of ours asked, or no page at all (a script, a person's address bar)."""
        origin = headers.get("origin")
        if origin is not None:
            return self._ours(origin, headers.get("host", ""))
        return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}

    def _ours(self, origin: str, host: str) -> bool:
        if self.public is not None:
            address = urlsplit(self.public)
            if origin == f"{address.scheme}://{address.netloc}":
                return True
        return origin in {f"http://{host}", f"https://{host}"}

    def client(self, peer: str, forwarded_for: str | None) -> str:
        """Who asks: the peer, or the last that a proxy we trust says of it."""
        if peer not in self.proxies or not forwarded_for:
            return peer
        said = [one.strip() for one in forwarded_for.split(",")]
        # From the end: what stands before the first proxy's own word anybody may have written.
        return next((one for one in reversed(said) if one not in self.proxies), said[0])[:64]


def public_address(written: str) -> str:
    """``written`` as the address of a page behind a proxy, without a slash at the end.

    Raises:
        StartError: it is no such address.
    """
    try:
        parts = urlsplit(written)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or "@" in parts.netloc or parts.query or parts.fragment or '"' in written:
        raise StartError("app.errors.public_url", address=written)
    # As a browser writes it in Origin and Host.
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}{parts.path.rstrip('/')}"


def _name(host: str) -> str:
    """The name in a ``Host`` header, without port and brackets."""
    try:
        return "" if "@" in host else (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
