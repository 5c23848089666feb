"""Models and datasets that the Download tab offers, from ``assets/catalogue.yaml``.

Knows what public text says of them and what a model needs of a GPU; asks no hub. Sizes of datasets
are as rounded as their sources: what a download will really fetch is what the hub lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, overload

from backend.hub.catalogue_memory import MemoryNeeds, memory
from backend.hub.catalogue_reader import CatalogueError, content, read_datasets, read_models
from backend.hub.catalogue_values import (
    FORMATS,
    CatalogueDataset,
    CatalogueFile,
    CatalogueModel,
    DataFormat,
    DatasetCopy,
)
from backend.hub.repository import HubName, Kind
from backend.library.shape import Shape

__all__ = [
    "FORMATS",
    "CatalogueDataset",
    "CatalogueError",
    "CatalogueFile",
    "CatalogueModel",
    "DataFormat",
    "DatasetCopy",
    "MemoryNeeds",
    "Shape",
    "datasets",
    "find",
    "memory",
    "models",
]


@cache
def models() -> tuple[CatalogueModel, ...]:
    """The models in the catalogue's order: families together, small ones first.

    Raises:
        CatalogueError: the file is malformed.
    """
    return read_models(content())


@cache
def datasets() -> tuple[CatalogueDataset, ...]:
    """The datasets in the catalogue's order: those with reasoning first.

    Raises:
        CatalogueError: the file is malformed.
    """
    return read_datasets(content())


@overload
def find(kind: Literal["model"], hub: HubName, id: str) -> CatalogueModel | None: ...
@overload
def find(kind: Literal["dataset"], hub: HubName, id: str) -> CatalogueDataset | None: ...
@overload
def find(kind: Kind, hub: HubName, id: str) -> CatalogueModel | CatalogueDataset | None: ...
def find(kind: Kind, hub: HubName, id: str) -> CatalogueModel | CatalogueDataset | None:
    """The entry with this id on this hub, in whatever case it is typed; None if there is none."""
    entries: Sequence[CatalogueModel | CatalogueDataset]
    entries = models() if kind == "model" else datasets()
    wanted = id.strip().casefold()
    for entry in entries:
        if hub in entry.ids and entry.ids[hub].casefold() == wanted:
            return entry
    return None
