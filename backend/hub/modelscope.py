"""ModelScope through its real client, with the client's traps closed.

The client reads its settings from the environment when it is imported, and it is imported when it
is first needed: it takes 0.4 s and 47 MB (and brings no torch, unlike ``modelscope.hub``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from backend.errors import DownloadError
from backend.hub.asking import SILENCE
from backend.hub.failures import Transient
from backend.hub.repository import Listing, RemoteFile, Repository, sorted_out

DEFAULT_REVISION = "master"

CLIENT_SETTINGS: Mapping[str, str] = {
    # The client's own retries give up after so many, however far the file has come in between.
    # ``transfer.py`` goes on for as long as bytes arrive, and says so on the page.
    "MODELSCOPE_DOWNLOAD_MAX_RETRIES": "0",
    # Its hour for each file would end a 15 GB file on a slow line.
    "MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT": "1000000000",
    "MODELSCOPE_DOWNLOAD_MIN_BYTES_PER_SECOND": "0",
    # Parts of a file would be merged at the end: twice the disk, and a kill then loses all of it.
    "MODELSCOPE_DOWNLOAD_PARALLEL_WORKERS": "1",
    # Each job writes into a folder of its own.
    "MODELSCOPE_DOWNLOAD_FILE_LOCK": "false",
    # It would ask whatever address the hub names for the data centre this machine is in.
    "MODELSCOPE_DOWNLOAD_INTRA_CLOUD": "false",
    "TQDM_DISABLE": "1",
}
"""What a download's process gives the client, whatever it has inherited: each closes a trap."""

CLIENT_WISHES: Mapping[str, str] = {
    # A stalled socket is given up after so many seconds without a byte, and asked for again.
    "MODELSCOPE_DOWNLOAD_TIMEOUT": "20",
}
"""As above, where the person has set nothing else."""

_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class ModelScope:
    """One hub address, with or without a token.

    Args:
        endpoint: Address without a slash at its end.
        token: Empty for none; the client then uses none, not even one that it has stored.
        cache: A folder of the workspace for what the client keeps for itself.
    """

    def __init__(self, endpoint: str, token: str, cache: Path) -> None:
        from modelscope_hub import HubApi
        from modelscope_hub.config import HubConfig

        # It tells the terminal of each listing; what matters is said on the page.
        logging.getLogger("modelscope_hub").setLevel(logging.WARNING)
        self._endpoint = endpoint
        self._cache = cache / "modelscope"
        # With a folder of its own the client neither reads nor writes the person's home.
        config = HubConfig(
            endpoint=endpoint, token=token, cache_dir=self._cache, config_dir=self._cache
        )
        self._api = HubApi(config)
        _answer_soon(self._api.legacy)

    def __repr__(self) -> str:
        return f"ModelScope({self._endpoint!r})"

    def listing(self, repository: Repository) -> Listing:
        """What the repository holds.

        Raises:
            DownloadError: there is none, it is not ours to read, it lists nothing or names that
                lead out of a folder, or the hub can't be reached.
        """
        revision = repository.revision or DEFAULT_REVISION
        legacy = self._api.legacy
        info = self._asked(legacy.get_repo_info, repository, repository.id, repository.kind)
        # The listing of an unknown revision is empty and succeeds.
        known = self._asked(legacy.list_revisions, repository, repository.id, repository.kind)
        names = [str(one.get("Revision")) for one in known if isinstance(one, dict)]
        if names and revision not in names and not _is_commit(revision):
            raise DownloadError(
                "hub.errors.revision_missing",
                id=repository.id,
                revision=revision,
                known=", ".join(names[:10]),
            )
        entries = self._asked(
            legacy.list_repo_files, repository, repository.id, repository.kind, revision
        )
        # The hub leaves out what is too much for one folder, and the client only logs it.
        if getattr(legacy._read_state, "listing_incomplete", False):
            raise DownloadError("hub.errors.listing_cut", id=repository.id)
        files, left_out = sorted_out(
            _remote(entry) for entry in entries if entry.get("Type") != "tree"
        )
        if not files:
            raise DownloadError("hub.errors.nothing_listed", id=repository.id, revision=revision)
        licence = info.get("License") if isinstance(info, dict) else None
        return Listing(
            Repository(repository.hub, repository.kind, repository.id, revision),
            commit=revision,  # the hub tells which version each file is, and none of the whole
            licence=licence if isinstance(licence, str) else "",
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

        Size and hash are checked by the client where the listing has them.

        Args:
            on_position: Called with the bytes that are there, again and again; less than before
                when the client had to begin anew.

        Raises:
            Transient: the line or the hub failed; what came is kept.
            DownloadError: the file can't be had like this.
            OSError: it can't be written.
        """
        from modelscope_hub import ProgressCallback

        class Position(ProgressCallback):
            """Made anew for each of the client's tries; counts what an earlier one left, too."""

            at = 0

            def update(self, size: int) -> None:
                self.at += size
                on_position(self.at)

        # The client takes 0 for a size, but the hub gives 0 also where it knows none.
        unknown = file.size == 0 and file.sha256 != _EMPTY_SHA256
        self._asked(
            self._api.downloader.download_file,
            repository,
            repository.id,
            repository.kind,
            file.path,
            revision=repository.revision or DEFAULT_REVISION,
            local_dir=folder,
            cache_dir=self._cache,
            expected_sha256=file.sha256,
            file_size=None if unknown else file.size,
            progress_callbacks=[Position],
            path=file.path,
        )

    def _asked(
        self,
        ask: Callable[..., Any],
        repository: Repository,
        *arguments: Any,
        path: str = "",
        **options: Any,
    ) -> Any:
        """Call the client; what it raises becomes a sentence by its type, whatever its words.

        Some of its messages are Chinese only, and a page of HTML is no error of its own to it.
        """
        from modelscope_hub.errors import HubError
        from requests import RequestException

        try:
            return ask(*arguments, **options)
        except HubError as error:
            raise self._told(error, repository, path) from error
        except RequestException as error:
            if isinstance(error, ValueError):  # JSON was promised, and this is none
                raise DownloadError("hub.errors.no_json", endpoint=self._endpoint) from error
            raise self._unreachable(error) from error
        except ValueError as error:
            raise DownloadError("hub.errors.no_json", endpoint=self._endpoint) from error
        except (AttributeError, KeyError, TypeError) as error:
            # The client takes the shape of an answer for granted.
            raise DownloadError("hub.errors.odd_answer", endpoint=self._endpoint) from error

    def _told(self, error: Exception, repository: Repository, path: str) -> DownloadError:
        from modelscope_hub import errors

        name = repository.id
        match error:
            case errors.AuthenticationError():
                return DownloadError("hub.errors.token_needed", id=name)
            case errors.PermissionDeniedError():
                return DownloadError("hub.errors.forbidden", id=name)
            case errors.NotExistError() if path:
                return DownloadError("hub.errors.file_missing", path=path, id=name)
            case errors.NotExistError():
                return DownloadError("hub.errors.not_found", id=name, endpoint=self._endpoint)
            case errors.RateLimitError():
                after = getattr(error, "retry_after", None)
                return Transient("hub.errors.rate_limited", retry_after=after)
            case errors.FileSizeMismatchError():
                return DownloadError("hub.errors.size_differs", path=path)
            case errors.FileIntegrityError():
                return DownloadError("hub.errors.hash_differs", path=path)
            case errors.ServerError():
                status = getattr(error, "status_code", None) or 500
                after = getattr(error, "retry_after", None)
                return Transient("hub.errors.server_failed", retry_after=after, status=status)
            case errors.NetworkError():
                return self._unreachable(error)
        status = getattr(error, "status_code", None)
        return DownloadError("hub.errors.refused", endpoint=self._endpoint, status=status or "?")

    def _unreachable(self, error: Exception) -> Transient:
        """Raises OSError: it was not the line that failed but the disk, e.g. by a quota or by the
        limit of a file system; the client takes all but a full disk for the line."""
        if _is_of_the_disk(error.__cause__):
            raise error.__cause__
        timed_out = any("Timeout" in type(cause).__name__ for cause in _causes(error))
        key = "hub.errors.timed_out" if timed_out else "hub.errors.unreachable"
        return Transient(key, endpoint=self._endpoint)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_of_the_disk(error: BaseException | None) -> TypeGuard[OSError]:
    from modelscope_hub.errors import HubError
    from requests import RequestException

    of_the_line = (HubError, RequestException, ConnectionError, TimeoutError)
    return isinstance(error, OSError) and not isinstance(error, of_the_line)


def _answer_soon(legacy: Any) -> None:
    """Let questions about a repository fail while a person waits for the page.

    The client waits for as long as a hub's Retry-After says, an hour if it says so, and a minute
    for each of six tries on a line that is silent. There is no setting for the first.
    """
    from requests.adapters import HTTPAdapter, Retry  # type: ignore[attr-defined]

    retry = Retry(
        total=2,
        read=0,
        backoff_factor=0.5,
        status_forcelist=[500, 502, 503, 504],
        respect_retry_after_header=False,
    )
    legacy._timeout = (SILENCE / 2, SILENCE)
    for scheme in ("https://", "http://"):
        legacy._session.mount(scheme, HTTPAdapter(max_retries=retry))


def _remote(entry: Mapping[str, Any]) -> RemoteFile:
    size, digest = entry.get("Size"), entry.get("Sha256")
    path = entry.get("Path") or entry.get("Name")
    known = isinstance(digest, str) and len(digest) == 64
    return RemoteFile(
        path=str(path),
        size=size if isinstance(size, int) and size >= 0 else None,
        sha256=str(digest).lower() if known else None,
        revision=str(entry.get("Revision") or ""),
    )


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and all(letter in "0123456789abcdef" for letter in revision)
