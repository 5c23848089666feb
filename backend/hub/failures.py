"""What goes wrong between a hub and this machine, sorted by what helps: waiting, or a person."""

from __future__ import annotations

from backend.errors import DownloadError


class Transient(DownloadError):
    """The line or the hub failed in a way that may be over in a moment: try again.

    Attributes:
        retry_after: Seconds that the hub asked to wait; None where it did not.
    """

    def __init__(self, key: str, *, retry_after: float | None = None, **params: object) -> None:
        super().__init__(key, **params)
        self.retry_after = retry_after
