"""A hub that gives something else than it lists, or refuses: nothing of it reaches the library."""

from __future__ import annotations

import pytest

from backend.errors import DownloadError
from backend.hub import asking
from backend.hub.jobs import Job
from backend.text import LANGUAGES
from tests.fakes.hub import ANY_FILE, INFO, LISTING, REVISIONS
from tests.fakes.hub_jobs import (
    BOTH_HUBS,
    DATASET,
    MODEL,
    WEIGHTS,
    Desk,
    files_in,
    noise,
    partials,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SIZE = 300_000
CONTENT = noise(SIZE)


def refused(desk: Desk, key: str, **asked: str) -> DownloadError:
    """What is said when the files are listed; nothing has begun then."""
    with pytest.raises(DownloadError) as caught:
        desk.plan(**asked)  # type: ignore[arg-type]
    assert caught.value.key == key, caught.value
    assert all(caught.value.sentence(language).strip() for language in LANGUAGES)
    assert desk.downloads.jobs() == [] and not any(desk.workspace.models.rglob("*"))
    return caught.value


def nothing_of_it(desk: Desk, failed: Job) -> bool:
    """Nothing was delivered, and of the weights nothing is kept; the small file may have come."""
    kept = [path for path, size in partials(failed).items() if size and WEIGHTS in path]
    return not kept and not any(desk.workspace.models.rglob("*"))


# What a file holds ------------------------------------------------------------------------------


@BOTH_HUBS
def test_wrong_content_once_and_then_the_right_one(desk: Desk) -> None:
    """One server of many behind a name has an old copy."""
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, other_bytes=True, times=1)
    desk.done(desk.start())
    assert files_in(desk.target())[WEIGHTS] == CONTENT
    assert len(desk.hub.asked(MODEL, WEIGHTS)) == 2


@BOTH_HUBS
def test_wrong_content_for_ever(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, other_bytes=True)
    failed = desk.failed(desk.start(), "hub.errors.hash_differs")
    assert len(desk.hub.asked(MODEL, WEIGHTS)) == 3, "as the sentence says"
    assert nothing_of_it(desk, failed)
    assert failed.received == 2, "what was thrown away is not shown as received"
    desk.hub.mend()
    desk.downloads.resume(failed.id)
    desk.done(failed)


@BOTH_HUBS
def test_a_partial_file_with_wrong_bytes_in_it(desk: Desk) -> None:
    """Its beginning came from a bad copy before the break: only the hash of the whole tells."""
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, other_bytes=True, drop_after=200_000, times=1)
    desk.done(desk.start())
    assert files_in(desk.target())[WEIGHTS] == CONTENT
    assert [one.start for one in desk.hub.asked(MODEL, WEIGHTS)] == [None, 200_000, None]


def test_an_object_cut_short_at_the_hub(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, truncate_to=1000)
    failed = desk.failed(desk.start(), "hub.errors.size_differs")
    assert nothing_of_it(desk, failed)


def test_a_web_page_in_place_of_a_file(desk: Desk) -> None:
    """A portal that wants a log-in answers 200 to everything."""
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, ANY_FILE, html=True)
    failed = desk.failed(desk.start(), "hub.errors.size_differs")
    assert nothing_of_it(desk, failed)


# What a hub refuses -----------------------------------------------------------------------------


@BOTH_HUBS
def test_a_file_that_the_hub_refuses(desk: Desk) -> None:
    """Asking again would not help; four downloads at once, each refused in another way."""
    keys = {401: "token_needed", 403: "forbidden", 404: "file_missing", 451: "refused"}
    started = {}
    for status in keys:
        desk.serve(CONTENT, id=f"org/refuses-{status}")
        headers = {"X-Error-Code": "EntryNotFound"} if status == 404 else {}
        desk.hub.fault(f"org/refuses-{status}", WEIGHTS, status=status, headers=headers)
        started[status] = desk.start(f"org/refuses-{status}")
    for status, key in keys.items():
        failed = desk.failed(started[status], f"hub.errors.{key}")
        assert len(desk.hub.asked(f"org/refuses-{status}", WEIGHTS)) == 1
        assert nothing_of_it(desk, failed)


@BOTH_HUBS
def test_a_repository_that_is_not_there(desk: Desk) -> None:
    key = "not_found" if desk.name == "modelscope" else "token_needed"
    assert "org/none" in str(refused(desk, f"hub.errors.{key}", id="org/none"))
    desk.settings.change(desk.name, endpoint=desk.hub.url, token="some-token", keep=False)
    refused(desk, "hub.errors.not_found", id="org/none")


@BOTH_HUBS
def test_a_private_repository(desk: Desk) -> None:
    desk.serve(CONTENT, private_token="the-right-one")
    refused(desk, "hub.errors.token_needed")
    desk.settings.change(desk.name, endpoint=desk.hub.url, token="a-wrong-one", keep=False)
    refused(desk, "hub.errors.forbidden")
    desk.settings.change(desk.name, endpoint=desk.hub.url, token="the-right-one", keep=False)
    desk.done(desk.start())


@pytest.mark.parametrize("desk", ["huggingface"], indirect=True)
def test_a_gated_repository(desk: Desk) -> None:
    desk.serve(CONTENT, private_token="the-right-one", gated=True)
    failed = desk.failed(desk.start(), "hub.errors.gated")
    assert nothing_of_it(desk, failed)


def test_a_dataset_is_no_model(desk: Desk) -> None:
    desk.hub.add(kind="dataset", id=DATASET, files={"a.json": b"[]"})
    refused(desk, "hub.errors.not_found", id=DATASET)


# What a hub lists -------------------------------------------------------------------------------


@BOTH_HUBS
@pytest.mark.parametrize("path", ["../../evil.txt", "/tmp/medtune-evil.txt", "..\\evil.txt", "C:e"])
def test_a_name_that_leads_out_of_its_folder(desk: Desk, path: str) -> None:
    desk.hub.add(id=MODEL, files={"config.json": b"{}", path: b"evil"})
    before = sorted(desk.workspace.root.parent.rglob("*"))
    assert path in str(refused(desk, "hub.errors.name_unsafe"))
    after = sorted(desk.workspace.root.parent.rglob("*"))
    caches = desk.workspace.cache
    assert [one for one in after if not one.is_relative_to(caches)] == before
    assert desk.hub.asked(MODEL, path) == []


@BOTH_HUBS
def test_an_empty_listing(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, LISTING, empty=True)
    refused(desk, "hub.errors.nothing_listed")


def test_a_listing_that_leaves_files_out(desk: Desk) -> None:
    """ModelScope tells 3,000 files of a model's folder, and its client says so in a log only."""
    desk.hub.add(id=MODEL, files={f"{number:04}.json": b"" for number in range(3001)})
    refused(desk, "hub.errors.listing_cut")
    halves = {f"{number % 2}/{number:04}.json": b"" for number in range(3001)}
    desk.hub.add(id=MODEL, files=halves)
    assert [one.file.path for one in desk.plan().files] == sorted(halves)


@BOTH_HUBS
def test_an_unknown_revision(desk: Desk) -> None:
    """ModelScope's client brings an empty folder then, and calls it success."""
    desk.serve(CONTENT, revisions=["master", "v1.0"])
    if desk.name == "modelscope":
        error = refused(desk, "hub.errors.revision_missing", revision="main")
        assert "master, v1.0" in error.sentence("en") and "master, v1.0" in error.sentence("zh")
    else:
        refused(desk, "hub.errors.revision_unknown", revision="v2.0")
    # A commit is in no list of revisions; one that is unknown lists nothing.
    key = "nothing_listed" if desk.name == "modelscope" else "revision_unknown"
    refused(desk, f"hub.errors.{key}", revision="0123456789" * 4)


@BOTH_HUBS
def test_a_web_page_in_place_of_the_listing(desk: Desk) -> None:
    desk.serve(CONTENT)
    for what in (LISTING, REVISIONS, INFO) if desk.name == "modelscope" else (LISTING,):
        fault = desk.hub.fault(MODEL, what, html=True)
        refused(desk, "hub.errors.no_json")
        fault.end()
    desk.plan()


@BOTH_HUBS
@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b'{"Data": 7}', b'{"Code": 500}', b'"x"'])
def test_a_listing_that_no_hub_gives(desk: Desk, body: bytes) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, LISTING, body=body)
    with pytest.raises(DownloadError) as caught:
        desk.plan()
    keys = ("no_json", "odd_answer", "nothing_listed")
    assert caught.value.key.removeprefix("hub.errors.") in keys


@BOTH_HUBS
@pytest.mark.parametrize("status, key", [(500, "server_failed"), (429, "rate_limited")])
def test_a_hub_that_can_not_list(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, status: int, key: str
) -> None:
    """An hour's Retry-After is told, not waited for: a person looks at the page."""
    monkeypatch.setattr(
        "modelscope_hub._legacy_api.REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS", 0
    )  # up to eight seconds, three times
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, LISTING, status=status, retry_after=3600 if status == 429 else 0)
    refused(desk, f"hub.errors.{key}")


@BOTH_HUBS
def test_an_odd_name_is_left_out_and_told(desk: Desk) -> None:
    """A colon in the name of a note, and forty files could not be fetched."""
    desk.hub.add(id=MODEL, files={"config.json": b"{}", "notes: draft.md": b"x", "end ": b"x"})
    assert set(desk.plan().listing.left_out) == {"notes: draft.md", "end "}
    desk.done(desk.start())
    assert files_in(desk.target()) == {"config.json": b"{}"}


@BOTH_HUBS
def test_no_hub_at_the_address(desk: Desk) -> None:
    desk.settings.change(desk.name, endpoint="http://127.0.0.1:9", token=None, keep=False)
    assert "127.0.0.1:9" in str(refused(desk, "hub.errors.unreachable"))


@BOTH_HUBS
@pytest.mark.parametrize("fault", [{"stall_after": 0}, {"delay": 600}, {"rate": 20}])
def test_a_hub_that_stalls_while_it_lists(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: dict[str, float]
) -> None:
    """Hugging Face was asked without a time limit, and ModelScope three times a minute for each of
    three questions: one mirror that took connections and said nothing kept "Show files" busy for
    every window, for ever. A byte now and then is no answer either."""
    monkeypatch.setattr(asking, "SECONDS", 0.5)
    desk.serve(CONTENT)
    for what in (LISTING, REVISIONS, INFO) if desk.name == "modelscope" else (LISTING,):
        trouble = desk.hub.fault(MODEL, what, **fault)
        error = refused(desk, "hub.errors.timed_out")
        assert desk.hub.url in str(error) and trouble.hits
        trouble.end()
    monkeypatch.undo()
    desk.plan()
