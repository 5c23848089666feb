"""What the catalogue of the Download tab consists of, as values.

Knows neither the file that they come from nor the hubs that they are on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from backend.hub.repository import HubName
from backend.library.datasets import ending_of
from backend.library.shape import Shape

DataFormat = Literal["medical_o1", "verifiable", "distill", "multiple_choice", "qa", "other"]
"""What a row is: question, reasoning and answer in medical-o1's columns; a question and a short
answer to verify; question, reasoning and answer distilled from R1; a question with options; a
question and an answer; none of these."""

FORMATS: tuple[DataFormat, ...] = get_args(DataFormat)

BF16 = 2
"""Bytes of a parameter as it is published, and as it is held on a GPU unless it is quantised."""


@dataclass(frozen=True)
class CatalogueModel:
    """A model to download.

    Attributes:
        ids: Its id on each hub where one is attested; at least one.
        parameters: A tied output layer counts once.
        published: Bytes of the weights on the hub; None where no source says.
        template: LLaMA-Factory's chat template.
        licence: As the model's card says it; empty where no source says.
        base_licence: Of the model that it was trained from, where that one asks for more; else
            empty.
    """

    name: str
    ids: Mapping[HubName, str]
    parameters: int
    published: int | None
    template: str
    licence: str
    base_licence: str
    shape: Shape

    @property
    def size(self) -> int:
        """Bytes of the weights to fetch: as published, else computed from two bytes a parameter."""
        return self.published or self.parameters * BF16


@dataclass(frozen=True)
class CatalogueFile:
    """A data file in a dataset's repository.

    Attributes:
        path: In the repository, with slashes.
        config: The configuration of the dataset's card that it stands for; empty where it has none.
        language: ``"en"`` or ``"zh"``; empty where it has both or no source says.
        mixed: General instructions are among the medical rows.
        size: Bytes, rounded as the source rounds; None where no source says.
        rows: None where no source says.
    """

    path: str
    config: str
    language: str
    mixed: bool
    size: int | None
    rows: int | None

    @property
    def readable(self) -> bool:
        """MedTune reads files of this ending; not archives."""
        return bool(ending_of(self.path))


@dataclass(frozen=True)
class DatasetCopy:
    """A dataset as one hub has it.

    Attributes:
        licence: As the hub's card says it; empty where no source says.
        files: Its data files; empty where no source says.
    """

    id: str
    licence: str
    files: tuple[CatalogueFile, ...]

    @property
    def size(self) -> int | None:
        """Bytes of its data files; None unless all are known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.files) else None

    @property
    def readable(self) -> bool | None:
        """MedTune reads at least one of its files; None where the files aren't known."""
        return any(file.readable for file in self.files) if self.files else None


@dataclass(frozen=True)
class CatalogueDataset:
    """A dataset to download.

    Attributes:
        format: What its rows are.
        languages: Of its rows, ``"en"`` and ``"zh"``.
        copies: By hub, where one is attested; at least one. Hubs may hold different files.
    """

    name: str
    format: DataFormat
    languages: tuple[str, ...]
    copies: Mapping[HubName, DatasetCopy]

    @property
    def ids(self) -> Mapping[HubName, str]:
        """Its id on each hub that has a copy."""
        return {hub: copy.id for hub, copy in self.copies.items()}
