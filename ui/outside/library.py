"""What is on this machine, and what comes from a hub: models, data files, downloads."""

from __future__ import annotations

from typing import Any

from backend.hub.addresses import parse_address
from backend.hub.jobs import Job, find_job
from backend.hub.repository import HubName, Kind
from backend.library.datasets import list_raw_datasets
from backend.library.models import list_models
from backend.services import Services
from ui.outside.endpoint import await_until


class LibraryActions:
    """The Download tab for programs."""

    def __init__(self, services: Services) -> None:
        self._workspace = services.workspace
        self._downloads = services.downloads

    def list_models(self, language: str) -> list[dict[str, Any]]:
        """The models on this machine: the bundled demo model, then those of the workspace.

        Returns:
            A list of objects: `id`, `ready` (it can be trained and asked), `problems` (sentences
            that say why not), `bytes`, `parameters` (null where unknown), `architecture`,
            `template` (LLaMA-Factory's chat template that fits; null where unknown).
        """
        return [
            {
                "id": one.id,
                "ready": one.ready,
                "problems": [problem.sentence(language) for problem in one.problems],
                "bytes": one.size,
                "parameters": one.parameters,
                "architecture": one.architecture,
                "template": one.template,
            }
            for one in list_models(self._workspace)
        ]

    def list_data_files(self, language: str) -> list[dict[str, Any]]:
        """The data files on this machine: the bundled samples, then those of the workspace.

        Returns:
            A list of objects: `id`, `bytes`, `problems` (sentences; empty where it can be used).
        """
        return [
            {
                "id": one.id,
                "bytes": one.size,
                "problems": [problem.sentence(language) for problem in one.problems],
            }
            for one in list_raw_datasets(self._workspace)
        ]

    def download(
        self,
        language: str,
        repository: str,
        kind: Kind = "model",
        hub: HubName = "modelscope",
        files: list[str] | None = None,
    ) -> dict[str, Any]:
        """Fetch a model or a dataset from a hub; it goes on in a process of its own. Files that are
        on this machine already are not fetched again, weights as pickles never.

        Args:
            repository: `organisation/name`, perhaps with `@revision`, or its address on the hub.
            kind: `model` or `dataset`.
            hub: `modelscope` or `huggingface`.
            files: Paths in the repository; null for those that are needed to use it.

        Returns:
            As `follow_download`.
        """
        self._workspace.check_writable()
        hosts = self._downloads.settings.hosts()
        wanted = parse_address(repository, hub=hub, kind=kind, hosts=hosts)
        plan = self._downloads.plan(wanted)
        job = self._downloads.start(plan, plan.advised if files is None else files)
        return _told(job, language)

    def follow_download(
        self, language: str, download: str, wait_seconds: float = 0
    ) -> dict[str, Any]:
        """How far a download is.

        Args:
            download: Its id, as `download` answered it.
            wait_seconds: Wait until it has ended, for 0 to 60 seconds.

        Returns:
            An object: `download` (its id), `repository`, `state` (running, pausing, paused,
            cancelled, interrupted, failed, done), `received_bytes`, `total_bytes`,
            `bytes_per_second`, `seconds_left` (null where unknown), `problem` (a sentence or null).
        """

        def over() -> bool:
            return not find_job(self._workspace, download).state.active

        await_until(over, wait_seconds)
        return _told(find_job(self._workspace, download), language)

    def stop_download(self, language: str, download: str) -> dict[str, Any]:
        """Pause a download. What has come is kept: `download` of the same repository goes on.

        Args:
            download: Its id, as `download` answered it.

        Returns:
            As `follow_download`.
        """
        return _told(self._downloads.pause(download), language)


def _told(job: Job, language: str) -> dict[str, Any]:
    return {
        "download": job.id,
        "repository": job.repository.id,
        "state": job.state.value,
        "received_bytes": job.received,
        "total_bytes": job.total,
        "bytes_per_second": job.speed,
        "seconds_left": job.seconds_left,
        "problem": job.problem.sentence(language) if job.problem else None,
    }
