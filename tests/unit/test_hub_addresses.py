"""What people type or paste to name a repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import DownloadError
from backend.hub.addresses import parse_address
from backend.hub.repository import Repository


def parsed(typed: str, **more: object) -> Repository:
    return parse_address(typed, hub="modelscope", kind="model", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Qwen/Qwen3-0.6B", Repository("modelscope", "model", "Qwen/Qwen3-0.6B")),
        ("  Qwen/Qwen3-0.6B/ ", Repository("modelscope", "model", "Qwen/Qwen3-0.6B")),
        ("Qwen/Qwen3-0.6B@v1.0", Repository("modelscope", "model", "Qwen/Qwen3-0.6B", "v1.0")),
        (
            "https://www.modelscope.cn/models/Qwen/Qwen3-0.6B/summary",
            Repository("modelscope", "model", "Qwen/Qwen3-0.6B"),
        ),
        (
            "https://modelscope.cn/datasets/FreedomIntelligence/medical-o1-reasoning-SFT",
            Repository("modelscope", "dataset", "FreedomIntelligence/medical-o1-reasoning-SFT"),
        ),
        (
            "https://modelscope.cn/models/Qwen/Qwen3-0.6B/files?version=v1.0",
            Repository("modelscope", "model", "Qwen/Qwen3-0.6B", "v1.0"),
        ),
        (
            "https://www.modelscope.cn/models/Qwen/Qwen3-0.6B/file/view/v1.0/a%2Fb.json?status=1",
            Repository("modelscope", "model", "Qwen/Qwen3-0.6B", "v1.0"),
        ),
        (
            "https://www.modelscope.cn/models/Qwen/Qwen3-0.6B/files",
            Repository("modelscope", "model", "Qwen/Qwen3-0.6B"),
        ),
        (
            "https://huggingface.co/Qwen/Qwen3-0.6B/tree/main",
            Repository("huggingface", "model", "Qwen/Qwen3-0.6B", "main"),
        ),
        (
            "huggingface.co/datasets/FreedomIntelligence/medical-o1-reasoning-SFT",
            Repository("huggingface", "dataset", "FreedomIntelligence/medical-o1-reasoning-SFT"),
        ),
        (
            "https://hf-mirror.com/Qwen/Qwen3-0.6B/resolve/abc123/config.json?download=true",
            Repository("huggingface", "model", "Qwen/Qwen3-0.6B", "abc123"),
        ),
    ],
)
def test_what_is_meant(typed: str, expected: Repository) -> None:
    assert parsed(typed) == expected


def test_a_mirror_of_the_persons_own() -> None:
    hosts = {"hub.local:8080": "huggingface"}
    found = parsed("http://hub.local:8080/datasets/org/name", hosts=hosts)
    assert found == Repository("huggingface", "dataset", "org/name")


@pytest.mark.parametrize(
    "typed",
    [
        "Qwen3",
        "a/b/c",
        "../../etc/passwd",
        "org/..",
        "org/na me",
        "org/name@../../x",
        "-org/name",
        "https://modelscope.cn/models/",
        "https://modelscope.cn",
        "https://[::1",
        "https://modelscope.cn/models/../../x/y",
        "https://modelscope.cn/models/org/name/files?version=../../x",
    ],
)
def test_what_names_no_repository(typed: str) -> None:
    with pytest.raises(DownloadError) as caught:
        parsed(typed)
    assert caught.value.key == "hub.errors.address_bad"


def test_two_sites_of_one_name_are_two() -> None:
    """An address of modelscope.ai was asked for at modelscope.cn, which has other repositories."""
    typed = "https://www.modelscope.ai/models/org/name"
    with pytest.raises(DownloadError, match="modelscope.ai"):
        parsed(typed)
    assert parsed(typed, hosts={"modelscope.ai": "modelscope"}).id == "org/name"


def test_a_page_of_another_site_is_named() -> None:
    with pytest.raises(DownloadError, match="example.org"):
        parsed("https://example.org/models/Qwen/Qwen3-0.6B")


def test_nothing_typed() -> None:
    with pytest.raises(DownloadError, match="No repository is named"):
        parsed("  ")


@given(st.text(max_size=60))
def test_any_text_is_a_repository_or_a_sentence(typed: str) -> None:
    try:
        found = parsed(typed)
    except DownloadError as error:
        assert error.sentence("en") and error.sentence("zh")
        return
    organisation, slash, name = found.id.partition("/")
    assert organisation and slash and name and ".." not in found.id and "/" not in name
