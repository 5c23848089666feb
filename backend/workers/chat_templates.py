"""LLaMA-Factory's own chat templates, without what ``import llamafactory`` brings.

``llamafactory.data.template`` needs the re module and a tokenizer. Importing it by its name also
runs the package around it: peft, datasets, torchaudio and more, about ten seconds that a person
would wait for at each load of a model. So the installed source files of the templates are executed
under a private package name, where the two neighbours that templates only name (roles and the
plugins for pictures) are small stand-ins. The code that builds a prompt is the installed one,
unchanged; a test compares every template with the real import, token for token.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_PACKAGE = "_llamafactory_templates"
_log = logging.getLogger("medtune.templates")


class UnknownTemplateError(LookupError):
    """LLaMA-Factory has no template of this name."""


def fitted_template(name: str, tokenizer: Any) -> Any:
    """The template called ``name``, and its special tokens added to ``tokenizer`` as in training.

    Raises:
        UnknownTemplateError: LLaMA-Factory has no such template.
    """
    module = template_module()
    if name not in module.TEMPLATES:
        raise UnknownTemplateError(name)
    # LLaMA-Factory's own defaults of DataArguments: what a run without these options trained with.
    options = SimpleNamespace(
        template=name,
        train_on_prompt=False,
        tool_format=None,
        default_system=None,
        enable_thinking=True,
        preserve_thinking=False,
    )
    return copy.deepcopy(module.get_template_and_fix_tokenizer(tokenizer, options))


@cache
def template_module() -> ModuleType:
    """LLaMA-Factory's module of templates, light where its source has the known shape."""
    try:
        return _light_module()
    except Exception as error:
        # Another version's source may need more than the stand-ins have, in any way. Then its
        # templates are worth the wait.
        _log.warning("templates need the whole of LLaMA-Factory: %r", error)
        for name in [name for name in sys.modules if name.startswith(_PACKAGE)]:
            del sys.modules[name]
        return importlib.import_module("llamafactory.data.template")


def _light_module() -> ModuleType:
    spec = importlib.util.find_spec("llamafactory")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("llamafactory")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    _stand_in("", __path__=[])
    _stand_in(".extras", __path__=[])
    _stand_in(".extras.logging", get_logger=_RankLogger)
    sys.modules[f"{_PACKAGE}.extras"].logging = sys.modules[  # type: ignore[attr-defined]
        f"{_PACKAGE}.extras.logging"
    ]
    _stand_in(".data", __path__=[str(folder)])
    _stand_in(".data.data_utils", Role=_Role, SLOTS=list)
    _stand_in(".data.mm_plugin", get_mm_plugin=lambda *_, **__: None)
    return importlib.import_module(f"{_PACKAGE}.data.template")


def _stand_in(name: str, **content: Any) -> None:
    module = ModuleType(_PACKAGE + name)
    module.__dict__.update(content)
    sys.modules[_PACKAGE + name] = module


class _Role(StrEnum):
    """``llamafactory.data.data_utils.Role``, whose module imports datasets."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    FUNCTION = "function"
    OBSERVATION = "observation"


class _RankLogger:
    """``llamafactory.extras.logging.get_logger``, whose module imports peft."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        # info_rank0, warning_rank0_once, …: one process here, so rank 0 is all there is.
        level = method.split("_")[0]
        return getattr(_log, level)
