"""Which addresses only this machine reaches: what is sent there stays here."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a name or an IP address, without port and brackets, is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def leads_to_loopback(address: str) -> bool:
    """Whether a URL's host is this machine's own; False where it has none."""
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False
