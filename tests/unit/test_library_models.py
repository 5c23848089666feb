"""Which folders are models, and what is wrong with those that are not whole."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from backend.errors import LibraryError
from backend.library import models
from backend.library.manifest import local_manifest, read_manifest, write_manifest
from backend.library.models import DEMO_ID, check_model_folder, find_model, list_models
from backend.library.weights import read_header
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model

TEXTS = ["Why is it? Because it is."]


def make_model(folder: Path) -> Path:
    return make_tiny_model(folder, TEXTS)


def make_shards(folder: Path, names: list[str]) -> Path:
    """A model whose weights are in several files."""
    make_model(folder)
    (folder / "model.safetensors").unlink()
    for name in names:
        save_file({name: np.zeros((3, 4), np.float32)}, folder / name)
    index = {"weight_map": {f"layer.{name}": name for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def problems(folder: Path, *, pickles: bool = False) -> list[str]:
    found = check_model_folder(folder, pickles_allowed=pickles)
    assert all(problem.sentence("zh") for problem in found)
    return [problem.sentence("en") for problem in found]


def in_workspace(workspace: Workspace) -> list[models.Model]:
    return [model for model in list_models(workspace) if not model.bundled]


def test_whole_model(workspace: Workspace) -> None:
    folder = make_model(workspace.models / "tiny")
    (model,) = in_workspace(workspace)
    assert (model.id, model.path, model.ready) == ("tiny", folder, True)
    assert model.architecture == "Qwen2ForCausalLM"
    assert model.template == "deepseekr1"
    assert model.size == sum(file.stat().st_size for file in folder.iterdir())
    assert model.parameters is not None and 100_000 < model.parameters < 400_000


def test_bundled_model_comes_first(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "DEMO_PATH", make_model(workspace.root / "demo"))
    make_model(workspace.models / "a")
    assert [model.id for model in list_models(workspace)] == [DEMO_ID, "a"]
    assert find_model(workspace, DEMO_ID).bundled
    monkeypatch.setattr(models, "DEMO_PATH", workspace.root / "none")
    assert [model.id for model in list_models(workspace)] == ["a"]


def test_names_and_organisations(workspace: Workspace) -> None:
    for place in ("b", "Org/two", "Org/one", ".importing-1/content/new"):
        make_model(workspace.models / place)
    (workspace.models / "empty").mkdir()
    (workspace.models / "file.txt").write_text("")
    assert [model.id for model in in_workspace(workspace)] == ["b", "empty", "Org/one", "Org/two"]
    assert not find_model(workspace, "empty").ready


def test_model_with_folders_inside_is_one_model(workspace: Workspace) -> None:
    folder = make_model(workspace.models / "tiny")
    make_model(folder / "original")
    assert [model.id for model in in_workspace(workspace)] == ["tiny"]


@pytest.mark.parametrize("model_id", ["none", "", "../models/tiny", "/etc", "tiny/", "a\0b"])
def test_unknown_model(workspace: Workspace, model_id: str) -> None:
    make_model(workspace.models / "tiny")
    with pytest.raises(LibraryError, match="no model"):
        find_model(workspace, model_id)


def test_link_out_of_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.models / "linked").symlink_to(make_model(tmp_path / "elsewhere"))
    (model,) = in_workspace(workspace)
    assert not model.ready
    assert "leads out of the workspace" in model.problems[0].sentence("en")


# --- What can be missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "The tokenizer is missing"),
        ("model.safetensors", "The weights are missing"),
    ],
)
def test_missing_file(tmp_path: Path, missing: str, sentence: str) -> None:
    folder = make_model(tmp_path / "tiny")
    (folder / missing).unlink()
    assert [sentence in problem for problem in problems(folder)] == [True]


@pytest.mark.parametrize("names", [["tokenizer.model"], ["vocab.json", "merges.txt"]])
def test_other_tokenizers(tmp_path: Path, names: list[str]) -> None:
    folder = make_model(tmp_path / "tiny")
    (folder / "tokenizer.json").unlink()
    for name in names:
        (folder / name).write_text("x")
    assert problems(folder) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', "{}"])
def test_damaged_config(tmp_path: Path, content: str) -> None:
    folder = make_model(tmp_path / "tiny")
    (folder / "config.json").write_text(content)
    assert problems(folder) == ["config.json is damaged. Fetch the model again."]


def test_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_text("")
    (sentence,) = problems(tmp_path)
    assert "LoRA adapter" in sentence


def test_pickle_only(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (sentence,) = problems(folder)
    assert "pickle files only" in sentence


def make_pickles(folder: Path, names: list[str]) -> Path:
    """A model whose weights are pickles, as ``torch.save`` writes them: zip archives."""
    make_model(folder)
    (folder / "model.safetensors").unlink()
    for name in names:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02.")
    if len(names) > 1:
        index = {"weight_map": {f"layer.{name}": name for name in names}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder


def test_single_pickle(tmp_path: Path) -> None:
    folder = make_pickles(tmp_path / "tiny", ["pytorch_model.bin"])
    assert problems(folder, pickles=True) == []
    assert "pickle files only" in problems(folder)[0]
    content = (folder / "pytorch_model.bin").read_bytes()
    for damaged in (b"", content[:50], b"<html>"):
        (folder / "pytorch_model.bin").write_bytes(damaged)
        (sentence,) = problems(folder, pickles=True)
        assert sentence.startswith("pytorch_model.bin is not whole")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02 as before torch 1.6")
    assert problems(folder, pickles=True) == []


def test_sharded_pickles(tmp_path: Path) -> None:
    names = [f"pytorch_model-{n:05}-of-00003.bin" for n in range(1, 4)]
    folder = make_pickles(tmp_path / "big", names)
    assert problems(folder, pickles=True) == []
    assert "pickle files only" in problems(folder)[0]
    (folder / names[1]).unlink()
    (sentence,) = problems(folder, pickles=True)
    assert sentence.startswith(f"1 of 3 weight files are missing: {names[1]}")
    index = folder / "pytorch_model.bin.index.json"
    index.write_text('{"weight_map": {"a": "../x.bin"}}')
    assert problems(folder, pickles=True) == [f"{index.name} is damaged. Fetch it again."]
    index.unlink()
    assert f"but {index.name} that names them is missing" in problems(folder, pickles=True)[0]


def test_safetensors_come_before_pickles(tmp_path: Path) -> None:
    """transformers loads them first, so a damaged one is not made good by a pickle."""
    folder = make_model(tmp_path / "tiny")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    assert problems(folder, pickles=True) == []
    (folder / "model.safetensors").write_bytes(b"x")
    (sentence,) = problems(folder, pickles=True)
    assert sentence.startswith("model.safetensors is not whole")


def test_manifest_allows_pickles_and_takes_no_room(workspace: Workspace) -> None:
    folder = make_pickles(workspace.models / "tiny", ["pytorch_model.bin"])
    before = find_model(workspace, "tiny")
    assert before.manifest is None and not before.ready
    write_manifest(folder, local_manifest(folder, "copy", pickles_allowed=True))
    after = find_model(workspace, "tiny")
    assert after.ready and after.manifest == read_manifest(folder)
    assert (after.size, after.parameters) == (before.size, None)


def test_folder_that_cannot_be_read(workspace: Workspace) -> None:
    """One bad disk behind a link emptied the whole page."""
    make_model(workspace.models / "good")
    make_model(workspace.models / "bad")
    real = models.check_model_folder

    def failing(path: Path, **options: bool) -> object:
        if path.name == "bad":
            raise OSError(5, "Input/output error")
        return real(path, **options)

    with patch.object(models, "check_model_folder", side_effect=failing):
        bad, good = in_workspace(workspace)
    assert good.ready
    assert "can't be read: Input/output error" in bad.problems[0].sentence("en")


def test_shards(tmp_path: Path) -> None:
    names = [f"model-{n:05}-of-00005.safetensors" for n in range(1, 6)]
    folder = make_shards(tmp_path / "big", names)
    assert problems(folder) == []
    for name in names[:4]:
        (folder / name).unlink()
    (sentence,) = problems(folder)
    assert sentence.startswith("4 of 5 weight files are missing: model-00001-of-00005.safetensors")
    assert "model-00004" not in sentence


def test_shards_without_index(tmp_path: Path) -> None:
    folder = make_shards(tmp_path / "big", ["model-00001-of-00002.safetensors"])
    (folder / "model.safetensors.index.json").unlink()
    (sentence,) = problems(folder)
    assert "model.safetensors.index.json that names them is missing" in sentence


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": {"a": "../x"}}',
        '{"weight_map": {"a": 1}}',
    ],
)
def test_damaged_index(tmp_path: Path, index: str) -> None:
    folder = make_shards(tmp_path / "big", ["model-00001-of-00001.safetensors"])
    (folder / "model.safetensors.index.json").write_text(index)
    assert problems(folder) == ["model.safetensors.index.json is damaged. Fetch it again."]


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_weights(tmp_path: Path, keep: int) -> None:
    """A download that stopped leaves a file of the right name."""
    folder = make_model(tmp_path / "tiny")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert problems(folder) == ["model.safetensors is not whole or is damaged. Fetch it again."]


def test_parameters_of_truncated_weights_are_unknown(workspace: Workspace) -> None:
    folder = make_model(workspace.models / "tiny")
    (folder / "model.safetensors").write_bytes(b"\xff" * 50)
    assert find_model(workspace, "tiny").parameters is None


HEADERS = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["shape", "data_offsets", "w", "__metadata__"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(header=HEADERS | st.binary(max_size=60), length=st.integers(0, 80) | st.none())
def test_no_content_breaks_the_header(
    tmp_path_factory: pytest.TempPathFactory, header: Any, length: int | None
) -> None:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    file.write_bytes((len(content) if length is None else length).to_bytes(8, "little") + content)
    found = read_header(file)
    assert found is None or found.file_size >= 8


def test_listing_reads_no_weights(workspace: Workspace) -> None:
    """Ten models of which each claims 40 GB are listed at once."""
    for number in range(10):
        folder = make_model(workspace.models / f"m{number}")
        with (folder / "model.safetensors").open("r+b") as file:
            file.truncate(40_000_000_000)  # a sparse file: takes no room
    assert all(model.size > 40_000_000_000 for model in in_workspace(workspace))
