"""LLaMA-Factory's own parser, asked before a run is made."""

from __future__ import annotations

import pytest

from backend.errors import HyperparameterError
from backend.training.acceptance import Acceptance, Verdict, question
from backend.training.preview import preview
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import VALUES, make_ready

pytestmark = pytest.mark.integration


def test_its_reason_is_known_before_the_start(workspace: Workspace) -> None:
    """An argument by name that the form can't judge: only LLaMA-Factory knows what it goes with."""
    values = {**VALUES, "extra": "use_galore: true"}
    found = preview(make_ready(workspace), values)
    acceptance = Acceptance(workspace)
    *_, said = acceptance.watch(question(workspace, found.config, found.values))
    reason = "Cannot use LoRA with GaLore, APOLLO or BAdam together."
    assert said == Verdict(False, reason)
    with pytest.raises(HyperparameterError, match=reason):
        Supervisor(workspace).check(values)
