"""The raw data files: the samples and those in the workspace."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from backend.errors import LibraryError
from backend.library.datasets import (
    RawDataset,
    find_raw_dataset,
    list_raw_datasets,
    ready_raw_dataset,
    said_of_unusable,
)
from backend.workspace import Workspace


def in_workspace(workspace: Workspace) -> list[RawDataset]:
    return [dataset for dataset in list_raw_datasets(workspace) if not dataset.bundled]


def put(workspace: Workspace, *places: str, content: str = "[]") -> None:
    for place in places:
        path = workspace.raw_datasets / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_samples_come_first(workspace: Workspace) -> None:
    put(workspace, "a.json")
    ids = [dataset.id for dataset in list_raw_datasets(workspace)]
    assert ids == ["sample/medical_en", "sample/medical_zh", "a.json"]
    sample = find_raw_dataset(workspace, "sample/medical_zh")
    assert sample.bundled and sample.size > 1000 and not sample.problems


def test_files_in_folders_of_any_depth(workspace: Workspace) -> None:
    put(workspace, "b.JSONL", "org/name/train.json", "org/name/data/test.jsonl")
    found = {dataset.id: dataset for dataset in in_workspace(workspace)}
    assert set(found) == {"b.JSONL", "org/name/train.json", "org/name/data/test.jsonl"}
    assert found["org/name/train.json"].path == workspace.raw_datasets / "org/name/train.json"


def test_tables_parquet_and_packed_files(workspace: Workspace) -> None:
    names = {"a.CSV", "b.tsv", "c.parquet", "d.ndjson", "e.json.gz", "f.Csv.Gz", "g.parquet.gz"}
    put(workspace, *names)
    assert {dataset.id for dataset in in_workspace(workspace)} == names


def test_what_is_no_data_file(workspace: Workspace) -> None:
    put(workspace, "README.md", "x.txt", "x.tar.gz", ".hidden.json", ".importing-1/content/a.json")
    put(workspace, "hub/dataset_infos.json", "hub/configuration.json", "hub/.medtune.json")
    (workspace.raw_datasets / "folder.json").mkdir()
    assert in_workspace(workspace) == []


def test_empty_file_is_listed_with_its_problem(workspace: Workspace) -> None:
    put(workspace, "a.json", content="")
    (dataset,) = in_workspace(workspace)
    assert [problem.sentence("en") for problem in dataset.problems] == [
        "The file is empty. Copy or download it again."
    ]


def test_link_out_of_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("[]")
    (workspace.raw_datasets / "a.json").symlink_to(tmp_path / "secret.json")
    (workspace.raw_datasets / "broken.json").symlink_to(tmp_path / "none.json")
    (dataset,) = in_workspace(workspace)
    assert "leads out of the workspace" in dataset.problems[0].sentence("en")
    with pytest.raises(LibraryError, match="leads out of the workspace"):
        ready_raw_dataset(workspace, dataset.id)
    assert ready_raw_dataset(workspace, "sample/medical_en").bundled


def test_which_can_not_be_chosen_is_said_in_a_line(workspace: Workspace, tmp_path: Path) -> None:
    """They were missing from the Data tab's list without a word."""
    put(workspace, "good.json")
    assert said_of_unusable(list_raw_datasets(workspace), "en") == ""
    put(workspace, "a.json", f"{'n' * 90}.json", content="")
    (tmp_path / "elsewhere.json").write_text("[]")
    (workspace.raw_datasets / "link.json").symlink_to(tmp_path / "elsewhere.json")
    said = said_of_unusable(list_raw_datasets(workspace), "en")
    assert said.startswith("Not to be chosen: “a.json”. The file is empty. ")
    assert "“link.json”. It is a link that leads out of the workspace. " in said
    assert f"“{'n' * 59}…”. The file is empty." in said
    assert "good.json" not in said and "more" not in said
    put(workspace, "0.json", "1.json", content="")
    assert "另有 2 个" in said_of_unusable(list_raw_datasets(workspace), "zh")


@pytest.mark.parametrize("dataset_id", ["", "none.json", "../raw/a.json", "sample/x", "a\0"])
def test_unknown(workspace: Workspace, dataset_id: str) -> None:
    put(workspace, "a.json")
    with pytest.raises(LibraryError, match="no data file") as caught:
        find_raw_dataset(workspace, dataset_id)
    assert caught.value.sentence("zh")


def test_file_that_cannot_be_read(workspace: Workspace) -> None:
    put(workspace, "a.json", "b.json")
    real = Path.stat

    def failing(path: Path, **options: bool) -> object:
        if path.name == "a.json":
            raise OSError(5, "Input/output error")
        return real(path, **options)

    with patch.object(Path, "stat", autospec=True, side_effect=failing):
        bad, good = in_workspace(workspace)
    assert not good.problems
    assert "can't be read: Input/output error" in bad.problems[0].sentence("en")
    assert bad.problems[0].sentence("zh")
