"""Reads and checks ``assets/catalogue.yaml``: what it says wrong is found here, not on the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from backend.hub.catalogue_values import (
    FORMATS,
    CatalogueDataset,
    CatalogueFile,
    CatalogueModel,
    DataFormat,
    DatasetCopy,
)
from backend.hub.repository import HUBS, HubName
from backend.library.shape import Shape
from backend.text import ASSETS

FILE = ASSETS / "catalogue.yaml"

_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class CatalogueError(ValueError):
    """The catalogue's file is malformed: a fault of the program, not of the person."""


def content(path: Path = FILE) -> object:
    """What the file holds, unchecked.

    Raises:
        CatalogueError: it is not YAML.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path.name} is not YAML: {error}") from error


def read_models(content: object) -> tuple[CatalogueModel, ...]:
    """The models in the catalogue's content.

    Raises:
        CatalogueError: it is malformed.
    """
    found = tuple(_model(fields) for fields in _Fields("catalogue", content).several("models"))
    _refuse_twice(found)
    return found


def read_datasets(content: object) -> tuple[CatalogueDataset, ...]:
    """The datasets in the catalogue's content.

    Raises:
        CatalogueError: it is malformed.
    """
    found = tuple(_dataset(fields) for fields in _Fields("catalogue", content).several("datasets"))
    _refuse_twice(found)
    return found


class _Fields:
    """The fields of one mapping in the file. Each is taken once; ``done`` refuses what is left,
    so that a misspelt field is not overlooked."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise CatalogueError(f"{where}: a mapping is expected, not {value!r}")
        name = value.get("name") or value.get("id") or value.get("path")
        self.where = f"{where} ({name})" if name else where
        self._left: dict[Any, Any] = dict(value)

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise self.fault(key, "words are expected", value)
        return value

    def text_or_none(self, key: str) -> str:
        """Empty where the file leaves it out."""
        return self.text(key) if key in self._left else ""

    def whole(self, key: str) -> int:
        value = self._take(key)
        if type(value) is not int or value < 1:  # not a truth value either, which is an int
            raise self.fault(key, "a whole number above zero is expected", value)
        return value

    def whole_or_none(self, key: str) -> int | None:
        return self.whole(key) if key in self._left else None

    def flag(self, key: str) -> bool:
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.fault(key, "true or false is expected", value)
        return value

    def flag_or_false(self, key: str) -> bool:
        return self.flag(key) if key in self._left else False

    def words(self, key: str) -> tuple[str, ...]:
        value = self._take(key)
        if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
            raise self.fault(key, "a list of words is expected", value)
        return tuple(value)

    def one(self, key: str) -> _Fields:
        return _Fields(f"{self.where}, {key}", self._take(key))

    def several(self, key: str) -> list[_Fields]:
        value = self._take(key)
        if not isinstance(value, list):
            raise self.fault(key, "a list is expected", value)
        return [_Fields(f"{self.where}, {key}[{i}]", one) for i, one in enumerate(value)]

    def several_or_none(self, key: str) -> list[_Fields]:
        return self.several(key) if key in self._left else []

    def hubs(self) -> list[HubName]:
        """The hubs among the keys; all keys are hubs, and there is one."""
        strangers = set(self._left) - set(HUBS)
        if strangers or not self._left:
            raise CatalogueError(f"{self.where}: hubs are expected ({', '.join(HUBS)})")
        return [hub for hub in HUBS if hub in self._left]

    def done(self) -> None:
        if self._left:
            raise CatalogueError(f"{self.where}: unknown {', '.join(map(str, self._left))}")

    def fault(self, key: str, wanted: str, value: object) -> CatalogueError:
        return CatalogueError(f"{self.where}, {key}: {wanted}, not {value!r}")

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise CatalogueError(f"{self.where}: {key} is missing")
        return self._left.pop(key)


def _model(fields: _Fields) -> CatalogueModel:
    ids = fields.one("ids")
    model = CatalogueModel(
        name=fields.text("name"),
        ids=MappingProxyType({hub: _id(ids, hub) for hub in ids.hubs()}),
        parameters=fields.whole("parameters"),
        published=fields.whole_or_none("size"),
        template=fields.text("template"),
        licence=fields.text_or_none("licence"),
        base_licence=fields.text_or_none("base_licence"),
        shape=_shape(fields.one("shape")),
    )
    fields.done()
    return model


def _shape(fields: _Fields) -> Shape:
    shape = Shape(
        layers=fields.whole("layers"),
        hidden=fields.whole("hidden"),
        intermediate=fields.whole("intermediate"),
        heads=fields.whole("heads"),
        kv_heads=fields.whole("kv_heads"),
        head_dim=fields.whole("head_dim"),
        vocabulary=fields.whole("vocabulary"),
        tied=fields.flag("tied"),
    )
    fields.done()
    return shape


def _dataset(fields: _Fields) -> CatalogueDataset:
    copies = fields.one("copies")
    dataset = CatalogueDataset(
        name=fields.text("name"),
        format=_format(fields),
        languages=fields.words("languages"),
        copies=MappingProxyType({hub: _copy(copies.one(hub)) for hub in copies.hubs()}),
    )
    fields.done()
    return dataset


def _copy(fields: _Fields) -> DatasetCopy:
    files = tuple(_file(file) for file in fields.several_or_none("files"))
    copy = DatasetCopy(_id(fields, "id"), fields.text_or_none("licence"), files)
    fields.done()
    return copy


def _file(fields: _Fields) -> CatalogueFile:
    file = CatalogueFile(
        path=fields.text("path"),
        config=fields.text_or_none("config"),
        language=fields.text_or_none("language"),
        mixed=fields.flag_or_false("mixed"),
        size=fields.whole_or_none("size"),
        rows=fields.whole_or_none("rows"),
    )
    fields.done()
    return file


def _id(fields: _Fields, key: str) -> str:
    value = fields.text(key)
    if not _ID.fullmatch(value):
        raise fields.fault(key, "organisation/name is expected", value)
    return value


def _format(fields: _Fields) -> DataFormat:
    value = fields.text("format")
    for known in FORMATS:
        if value == known:
            return known
    raise fields.fault("format", f"one of {', '.join(FORMATS)} is expected", value)


def _refuse_twice(entries: Sequence[CatalogueModel | CatalogueDataset]) -> None:
    """One name and one id stand for one entry, else ``find`` and the page's list are ambiguous."""
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        for place in [("name", entry.name.casefold()), *_places(entry)]:
            if place in seen:
                raise CatalogueError(f"{entry.name}: {place[0]} {place[1]} stands twice")
            seen.add(place)


def _places(entry: CatalogueModel | CatalogueDataset) -> list[tuple[str, str]]:
    return [(hub, id.casefold()) for hub, id in entry.ids.items()]
