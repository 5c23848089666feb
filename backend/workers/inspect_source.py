"""LLaMA-Factory's own processors of training rows, without what ``import llamafactory`` brings.

They stand beside the chat templates in LLaMA-Factory's package ``data``, and are executed as
``chat_templates`` executes these: the installed source, unchanged, under a private package name.
What they need of the package around them are literals (the mask of the labels), which are read from
the installed source as text. Knows nothing about tokenizers.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from backend.workers.chat_templates import template_module

REAL = "llamafactory.data"
_log = logging.getLogger("medtune.inspect")


@dataclass(frozen=True)
class Processors:
    """What makes ids and labels of a row.

    Attributes:
        supervised: The class ``SupervisedDatasetProcessor``.
        pairwise: The class ``PairwiseDatasetProcessor``.
        infer_seqlen: ``(source, target, cutoff) -> (source kept, target kept)``, in tokens.
        ignored: The label of a token that the loss does not count.
        light: They came without the package around them.
    """

    supervised: Any
    pairwise: Any
    infer_seqlen: Callable[[int, int, int], tuple[int, int]]
    ignored: int
    light: bool


@cache
def processors() -> Processors:
    """LLaMA-Factory's processors of supervised rows and of preference pairs.

    Raises:
        ImportError: LLaMA-Factory is not installed, or can't be imported.
    """
    package = template_module().__name__.removesuffix(".template")
    if package == REAL:
        return _of(REAL)
    try:
        add_stand_ins(package)
        return _of(package)
    except (ImportError, AttributeError, SyntaxError) as error:
        _log.warning("processors need the whole of LLaMA-Factory: %r", error)
        return _of(REAL)


def hide_torch() -> bool:
    """Keep transformers from importing torch, where LLaMA-Factory's light sources are enough.

    A tokenizer needs no torch, and importing it costs seconds and 600 MB. Only for a process of its
    own, before it imports transformers. Returns whether torch is hidden.
    """
    if not processors().light or sys.modules.get("torch") is not None:
        return False
    sys.modules["torch"] = None  # type: ignore[assignment]  # "import torch" then fails at once
    return True


def add_stand_ins(package: str) -> None:
    """Under the private name of the package ``data``: its processors, and the literals around."""
    root = package.removesuffix(".data")
    folder = llamafactory_folder()
    add_stand_in(f"{root}.extras.constants", **literals(folder / "extras" / "constants.py"))
    add_stand_in(f"{package}.processor", __path__=[str(folder / "data" / "processor")])


def llamafactory_folder() -> Path:
    """Where LLaMA-Factory is installed.

    Raises:
        ModuleNotFoundError: it is not.
    """
    spec = importlib.util.find_spec("llamafactory")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("llamafactory")
    return Path(spec.submodule_search_locations[0])


def literals(file: Path) -> Mapping[str, Any]:
    """The names of a module that are given a literal value at its top level, unexecuted."""
    found = {}
    for statement in ast.parse(file.read_bytes()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    found[name] = ast.literal_eval(value)
                except ValueError:
                    continue  # a call, or something else that would have to run
    return found


def _of(package: str) -> Processors:
    def module(name: str) -> ModuleType:
        return importlib.import_module(f"{package}.processor.{name}")

    supervised = module("supervised")
    return Processors(
        supervised=supervised.SupervisedDatasetProcessor,
        pairwise=module("pairwise").PairwiseDatasetProcessor,
        infer_seqlen=module("processor_utils").infer_seqlen,
        ignored=supervised.IGNORE_INDEX,
        light=package != REAL,
    )


def add_stand_in(name: str, **content: Any) -> None:
    """A module with some content, under the name of one that would bring too much along."""
    module = ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module
