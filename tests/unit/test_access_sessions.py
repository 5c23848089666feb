"""Sessions end: by themselves, by log-out, and with the name or the password they began with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.access import sessions
from backend.access.sessions import IDLE_SECONDS, LONGEST_SECONDS, Accounts, Sessions
from backend.passwords import remove_password
from tests.fakes.accounts import write_users


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return write_users(tmp_path / "users", ann="battery staple", bob="correct horse")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(users: Path, clock: Clock) -> Sessions:
    return Sessions(Accounts(users), clock)


def begin(kept: Sessions, users: Path, name: str = "ann") -> str:
    return kept.begin(name, Accounts(users).now().hashes[name])


def test_a_session_is_found_by_its_token_alone(kept: Sessions, users: Path) -> None:
    token = begin(kept, users)
    session = kept.of(token, touch=False)
    assert session is not None and session.user == "ann"
    assert kept.of(token + "x", touch=False) is None and kept.of("", touch=False) is None
    assert token not in repr(kept.__dict__) and token not in repr(session)


def test_it_ends_when_nobody_is_there(kept: Sessions, users: Path, clock: Clock) -> None:
    """An open page asks for news all day long; that is nobody."""
    token = begin(kept, users)
    for _ in range(10):
        clock.now += IDLE_SECONDS / 10 - 1
        assert kept.of(token, touch=False) is not None
    clock.now += 11
    assert kept.of(token, touch=False) is None


def test_what_a_person_does_keeps_it_but_not_for_ever(
    kept: Sessions, users: Path, clock: Clock
) -> None:
    token = begin(kept, users)
    while clock.now < LONGEST_SECONDS - IDLE_SECONDS / 2:
        clock.now += IDLE_SECONDS / 2
        assert kept.of(token, touch=True) is not None
    clock.now = LONGEST_SECONDS
    assert kept.of(token, touch=True) is None


def test_how_long_it_lasts_is_told(kept: Sessions, users: Path, clock: Clock) -> None:
    session = kept.of(begin(kept, users), touch=False)
    assert session is not None and kept.left(session) == IDLE_SECONDS
    clock.now = LONGEST_SECONDS - 60
    session.active = clock.now
    assert kept.left(session) == 60


def test_log_out_ends_one_session(kept: Sessions, users: Path) -> None:
    one, other = begin(kept, users), begin(kept, users)
    kept.end(one)
    assert kept.of(one, touch=True) is None and kept.of(other, touch=True) is not None


def test_a_new_password_or_none_ends_it(kept: Sessions, users: Path) -> None:
    ann, bob = begin(kept, users), begin(kept, users, "bob")
    lines = users.read_text().splitlines(keepends=True)
    other = write_users(users.with_name("other"), ann="another staple").read_text()
    users.write_text(other + lines[1])
    assert kept.of(ann, touch=True) is None and kept.of(bob, touch=True) is not None
    remove_password(users, "bob")
    assert kept.of(bob, touch=True) is None


def test_without_a_file_nobody_is_logged_in(kept: Sessions, users: Path) -> None:
    token = begin(kept, users)
    os.unlink(users)
    assert kept.of(token, touch=True) is None


def test_a_page_belongs_to_who_opened_it(kept: Sessions, users: Path) -> None:
    one = kept.of(begin(kept, users), touch=True)
    other = kept.of(begin(kept, users, "bob"), touch=True)
    assert one is not None and other is not None
    assert kept.owns(one, "page1") and kept.owns(one, "page1")
    assert not kept.owns(other, "page1") and kept.owns(other, "page2")


def test_pages_and_sessions_do_not_fill_the_memory(
    kept: Sessions, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    monkeypatch.setattr(sessions, "MOST_PAGES", 5)
    first = begin(kept, users)
    tokens = [begin(kept, users) for _ in range(3)]
    assert kept.of(first, touch=True) is None
    session = kept.of(tokens[-1], touch=True)
    assert session is not None
    for number in range(50):
        assert kept.owns(session, f"page{number}")
    assert len(kept._pages) == 5
    kept.end(tokens[-1])
    assert not kept._pages
