"""Which requests come from MedTune's own page, and from which machine."""

from __future__ import annotations

import pytest

from backend.access.site import Site, public_address
from backend.errors import StartError

LOCAL = Site("127.0.0.1")
PROXIED = Site("127.0.0.1", "https://lab.example/medtune", frozenset({"127.0.0.1"}))
OPEN = Site("0.0.0.0")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:7860", "localhost", "[::1]:7860", "127.0.0.1:9000"]
)
def test_this_machines_own_names_are_served(host: str) -> None:
    """Another port is that of a tunnel."""
    assert LOCAL.serves(host) and PROXIED.serves(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example:7860", "127.0.0.1.evil.example", "", "localhost.evil", "[::1", "x@localhost:1a"],
)
def test_a_name_that_was_made_to_lead_here_is_not(host: str) -> None:
    """DNS rebinding: a page from afar reads this machine's server as its own."""
    assert not LOCAL.serves(host) and not PROXIED.serves(host)


def test_only_the_proxys_own_name_is_served_behind_it() -> None:
    assert PROXIED.serves("lab.example") and not LOCAL.serves("lab.example")


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://127.0.0.1:7860"}, True),
        ({"origin": "http://127.0.0.1:3000"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "https://lab.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
    ],
)
def test_a_page_of_another_address_is_told_by_its_headers(
    headers: dict[str, str], ours: bool
) -> None:
    assert LOCAL.asked_by_us({"host": "127.0.0.1:7860", **headers}) is ours


def test_behind_a_proxy_pages_have_its_address() -> None:
    for host in ("127.0.0.1:7860", "lab.example"):
        assert PROXIED.asked_by_us({"host": host, "origin": "https://lab.example"})
        assert not PROXIED.asked_by_us({"host": host, "origin": "https://lab.example.evil"})


def test_only_a_proxy_that_is_trusted_says_who_asks() -> None:
    """Who could say it for themselves would be somebody else at each guess."""
    assert LOCAL.client("127.0.0.1", "1.2.3.4") == "127.0.0.1"
    assert PROXIED.client("127.0.0.1", "6.6.6.6, 1.2.3.4") == "1.2.3.4"
    assert PROXIED.client("10.0.0.1", "1.2.3.4") == "10.0.0.1"
    assert PROXIED.client("127.0.0.1", None) == "127.0.0.1"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://Lab.Example/medtune/", "https://lab.example/medtune"),
        ("https://lab.example:443", "https://lab.example"),
        ("http://lab.example:8080/a/b", "http://lab.example:8080/a/b"),
    ],
)
def test_an_address_is_written_as_browsers_do(written: str, address: str) -> None:
    assert public_address(written) == address


@pytest.mark.parametrize(
    "written",
    ["", "lab.example", "ftp://lab.example", "https://", "https://u:p@lab.example", "https://l:x"]
    + ["https://lab.example/?a=1", "https://lab.example/#a", "https://[::1"],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(StartError):
        public_address(written)


def test_what_it_is_behind_a_proxy() -> None:
    assert PROXIED.secure and PROXIED.path == "/medtune" and PROXIED.local
    assert not LOCAL.secure and LOCAL.path == "" and not OPEN.local
    assert Site("127.0.0.2").local and Site("::1").local
