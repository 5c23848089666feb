"""What the page asks: one object of each kind for the life of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.chat.asking_many import AskingMany
from backend.chat.engines import EngineManager
from backend.chat.remotes import Remotes
from backend.chat.remotes import default_file as servers_file
from backend.data.desk import Desk
from backend.data.tokens.inspector import Inspector
from backend.data.tokens.measuring import Measuring
from backend.files import close_to_writing
from backend.hub.downloads import Downloads
from backend.hub.settings import HubSettings, default_file
from backend.library.importer import Importer
from backend.library.models import list_models
from backend.library.verify import Verifier
from backend.sole import Sole
from backend.training.acceptance import Acceptance
from backend.training.probing import Prober
from backend.training.pumping import Pump
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace


@dataclass(frozen=True)
class Services:
    """Built once by app.py and handed to every tab.

    Attributes:
        read_only: Another dashboard has the workspace open: whatever would change it is refused
            with a ``WorkspaceError``.
    """

    workspace: Workspace
    downloads: Downloads
    importer: Importer
    verifier: Verifier
    desk: Desk
    inspector: Inspector
    supervisor: Supervisor
    acceptance: Acceptance
    prober: Prober
    engines: EngineManager
    asking: AskingMany
    remotes: Remotes
    read_only: bool = False
    sole: Sole | None = None
    pump: Pump | None = None

    @classmethod
    def open(cls, workspace: Workspace) -> Services:
        """The services of a dashboard: alone on its workspace with the queue moving, or reading.

        Until ``close``; a dashboard that only reads does so for as long as it lives.
        """
        services = cls.of(workspace)
        sole = Sole.take(workspace)
        if sole is None:
            close_to_writing(workspace.root)
            return replace(services, read_only=True)
        close_to_writing(workspace.root, open_again=True)
        pump = Pump(services.supervisor)
        pump.start()
        return replace(services, sole=sole, pump=pump)

    @classmethod
    def of(cls, workspace: Workspace) -> Services:
        """The services alone, for a test or a script: nothing is locked and nothing moves."""
        return cls(
            workspace=workspace,
            downloads=Downloads(workspace, HubSettings(default_file())),
            importer=Importer(workspace),
            verifier=Verifier(workspace),
            desk=Desk(workspace, Measuring(workspace)),
            inspector=Inspector(workspace),
            supervisor=Supervisor(workspace),
            acceptance=Acceptance(workspace),
            prober=Prober(workspace),
            engines=EngineManager(workspace),
            asking=AskingMany(),
            remotes=Remotes(servers_file()),
        )

    def loaded_models(self) -> list[str]:
        """Ids of the models that a chat engine of this dashboard holds."""
        engines = [engine for engine in self.engines.engines if engine.usable]
        if not engines:
            return []
        models = list_models(self.workspace)
        return [one.id for one in models if any(engine.holds(one.path) for engine in engines)]

    def close(self) -> None:
        """End what must not outlive the dashboard. Trainers, downloads and tasks go on."""
        if self.pump is not None:
            self.pump.close()
        self.asking.stop_all()
        self.engines.unload()
        self.inspector.close()
        self.acceptance.stop()
        if self.read_only:
            close_to_writing(self.workspace.root, open_again=True)
        if self.sole is not None:
            self.sole.close()
