"""Lessons, encodings and parities as JSON: what dashboard and inspector send each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.tokens.values import Encoding, Note, Parity, Piece, Token


def lesson_to_json(lesson: Lesson) -> dict[str, Any]:
    return {
        "turns": [list(turn) for turn in lesson.turns],
        "system": lesson.system,
        "pair": list(lesson.pair) if lesson.pair else None,
    }


def lesson_from_json(value: Mapping[str, Any]) -> Lesson:
    pair = value["pair"]
    return Lesson(
        turns=tuple(Turn(*turn) for turn in value["turns"]),
        system=value["system"],
        pair=Pair(*pair) if pair else None,
    )


def encoding_to_json(encoding: Encoding) -> dict[str, Any]:
    return {
        "tokens": [
            [token.id, token.text, token.trained, token.special, token.dropped]
            for token in encoding.tokens
        ],
        "cutoff": encoding.cutoff,
        "variant": encoding.variant,
        "notes": _notes_to_json(encoding.notes),
    }


def encoding_from_json(value: Mapping[str, Any]) -> Encoding:
    return Encoding(
        tokens=tuple(Token(*token) for token in value["tokens"]),
        cutoff=value["cutoff"],
        variant=value["variant"],
        notes=_notes_from_json(value["notes"]),
    )


def parity_to_json(parity: Parity) -> dict[str, Any]:
    return {
        "prompt": [[piece.kind, piece.text] for piece in parity.prompt],
        "whole": [[piece.kind, piece.text] for piece in parity.whole],
        "notes": _notes_to_json(parity.notes),
    }


def parity_from_json(value: Mapping[str, Any]) -> Parity:
    return Parity(
        prompt=tuple(Piece(*piece) for piece in value["prompt"]),
        whole=tuple(Piece(*piece) for piece in value["whole"]),
        notes=_notes_from_json(value["notes"]),
    )


def _notes_to_json(notes: Iterable[Note]) -> list[dict[str, Any]]:
    return [asdict(note) for note in notes]


def _notes_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Note, ...]:
    return tuple(Note(**value) for value in values)
