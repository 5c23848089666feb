"""A local hub that speaks as ModelScope and as Hugging Face, with faults on demand.

For tests, in their process::

    with hub_running() as hub:
        hub.add(kind="model", id="org/name", files={"config.json": b"{}"})
        hub.fault("org/name", "config.json", status=500, times=2)
        HubApi(endpoint=hub.url, token="").legacy.list_repo_files("org/name", "model")

For benchmarks, as a program whose big file is made as it is sent::

    python -m tests.fakes.hub --port 0 --big-bytes 1000000000

It prints its address, repository, file, bytes and sha256 in one line, and tells what it was asked
for at ``/requests``.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.fakes import hub_huggingface, hub_modelscope
from tests.fakes.hub_content import Content, Held, Repeated
from tests.fakes.hub_faults import Hold, Trouble
from tests.fakes.hub_server import Listener, Service
from tests.fakes.hub_shelf import Shelf
from tests.fakes.hub_values import (
    ANY_FILE,
    INFO,
    LISTING,
    REVISIONS,
    Answer,
    Ask,
    HubFile,
    Kind,
    Repo,
    Request,
    says,
)

__all__ = [
    "ANY_FILE",
    "INFO",
    "LISTING",
    "REVISIONS",
    "Content",
    "Hold",
    "Hub",
    "Repeated",
    "Request",
    "Trouble",
    "hub_running",
]


class Hub:
    """A hub that serves until it is closed.

    Attributes:
        url: Its address, the endpoint of both clients, without a slash at the end.
        cdn_url: Address that files come from where their repository redirects. Another host name
            for the same machine, so that clients treat it as another site.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._service = Service()
        self._shelf = Shelf()
        self._hub = Listener("hub", port, self._service, self._answer)
        self._cdn = Listener("cdn", 0, self._service, self._shelf.at_cdn)
        self.url = f"http://127.0.0.1:{self._hub.port}"
        self.cdn_url = self._shelf.cdn = f"http://localhost:{self._cdn.port}"

    def add(
        self,
        *,
        id: str,
        files: Mapping[str, bytes | Path | Content],
        kind: Kind = "model",
        licence: str = "apache-2.0",
        revisions: Sequence[str] = ("master",),
        private_token: str | None = None,
        gated: bool = False,
        sha256: bool = True,
        redirect: bool = False,
    ) -> Repo:
        """Add a repository, or replace one by another of its kind and id.

        Args:
            files: By path, which is listed as it is, even where it leads out of every folder.
            revisions: Branches, each with all files. Hugging Face calls the first ``main`` too.
            private_token: Nobody without it sees the repository.
            gated: Everybody sees it, and nobody without the token gets a file.
            sha256: Whether the hub tells the hashes.
            redirect: Whether the files' bytes come from the CDN.
        """
        shelved = {path: _file(path, content, sha256) for path, content in files.items()}
        for file in shelved.values():
            _ = file.sha256, file.blob_id  # now, not while a client waits
        repo = Repo(kind, id, shelved, licence, revisions, private_token, gated, redirect)
        self._shelf.put(repo)
        return repo

    def fault(self, id: str, path: str, *, times: int | None = None, **what: Any) -> Trouble:
        """Let answers go wrong; also while they are asked for.

        Args:
            path: A file's, ``ANY_FILE``, ``LISTING``, ``REVISIONS`` or ``INFO``.
            times: For so many requests; None until it is ended.
            what: The fields of ``hub_faults.Fault``, such as ``drop_after=1000``.
        """
        return self._service.faults.add(id, path, times, what)

    def hold(self, id: str, path: str, *, at: int) -> Hold:
        """Let transfers stop at byte ``at`` of a file, or of a listing, until they are released."""
        return self._service.faults.hold(id, path, at)

    def mend(self, id: str | None = None, path: str | None = None) -> None:
        """End the faults and holds of a path, of a repository, or all."""
        self._service.faults.end(id, path)

    @property
    def requests(self) -> list[Request]:
        """All so far, oldest first."""
        return list(self._service.requests)

    def asked(self, id: str, path: str, *, server: str | None = None) -> list[Request]:
        """The requests for a file, or for ``LISTING`` and the like; ``server`` is hub or cdn."""
        return [
            request
            for request in self.requests
            if (request.id, request.file) == (id, path) and server in (None, request.server)
        ]

    def bytes_sent(self, id: str, path: str) -> int:
        """Bytes of a file that left so far, those that came twice counted twice."""
        return sum(request.sent for request in self.asked(id, path))

    def close(self) -> None:
        """Hang up on everyone and end every thread.

        Raises:
            AssertionError: something went wrong here that no fault asked for.
        """
        self._service.faults.close()
        self._hub.close()
        self._cdn.close()
        if self._service.mishaps:
            raise AssertionError("the hub itself failed:\n" + "\n".join(self._service.mishaps))

    def _answer(self, ask: Ask) -> Answer:
        if ask.parts == ["requests"]:
            return says([asdict(request) for request in self.requests])
        said = hub_modelscope.answer(self._shelf, ask) or hub_huggingface.answer(self._shelf, ask)
        return said or says({"error": "nothing here"}, 404)


@contextmanager
def hub_running(*, port: int = 0) -> Iterator[Hub]:
    """A hub on a free port, or on this one, until the block ends."""
    hub = Hub(port=port)
    try:
        yield hub
    finally:
        hub.close()


def _file(path: str, content: bytes | Path | Content, sha256: bool) -> HubFile:
    held = content if isinstance(content, Content) else Held(content)
    return HubFile(path, held, sha256)


BIG_ID = "bench/big"
BIG_FILE = "model.safetensors"


def main() -> None:
    """Serve one model with one big file until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A local hub with one big file.")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--big-bytes", type=int, default=1_000_000_000)
    parser.add_argument("--redirect", action="store_true", help="hand it out by the CDN")
    parser.add_argument("--rate", type=int, help="bytes a second of one transfer")
    options = parser.parse_args()
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # also in the threads: sigwait takes them
    with hub_running(port=options.port) as hub:
        big = Repeated(options.big_bytes)
        files: dict[str, bytes | Path | Content] = {"config.json": b"{}", BIG_FILE: big}
        repo = hub.add(id=BIG_ID, files=files, redirect=options.redirect)
        if options.rate:
            hub.fault(BIG_ID, BIG_FILE, rate=options.rate)
        sha256 = repo.files[BIG_FILE].sha256
        print(hub.url, BIG_ID, BIG_FILE, options.big_bytes, sha256, flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
