"""What a run is called when nobody has named it; the preview and the start agree on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend.workspace import NAME_LIMIT, Workspace

_NUMBER_ROOM = 4
"""Characters kept for the number behind a name that is taken."""


def free_name(workspace: Workspace, model_id: str, values: Mapping[str, Any]) -> str:
    """Like ``demo-lora-1123-1745``: model, method, month and day, hour and minute."""
    stem = re.sub(r"[^\w.\-]+", "-", model_id.rsplit("/", 1)[-1]).strip("-.") or "run"
    moment = datetime.now().astimezone().strftime("%m%d-%H%M")
    ending = f"-{values['finetuning_type']}-{moment}"
    name = stem[: NAME_LIMIT - len(ending) - _NUMBER_ROOM] + ending
    # glob, unlike iterdir, finds nothing where the folder was deleted under a running page.
    taken = {path.name for path in workspace.runs.glob("*")}
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbered) if free not in taken)
