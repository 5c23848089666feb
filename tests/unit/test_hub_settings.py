"""Addresses of hubs, and tokens that nobody else gets to see."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from backend.errors import DownloadError
from backend.hub.modelscope import ModelScope
from backend.hub.settings import DEFAULT_ENDPOINTS, HubSettings, checked_endpoint

TOKEN = "ms-secret-token"


@pytest.fixture
def settings(tmp_path: Path) -> HubSettings:
    return HubSettings(tmp_path / "config" / "hubs.json")


def test_without_a_file_the_hubs_own_addresses_count(settings: HubSettings) -> None:
    assert settings.endpoint("modelscope") == DEFAULT_ENDPOINTS["modelscope"]
    assert not settings.has_token("modelscope")


def test_a_token_in_memory_is_on_no_disk(settings: HubSettings) -> None:
    settings.change("modelscope", endpoint="", token=TOKEN, keep=False)
    assert settings.token(settings.endpoint("modelscope")) == TOKEN
    assert TOKEN not in settings.file.read_text()
    assert not HubSettings(settings.file).has_token("modelscope")


def test_a_kept_token_is_readable_by_its_owner_alone(settings: HubSettings) -> None:
    settings.change("huggingface", endpoint="", token=TOKEN, keep=True)
    assert stat.S_IMODE(settings.file.stat().st_mode) == 0o600
    again = HubSettings(settings.file)
    assert again.has_token("huggingface") and again.is_kept("huggingface")
    assert not again.has_token("modelscope")


def test_a_token_belongs_to_its_address(settings: HubSettings) -> None:
    """It must not follow the person to a mirror that someone else runs."""
    settings.change("huggingface", endpoint="", token=TOKEN, keep=False)
    settings.change("huggingface", endpoint="https://mirror.example", token=None, keep=False)
    assert not settings.has_token("huggingface")
    settings.change("huggingface", endpoint="", token=None, keep=False)
    assert settings.has_token("huggingface")


def test_no_longer_kept_it_leaves_the_disk_and_stays_in_memory(settings: HubSettings) -> None:
    settings.change("modelscope", endpoint="", token=TOKEN, keep=True)
    settings.change("modelscope", endpoint="", token=None, keep=False)
    assert settings.has_token("modelscope") and TOKEN not in settings.file.read_text()


def test_forgotten_it_is_nowhere(settings: HubSettings) -> None:
    settings.change("modelscope", endpoint="", token=TOKEN, keep=True)
    settings.change("modelscope", endpoint="", token="", keep=False)
    assert not settings.has_token("modelscope") and TOKEN not in settings.file.read_text()


def test_no_repr_shows_it(settings: HubSettings, tmp_path: Path) -> None:
    settings.change("modelscope", endpoint="", token=TOKEN, keep=True)
    client = ModelScope("http://127.0.0.1:9", TOKEN, tmp_path)
    assert TOKEN not in repr(settings) + str(vars(settings).keys()) + repr(client)


@pytest.mark.parametrize("token", ["two words", "凭证", "x" * 600, "a\nb"])
def test_what_is_no_token(settings: HubSettings, token: str) -> None:
    with pytest.raises(DownloadError) as caught:
        settings.change("modelscope", endpoint="", token=token, keep=False)
    assert caught.value.key == "hub.errors.token_bad"
    assert token not in caught.value.sentence("en")


def test_a_token_does_not_travel_unencrypted(settings: HubSettings) -> None:
    with pytest.raises(DownloadError) as caught:
        settings.change("modelscope", endpoint="http://hub.example", token=TOKEN, keep=False)
    assert caught.value.key == "hub.errors.token_in_the_open"
    assert settings.endpoint("modelscope") == DEFAULT_ENDPOINTS["modelscope"]
    settings.change("modelscope", endpoint="http://127.0.0.1:8000", token=TOKEN, keep=False)
    assert settings.has_token("modelscope")


def test_an_unwritable_place_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where a folder belongs")
    settings = HubSettings(tmp_path / "config" / "hubs.json")
    with pytest.raises(DownloadError, match="could not be written"):
        settings.change("modelscope", endpoint="", token=TOKEN, keep=True)
    assert not settings.has_token("modelscope")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hf-mirror.com", "https://hf-mirror.com"),
        (" https://hf-mirror.com/ ", "https://hf-mirror.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://host/base/", "https://host/base"),
    ],
)
def test_addresses(typed: str, expected: str) -> None:
    assert checked_endpoint(typed) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "ftp://host",
        "https://",
        "https://me:secret@host",
        "https://host/?a=b",
        "a b",
        "https://[::1",
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(DownloadError) as caught:
        checked_endpoint(typed)
    assert "secret" not in caught.value.sentence("en")


@pytest.mark.parametrize("content", ["{", "[]", '{"tokens": [], "endpoints": 3}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "hubs.json").write_text(content)
    settings = HubSettings(tmp_path / "hubs.json")
    assert settings.endpoint("modelscope") == DEFAULT_ENDPOINTS["modelscope"]


@pytest.mark.parametrize("which", ["stat", "read_bytes"])
def test_settings_that_can_not_be_read_stop_nothing(
    settings: HubSettings, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Started once as root, MedTune left a file that only root could read, and its next start ended
    in a traceback. What is in the file is not lost by the next "Save" either."""
    settings.change("modelscope", endpoint="https://mine.example", token=TOKEN, keep=True)

    def locked(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, which, locked)
        anew = HubSettings(settings.file)
    assert anew.endpoint("modelscope") == DEFAULT_ENDPOINTS["modelscope"]
    assert anew.unreadable is not None
    for language in ("en", "zh"):
        sentence = anew.unreadable.sentence(language)
        assert "Permission denied" in sentence and str(settings.file) in sentence
    with pytest.raises(DownloadError) as refused:
        anew.change("huggingface", endpoint="", token="other", keep=True)
    assert refused.value.key == "hub.errors.settings_unreadable"
    assert HubSettings(settings.file).token("https://mine.example") == TOKEN
