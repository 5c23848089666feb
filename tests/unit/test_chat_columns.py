"""What a chat column shows of who answers and of what was said."""

from __future__ import annotations

import pytest

from backend.chat.conversations import SavedColumn, SavedMessage
from backend.chat.fitting import Fit
from backend.chat.loading import ColumnState
from backend.errors import EngineError
from ui.components.chat_columns import column_head, settings_words, stats_line, turns
from ui.components.chat_settings import settings_of

QUESTION = SavedMessage("user", "Q <b>?", turn="t1")
COLUMN = SavedColumn(
    "run/checkpoint-20", "run · checkpoint-20", kind="lora", model="org/base", run="run",
    checkpoint="checkpoint-20", step=20, evaluation_loss=1.2345,
)  # fmt: skip


def answer(**stats: object) -> SavedMessage:
    return SavedMessage("assistant", "raw", reasoning="Because.", text="**Rest.**", stats=stats)


def test_reasoning_is_folded_above_the_answer() -> None:
    stats = {"reasoning_closed": True, "reasoning_seconds": 2.34, "reasoning_tokens": 7}
    (shown,) = turns([QUESTION, answer(**stats)], "en")
    assert "Q &lt;b&gt;?" in shown
    assert "<details class=" in shown and "Reasoning · 2.3 s · 7 tokens" in shown
    assert shown.index("Because.") < shown.index("<strong>Rest.</strong>")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            SavedMessage("assistant", "x", reasoning="hm", stats={"reasoning_closed": False}),
            "never",
        ),
        (SavedMessage("assistant", "x", text="Rest.", stats={"reasoning_closed": None}), "Without"),
    ],
)
def test_reasoning_that_is_open_or_absent_is_shown_as_such(
    message: SavedMessage, words: str
) -> None:
    assert words in turns([QUESTION, message], "en")[0]


def test_what_gives_way_to_an_answer_that_comes_is_not_shown() -> None:
    said = [QUESTION, answer(), SavedMessage("user", "Second?", turn="t2"), answer()]
    assert len(turns(said, "en")) == 2
    (first,) = turns(said, "en", before=2)
    assert "Second?" not in first


def test_a_failure_is_said_in_the_readers_language() -> None:
    failed = SavedMessage(
        "assistant", "", stats={"error": {"key": "engine.errors.silent", "params": {}}}
    )
    (english,), (chinese,) = (turns([QUESTION, failed], language) for language in ("en", "zh"))
    assert "silent" in english and "silent" not in chinese


def test_a_column_says_who_it_is() -> None:
    state = ColumnState("ready", device="cpu, float32", mark="abc123", template="qwen")
    head = column_head(COLUMN, state, "en", twins=["other · final"])
    for fact in ("run · checkpoint-20", "on org/base", "step 20", "evaluation loss 1.234",
                 "template qwen", "cpu, float32", "abc123", "same weights as other"):  # fmt: skip
        assert fact in head


def test_a_column_says_what_is_wrong_and_what_to_do() -> None:
    failed = ColumnState("failed", EngineError("engine.errors.silent"))
    assert 'data-action="reload"' in column_head(COLUMN, failed, "en")
    crowded = ColumnState("no_room", fit=Fit(3_000_000_000, 1_000_000_000))
    assert "3.0 GB are needed, 1.0 GB are free" in column_head(COLUMN, crowded, "en")
    late = column_head(
        COLUMN, ColumnState("ready"), "en", failure=EngineError("engine.errors.busy")
    )
    assert "the old one was kept" in late


def test_figures_of_an_answer() -> None:
    stats = {
        "reason": "length",
        "tokens": 40,
        "tokens_per_second": 12.34,
        "first_token_seconds": 0.256,
    }
    assert stats_line(answer(**stats), "en") == (
        "40 tokens · 12.3 tokens/s · first after 0.26 s · reached the limit"
    )
    assert stats_line(QUESTION, "en") == ""


def test_the_settings_of_an_answer_are_said() -> None:
    said = settings_words({"temperature": 0.5, "top_k": 0, "thinking": "off", "system": ""}, "en")
    assert said == "Temperature: 0.5 · Reasoning: Off"


ENTERED = ("", False, "trained", 0.6, 0.9, 0, 1.0, 64.0, 7.0)


def test_settings_are_taken_as_entered() -> None:
    settings = settings_of(*ENTERED)
    assert (settings.max_tokens, settings.seed, settings.top_p) == (64, 7, 0.9)
    assert isinstance(settings.max_tokens, int)
    greedy = settings_of(" Be brief. ", True, "off", 0.6, 0.95, 0, 1.1, 100.0, 0)
    assert (greedy.temperature, greedy.repetition_penalty) == (0, 1.1)
    assert (greedy.system, greedy.thinking) == ("Be brief.", "off")


@pytest.mark.parametrize(
    ("place", "value", "name"),
    [
        (3, 9.0, "temperature"),
        (3, None, "temperature"),
        (5, 1.5, "top_k"),
        (6, 0.0, "repetition_penalty"),
        (7, 0, "max_tokens"),
        (7, None, "max_tokens"),
        (7, 1.5, "max_tokens"),
        (8, None, "seed"),
        (2, "loudly", "thinking"),
        (0, "x" * 30_000, "system"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(place: int, value: object, name: str) -> None:
    entered = [*ENTERED[:place], value, *ENTERED[place + 1 :]]
    with pytest.raises(EngineError) as caught:
        settings_of(*entered)  # type: ignore[arg-type]
    assert caught.value.params["name"] == name
    assert caught.value.sentence("zh")
