"""What arrives: whole models and datasets, chosen files, what is here already; and its manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backend.errors import DownloadError
from backend.files import read_json
from backend.hub.jobs import JobState
from tests.fakes.hub import LISTING, Hub, Request
from tests.fakes.hub_jobs import (
    BOTH_HUBS,
    CHINESE,
    DATA_FILES,
    DATASET,
    MODEL,
    MODEL_FILES,
    WEIGHTS,
    Desk,
    digest,
    files_in,
    noise,
    partials,
    without_hash,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def check_manifest(desk: Desk, folder: Path, *, id: str, licence: str, commit: str) -> None:
    """Every entry is what lies on the disk, read by ``hashlib`` and ``stat`` alone."""
    manifest = read_json(folder / ".medtune.json")
    assert manifest["source"] == {
        "hub": desk.name,
        "id": id,
        "revision": "master" if desk.name == "modelscope" else "main",
        "commit": commit,
        "licence": licence,
        "endpoint": desk.hub.url,
    }
    there = files_in(folder)
    assert {entry["path"] for entry in manifest["files"]} == set(there)
    for entry in manifest["files"]:
        content = there[entry["path"]]
        assert entry["size"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["modified_ns"] == (folder / entry["path"]).stat().st_mtime_ns


def commit_of(desk: Desk, repo_commit: str | None) -> str:
    """ModelScope's client goes by the branch, as the hub names no commit for all files."""
    assert repo_commit is not None
    return "master" if desk.name == "modelscope" else repo_commit


@BOTH_HUBS
def test_a_whole_model_arrives_by_way_of_a_cdn(desk: Desk) -> None:
    token = "secret-token-0123"
    repo = desk.hub.add(
        id=MODEL, files=MODEL_FILES, licence="mit", private_token=token, redirect=True
    )
    desk.settings.change(desk.name, endpoint=desk.hub.url, token=token, keep=False)
    paths = [path for path in MODEL_FILES if not path.endswith(".bin")]
    done = desk.done(desk.start(paths=paths))
    folder = desk.target()
    assert files_in(folder) == {path: MODEL_FILES[path] for path in paths}
    check_manifest(
        desk, folder, id=MODEL, licence="mit", commit=commit_of(desk, repo.commit("master"))
    )
    assert desk.manifest()["pickles_allowed"] is False
    assert not partials(done) and desk.cards(done)[0].count('data-state="done"') == 1 + len(paths)
    fetched = [one for one in desk.hub.requests if one.file in paths]
    assert {one.file for one in fetched if one.server == "cdn"} == set(paths)
    for one in fetched:
        sent = f"{one.authorization} {one.cookie}"
        assert (token in sent) is (one.server == "hub"), "the CDN is another site"


@BOTH_HUBS
def test_a_whole_dataset_arrives(desk: Desk) -> None:
    repo = desk.hub.add(kind="dataset", id=DATASET, files=DATA_FILES, licence="apache-2.0")
    done = desk.done(desk.start(DATASET, "dataset"))
    folder = desk.workspace.raw_datasets / DATASET
    assert files_in(folder) == dict(DATA_FILES)
    commit = commit_of(desk, repo.commit("master"))
    check_manifest(desk, folder, id=DATASET, licence="apache-2.0", commit=commit)
    if desk.name == "huggingface":  # it tells the SHA-256 of large files only
        files = desk.manifest(DATASET, "dataset")["files"]
        assert {entry["checked"] for entry in files} == {"git"}
        desk.says(done, "hub.jobs.verified_mixed", hashed=0, git=4, sized=0, unchecked=0)
    else:
        desk.says(done, "hub.jobs.verified", count=4)
        versions = {entry["revision"] for entry in desk.manifest(DATASET, "dataset")["files"]}
        assert versions == {repo.commit("master")}, "of each file; of the whole it tells none"


def test_a_file_without_a_hash_is_compared_by_size_and_says_so(desk: Desk) -> None:
    repo = desk.hub.add(id=MODEL, files={"config.json": b"{}", WEIGHTS: noise(2000)})
    without_hash(repo, "config.json")
    done = desk.done(desk.start())
    checked = {entry["path"]: entry["checked"] for entry in desk.manifest()["files"]}
    assert checked == {"config.json": "size", WEIGHTS: "sha256"}
    desk.says(done, "hub.jobs.verified_mixed", hashed=1, git=0, sized=1, unchecked=0)
    check_manifest(
        desk,
        desk.target(),
        id=MODEL,
        licence="apache-2.0",
        commit=commit_of(desk, repo.commit("master")),
    )


def test_only_the_chinese_file_of_a_dataset(desk: Desk) -> None:
    desk.hub.add(kind="dataset", id=DATASET, files=DATA_FILES)
    desk.done(desk.start(DATASET, "dataset", paths=[CHINESE]))
    folder = desk.target(DATASET, "dataset")
    assert files_in(folder) == {CHINESE: DATA_FILES[CHINESE]}
    assert {request.file for request in desk.hub.requests} & set(DATA_FILES) == {CHINESE}


def test_more_of_a_dataset_later_joins_what_is_there(desk: Desk) -> None:
    desk.hub.add(kind="dataset", id=DATASET, files=DATA_FILES)
    desk.done(desk.start(DATASET, "dataset", paths=[CHINESE]))
    first = desk.manifest(DATASET, "dataset")
    rest = [path for path in DATA_FILES if path != CHINESE]
    desk.done(desk.start(DATASET, "dataset", paths=rest))
    assert files_in(desk.target(DATASET, "dataset")) == dict(DATA_FILES)
    second = desk.manifest(DATASET, "dataset")
    assert [entry["path"] for entry in second["files"]] == sorted(DATA_FILES)
    assert first["files"][0] in second["files"]
    assert len(desk.hub.asked(DATASET, CHINESE)) == 1
    assert len(desk.downloads.jobs()) == 1, "a repository has one place in the list"


def test_the_second_form_of_the_weights_is_left_out_unless_it_is_chosen(desk: Desk) -> None:
    desk.hub.add(id=MODEL, files=MODEL_FILES)
    plan = desk.plan()
    assert set(MODEL_FILES) - set(plan.advised) == {".gitattributes", "pytorch_model.bin"}
    assert not plan.pickles_only
    with pytest.raises(DownloadError) as refused:
        desk.downloads.start(plan, [*plan.advised, "pytorch_model.bin"])
    assert refused.value.key == "hub.errors.pickle"
    assert "pytorch_model.bin" in refused.value.sentence("zh")
    assert desk.downloads.jobs() == [] and not desk.target().exists()


def test_a_pickle_comes_once_it_is_agreed_to(desk: Desk) -> None:
    files = {"config.json": b"{}", "pytorch_model.bin": noise(5000)}
    desk.hub.add(id=MODEL, files=files)
    plan = desk.plan()
    assert plan.pickles_only and plan.advised == ["config.json"]
    job = desk.downloads.start(plan, list(files), allow_pickle=True)
    desk.done(job)
    assert files_in(desk.target()) == files
    assert desk.manifest()["pickles_allowed"] is True


def test_what_is_here_already_is_not_asked_for_again(desk: Desk) -> None:
    """One file is here by another way, one in another version, one not at all."""
    here = noise(40_000, 5)
    files = {"a.safetensors": here, "b.safetensors": noise(30_000, 6), "config.json": b"{}"}
    desk.hub.add(id=MODEL, files=files)
    folder = desk.target()
    folder.mkdir(parents=True)
    (folder / "a.safetensors").write_bytes(here)
    (folder / "b.safetensors").write_bytes(noise(30_000, 99))
    (folder / "mine.txt").write_bytes(b"put here by hand")
    plan = desk.plan()
    assert {one.file.path: one.presence for one in plan.files} == {
        "a.safetensors": "present",
        "b.safetensors": "differs",
        "config.json": "absent",
    }
    assert plan.needed(plan.advised) == 30_002
    desk.done(desk.downloads.start(plan, plan.advised))
    assert files_in(folder) == {**files, "mine.txt": b"put here by hand"}
    assert desk.hub.asked(MODEL, "a.safetensors") == []
    entries = {entry["path"]: entry for entry in desk.manifest()["files"]}
    assert entries["a.safetensors"]["sha256"] == digest(here)
    assert "mine.txt" not in entries, "nobody knows where it is from"


def test_a_model_that_is_here_is_looked_at_and_nothing_moves(desk: Desk) -> None:
    desk.serve(noise(9000))
    desk.done(desk.start())
    before = desk.manifest()
    asked = len(desk.hub.asked(MODEL, WEIGHTS))
    again = desk.done(desk.start())
    assert again.state is JobState.DONE and len(desk.hub.asked(MODEL, WEIGHTS)) == asked
    assert desk.manifest()["files"] == before["files"]


def test_empty_files_and_long_names_arrive(desk: Desk) -> None:
    files = {"empty.txt": b"", f"{'长' * 50}/{'n' * 150}.json": b"{}", "a b.json": b"1"}
    desk.hub.add(id=MODEL, files=files)
    desk.done(desk.start())
    assert files_in(desk.target()) == files


def test_a_dataset_of_many_files_is_listed_whole(desk: Desk) -> None:
    """The hub hands a dataset's list out by pages."""
    files = {f"part/{number:03}.json": b"%d" % number for number in range(450)}
    desk.hub.add(kind="dataset", id=DATASET, files=files)
    plan = desk.plan(DATASET, "dataset")
    assert [one.file.path for one in plan.files] == sorted(files)
    assert len(desk.hub.asked(DATASET, LISTING)) > 1


@BOTH_HUBS
def test_a_revision_is_fetched_by_its_name(desk: Desk) -> None:
    repo = desk.serve(noise(2000), revisions=["master", "v1.0"])
    plan = desk.plan(revision="v1.0")
    desk.done(desk.downloads.start(plan, plan.advised))
    source = desk.manifest()["source"]
    assert source["revision"] == "v1.0"
    assert source["commit"] == ("v1.0" if desk.name == "modelscope" else repo.commit("v1.0"))
    (asked,) = desk.hub.asked(MODEL, WEIGHTS)
    assert str(source["commit"]) in urlsplit(asked.target).path + urlsplit(asked.target).query


def test_the_hub_is_asked_for_nothing_before_the_start(desk: Desk) -> None:
    desk.serve(noise(2000))
    desk.plan()
    assert {request.file for request in _of_files(desk.hub)} == set()


def _of_files(hub: Hub) -> list[Request]:
    return [request for request in hub.requests if not request.file.startswith("<")]
