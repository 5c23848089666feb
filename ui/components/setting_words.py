"""The settings by which datasets were prepared, in words: their names and their values.

Takes names as they are in ``report.json``; knows nothing about datasets.
"""

from __future__ import annotations

from typing import Any

from backend.text import text

SHOWN = 20
"""So many items of a list are named, and how many more there are."""


def setting_name(language: str, name: str) -> str:
    """A setting's name, such as that of ``columns.columns.question``."""
    if name.startswith("columns.columns."):
        role = text(language, f"data.roles.{name.rpartition('.')[2]}")
        return text(language, "data.settings.column", role=role)
    if name.startswith("decisions.remedies."):
        check = text(language, f"data.checks.{name.rpartition('.')[2]}.name")
        return text(language, "data.settings.remedy", check=check)
    return text(language, f"data.settings.{name.replace('.', '_')}")


def setting_value(language: str, name: str, value: Any) -> str:
    """A setting's value as it is shown."""
    match value:
        case None if name.startswith("decisions.remedies."):
            return text(language, "data.settings.advised")
        case None | "" | []:
            return "–"
        case bool() if name == "columns.one_based":
            return str(int(value))
        case bool():
            return text(language, f"data.settings.{'yes' if value else 'no'}")
        case float() if name == "validation_share":
            return f"{100 * value:g} %"
        case list():
            shown = ", ".join(str(one) for one in value[:SHOWN])
            more = len(value) - SHOWN
            rest = text(language, "data.decisions.more", number=f"{more:,}") if more > 0 else ""
            return f"{shown} {rest}".rstrip()
    return text(language, f"data.shapes.{value}") if name == "columns.shape" else str(value)
