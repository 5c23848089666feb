"""An answer to an older event brings new choices and leaves what was chosen since."""

from __future__ import annotations

import pytest

from ui.components.choices import UNSENT, choices_now


@pytest.mark.parametrize("value", [None, "b", ["a", "b"]])
def test_what_can_stay_is_not_sent_back(value: object) -> None:
    update = choices_now(["a", "b"], sent=value, kept=value)
    assert update["choices"] == ["a", "b"] and "value" not in update


@pytest.mark.parametrize(("sent", "kept"), [("gone", None), (None, "newest"), (UNSENT, None)])
def test_what_can_not_is_replaced(sent: object, kept: object) -> None:
    assert choices_now(["newest"], sent=sent, kept=kept)["value"] == kept
