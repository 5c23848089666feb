"""LLaMA-Factory's own reading of a registered row, without importing LLaMA-Factory.

Its converters are taken from the installed source and executed as they stand. What the modules
around them bring (``datasets``, the hub) is not needed for a row and costs seconds.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Union

from backend.workers.inspect_source import llamafactory_folder

Converted = dict[str, Any]
"""With ``_prompt`` and ``_response`` as lists of role and content, and ``_system``."""


class SkippedRowError(Exception):
    """LLaMA-Factory would leave the row out with a warning in its log."""


class _Logger:
    def warning_rank0(self, words: str) -> None:
        raise SkippedRowError(words)


def converter(entry: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Converted]:
    """What reads the rows of a dataset with this entry in ``dataset_info.json``."""
    module = _module()
    attributes = module.DatasetAttr("file", dataset_name=entry["file_name"])
    attributes.join(dict(entry))
    made = module.DATASET_CONVERTERS[attributes.formatting]
    convert: Callable[[Mapping[str, Any]], Converted] = made(attributes, None)
    return convert


@cache
def _module() -> ModuleType:
    module = ModuleType("llamafactory_reading")
    sys.modules[module.__name__] = module  # where a dataclass looks for its annotations
    module.__dict__.update(
        {"json": json, "os": os, "Any": Any, "Literal": Literal, "Union": Union},
        abstractmethod=abstractmethod,
        dataclass=dataclass,
        unique=unique,
        StrEnum=StrEnum,
        logger=_Logger(),
    )
    data = llamafactory_folder() / "data"
    for file, wanted in (
        ("data_utils.py", {"Role"}),
        ("parser.py", {"DatasetAttr"}),
        ("converter.py", {"DATASET_CONVERTERS"}),
    ):
        tree = ast.parse((data / file).read_bytes())
        tree.body = list(_needed(tree, wanted, Path(file).stem == "converter"))
        # Its annotations name classes that are imported for a type checker only.
        source = f"from __future__ import annotations\n{ast.unparse(tree)}"
        exec(compile(source, str(data / file), "exec"), module.__dict__)
    return module


def _needed(tree: ast.Module, names: set[str], classes: bool) -> Iterator[ast.stmt]:
    """Of a module the definitions of these names, and its classes where they are wanted."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) if classes or name in names:
                yield node
            case ast.Assign(targets=[ast.Name(id=name)]) if name in names:
                yield node
