"""MedTune's styles come as Gradio's script would make them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.own_styles import PAGE, scoped
from ui.theme import stylesheets


def plain(css: str) -> str:
    """Without what a browser makes nothing of."""
    return re.sub(r"\s+", " ", css).replace(" {", "{").replace("{ ", "{").replace(" }", "}").strip()


@pytest.mark.parametrize(
    ("css", "made"),
    [
        ("a { x: 1 }", f"a{{x: 1}} {PAGE} a{{x: 1}}"),
        ("a,\nb { x: 1 }", f"a, b{{x: 1}} {PAGE} a, {PAGE} b{{x: 1}}"),
        (".dark a { x: 1 }", f".dark a{{x: 1}}.dark {PAGE} a{{x: 1}}"),
        ("/* { */ a { /* } */ x: 1 }", f"a{{x: 1}} {PAGE} a{{x: 1}}"),
        (
            "a { @container (c) { x: 1 } }",
            f"a{{@container (c){{x: 1}}}} {PAGE} a{{@container (c){{x: 1}}}}",
        ),
        (
            "@media print { a { x: 1 } b { y: 2 } }",
            f"@media print{{ {PAGE} a{{x: 1}} {PAGE} b{{y: 2}}}}",
        ),
        ("@keyframes k { from { x: 1 } to { x: 2 } }", "@keyframes k{from{x: 1} to{x: 2}}"),
    ],
)
def test_each_rule_has_a_copy_below_the_page(css: str, made: str) -> None:
    assert plain(scoped(css)).replace(",", ", ").replace(",  ", ", ") == plain(made)


def test_a_rule_that_gradio_would_leave_out_is_refused() -> None:
    with pytest.raises(ValueError, match="@supports"):
        scoped("@supports (x: 1) { a { x: 1 } }")


def test_all_rules_of_medtune_are_taken() -> None:
    css = "".join(path.read_text("utf-8") for path in stylesheets())
    made = scoped(css)
    assert made.count("{") == made.count("}") > css.count("{")


names = st.from_regex(r"\.[a-z]{1,9}( > [a-z]{1,9})?", fullmatch=True)


@given(st.lists(st.tuples(names, st.from_regex(r"[a-z]{1,9}: [a-z]{1,9};", fullmatch=True))))
def test_rules_stay_in_their_order(rules: list[tuple[str, str]]) -> None:
    made = scoped("\n".join(f"{name} {{ {body} }}" for name, body in rules))
    found = re.findall(r"([^{}]+) \{([^}]*)\}", made)
    assert found[::2] == rules
    assert [(name.strip().removeprefix(f"{PAGE} "), body) for name, body in found[1::2]] == rules
