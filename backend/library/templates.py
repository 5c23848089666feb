"""Which of LLaMA-Factory's chat templates there are, and which one fits a model.

LLaMA-Factory is read as text: importing it would bring torch along. A template is told from what
the model's tokenizer says (its markers), not from the folder's name, since a folder may hold
another model than it is named for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.errors import LibraryError
from backend.files import read_json
from backend.syntax import parsed

_MARKER = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Za-z_]{2,20}\]")


@dataclass(frozen=True)
class _Words:
    """What a tokenizer says: the special words of its chat template, and those among its tokens.

    A tokenizer may hold tokens that its model was not taught to use, so the chat template comes
    first; where there is none, the tokens stand for it.
    """

    model_type: str
    template: frozenset[str]
    tokens: frozenset[str]


@dataclass(frozen=True)
class _Rule:
    """``template`` fits a model whose chat template has all ``markers``.

    Attributes:
        types: The ``model_type`` in its configuration is one of these; empty for any.
        without: Markers that its chat template does not have.
        tokens: Markers that it has at least among its tokens.
    """

    template: str
    markers: frozenset[str]
    types: Collection[str] = ()
    without: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()

    def fits(self, words: _Words) -> bool:
        return (
            (not self.types or words.model_type in self.types)
            and self.markers <= words.template
            and not self.without & words.template
            and self.tokens <= words.tokens | words.template
        )


_CHATML = frozenset({"<|im_start|>"})
_DEEPSEEK = frozenset({"<｜Assistant｜>"})
_HEADERS = frozenset({"<|start_header_id|>"})
_TURNS = frozenset({"<start_of_turn>"})
_THINK = frozenset({"</think>"})

# The first that fits. Sources: the models' published tokenizer_config.json, and the table of models
# in LLaMA-Factory's extras/constants.py for the template of each. Families whose templates differ
# by white space only (Mistral's, Phi-3's) are left out: a wrong guess costs more than none.
_RULES = (
    _Rule("deepseekr1", _DEEPSEEK, tokens=_THINK),
    _Rule("deepseek3", _DEEPSEEK),
    _Rule("qwen3", _CHATML | _THINK, types=("qwen3", "qwen3_moe", "qwen3_next")),
    _Rule("qwen3_nothink", _CHATML, types=("qwen3", "qwen3_moe", "qwen3_next")),
    _Rule("qwen3_5", _CHATML | _THINK, types=("qwen3_5", "qwen3_5_moe")),
    _Rule("qwen3_vl", _CHATML | _THINK, types=("qwen3_vl", "qwen3_vl_moe")),
    _Rule("qwen3_vl_nothink", _CHATML, types=("qwen3_vl", "qwen3_vl_moe")),
    _Rule("qwen2_vl", _CHATML, types=("qwen2_vl", "qwen2_5_vl")),
    _Rule("qwen", _CHATML, types=("qwen2", "qwen2_moe")),
    _Rule("intern2", _CHATML, types=("internlm2", "internlm3")),
    _Rule("llama4", frozenset({"<|header_start|>"})),
    _Rule("mllama", _HEADERS, types=("mllama",)),
    _Rule("llama3", _HEADERS),
    _Rule("llama2", frozenset({"[INST]", "<SYS>"}), types=("llama",)),
    _Rule("gemma3", _TURNS, types=("gemma3",)),
    _Rule("gemma2", _TURNS, types=("gemma2", "gemma3_text")),
    _Rule("gemma", _TURNS, types=("gemma",)),
    _Rule(
        "glm4", frozenset({"[gMASK]", "<sop>"}), types=("chatglm", "glm", "glm4"), without=_THINK
    ),
    _Rule("phi4", frozenset({"<|im_sep|>"}), types=("phi3",)),
)


# --- What there is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Registered:
    """What LLaMA-Factory registers a template with, as far as a choice of hyperparameters asks.

    Attributes:
        efficient_eos: Turns are told apart by the end of the text alone.
        reasoning: It knows where an answer's reasoning begins and ends.
    """

    efficient_eos: bool
    reasoning: bool


@cache
def _registered() -> Mapping[str, _Registered]:
    spec = find_spec("llamafactory")  # finds the package without importing it
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        source = Path(folder) / "data" / "template.py"
        if source.is_file():
            return dict(_templates_in(parsed(source.read_bytes())))
    raise LibraryError("library.errors.llamafactory_missing")


def template_names() -> list[str]:
    """The names of LLaMA-Factory's chat templates, as its installed version registers them.

    Raises:
        LibraryError: LLaMA-Factory is not installed.
    """
    return list(_registered())


def is_reasoning(name: str) -> bool:
    """Whether LLaMA-Factory tells reasoning from answer in this template.

    Raises:
        LibraryError: LLaMA-Factory is not installed.
    """
    found = _registered().get(name)
    return found is not None and found.reasoning


def can_teach_prompts(name: str) -> bool:
    """Whether LLaMA-Factory trains on prompts with this template.

    Raises:
        LibraryError: LLaMA-Factory is not installed.
    """
    found = _registered().get(name)
    return found is None or not found.efficient_eos


def _templates_in(module: ast.Module) -> Iterator[tuple[str, _Registered]]:
    """Each ``register_template(name="…", …)`` at the top level of a module."""
    for statement in module.body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="register_template"), keywords=keywords)):
                given = {keyword.arg: keyword.value for keyword in keywords}
                match given.get("name"):
                    case ast.Constant(value=str(name)):
                        kind = given.get("template_class")
                        yield (
                            name,
                            _Registered(
                                efficient_eos=_is_true(given.get("efficient_eos")),
                                reasoning=isinstance(kind, ast.Name) and "Reasoning" in kind.id,
                            ),
                        )


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


# --- Which one fits -----------------------------------------------------------------------------


def guess_template(model_path: Path) -> str | None:
    """The chat template that fits the model in a folder; None where that can't be told."""
    words = _words_of(model_path)
    for rule in _RULES:
        if rule.fits(words):
            return rule.template if rule.template in template_names() else None
    return None


def _words_of(model_path: Path) -> _Words:
    config = _settings(model_path / "config.json")
    chat_template = _chat_template(model_path)
    tokens = _added_tokens(model_path / "tokenizer.json")
    markers = frozenset(_MARKER.findall(chat_template)) if chat_template else tokens
    return _Words(str(config.get("model_type", "")), markers, tokens)


def _settings(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none."""
    value = read_json(file)
    return value if isinstance(value, dict) else {}


def _chat_template(model_path: Path) -> str:
    file = model_path / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    match _settings(model_path / "tokenizer_config.json").get("chat_template"):
        case str(template):
            return template
        case [*named]:  # several, each with a name
            return "\n".join(str(one.get("template", "")) for one in named if isinstance(one, dict))
    return ""


def _added_tokens(file: Path) -> frozenset[str]:
    try:
        status = file.stat()
    except OSError:
        return frozenset()
    return _read_added_tokens(file, status.st_size, status.st_mtime_ns)


# Tokenizer files of large vocabularies are tens of megabytes: read once.
@lru_cache(maxsize=64)
def _read_added_tokens(file: Path, size: int, modified: int) -> frozenset[str]:
    added = _settings(file).get("added_tokens")
    tokens = added if isinstance(added, list) else []
    return frozenset(str(one.get("content")) for one in tokens if isinstance(one, dict))
