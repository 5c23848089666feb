"""The end of a trainer's output, made readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.training import logs
from backend.training.layout import LOG
from backend.training.logs import last_words, tail


def write(folder: Path, content: str) -> None:
    (folder / LOG).write_bytes(content.encode("utf-8"))


def test_no_log(tmp_path: Path) -> None:
    assert tail(tmp_path) == "" and last_words(tmp_path) == ""


def test_a_progress_bar_is_folded_to_what_it_showed_last(tmp_path: Path) -> None:
    write(tmp_path, "start\n\rmap: 0%\rmap: 50%\rmap: 100%\r\nend\r\n")
    assert tail(tmp_path) == "start\nmap: 100%\nend"


def test_colours_and_control_characters_are_removed(tmp_path: Path) -> None:
    write(tmp_path, "\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 nul\x00 tab\tstays \u202etrick\n")
    assert tail(tmp_path) == "red bell nul tab\tstays trick"


def test_only_the_last_lines_of_a_long_log_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_TAIL", 101)
    write(tmp_path, "".join(f"{'é' * 10} {number}\n" for number in range(1000)))
    lines = tail(tmp_path).splitlines()
    assert lines[-1].endswith(" 999") and len(lines) == 4
    assert all(line.startswith("é" * 10) for line in lines)
    assert tail(tmp_path, 2).splitlines() == lines[-2:]
    assert tail(tmp_path, 0) == ""


def test_a_line_being_written_is_shown(tmp_path: Path) -> None:
    write(tmp_path, "done\nhalf a li")
    assert tail(tmp_path) == "done\nhalf a li"


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=300))
def test_any_bytes_become_text_that_a_page_can_show(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOG).write_bytes(content)
    shown = tail(tmp_path)
    assert all(char in "\n\t" or char >= " " for char in shown)
    last_words(tmp_path)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "Traceback (most recent call last):\n"
            '  File "x.py", line 3, in <module>\n'
            "    train()\n"
            "    ~~~~~^^\n"
            "ValueError: the template does not fit\n"
            "  0%|          | 0/12 [00:00<?, ?it/s]\n",
            "ValueError: the template does not fit",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried …\nsome farewell\n",
         "torch.OutOfMemoryError: CUDA out of memory. Tried …"),
        ("UserWarning: 'pin_memory' is set\nSegmentation fault\n\n", "Segmentation fault"),
        ("Running tokenizer: 100%|██████| 32/32 [00:00<00:00, 694 examples/s]\n", ""),
    ],
)  # fmt: skip
def test_last_words_are_the_reason(tmp_path: Path, log: str, words: str) -> None:
    write(tmp_path, log)
    assert last_words(tmp_path) == words


def test_last_words_are_short(tmp_path: Path) -> None:
    write(tmp_path, f"ValueError: {'x' * 5000}\n")
    assert len(last_words(tmp_path)) == 400
