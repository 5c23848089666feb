"""What the page asks: one object of each kind for the life of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from backend.chat.engines import EngineManager
from backend.data.desk import Desk
from backend.data.tokens.inspector import Inspector
from backend.data.tokens.measuring import Measuring
from backend.hub.downloads import Downloads
from backend.hub.settings import HubSettings, default_file
from backend.library.importer import Importer
from backend.library.models import list_models
from backend.library.verify import Verifier
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace


@dataclass(frozen=True)
class Services:
    """Built once by app.py and handed to every tab."""

    workspace: Workspace
    downloads: Downloads
    importer: Importer
    verifier: Verifier
    desk: Desk
    inspector: Inspector
    supervisor: Supervisor
    engines: EngineManager

    @classmethod
    def of(cls, workspace: Workspace) -> Services:
        return cls(
            workspace=workspace,
            downloads=Downloads(workspace, HubSettings(default_file())),
            importer=Importer(workspace),
            verifier=Verifier(workspace),
            desk=Desk(workspace, Measuring(workspace)),
            inspector=Inspector(workspace),
            supervisor=Supervisor(workspace),
            engines=EngineManager(workspace),
        )

    def loaded_models(self) -> list[str]:
        """Ids of the models that a chat engine of this dashboard holds."""
        engine = self.engines.current()
        if engine is None or not engine.usable:
            return []
        return [model.id for model in list_models(self.workspace) if engine.holds(model.path)]

    def close(self) -> None:
        """End what must not outlive the dashboard. Trainers, downloads and tasks go on."""
        self.engines.unload()
        self.inspector.close()
