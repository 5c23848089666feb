"""A text in YAML as LLaMA-Factory would read it: names and values, nothing else.

LLaMA-Factory reads with OmegaConf, to which ``1e-4`` is a number; to PyYAML alone it is a text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from backend.errors import HyperparameterError

MOST_CHARACTERS = 100_000


class _Reader(yaml.SafeLoader):
    """PyYAML's safe loader with OmegaConf's numbers."""


_Reader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d[\d_]*)(?:\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def read_settings(words: str) -> dict[str, Any]:
    """The settings in a text; empty where there are none.

    Raises:
        HyperparameterError: it is too long, no YAML, no list of names with values, or refers to
            parts of itself (which can grow without end).
    """
    if len(words) > MOST_CHARACTERS:
        raise HyperparameterError("training.errors.yaml_long", limit=f"{MOST_CHARACTERS:,}")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(words)):
            raise HyperparameterError("training.errors.yaml_alias")
        content = yaml.load(words, Loader=_Reader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reason = error.problem or str(error)
        raise HyperparameterError(
            "training.errors.yaml_broken", line=line, reason=reason
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise HyperparameterError("training.errors.yaml_broken", line=1, reason=reason) from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise HyperparameterError("training.errors.yaml_no_settings")
    return content
