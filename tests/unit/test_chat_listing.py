"""Conversations are listed, searched and exported; a look costs what is new."""

from __future__ import annotations

import json

import pytest

from backend.chat import conversations
from backend.chat.conversations import Conversation, SavedColumn, SavedMessage
from backend.chat.exporting import exported
from backend.chat.listing import Listing
from backend.workspace import Workspace
from ui.components.chat_saved import saved_list


def talk(question: str, answer: str, name: str = "c") -> Conversation:
    column = SavedColumn(
        "run/checkpoint-5", "run · checkpoint-5", kind="lora", model="org/base", step=5,
        evaluation_loss=1.5, template="qwen", fingerprint="abc",
        messages=[
            SavedMessage("user", question, turn="t"),
            SavedMessage(
                "assistant", f"<think>hm</think>{answer}", reasoning="hm <b>", text=answer,
                settings={"temperature": 0.5, "seed": None}, turn="t",
            ),
        ],
    )  # fmt: skip
    return Conversation([column], id=name, created=f"2026-11-{name[-2:]:0>2}T10:00:00+00:00")


def test_a_look_reads_only_what_is_new(workspace: Workspace) -> None:
    listing = Listing(workspace)
    for number in range(20):
        conversations.save(workspace, talk(f"Q{number}?", "A.", f"c-{number + 1:02}"))
    assert [entry.id for entry in listing.entries()][:2] == ["c-20", "c-19"]
    assert listing.read == 20
    before = listing.stamp()
    conversations.save(workspace, talk("Another?", "B.", "c-03"))
    assert [entry.title for entry in listing.entries("another b.")] == ["Another?"]
    assert listing.read == 21 and listing.stamp() != before
    conversations.delete(workspace, "c-20")
    (workspace.chats / "c-19.json").write_text("{")
    assert [entry.id for entry in listing.entries()][0] == "c-18"
    listing.entries("nothing has this")
    assert listing.read == 22


def test_all_words_are_found_in_questions_answers_and_names(workspace: Workspace) -> None:
    conversations.save(workspace, talk("Müde und blass?", "Ferritin messen.", "c-01"))
    conversations.save(workspace, talk("疲倦？", "查铁蛋白。", "c-02"))
    listing = Listing(workspace)
    for words, found in (
        ("FERRITIN müde", ["c-01"]),
        ("铁蛋白", ["c-02"]),
        ("checkpoint-5", ["c-02", "c-01"]),
        ("ferritin 疲倦", []),
    ):
        assert [entry.id for entry in listing.entries(words)] == found


def test_as_markdown_it_can_be_read_and_as_json_gone_on_with(workspace: Workspace) -> None:
    told = talk("Q <script>?", "**Rest.**", "c-01")
    read = exported(told, "md", "en")
    for part in ("# Q <script>?", "## run · checkpoint-5", "step 5", "eval_loss 1.5", "`abc`",
                 "Q &lt;script>?", "hm &lt;b>", "**Rest.**", '"temperature":0.5'):  # fmt: skip
        assert part in read
    assert "### 问题" in exported(told, "md", "zh")
    content = json.loads(exported(told, "json", "en"))
    (workspace.chats / "back.json").write_text(json.dumps(content))
    assert conversations.load(workspace, "back").columns == told.columns


@pytest.mark.parametrize("language", ["en", "zh"])
def test_deleting_asks_first(workspace: Workspace, language: str) -> None:
    conversations.save(workspace, talk("Q?", "A.", "c-01"))
    entries = Listing(workspace).entries()
    plain = saved_list(entries, "other", "", language)
    assert 'data-action="open"' in plain and "delete-now" not in plain
    asked = saved_list(entries, "c-01", "c-01", language)
    assert 'data-action="delete-now"' in asked and 'data-action="open"' not in asked
