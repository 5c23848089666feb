"""What a person types or pastes to name a repository: an id, or the address of its page."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

from backend.errors import DownloadError
from backend.hub.repository import HubName, Kind, Repository

_PART = r"[A-Za-z0-9][\w.\-]*"
_ID = re.compile(rf"{_PART}/{_PART}", re.ASCII)
_REVISION = re.compile(r"[\w.\-/+]+", re.ASCII)

# Not modelscope.ai: another site than modelscope.cn, with repositories of its own.
_HOSTS: dict[str, HubName] = {
    "modelscope.cn": "modelscope",
    "huggingface.co": "huggingface",
    "hf.co": "huggingface",
    "hf-mirror.com": "huggingface",
}
_KINDS: dict[str, Kind] = {"models": "model", "datasets": "dataset"}
_BEFORE_REVISION = frozenset({"tree", "blob", "resolve", "raw", "commit"})


def parse_address(
    typed: str, *, hub: HubName, kind: Kind, hosts: dict[str, HubName] | None = None
) -> Repository:
    """The repository that is meant by ``org/name``, ``org/name@revision`` or a page's address.

    Args:
        hub, kind: What an id alone means; an address says it itself.
        hosts: Further hosts and whose they are, e.g. that of a mirror.

    Raises:
        DownloadError: it names no repository.
    """
    plain = typed.strip()
    if not plain:
        raise DownloadError("hub.errors.address_empty")
    if "://" in plain:
        return _from_page(plain, {**_HOSTS, **(hosts or {})})
    host, _, rest = plain.partition("/")
    if host.lower().removeprefix("www.") in _HOSTS and rest:
        return _from_page(f"https://{plain}", _HOSTS)
    name, _, revision = plain.partition("@")
    return Repository(hub, kind, _checked_id(name.strip("/"), typed), _checked(revision, typed))


def _from_page(address: str, hosts: dict[str, HubName]) -> Repository:
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").removeprefix("www.")
        with_port = f"{host}:{parts.port}" if parts.port else host
    except ValueError as error:  # brackets without an address, a port that is no number
        raise DownloadError("hub.errors.address_bad", address=address[:200]) from error
    hub = hosts.get(with_port)
    if hub is None:
        raise DownloadError("hub.errors.address_foreign", host=with_port[:200] or address[:200])
    steps = [unquote(step) for step in parts.path.split("/") if step]
    kind: Kind = "model"
    if steps and steps[0] in _KINDS:
        kind = _KINDS[steps.pop(0)]
    name = _checked_id("/".join(steps[:2]), address)
    revision = _revision(steps[2:]) or _query(parts.query, "version", "Revision", "revision")
    return Repository(hub, kind, name, _checked(revision, address))


def _query(query: str, *names: str) -> str:
    """What a page is told after its path: on ModelScope the branch or tag of the list of files."""
    told = parse_qs(query)
    return next((told[name][0] for name in names if name in told), "")


def _revision(steps: list[str]) -> str:
    """What follows ``tree`` and the like, or ``file/view``.

    A branch with slashes can't be told from a path.
    """
    if steps[:2] == ["file", "view"]:  # ModelScope's page of one file
        return steps[2] if len(steps) > 3 else ""
    for place, step in enumerate(steps[:-1]):
        if step in _BEFORE_REVISION:
            return steps[place + 1]
    return ""


def _checked_id(name: str, typed: str) -> str:
    if not _ID.fullmatch(name) or ".." in name:
        raise DownloadError("hub.errors.address_bad", address=typed.strip()[:200])
    return name


def _checked(revision: str, typed: str) -> str:
    if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise DownloadError("hub.errors.address_bad", address=typed.strip()[:200])
    return revision
