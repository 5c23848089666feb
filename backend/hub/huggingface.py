"""Hugging Face, or a mirror of it, through its own client.

The client can't go on with a file that another process began: it writes to a random name. And it
tries again by itself for as long as bytes come, be they the same ones from a hub that knows no
ranges, deeper in its own recursion each time. So the listing, the addresses, the headers, the
session and the errors are its work here; the request for bytes, the partial file, its resumption
and the check of its hash are ours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from backend.errors import DownloadError
from backend.hub.asking import SILENCE
from backend.hub.failures import Transient
from backend.hub.repository import Listing, RemoteFile, Repository, sorted_out
from backend.library.hashing import git_blob, hash_file

CLIENT_WISHES: Mapping[str, str] = {
    # A stalled socket is given up after so many seconds without a byte, and asked for again.
    "HF_HUB_DOWNLOAD_TIMEOUT": "20",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""What a download's process gives the client where the person has set nothing else."""

_TRIES = 3
"""Times that a file is fetched whose content is another one than the hub says; ModelScope's client
does the same. The next server behind the same name may have the right one."""


_BLOB = re.compile(r"[0-9a-f]{40}")
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class HuggingFace:
    """One hub address, with or without a token.

    Args:
        endpoint: Address without a slash at its end.
        token: Empty for none; the client then uses none, not even one that it has stored.
    """

    def __init__(self, endpoint: str, token: str) -> None:
        from huggingface_hub import HfApi

        self._endpoint = endpoint
        self._api = HfApi(endpoint=endpoint, token=token or False)

    def __repr__(self) -> str:
        return f"HuggingFace({self._endpoint!r})"

    def listing(self, repository: Repository) -> Listing:
        """What the repository holds.

        Raises:
            DownloadError: there is none, it is not ours to read, it lists nothing or names that
                lead out of a folder, or the hub can't be reached.
        """
        info = self._asked(
            self._api.repo_info,
            repository,
            repository.id,
            repo_type=repository.kind,
            revision=repository.revision or None,
            timeout=SILENCE,  # the client's own is none
            files_metadata=True,
        )
        files, left_out = sorted_out(_remote(one) for one in info.siblings or ())
        if not files:
            raise DownloadError(
                "hub.errors.nothing_listed",
                id=repository.id,
                revision=repository.revision or "main",
            )
        return Listing(
            Repository(
                repository.hub, repository.kind, repository.id, repository.revision or "main"
            ),
            commit=str(info.sha or repository.revision or "main"),
            licence=_licence(info),
            files=files,
            left_out=left_out,
        )

    def fetch(
        self,
        repository: Repository,
        file: RemoteFile,
        folder: Path,
        on_position: Callable[[int], None],
    ) -> None:
        """Bring one file into ``folder``, going on where an earlier try stopped.

        Args:
            repository: With the commit as its revision, so that all files are of one moment.
            on_position: Called with the bytes that are there, again and again; less than before
                when the hub made it begin anew.

        Raises:
            Transient: the line or the hub failed; what came is kept.
            DownloadError: the file can't be had like this.
            OSError: it can't be written.
        """
        target = folder / file.path
        if target.exists() and _is_right(target, file):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.incomplete")
        for trial in range(_TRIES):
            time.sleep(trial)
            self._asked(
                self._get, repository, repository, file, partial, on_position, path=file.path
            )
            if file.size is not None and partial.stat().st_size != file.size:
                partial.unlink()
                raise DownloadError("hub.errors.size_differs", path=file.path)
            if _is_right(partial, file):
                partial.replace(target)
                return
            partial.unlink()
        raise DownloadError("hub.errors.hash_differs", path=file.path)

    def _get(
        self,
        repository: Repository,
        file: RemoteFile,
        partial: Path,
        on_position: Callable[[int], None],
    ) -> None:
        """One request for the bytes that are missing; what the hub says is another file is not
        taken, and the partial file has another size than the listing then."""
        from huggingface_hub import constants, get_session, hf_hub_url
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        url = hf_hub_url(
            repository.id,
            file.path,
            repo_type=repository.kind,
            revision=repository.revision or None,
            endpoint=self._endpoint,
        )
        with partial.open("ab") as stream:
            there = stream.tell()
            if file.size is not None and there > file.size:
                there = stream.truncate(0)
            on_position(there)
            if there == file.size:
                return
            # Compressed on the way it could not be gone on with.
            headers = {**self._api._build_hf_headers(), "Accept-Encoding": "identity"}
            if there:
                headers["Range"] = f"bytes={there}-"
            patience = constants.HF_HUB_DOWNLOAD_TIMEOUT
            with get_session().stream("GET", url, headers=headers, timeout=patience) as response:
                if there and response.status_code == 416:  # there is nothing after what we have
                    stream.truncate(0)
                    raise Transient("hub.errors.server_failed", status=416)
                hf_raise_for_status(response)
                _take(response, stream, there, file.size, on_position)

    def _asked(
        self,
        ask: Callable[..., Any],
        repository: Repository,
        *arguments: Any,
        path: str = "",
        **options: Any,
    ) -> Any:
        """Call the client; what it raises becomes a sentence by its type."""
        import httpx
        from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

        try:
            return ask(*arguments, **options)
        except OfflineModeIsEnabled as error:
            raise DownloadError("hub.errors.offline") from error
        except httpx.HTTPError as error:  # the client's own errors are of this class, too
            raise self._told(error, repository, path) from error
        except HFValidationError as error:
            raise DownloadError("hub.errors.address_bad", address=repository.id) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadError("hub.errors.no_json", endpoint=self._endpoint) from error
        except OSError as error:
            # The client's word for a body that ended early; the disk's errors have a number.
            if error.errno is not None:
                raise
            raise Transient("hub.errors.unreachable", endpoint=self._endpoint) from error

    def _told(self, error: Exception, repository: Repository, path: str) -> DownloadError:
        import httpx
        from huggingface_hub import errors

        name = repository.id
        response = getattr(error, "response", None)
        status = response.status_code if response is not None else 0
        match error:
            case errors.RevisionNotFoundError():
                return DownloadError(
                    "hub.errors.revision_unknown", id=name, revision=repository.revision
                )
            case errors.GatedRepoError():
                return DownloadError("hub.errors.gated", id=name)
            case errors.EntryNotFoundError():
                return DownloadError("hub.errors.file_missing", path=path, id=name)
            case httpx.TimeoutException():
                return Transient("hub.errors.timed_out", endpoint=self._endpoint)
        match status:
            case 0:
                return Transient("hub.errors.unreachable", endpoint=self._endpoint)
            case 401:
                # The hub does not say whether a repository is private or not there at all.
                return DownloadError("hub.errors.token_needed", id=name)
            case 403:
                return DownloadError("hub.errors.forbidden", id=name)
            case 404:
                return DownloadError("hub.errors.not_found", id=name, endpoint=self._endpoint)
            case 429:
                return Transient("hub.errors.rate_limited", retry_after=_seconds(response))
            case _ if status >= 500:
                return Transient(
                    "hub.errors.server_failed", retry_after=_seconds(response), status=status
                )
        return DownloadError("hub.errors.refused", endpoint=self._endpoint, status=status)


def _take(
    response: Any,
    stream: BinaryIO,
    there: int,
    size: int | None,
    on_position: Callable[[int], None],
) -> None:
    """Write the body of a response to what is ``there``, or anew where it is the whole file."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code != 206 or found is None or int(found[1]) != there:
        there = stream.truncate(0)
        on_position(there)
        if response.status_code == 206:
            raise Transient("hub.errors.server_failed", status=206)
    length = response.headers.get("Content-Length", "")
    plain = "Content-Encoding" not in response.headers and length.isdigit()
    if size is not None and plain and there + int(length) != size:
        stream.truncate(0)
        return
    for chunk in response.iter_bytes():
        stream.write(chunk)
        there += len(chunk)
        on_position(there)


def _remote(sibling: Any) -> RemoteFile:
    lfs = sibling.lfs
    digest = lfs.sha256 if lfs is not None else None
    # Of a file in the large file storage git knows the pointer only, and this is its name.
    blob = sibling.blob_id if lfs is None else None
    known = isinstance(blob, str) and _BLOB.fullmatch(blob)
    return RemoteFile(str(sibling.rfilename), sibling.size, digest, blob if known else None)


def _licence(info: Any) -> str:
    card = info.card_data
    licence = card.get("license") if card is not None else None
    return licence if isinstance(licence, str) else ""


def _is_right(path: Path, file: RemoteFile) -> bool:
    if file.size is not None and path.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return hash_file(path) == file.sha256
    return file.blob is None or git_blob(path) == file.blob


def _seconds(response: Any) -> float | None:
    said = response.headers.get("Retry-After", "")
    return float(said) if said.isdigit() else None
