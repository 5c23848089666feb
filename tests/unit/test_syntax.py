"""Sources are read by several threads at once."""

from __future__ import annotations

import ast

import pytest

from backend.syntax import parsed


def test_a_thread_that_met_another_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages that opened together showed an error instead of the models: on Python 3.11 two
    threads can't make a tree at once."""
    parse, met = ast.parse, []

    def meeting(source: str) -> ast.Module:
        if len(met) < 3:
            met.append(source)
            raise SystemError("AST constructor recursion depth mismatch (before=48, after=55)")
        return parse(source)

    monkeypatch.setattr(ast, "parse", meeting)
    assert ast.dump(parsed("a = 1")) == ast.dump(parse("a = 1"))


def test_what_is_no_source_is_still_an_error() -> None:
    with pytest.raises(SyntaxError):
        parsed("a =")
