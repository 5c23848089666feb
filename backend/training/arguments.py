"""Which arguments LLaMA-Factory's training takes, and of what kind, as its installed version says.

Read from the sources of its dataclasses and of transformers', without importing either: that would
bring torch along. What the values do together is for LLaMA-Factory's own parser to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.errors import HyperparameterError
from backend.syntax import parsed

_SOURCES: tuple[tuple[str, str], ...] = (
    ("llamafactory", "hparams/model_args.py"),
    ("llamafactory", "hparams/data_args.py"),
    ("llamafactory", "hparams/finetuning_args.py"),
    ("llamafactory", "hparams/generating_args.py"),
    ("llamafactory", "hparams/training_args.py"),
    ("transformers", "training_args_seq2seq.py"),
    ("transformers", "training_args.py"),
)
"""The dataclasses that ``hparams/parser.py`` reads a training's file with (``_TRAIN_ARGS``). An
argument that several have is the first one's."""

_ENUMS = ("llamafactory", "extras/constants.py")

_KINDS: Mapping[str, type] = {
    "bool": bool, "int": int, "float": float, "str": str, "list": list, "dict": dict,
}  # fmt: skip

UNKNOWN = object()
"""A default that only the running program knows."""


@dataclass(frozen=True)
class Argument:
    """One argument.

    Attributes:
        kinds: The types that its value may have; none where it can't be written in a file.
        optional: None is allowed.
        choices: All allowed values; empty for any.
        default: What is taken where a file has nothing, or ``UNKNOWN``.
    """

    name: str
    kinds: frozenset[type]
    optional: bool
    choices: tuple[str, ...]
    default: Any

    def accepts(self, value: Any) -> bool:
        """Whether a value from a YAML file has the right type, and is one of the choices."""
        if value is None:
            return self.optional
        if self.choices:
            return value in self.choices
        kinds = self.kinds | {int} if float in self.kinds else self.kinds
        return type(value) in kinds


@cache
def arguments() -> Mapping[str, Argument]:
    """All arguments by name.

    Raises:
        HyperparameterError: LLaMA-Factory or transformers is not installed.
    """
    found: dict[str, Argument] = {}
    enums = dict(_enums(_source(*_ENUMS)))
    for package, file in _SOURCES:
        for argument in _arguments_in(parsed(_source(package, file)), enums):
            found.setdefault(argument.name, argument)
    return found


def _source(package: str, file: str) -> str:
    spec = find_spec(package)  # finds the package without importing it
    for folder in (spec.submodule_search_locations if spec else None) or []:
        path = Path(folder) / file
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise HyperparameterError("training.errors.sources_missing", package=package)


def _enums(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each enumeration of texts and its values. The file holds a table of all models besides, which
    is long and in which no such class stands."""
    for part in source.split("\nclass ")[1:]:
        if not part.partition("\n")[0].endswith("(StrEnum):"):
            continue
        (node,) = parsed("class " + part.partition("\n\n\n")[0]).body
        if isinstance(node, ast.ClassDef):
            values = (one.value for one in node.body if isinstance(one, ast.Assign))
            yield node.name, tuple(str(ast.literal_eval(value)) for value in values)


def _arguments_in(module: ast.Module, enums: Mapping[str, tuple[str, ...]]) -> Iterator[Argument]:
    for statement in module.body:
        if not (isinstance(statement, ast.ClassDef) and _is_dataclass(statement)):
            continue
        for line in statement.body:
            if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                continue
            given = _field_options(line.value)
            if _value(given.get("init")) is not False:
                kinds, optional, choices = _typed(line.annotation, enums)
                yield Argument(line.target.id, kinds, optional, choices, _default(given, enums))


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "dataclass" for one in node.decorator_list)


def _field_options(node: ast.expr | None) -> dict[str | None, ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id="field"), keywords=keywords):
            return {keyword.arg: keyword.value for keyword in keywords}
        case None:
            return {}
        case _:
            return {"default": node}


def _default(given: Mapping[str | None, ast.expr], enums: Mapping[str, tuple[str, ...]]) -> Any:
    match given.get("default"):
        case ast.Attribute(value=ast.Name(id=enum), attr=member) if enum in enums:
            return member.lower()
        case node:
            return _value(node)


def _value(node: ast.expr | None) -> Any:
    if node is None:
        return UNKNOWN
    try:
        return ast.literal_eval(node)
    except ValueError:
        return UNKNOWN


def _typed(
    node: ast.expr, enums: Mapping[str, tuple[str, ...]]
) -> tuple[frozenset[type], bool, tuple[str, ...]]:
    """Types, whether None is one of them, and the choices of an annotation."""
    kinds: set[type] = set()
    choices: list[str] = []
    optional = False
    for part in _alternatives(node):
        match part:
            case ast.Constant(value=None):
                optional = True
            case ast.Name(id=name) if name in enums:
                kinds.add(str)
                choices += enums[name]
            case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)) if name in _KINDS:
                kinds.add(_KINDS[name])
            case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
                allowed = [ast.literal_eval(one) for one in _elements(inside)]
                kinds |= {type(one) for one in allowed}
                choices += [one for one in allowed if isinstance(one, str)]
    # A text beside the choices allows any: the choices are then a help for type checkers.
    return frozenset(kinds), optional, tuple(choices) if _only_choices(node, enums) else ()


def _only_choices(node: ast.expr, enums: Mapping[str, tuple[str, ...]]) -> bool:
    for part in _alternatives(node):
        match part:
            case ast.Constant(value=None) | ast.Subscript(value=ast.Name(id="Literal")):
                continue
            case ast.Name(id=name) if name in enums:
                continue
            case _:
                return False
    return True


def _alternatives(node: ast.expr) -> Iterable[ast.expr]:
    """The parts of ``A | B``, ``Optional[A]`` and ``Union[A, B]``."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_alternatives(left), *_alternatives(right)]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inside):
            return [*_alternatives(inside), ast.Constant(None)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=inside):
            return [part for one in _elements(inside) for part in _alternatives(one)]
        case _:
            return [node]


def _elements(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]
