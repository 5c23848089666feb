"""The words of MedTune: one YAML file per language, looked up by dotted key.

Knows nothing about pages or callbacks; ``ui.i18n`` binds these words to components.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
ASSETS = Path(__file__).resolve().parent.parent / "assets"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All words of one language, as ``{"section.key": "words"}``."""
    import yaml  # only here: a process that says nothing starts without it

    path = ASSETS / "locales" / f"{language}.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nested = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return dict(_flatten(nested, ""))


def text(language: str, key: str, **params: object) -> str:
    """The words for ``key`` with ``{placeholders}`` filled in.

    Raises:
        KeyError: no such key; a fault of the program, found by the locale tests.
    """
    words = catalogue(language if language in LANGUAGES else "en")[key]
    return words.format(**params) if params else words


def _flatten(node: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in node.items():
        if isinstance(value, Mapping):
            pairs += _flatten(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", str(value)))
    return pairs
