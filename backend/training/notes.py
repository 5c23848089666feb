"""What a person wrote about a run: tags and a note, kept in its folder and used by nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from backend.errors import RunError
from backend.files import read_json, write_json

NOTE = "note.json"
"""``{"tags": […], "note": "…"}`` in a run's folder."""

TAGS_LIMIT = 12
TAG_LENGTH = 30
NOTE_LENGTH = 2_000


@dataclass(frozen=True)
class Note:
    """Tags, without duplicates and in the order in which they were given, and free words."""

    tags: tuple[str, ...] = ()
    note: str = ""


def read_note(folder: Path) -> Note:
    """A run's note; an empty one where there is none or it is damaged."""
    match read_json(folder / NOTE):
        case {"tags": list(tags), "note": str(note)}:
            return Note(tuple(str(tag) for tag in tags), note)
        case _:
            return Note()


def write_note(folder: Path, tags: str, note: str) -> Note:
    """Keep what a person typed: tags with commas (also Chinese ones) between, and a note.

    Raises:
        RunError: too many or too long tags, too long a note, or the folder can't be written.
    """
    kept = Note(_tags(tags), note.strip())
    if len(kept.note) > NOTE_LENGTH:
        raise RunError("training.errors.note_long", limit=NOTE_LENGTH)
    try:
        write_json(folder / NOTE, asdict(kept))
    except OSError as error:
        reason = error.strerror or error
        raise RunError("training.errors.not_writable", folder=folder, reason=reason) from error
    return kept


def _tags(typed: str) -> tuple[str, ...]:
    for comma in "，、;；\n":
        typed = typed.replace(comma, ",")
    tags = tuple(dict.fromkeys(tag for part in typed.split(",") if (tag := part.strip())))
    if len(tags) > TAGS_LIMIT or any(len(tag) > TAG_LENGTH for tag in tags):
        raise RunError("training.errors.tags_many", count=TAGS_LIMIT, length=TAG_LENGTH)
    return tags
