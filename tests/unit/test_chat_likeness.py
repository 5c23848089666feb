"""Which folders hold the same weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.chat import likeness
from backend.chat.likeness import Likeness
from tests.fakes.tiny_model import make_tiny_model


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def alike(tmp_path: Path, told: list[str]) -> Likeness:
    return Likeness(tmp_path / "cache" / "weights.json", lambda: told.append("told"))


def model(folder: Path, seed: int = 0) -> Path:
    return make_tiny_model(folder, ["the same words"], seed=seed)


def test_equal_weights_are_known_after_they_were_read_and_from_then_on(
    tmp_path: Path, alike: Likeness, told: list[str]
) -> None:
    (tmp_path / "cache").mkdir()
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    other = model(tmp_path / "other", seed=1)
    folders = [one, two, other]
    assert len(set(alike.marks(folders).values())) == 3
    alike.wait(20)
    marks = alike.marks(folders)
    assert marks[one] == marks[two] != marks[other]
    assert len(told) == 3
    again = Likeness(tmp_path / "cache" / "weights.json")
    assert again.marks(folders) == marks, "kept from one start to the next"
    os.utime(two / "model.safetensors", ns=(1, 1))
    assert again.marks(folders)[two] != marks[two], "it may have been written anew"
    again.wait(20)


def test_only_what_could_be_the_same_is_read(
    tmp_path: Path, alike: Likeness, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(likeness, "_digest", read.append)
    one, longer = model(tmp_path / "one"), model(tmp_path / "longer")
    with (longer / "model.safetensors").open("ab") as file:
        file.write(b" ")
    linked = tmp_path / "linked"
    linked.mkdir()
    for file_ in one.iterdir():
        (linked / file_.name).symlink_to(file_)
    nothing = tmp_path / "nothing"
    marks = alike.marks([one, longer, linked, nothing])
    alike.wait(5)
    assert read == []
    assert marks[one] == marks[linked]
    assert len(set(marks.values())) == 3


def test_a_file_that_can_not_be_read_is_tried_once(
    tmp_path: Path, alike: Likeness, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """A page that asks every second would have a failing disk read it all over, again and again."""
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    tried: list[object] = []
    monkeypatch.setattr(likeness, "_digest", tried.append)
    for _ in range(2):
        assert len(set(alike.marks([one, two]).values())) == 2
        alike.wait(5)
    assert len(tried) == 2 and told == []
