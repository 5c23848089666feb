"""The dashboard with a trainer that trains nothing: all of the page, in seconds.

``python -m tests.fakes.training_app WORKSPACE [options of fake_trainer.py]``
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from app import free_port
from backend.access.site import Site
from backend.services import Services
from backend.training.probing import Prober
from backend.training.pumping import Pump
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import FAKE_TRAINER
from ui.dashboard import build_dashboard
from ui.serving import launch


def main() -> None:
    workspace = Workspace.open(Path(sys.argv[1]))
    command = (sys.executable, str(FAKE_TRAINER), *sys.argv[2:])
    supervisor = Supervisor(workspace, command=command)
    services = replace(
        Services.of(workspace),
        supervisor=supervisor,
        prober=Prober(workspace, command=command),
        pump=Pump(supervisor),
    )
    assert services.pump is not None
    services.pump.start()
    page = build_dashboard(services, language="en")
    port = free_port("127.0.0.1", 0)
    site = Site("127.0.0.1")
    print(launch(page, site=site, port=port, accounts=None, open_browser=False), flush=True)
    try:
        while True:
            time.sleep(3600)
    finally:
        services.close()


if __name__ == "__main__":
    main()
