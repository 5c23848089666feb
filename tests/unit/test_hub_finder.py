"""What is listed, agreed to and begun belongs to the repository that was asked for last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.errors import DownloadError
from backend.hub.asking import within
from backend.hub.downloads import Downloads
from backend.hub.jobs import Request
from backend.hub.plan import Plan, plan_of
from backend.hub.repository import Listing, RemoteFile, Repository
from backend.hub.settings import HubSettings
from backend.workspace import Workspace
from ui.components import hub_finder
from ui.components.hub_finder import HubFinder
from ui.i18n import Words

PARTS = ("plan", "listed", "about", "picks", "files", "agree", "start", "room")


@pytest.fixture
def downloads(workspace: Workspace, tmp_path: Path) -> Downloads:
    return Downloads(workspace, HubSettings(tmp_path / "hubs.json"))


@pytest.fixture
def page() -> gr.Blocks:
    return gr.Blocks()


@pytest.fixture
def finder(downloads: Downloads, page: gr.Blocks, monkeypatch: pytest.MonkeyPatch) -> HubFinder:
    """Asks a hub on which every repository but org/none is there, with a pickle."""

    def plan(repository: Repository) -> Plan:
        if repository.id == "org/none":
            raise DownloadError("hub.errors.not_found", id=repository.id, endpoint="hub")
        files = (RemoteFile("config.json", 2, None), RemoteFile("pytorch_model.bin", 3, None))
        listing = Listing(repository, "c", "", files)
        endpoint = downloads.settings.endpoint(repository.hub)
        return plan_of(downloads._workspace, listing, endpoint=endpoint)

    monkeypatch.setattr(downloads, "plan", plan)
    with page:
        return HubFinder(downloads, Words("en"), gr.Radio(["en", "zh"]))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sentences: list[str] = []
    monkeypatch.setattr(
        hub_finder, "tell", lambda language, error: sentences.append(error.sentence(language))
    )
    return sentences


def asked(finder: HubFinder, address: str) -> dict[str, Any]:
    return dict(zip(PARTS, finder._ask("en", "modelscope", "model", address), strict=True))


def test_consent_is_given_for_one_repository(finder: HubFinder) -> None:
    """Agreed to for org/one, pickles of org/two were fetched without a question: the tick stayed
    where it was when another repository was listed. A new language takes no consent away."""
    assert asked(finder, "org/one")["agree"]["value"] is False
    plan = asked(finder, "org/two")
    assert plan["agree"]["visible"] and plan["agree"]["value"] is False
    shown = finder.show("zh", "modelscope", "model", None, plan["plan"], ["config.json"])
    agree = shown[finder.shown.index(finder.agree)]
    assert agree["visible"] and "value" not in agree


@pytest.mark.parametrize("address", ["org/none", "", "no repository at all"])
def test_a_question_that_fails_leaves_no_list(
    finder: HubFinder, said: list[str], address: str
) -> None:
    """The list of org/one stayed, with a button that fetched it, under the name of org/none."""
    assert asked(finder, "org/one")["plan"] is not None
    parts = asked(finder, address)
    assert parts["plan"] is None and len(said) == 1 and parts["room"] == ""
    hidden = [parts[name]["visible"] for name in ("picks", "files", "agree", "start")]
    assert not any(hidden) and parts["files"]["choices"] == []


def test_another_name_takes_the_list_away(page: gr.Blocks, finder: HubFinder) -> None:
    """Typed over, chosen anew, or at another hub: the list was that of the name of before."""
    forgetting = [one for one in page.fns.values() if one.fn == finder._forget_other]
    targets = {target for one in forgetting for target in one.targets}
    assert {
        (finder.hub._id, "input"),
        (finder.kind._id, "input"),
        (finder.address._id, "change"),
    } <= targets
    listed = asked(finder, "org/one")["listed"]
    for other in (
        ("modelscope", "model", "org/two"),
        ("modelscope", "dataset", "org/one"),
        ("huggingface", "model", "org/one"),
    ):
        assert finder._forget_other("en", *other, listed)[0] is None


def test_the_list_of_what_is_named_stays(finder: HubFinder) -> None:
    """Pressed soon after a mark was set, the list came, and went again by the mark's own event,
    which a slow machine dealt with last."""
    listed = asked(finder, "org/one")["listed"]
    kept = finder._forget_other("en", "modelscope", "model", "org/one", listed)
    assert all(update == gr.skip() for update in kept)


def test_a_download_comes_from_where_it_was_listed(
    finder: HubFinder, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address changed in another window meanwhile, files were fetched from a hub that had
    never been asked for them, and the manifest said so."""
    begun: list[Request] = []
    monkeypatch.setattr(downloads, "_launch", lambda _, request: begun.append(request))
    plan = asked(finder, "org/one")["plan"]
    downloads.settings.change("modelscope", endpoint="https://b.example", token=None, keep=False)
    downloads.start(plan, ["config.json"])
    assert [request.endpoint for request in begun] == ["https://modelscope.cn"]


def test_an_answer_and_an_error_come_through_the_limit() -> None:
    assert within(lambda: 7, endpoint="hub", seconds=30) == 7
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 / 0, endpoint="hub", seconds=30)
