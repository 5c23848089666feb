"""One dashboard changes a workspace; any other on the same one reads."""

from __future__ import annotations

import os
from dataclasses import dataclass

from backend.flocks import open_lock
from backend.workspace import Workspace

FILE = ".dashboard.lock"


@dataclass(frozen=True)
class Sole:
    """The right to change a workspace, until it is closed or the process has ended, however."""

    descriptor: int

    @classmethod
    def take(cls, workspace: Workspace) -> Sole | None:
        """The right, or None where another dashboard has it."""
        descriptor = open_lock(workspace.root / FILE)
        return None if descriptor is None else cls(descriptor)

    def close(self) -> None:
        """Let another dashboard have it."""
        os.close(self.descriptor)
