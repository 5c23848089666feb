"""Names and passwords for ``--auth``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from backend.errors import StartError
from backend.passwords import PasswordFile, add_password


def test_only_the_right_password_of_a_known_name_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_password(file, "李雷", "correct horse")
    add_password(file, "ann", "battery staple")
    users = PasswordFile.read(file)
    assert users.accepted("李雷", "correct horse")
    assert users.accepted("ann", "battery staple")
    assert not users.accepted("ann", "correct horse")
    assert not users.accepted("bob", "battery staple")
    assert not users.accepted("bob", "")


def test_a_new_password_replaces_the_old(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_password(file, "ann", "first password")
    add_password(file, "ann", "second password")
    users = PasswordFile.read(file)
    assert users.accepted("ann", "second password") and not users.accepts("ann", "first password")


def test_the_password_is_nowhere_in_the_file_or_the_repr(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_password(file, "ann", "battery staple")
    assert "battery" not in file.read_text() + repr(PasswordFile.read(file))
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("user", "password", "key"),
    [
        ("", "long enough", "app.errors.auth_name"),
        ("a:b", "long enough", "app.errors.auth_name"),
        ("a\nb", "long enough", "app.errors.auth_name"),
        ("ann", "short", "app.errors.password_short"),
    ],
)
def test_what_can_not_be_used_is_refused(
    tmp_path: Path, user: str, password: str, key: str
) -> None:
    with pytest.raises(StartError) as caught:
        add_password(tmp_path / "users", user, password)
    assert caught.value.key == key and not (tmp_path / "users").exists()


@pytest.mark.parametrize("content", [b"", b"ann\n", b"ann:zz:00\n", b"\xff\xfe", b"a:b:c:d\n"])
def test_a_file_that_is_no_password_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "users"
    file.write_bytes(content)
    with pytest.raises(StartError):
        PasswordFile.read(file)
