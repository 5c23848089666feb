"""The log reader: each point once, whatever the moment of reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.training import metrics
from backend.training.layout import TRAINER_LOG
from backend.training.metrics import read_points

# Lines of a real log (LLaMA-Factory 0.9.5), shortened.
TRAINED = {"current_steps": 5, "total_steps": 12, "loss": 6.9, "lr": 9e-05, "epoch": 0.625}
EVALUATED = {"current_steps": 5, "total_steps": 12, "eval_loss": 6.8, "epoch": 0.625}
LAST = {"current_steps": 12, "total_steps": 12, "epoch": 1.5, "percentage": 100.0}


def write(folder: Path, *lines: Any, end: str = "\n") -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + end
    (folder / TRAINER_LOG).write_text(text, encoding="utf-8")


def test_points_have_what_was_logged(tmp_path: Path) -> None:
    write(tmp_path, TRAINED, EVALUATED, LAST)
    assert read_points(tmp_path).points == [
        {"step": 5, "loss": 6.9, "learning_rate": 9e-05, "epoch": 0.625},
        {"step": 5, "eval_loss": 6.8, "epoch": 0.625},
    ]


def test_no_log_yet(tmp_path: Path) -> None:
    assert read_points(tmp_path) == metrics.Points(0, False, [])
    assert read_points(tmp_path, 100).reset


def test_a_partial_line_is_left_for_the_next_call(tmp_path: Path) -> None:
    write(tmp_path, TRAINED, '{"current_steps": 6, "lo', end="")
    first = read_points(tmp_path)
    assert [point["step"] for point in first.points] == [5]
    write(tmp_path, TRAINED, {**TRAINED, "current_steps": 6})
    second = read_points(tmp_path, first.offset)
    assert [point["step"] for point in second.points] == [6] and not second.reset
    assert read_points(tmp_path, second.offset).points == []


def test_a_replaced_log_starts_over(tmp_path: Path) -> None:
    write(tmp_path, *[TRAINED] * 3)
    offset = read_points(tmp_path).offset
    write(tmp_path, {**TRAINED, "current_steps": 1})
    again = read_points(tmp_path, offset)
    assert again.reset and [point["step"] for point in again.points] == [1]
    # Longer than before, but with other lines: no line starts where the reader stood.
    write(tmp_path, *[{**TRAINED, "current_steps": 10_000 + step} for step in range(9)])
    assert read_points(tmp_path, offset).reset


def test_offsets_that_make_no_sense_start_over(tmp_path: Path) -> None:
    write(tmp_path, TRAINED)
    assert read_points(tmp_path, -5).reset and read_points(tmp_path, 3).reset
    assert len(read_points(tmp_path, -5).points) == 1


def test_what_is_no_entry_gives_no_point(tmp_path: Path) -> None:
    write(
        tmp_path, "junk", "[1]", "null", "", '{"loss": 1.0}', {"current_steps": True, "loss": 1.0},
        {"current_steps": -1, "loss": 1.0}, {"current_steps": 1.5, "loss": 1.0}, "\x00\x00",
        "[" * 100_000, TRAINED,
    )  # fmt: skip
    assert [point["step"] for point in read_points(tmp_path).points] == [5]


def test_a_diverged_loss_is_a_gap_in_the_curve(tmp_path: Path) -> None:
    """Python's json writes a bare NaN, which strict readers refuse: the chart lost those steps."""
    write(tmp_path, {**TRAINED, "loss": float("nan")}, {**TRAINED, "loss": float("inf")})
    assert [point["loss"] for point in read_points(tmp_path).points] == [None, None]


def test_a_long_log_comes_in_parts(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(metrics, "CHUNK", 150)
    write(
        tmp_path, *[{**TRAINED, "current_steps": step} for step in range(50)], "x" * 1000, TRAINED
    )
    steps, offset, size = [], 0, (tmp_path / TRAINER_LOG).stat().st_size
    while offset < size:
        read = read_points(tmp_path, offset)
        assert read.offset > offset and not read.reset
        steps += [point["step"] for point in read.points]
        offset = read.offset
    assert steps == [*range(50), 5]


entries = st.fixed_dictionaries(
    {"current_steps": st.integers(0, 10**6), "total_steps": st.integers(1, 10**6)},
    optional={
        "loss": st.floats(),
        "eval_loss": st.floats(),
        "lr": st.floats(0, 1),
        "epoch": st.floats(0, 100),
        "elapsed_time": st.text(),
    },
)
lines = st.one_of(
    entries.map(lambda entry: json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")),
    st.binary(max_size=30).map(lambda noise: noise.replace(b"\n", b"")),
)


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(lines, max_size=30), st.lists(st.integers(1, 200), max_size=30))
def test_any_chunking_of_the_appends_gives_the_same_points(
    tmp_path: Path, written: list[bytes], sizes: list[int]
) -> None:
    path = tmp_path / TRAINER_LOG
    content = b"".join(line + b"\n" for line in written)
    path.write_bytes(content)
    at_once = read_points(tmp_path).points

    path.write_bytes(b"")
    points, offset, position = [], 0, 0
    for size in [*sizes, len(content)]:
        with path.open("ab") as file:
            file.write(content[position : position + size])
        position += size
        read = read_points(tmp_path, offset)
        assert not read.reset
        points += read.points
        offset = read.offset
    assert points == at_once
    assert offset == len(content)
