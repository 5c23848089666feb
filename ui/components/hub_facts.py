"""What the catalogue and a hub say of a repository, as figures and words."""

from __future__ import annotations

from collections.abc import Sequence

from backend.hub import catalogue
from backend.hub.plan import Plan, PlannedFile
from backend.hub.repository import HubName, Kind
from backend.text import text
from backend.units import count_short, size
from ui.html import Safe, element, facts, join

_NAMED = 5

HUB_NAMES: dict[HubName, str] = {"modelscope": "ModelScope", "huggingface": "Hugging Face"}


def entries(hub: HubName, kind: Kind) -> list[tuple[str, str]]:
    """What the catalogue has on a hub: what is shown, and the id there."""
    known = catalogue.models() if kind == "model" else catalogue.datasets()
    return [(_entry_label(one), one.ids[hub]) for one in known if hub in one.ids]


def entry_facts(hub: HubName, kind: Kind, entry: str | None, language: str) -> Safe:
    """What the catalogue says of an entry; nothing for a repository of the person's own."""
    found = catalogue.find(kind, hub, entry) if entry else None
    if found is None:
        return Safe("")
    if isinstance(found, catalogue.CatalogueDataset):
        return dataset_facts(found, hub, language)
    return model_facts(found, language)


def dataset_facts(found: catalogue.CatalogueDataset, hub: HubName, language: str) -> Safe:
    """Format, languages and licence of a dataset, and whether it can be read here."""
    copy = found.copies[hub]
    figures = facts(
        [
            (text(language, "hub.facts.format"), text(language, f"hub.formats.{found.format}")),
            (
                text(language, "hub.facts.languages"),
                ", ".join(text(language, f"hub.languages.{one}") for one in found.languages),
            ),
            (text(language, "hub.facts.licence"), _licence(copy.licence, language)),
            (text(language, "hub.facts.data"), size(copy.size) if copy.size else "–"),
        ]
    )
    if copy.readable is False:
        warning = element("p", text(language, "hub.unreadable"), cls="mt-notice", role="status")
        return join([figures, warning])
    return figures


def model_facts(found: catalogue.CatalogueModel, language: str) -> Safe:
    """What a model is, and what it needs of a GPU."""
    licence = _licence(found.licence, language)
    if found.base_licence:
        licence = f"{licence} + {found.base_licence}"
    needs = catalogue.memory(found)
    figures = facts(
        [
            (text(language, "hub.facts.parameters"), count_short(found.parameters)),
            (text(language, "hub.facts.size"), size(found.size)),
            (text(language, "hub.facts.template"), found.template),
            (text(language, "hub.facts.licence"), licence),
            (text(language, "hub.facts.chat"), size(needs.chat)),
            (text(language, "hub.facts.lora"), size(needs.lora)),
            (text(language, "hub.facts.qlora"), size(needs.qlora)),
        ]
    )
    return join([figures, element("p", text(language, "hub.memory_note"), cls="mt-quiet")])


def plan_facts(plan: Plan, language: str) -> Safe:
    """What the hub says of a repository, and where it will be."""
    listing = plan.listing
    figures = facts(
        [
            (HUB_NAMES[listing.repository.hub], listing.repository.id),
            (text(language, "hub.facts.revision"), _revision(plan)),
            (text(language, "hub.facts.licence"), _licence(listing.licence, language)),
            (
                text(language, "hub.facts.files"),
                f"{len(listing.files)} · {size(listing.size)}",
            ),
        ]
    )
    pieces = [figures]
    if listing.left_out:
        names = ", ".join(listing.left_out[:_NAMED]) + (" …" if listing.left_out[_NAMED:] else "")
        words = text(language, "hub.left_out", count=len(listing.left_out), names=names[:300])
        pieces.append(element("p", words, cls="mt-notice", role="status"))
    if plan.pickles_only:
        words = text(language, "hub.pickles_only")
        pieces.append(element("p", words, cls="mt-bad", role="status"))
    return join(pieces)


def room_facts(plan: Plan | None, chosen: Sequence[str], language: str) -> Safe:
    """What is to fetch against what is free; nothing without a plan."""
    if plan is None:
        return Safe("")
    needed, room = plan.needed(chosen), plan.room
    rows = [
        (text(language, "hub.facts.chosen"), size(needed)),
        (text(language, "hub.facts.free"), size(room.free)),
    ]
    if room.reserved:
        rows.append((text(language, "hub.facts.reserved"), size(room.reserved)))
    rest = max(room.free - room.reserved - needed, 0)
    figures = facts([*rows, (text(language, "hub.facts.rest"), size(rest))])
    if missing := room.missing(needed):
        words = text(language, "hub.too_big", missing=size(missing))
        return join([figures, element("p", words, cls="mt-bad", role="status")])
    if chosen and not plan.to_fetch(chosen):
        return join([figures, element("p", text(language, "hub.all_here"), cls="mt-notice")])
    return figures


def file_label(planned: PlannedFile, language: str) -> str:
    """Path, size, and what there is to know before choosing it."""
    known = planned.file.size is not None
    parts = [
        planned.file.path,
        size(planned.file.size or 0) if known else text(language, "hub.size_unknown"),
    ]
    if planned.presence == "present":
        parts.append(text(language, "hub.file_here"))
    elif planned.presence == "differs":
        parts.append(text(language, "hub.file_differs"))
    if planned.mixed:
        parts.append(text(language, "hub.file_mixed"))
    if planned.pickle:
        parts.append(text(language, "hub.file_pickle"))
    return " · ".join(parts)


def _licence(licence: str, language: str) -> str:
    return licence or text(language, "hub.licence_unknown")


def _revision(plan: Plan) -> str:
    """The branch, and the commit where the hub tells it."""
    revision, commit = plan.listing.repository.revision, plan.listing.commit
    return revision if commit == revision else f"{revision} ({commit[:8]})"


def _entry_label(entry: catalogue.CatalogueModel | catalogue.CatalogueDataset) -> str:
    if isinstance(entry, catalogue.CatalogueModel):
        return f"{entry.name} · {count_short(entry.parameters)} · {size(entry.size)}"
    return entry.name
