"""Adapters from elsewhere: checked by their headers, and offered on the base that they fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backend.chat.sources import sources
from backend.errors import LibraryError, WorkspaceError
from backend.library.adapters import import_adapter, list_adapters, remove_adapter
from backend.library.models import Model, list_models
from backend.workspace import Workspace
from tests.fakes.bad_adapters import bad_adapters
from tests.fakes.tiny_adapter import make_adapter
from tests.fakes.tiny_model import make_tiny_model


@pytest.fixture
def base(workspace: Workspace) -> Path:
    return make_tiny_model(workspace.models / "org" / "tiny", ["Why is it?"])


@pytest.fixture
def adapter(tmp_path: Path, base: Path) -> Path:
    return make_adapter(tmp_path / "away" / "my adapter", base, seed=1)


@pytest.fixture
def models(workspace: Workspace, base: Path) -> list[Model]:
    return list_models(workspace)


@pytest.mark.parametrize("link", [False, True])
def test_an_adapter_is_a_column_on_the_base_that_it_fits(
    workspace: Workspace, adapter: Path, models: list[Model], link: bool
) -> None:
    taken = import_adapter(workspace, adapter, models, link=link)
    assert (taken.name, taken.base) == ("my-adapter", "org/tiny")
    assert list_adapters(workspace) == [taken]
    source = {one.key: one for one in sources(workspace)}["adapter:my-adapter"]
    assert (source.kind, source.model, source.adapter) == ("imported", "org/tiny", taken.path)
    assert (taken.path == adapter) is link
    shutil.rmtree(adapter)
    assert (list_adapters(workspace) == []) is link
    if not link:
        remove_adapter(workspace, taken.name)
        assert list_adapters(workspace) == []


def test_a_link_is_forgotten_and_what_it_leads_to_stays(
    workspace: Workspace, adapter: Path, models: list[Model]
) -> None:
    taken = import_adapter(workspace, adapter, models, link=True)
    remove_adapter(workspace, taken.name)
    assert (adapter / "adapter_model.safetensors").is_file()
    with pytest.raises(LibraryError):
        remove_adapter(workspace, taken.name)
    with pytest.raises(WorkspaceError):
        remove_adapter(workspace, "../../evil")


def test_of_several_that_fit_the_one_that_it_names_is_taken(
    workspace: Workspace, adapter: Path, base: Path
) -> None:
    shutil.copytree(base, workspace.models / "org" / "another")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "/somewhere/else/Tiny"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    models = list_models(workspace)
    assert import_adapter(workspace, adapter, models).base == "org/tiny"
    chosen = import_adapter(workspace, adapter, models, name="b", base="org/another")
    assert chosen.base == "org/another"
    with pytest.raises(LibraryError, match="already"):
        import_adapter(workspace, adapter, models)


def test_checkpoints_of_two_runs_are_told_apart_by_what_is_above_them(
    workspace: Workspace, adapter: Path, models: list[Model], tmp_path: Path
) -> None:
    """All runs have a "checkpoint-20", and the page has no field for another name."""
    taken = []
    for number, run in enumerate(("one", "two", "deep/two")):
        folder = shutil.copytree(adapter, tmp_path / str(number) / run / "checkpoint-20")
        taken.append(import_adapter(workspace, folder, models).name)
    assert taken == ["checkpoint-20", "two-checkpoint-20", "two-checkpoint-20-2"]
    with pytest.raises(LibraryError, match="already"):
        import_adapter(workspace, folder, models)


def test_what_is_no_adapter_is_refused_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path, base: Path, models: list[Model]
) -> None:
    bad = bad_adapters(tmp_path / "bad", base)
    for kind, key in (
        ("missing", "source_missing"),
        ("no_weights", "no_adapter"),
        ("truncated", "adapter_damaged"),
        ("no_json", "adapter_damaged"),
        ("other_base", "adapter_no_base"),
        ("prompt_tuning", "adapter_kind"),
        ("half", "adapter_no_base"),
    ):
        with pytest.raises(LibraryError) as caught:
            import_adapter(workspace, bad[kind], models)
        assert caught.value.key == f"library.errors.{key}", kind
        assert caught.value.sentence("zh")
    for path, key in ((Path(), "source_empty"), (base / "config.json", "adapter_is_file")):
        with pytest.raises(LibraryError) as caught:
            import_adapter(workspace, path, models)
        assert caught.value.key == f"library.errors.{key}"
    assert list_adapters(workspace) == []
    assert [one.name for one in (workspace.root / "adapters").glob("[!.]*")] == []
