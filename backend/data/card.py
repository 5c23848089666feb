"""The card of a prepared dataset: what it is and what it was made from, for who finds its folder.

In the form of a dataset card on a hub: facts for programs at the top, then text for people.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from backend.data.report import Report
from backend.problems import Problem
from backend.text import text

LANGUAGE = "en"
"""A card is read wherever the dataset goes; the page shows the same in the reader's language."""

_QUOTING = ("near", "role")
"""Values of problems that are words of a row."""


def card_of(report: Report) -> str:
    """The card as Markdown. It holds nothing of the rows themselves."""
    rows = report.train_rows + report.validation_rows
    return "\n".join(
        [
            "---",
            f"pretty_name: {_quoted(report.name)}",
            f"size: {rows}",
            f"source: {_quoted(Path(report.source).name)}",
            f"source_sha256: {report.source_sha256}",
            f"seed: {report.settings.seed}",
            "---",
            "",
            f"# {_plain(report.name)}",
            "",
            f"Prepared by MedTune for LLaMA-Factory ({report.target.value} format).",
            "",
            f"- Made from {_code(Path(report.source).name)}, {report.source_rows:,} rows.",
            f"- `data.jsonl`: {report.train_rows:,} rows to train on.",
            f"- `validation.jsonl`: {report.validation_rows:,} rows kept for validation.",
            f"- Repaired or masked: {report.mended:,} rows.",
            "",
            *_left_out(report),
            *_checks(report),
            *_columns(report),
        ]
    )


def _left_out(report: Report) -> list[str]:
    if not report.left_out:
        return ["No row was left out.", ""]
    lines = [
        f"| {text(LANGUAGE, f'data.view.reasons.{reason}')} | {rows:,} |"
        for reason, rows in report.left_out.items()
    ]
    unusable = [
        f"- {_plain(_without_rows(problem).sentence(LANGUAGE))} ({rows:,})"
        for problem, rows in report.unusable
    ]
    return ["## Left out", "", "| Why | Rows |", "|---|---:|", *lines, "", *unusable, ""]


def _checks(report: Report) -> list[str]:
    if not report.checks:
        return ["No check found anything.", ""]
    lines = [
        f"| {text(LANGUAGE, f'data.checks.{name}.name')} | {one.rows:,} "
        f"| {'yes' if one.applied else 'no'} |"
        for name, one in report.checks.items()
    ]
    return ["## Checks", "", "| Found | Rows | Acted on |", "|---|---:|---|", *lines, ""]


def _columns(report: Report) -> list[str]:
    columns = report.recipe.columns
    lines = [
        f"- {role.value}: {', '.join(map(_code, names))}" for role, names in columns.columns.items()
    ]
    return ["## Columns", "", *lines, ""]


def _without_rows(problem: Problem) -> Problem:
    """A problem without the words of the row that it shows."""
    return replace(problem, params={**problem.params, **dict.fromkeys(_QUOTING, "…")})


def _code(words: str) -> str:
    """As code: with more backticks around it than it has in a row itself."""
    line = " ".join(words.split())
    marks = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{marks}{space}{line}{space}{marks}"


def _plain(words: str) -> str:
    """In one line, without what Markdown would take for its own."""
    line = " ".join(words.split())
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|" else letter for letter in line)


def _quoted(words: str) -> str:
    """As a YAML string."""
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{" ".join(escaped.split())}"'
