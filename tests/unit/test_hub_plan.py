"""What would be fetched, what is here already, and whether there is room: before a byte moves."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from backend.errors import DownloadError, MedTuneError, WorkspaceError
from backend.hub.jobs import PROCESS, PROGRESS
from backend.hub.plan import Plan, plan_of, presence_of, target_of
from backend.hub.repository import Kind, Listing, RemoteFile, Repository
from backend.hub.room import SPARE, Room, room_of
from backend.library.manifest import Manifest, ManifestFile, read_manifest, write_manifest
from backend.library.verify import Verification, Verifier
from backend.workspace import Workspace
from tests.fakes.hub_folders import put, request, this_process
from ui.components.hub_facts import file_label, plan_facts, room_facts


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listing(paths: Iterable[str], kind: Kind = "model") -> Listing:
    files = tuple(RemoteFile(path, 1000, None) for path in paths)
    return Listing(Repository("modelscope", kind, "org/name", "master"), "master", "", files)


def planned(workspace: Workspace, asked: Listing) -> Plan:
    return plan_of(workspace, asked, endpoint="https://hub.example")


def plan(workspace: Workspace, *paths: str, kind: str = "model") -> Plan:
    return planned(workspace, listing(paths, cast(Kind, kind)))


# Advice -----------------------------------------------------------------------------------------


def test_of_a_model_what_loads_here_is_advised_once(workspace: Workspace) -> None:
    needed = {
        "config.json",
        "generation_config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "merges.txt",
        "modeling_custom.py",
        "LICENSE",
        "README.md",
    }
    others = {
        ".gitattributes",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "training_args.bin",
        "optimizer.pt",
        "consolidated.00.pth",
        "consolidated.safetensors",
        "model.Q4_K_M.gguf",
        "tf_model.h5",
        "flax_model.msgpack",
        "onnx/model.onnx",
        "onnx/config.json",
        "original/params.json",
        "figures/benchmark.PNG",
        "paper.pdf",
        ".cache/leftover.json",
    }
    made = plan(workspace, *needed, *others)
    assert set(made.advised) == needed and not made.pickles_only
    assert {one.file.path for one in made.files if one.pickle} == {
        "pytorch_model-00001-of-00002.bin",
        "training_args.bin",
        "optimizer.pt",
        "consolidated.00.pth",
    }


def test_a_model_of_pickles_only_says_so_and_advises_none_of_them(workspace: Workspace) -> None:
    made = plan(workspace, "config.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
    assert made.pickles_only
    assert made.advised == ["config.json", "pytorch_model.bin.index.json"]


def test_of_a_dataset_all_data_is_advised(workspace: Workspace) -> None:
    data = ("a.json", "b.jsonl", "train/c.parquet", "d.bin", "e.csv", "dataset_infos.json")
    made = plan(workspace, *data, ".gitattributes", "figure.png", kind="dataset")
    assert set(made.advised) == set(data)
    assert not any(one.pickle for one in made.files), "nothing of a dataset is loaded as weights"
    assert not made.pickles_only


def test_nothing_listed_advises_nothing(workspace: Workspace) -> None:
    made = plan(workspace)
    assert (made.advised, made.needed([]), made.pickles_only) == ([], 0, False)


# Presence ---------------------------------------------------------------------------------------


def test_a_file_is_here_if_its_content_is(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"right")
    right = RemoteFile("inner/a", 5, digest(b"right"))
    assert presence_of(tmp_path, right) == "present"
    assert presence_of(tmp_path, replace(right, sha256=digest(b"other"))) == "differs"
    assert presence_of(tmp_path, replace(right, size=6)) == "differs"
    assert presence_of(tmp_path, replace(right, size=None)) == "present"
    assert presence_of(tmp_path, replace(right, sha256=None)) == "present", "by its size"
    assert presence_of(tmp_path, replace(right, size=None, sha256=None)) == "differs"
    assert presence_of(tmp_path, replace(right, path="inner/b")) == "absent"
    assert presence_of(tmp_path, replace(right, path="inner/a/b")) == "absent"
    assert presence_of(tmp_path, replace(right, path="inner")) == "differs", "a folder is no file"
    assert presence_of(tmp_path / "none", right) == "absent"


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    """Its hash is in the manifest, with the time of its change; the content here is a lie."""
    path = tmp_path / "a"
    path.write_bytes(b"right")
    entry = ManifestFile("a", 5, digest(b"right"), "sha256", path.stat().st_mtime_ns)
    source = Manifest({"path": "/x", "way": "copy"}, "2026-01-01", False, (entry,))
    write_manifest(tmp_path, source)
    path.write_bytes(b"wrong")
    os.utime(path, ns=(entry.modified_ns, entry.modified_ns))
    right = RemoteFile("a", 5, digest(b"right"))
    assert presence_of(tmp_path, right) == "present"
    os.utime(path, ns=(entry.modified_ns + 1, entry.modified_ns + 1))
    assert presence_of(tmp_path, right) == "differs"


def test_the_same_size_is_not_the_same_file(tmp_path: Path) -> None:
    """Hugging Face gives no SHA-256 for small files, but git's name of the content, which was not
    looked at: a config.json with one digit changed was "already here", and stayed."""
    (tmp_path / "config.json").write_bytes(b'{"layers": 28}')
    right = RemoteFile("config.json", 14, None, git_name(b'{"layers": 28}'))
    assert presence_of(tmp_path, right) == "present"
    (tmp_path / "config.json").write_bytes(b'{"layers": 24}')
    assert presence_of(tmp_path, right) == "differs"


def test_what_was_found_damaged_is_fetched_again(workspace: Workspace) -> None:
    """A failing disk changed bytes and no date. "Verify" said so and to fetch it again; the plan
    believed the manifest, said "already here", and fetched nothing."""
    content = {"config.json": b"{}", "model.safetensors": b"right"}
    place = workspace.models / "org" / "name"
    place.mkdir(parents=True)
    for name, said in content.items():
        (place / name).write_bytes(said)
    entries = tuple(
        ManifestFile(name, len(said), digest(said), "sha256", (place / name).stat().st_mtime_ns)
        for name, said in content.items()
    )
    write_manifest(place, Manifest({"path": "/x", "way": "copy"}, "2026-01-01", False, entries))
    files = tuple(RemoteFile(one.path, one.size, one.sha256) for one in entries)
    asked = replace(listing([]), files=files)
    everything = [file.path for file in files]
    decay(place / "model.safetensors", b"wrong")
    assert planned(workspace, asked).to_fetch(everything) == [], "nobody has read it yet"

    assert len(verified(workspace).result) == 1
    (missing,) = planned(workspace, asked).to_fetch(everything)
    assert missing.path == "model.safetensors"
    decay(place / "model.safetensors", b"right")
    assert planned(workspace, asked).to_fetch(everything) == []
    assert verified(workspace).result == ()
    manifest = read_manifest(place)
    assert manifest is not None and not any(file.damaged for file in manifest.files)


def verified(workspace: Workspace) -> Verification:
    check = Verifier(workspace).start("model", "org/name")
    assert check.wait(30) and check.state == "done"
    return check


def decay(path: Path, content: bytes) -> None:
    """Other bytes with the same date."""
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before, before))


def git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def test_what_is_here_needs_no_room(workspace: Workspace) -> None:
    asked = listing(["a.json", "b.json", "c.json"])
    place = target_of(workspace, asked.repository)
    place.mkdir(parents=True)
    (place / "a.json").write_bytes(b"x" * 1000)
    made = planned(workspace, asked)
    everything = [file.path for file in asked.files]
    assert [file.path for file in made.to_fetch(everything)] == ["b.json", "c.json"]
    assert made.needed(everything) == 2000 and made.needed(["a.json"]) == 0
    assert made.needed(everything, partial=500) == 1500
    assert made.needed(everything, partial=9999) == 0


def test_rows_that_come_twice_are_not_advised_twice(workspace: Workspace) -> None:
    """All four files of medical-o1 were ticked, 247 MB: two hold the rows of the others again, with
    general instructions among them, and training on all of them teaches the same rows twice."""
    id = "FreedomIntelligence/medical-o1-reasoning-SFT"
    plain = ["medical_o1_sft.json", "medical_o1_sft_Chinese.json"]
    mixes = ["medical_o1_sft_mix.json", "medical_o1_sft_mix_Chinese.json"]
    asked = listing([*plain, *mixes, "README.md"], "dataset")
    asked = replace(asked, repository=replace(asked.repository, id=id))
    made = planned(workspace, asked)
    assert set(made.advised) == {*plain, "README.md"}
    (mix,) = [one for one in made.files if one.file.path == mixes[0]]
    assert "same rows again" in file_label(mix, "en") and "重复" in file_label(mix, "zh")
    alone = replace(asked, files=tuple(one for one in asked.files if one.path in mixes))
    assert planned(workspace, alone).advised == mixes, "there is nothing that they repeat"


def test_what_is_left_out_is_named(workspace: Workspace) -> None:
    asked = replace(listing(["a.json"]), left_out=("notes: <draft>.md", *"bcdefg"))
    made = planned(workspace, asked)
    for language in ("en", "zh"):
        shown = str(plan_facts(made, language))
        assert "notes: &lt;draft&gt;.md" in shown and "7" in shown and "…" in shown


# Room -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("needed, free, fits", [(0, SPARE, True), (1, SPARE, False)])
def test_some_room_stays_free(needed: int, free: int, fits: bool) -> None:
    if fits:
        return Room(free).check(needed)
    with pytest.raises(DownloadError) as full:
        Room(free).check(needed)
    assert full.value.key == "hub.errors.disk_full"
    assert full.value.params == {"needed": "1 B", "free": "64.0 MB", "missing": "1 B"}


def test_a_plan_knows_the_room_of_its_disk(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_on_disk(monkeypatch, SPARE + 500)
    made = plan(workspace, "a.json")
    assert made.room == Room(SPARE + 500)
    for language, words in (("en", "500 B more must be free"), ("zh", "还需腾出 500 B")):
        shown = str(room_facts(made, ["a.json"], language))
        assert all(figure in shown for figure in (words, "1.0 kB", "64.0 MB"))
        assert words not in str(room_facts(made, [], language))


def test_downloads_under_way_have_their_room(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three models of 15 GB were begun on a disk with 20 GB free: each had been compared with all
    of it, and hours later all three failed on a full disk."""
    other = request(workspace, id="org/other")
    folder = workspace.downloads / other.id
    entry = {"received": 30, "state": "fetching"}
    put(folder, PROGRESS, {"speed": 5.0, "files": {"a/b.json": entry}})
    free_on_disk(monkeypatch, SPARE + 1060)
    assert plan(workspace, "a.json").room.reserved == 0, "nobody works at it"
    put(folder, PROCESS, this_process())
    made = plan(workspace, "a.json")
    assert made.room == Room(SPARE + 1060, reserved=70)
    with pytest.raises(DownloadError) as full:
        made.room.check(made.needed(["a.json"]))
    for language in ("en", "zh"):
        assert all(size in full.value.sentence(language) for size in ("1.0 kB", "70 B", "10 B"))
        assert "70 B" in str(room_facts(made, ["a.json"], language))
    assert room_of(workspace, besides=other.id).reserved == 0, "its own is not in its way"


def free_on_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    real = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=free))


# Places -----------------------------------------------------------------------------------------


def test_a_repository_has_its_folder(workspace: Workspace) -> None:
    model = Repository("modelscope", "model", "Qwen/Qwen3-0.6B")
    assert target_of(workspace, model) == workspace.models / "Qwen" / "Qwen3-0.6B"
    dataset = replace(model, kind="dataset")
    assert target_of(workspace, dataset) == workspace.raw_datasets / "Qwen" / "Qwen3-0.6B"


@pytest.mark.parametrize("id", ["../x", "x/..", "a/b/c", "/etc/x", "nul/x", "x", "x/", "x/.hidden"])
def test_an_id_that_names_no_folder(workspace: Workspace, id: str) -> None:
    with pytest.raises(WorkspaceError) as refused:
        target_of(workspace, Repository("modelscope", "model", id))
    assert isinstance(refused.value, MedTuneError)


def test_a_link_out_of_the_workspace_is_not_written_through(
    workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.models / "org").symlink_to(tmp_path)
    with pytest.raises(WorkspaceError):
        target_of(workspace, Repository("modelscope", "model", "org/name"))
