"""Names and passwords for ``--auth``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from backend import passwords
from backend.errors import StartError
from backend.passwords import Hashed, PasswordFile, add_password, composed, remove_password
from tests.fakes.accounts import write_users


def accepts(users: PasswordFile, user: str, password: str) -> bool:
    return users.accepted(user, password) is not None


def test_only_the_right_password_of_a_known_name_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_password(file, "李雷", "correct horse")
    add_password(file, "ann", "battery staple")
    users = PasswordFile.read(file)
    assert accepts(users, "李雷", "correct horse")
    assert accepts(users, "ann", "battery staple")
    assert not accepts(users, "ann", "correct horse")
    assert not accepts(users, "bob", "battery staple")
    assert not accepts(users, "bob", "")


def test_a_new_password_replaces_the_old(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_password(file, "ann", "first password")
    add_password(file, "ann", "second password")
    users = PasswordFile.read(file)
    assert accepts(users, "ann", "second password") and not accepts(users, "ann", "first password")


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
        ("a" * 1025, "long enough", "app.errors.auth_name"),
        ("ann", "short", "app.errors.password_short"),
        ("ann", "a" * 1025, "app.errors.password_long"),
    ],
)
def test_what_can_not_be_used_is_refused(
    tmp_path: Path, user: str, password: str, key: str
) -> None:
    with pytest.raises(StartError) as caught:
        add_password(tmp_path / "users", user, password)
    assert caught.value.key == key and not (tmp_path / "users").exists()


GOOD = "$scrypt$ln=14,r=8,p=5$" + "A" * 22 + "$" + "B" * 43


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ann\n",
        b"ann:00:00\n",
        b"\xff\xfe",
        b"a:b:" + GOOD.encode() + b"\n",
        b"ann:" + GOOD.replace("ln=14", "ln=30").encode(),
        b"ann:" + GOOD.replace("ln=14", "ln=0").encode(),
        b"ann:" + GOOD.replace("p=5", "p=0").encode(),
        b"ann:" + GOOD.replace("scrypt", "md5").encode(),
    ],
)
def test_a_file_that_is_no_password_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A line could also ask for more memory than there is."""
    file = tmp_path / "users"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(StartError) as caught:
        PasswordFile.read(file)
    assert caught.value.key in {"app.errors.auth_unreadable", "app.errors.auth_empty"}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = write_users(tmp_path / "users", ann="battery staple")
    file.chmod(mode)
    with pytest.raises(StartError) as caught:
        PasswordFile.read(file)
    assert caught.value.key == "app.errors.auth_open"


def test_it_is_private_from_its_first_moment_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written with everybody's mode and changed afterwards."""
    seen: list[int] = []
    replace_ = os.replace

    def replacing(source: str, target: Path) -> None:
        seen.append(stat.S_IMODE(os.stat(source).st_mode))
        replace_(source, target)

    monkeypatch.setattr(os, "replace", replacing)
    add_password(tmp_path / "users", "ann", "battery staple")
    assert seen == [0o600]


def test_the_parameters_are_those_that_owasp_names(tmp_path: Path) -> None:
    add_password(tmp_path / "users", "ann", "battery staple")
    assert ":$scrypt$ln=14,r=8,p=5$" in (tmp_path / "users").read_text()


def test_other_parameters_of_an_earlier_file_are_read(tmp_path: Path) -> None:
    users = PasswordFile.read(write_users(tmp_path / "users", ann="battery staple"))
    assert users.hashes["ann"].ln == 4 and accepts(users, "ann", "battery staple")


def test_an_unknown_name_costs_a_hash_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes sooner would tell who there is."""
    users = PasswordFile.read(write_users(tmp_path / "users", ann="battery staple"))
    made: list[tuple[int, int, int]] = []
    again = Hashed.again

    def counted(self: Hashed, password: str) -> bytes:
        made.append((self.ln, self.r, self.p))
        return again(self, password)

    monkeypatch.setattr(Hashed, "again", counted)
    assert not accepts(users, "ann", "wrong") and not accepts(users, "nobody", "wrong")
    assert len(made) == 2 and made[0] == made[1]


def test_the_comparison_takes_the_same_time_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = PasswordFile.read(write_users(tmp_path / "users", ann="battery staple"))
    compared: list[bytes] = []
    compare = passwords.hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return compare(one, other)

    monkeypatch.setattr(passwords.hmac, "compare_digest", counted)
    assert accepts(users, "ann", "battery staple") and len(compared) == 1


def test_letters_are_the_same_however_they_are_typed(tmp_path: Path) -> None:
    file = write_users(tmp_path / "users", **{"Zoë": "crème brûlée"})
    users = PasswordFile.read(file)
    assert accepts(users, composed("Zoe\u0308"), "cre\u0300me bru\u0302le\u0301e")


def test_a_name_is_taken_out(tmp_path: Path) -> None:
    file = write_users(tmp_path / "users", ann="battery staple", bob="correct horse")
    remove_password(file, "ann")
    assert list(PasswordFile.read(file).hashes) == ["bob"]
    with pytest.raises(StartError) as caught:
        remove_password(file, "ann")
    assert caught.value.key == "app.errors.auth_unknown"
