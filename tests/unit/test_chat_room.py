"""The room in which columns are asked, with a scripted server in the engine's place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backend.chat import choices
from backend.chat.asking import Target
from backend.chat.columns import Column
from backend.chat.conversations import Conversation, SavedColumn, SavedMessage, list_conversations
from backend.chat.events import Delta, Done, Failed, Reply
from backend.chat.room import Room, asked_alike, history, saved_reply
from backend.chat.settings import Settings
from backend.errors import EngineError
from backend.workspace import Workspace
from tests.fakes.openai_server import DONE, Scripted, chunk, forever, serving, status, streams
from ui.tabs.chat import stamp, status_line

BASE = Column("base", None, "deepseekr1")
TUNED = Column("first/checkpoint-20", Path("first/checkpoint-20"), "deepseekr1")


@dataclass
class FakeEngine:
    """Columns and where they are asked; ``marks`` are the weights' fingerprints."""

    server: Scripted | None = None
    columns: tuple[Column, ...] = (BASE, TUNED)
    model_path: Path = Path("models/demo")
    marks: dict[str, str] = field(default_factory=dict)
    base_mark: str = "base-1"

    def fingerprint(self, key: str) -> str | None:
        return self.marks.get(key)

    def target(self, key: str) -> Target:
        assert self.server is not None
        return Target(url=self.server.url, model=key.split("/")[0])


@dataclass
class FakeManager:
    engine: FakeEngine | None

    def current(self) -> FakeEngine | None:
        return self.engine

    def load(self, model_path: Path, columns: tuple[Column, ...]) -> None:
        self.engine = FakeEngine(columns=columns, model_path=model_path)

    def unload(self) -> int:
        self.engine = None
        return 858_000_000


def room_with(workspace: Workspace, engine: FakeEngine | None) -> Room:
    return Room(workspace, FakeManager(engine))  # type: ignore[arg-type]


def answered(text: str) -> list[Any]:
    return [
        status(200),
        streams(chunk(f"<think>\nhm\n</think>\n\n{text}"), chunk(finish="stop"), DONE),
    ]


def ask_all(room: Room, question: str, *, session: str = "page") -> Conversation:
    conversation = room.conversation()
    assert conversation is not None
    for _ in room.ask(session, conversation, question, Settings.greedy()):
        pass
    return conversation


def test_every_column_keeps_its_own_answer_and_is_told_its_own_past(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_with(workspace, FakeEngine(server))
        conversation = ask_all(room, "Tired and pale?")
        assert [column.messages[1].text for column in conversation.columns] == [
            "Rest.",
            "Ferritin.",
        ]
        assert conversation.columns[0].messages[1].reasoning.strip() == "hm"
        for _ in room.ask("page", conversation, "And then?", Settings.greedy()):
            pass
        told = {body["model"]: body["messages"] for body in server.asked[2:]}
    assert [message["content"] for message in told["first"]] == [
        "Tired and pale?",
        "<think>\nhm\n</think>\n\nFerritin.",
        "And then?",
    ]
    assert "Rest." in told["base"][1]["content"]


def test_what_an_unload_gave_back_is_said_until_the_next_load(workspace: Workspace) -> None:
    """A tick that was on its way took the words about the memory off the page again."""
    room = room_with(workspace, FakeEngine())
    assert room.unload() == room.freed == 858_000_000
    assert room.unload() is None, "nothing was loaded"
    assert stamp(room) != stamp(room_with(workspace, None)), "a tick before it is drawn over"
    assert "process has ended" in status_line(room.engine, room.freed, "en")
    (base, *_) = choices.bases(workspace)
    room.load(base.id, [room.columns(base.id)[0].key])
    assert room.freed is None


def test_what_was_said_is_on_disk_and_comes_back(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        ask_all(room_with(workspace, FakeEngine(server)), "Tired and pale?")
    again = room_with(workspace, FakeEngine()).conversation()
    assert again is not None and again.columns[1].messages[1].text == "Ferritin."


def test_weights_trained_anew_under_an_old_name_get_no_old_answers(workspace: Workspace) -> None:
    """A run was deleted and another trained under its name: the old words are not the new run's."""
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        ask_all(room_with(workspace, FakeEngine(server, marks={TUNED.key: "aaaa"})), "Q?")
    again = room_with(workspace, FakeEngine(marks={TUNED.key: "bbbb"})).conversation()
    assert again is not None and again.columns[1].messages == []


def test_stop_ends_the_answers_and_keeps_what_came(workspace: Workspace) -> None:
    with serving(
        base=[status(200), forever(chunk("on "))], first=[status(200), forever(chunk("on "))]
    ) as server:
        room = room_with(workspace, FakeEngine(server))
        conversation = room.conversation()
        assert conversation is not None
        replies = room.ask("page", conversation, "Q?", Settings.greedy())
        while not all(reply.tokens > 3 for reply in next(replies).values()):
            pass
        with pytest.raises(EngineError) as caught:
            next(room.ask("page", conversation, "Again?", Settings.greedy()))
        assert caught.value.key == "chat.errors.already_asking"
        room.stop("page")
        for _ in replies:
            pass
    for column in list_conversations(workspace)[0].columns:
        assert column.messages[1].text.startswith("on on")
        assert column.messages[1].stats["reason"] == "cancelled"


def test_a_browser_that_leaves_ends_the_generation(workspace: Workspace) -> None:
    with serving(
        base=[status(200), forever(chunk("on "))], first=[status(200), forever(chunk("on "))]
    ) as server:
        room = room_with(workspace, FakeEngine(server))
        conversation = room.conversation()
        assert conversation is not None
        replies = room.ask("page", conversation, "Q?", Settings.greedy())
        while not any(reply.tokens for reply in next(replies).values()):
            pass
        replies.close()  # type: ignore[attr-defined]
        assert server.left.wait(10)
    assert len(list_conversations(workspace)) == 1


def test_a_column_that_another_page_removed_says_so(workspace: Workspace) -> None:
    with serving(base=answered("Rest.")) as server:
        engine = FakeEngine(server)
        room = room_with(workspace, engine)
        conversation = room.conversation()
        assert conversation is not None
        engine.columns = (BASE,)
        for _ in room.ask("page", conversation, "Q?", Settings.greedy()):
            pass
    said, refused = (column.messages[1] for column in conversation.columns)
    assert said.text == "Rest."
    assert refused.stats["error"]["key"] == "engine.errors.column_unknown"


@pytest.mark.parametrize(
    ("question", "loaded", "key"),
    [("Q?", False, "nothing_loaded"), ("  \n", True, "empty_message")],
)
def test_what_can_not_be_asked(workspace: Workspace, question: str, loaded: bool, key: str) -> None:
    room = room_with(workspace, FakeEngine() if loaded else None)
    with pytest.raises(EngineError) as caught:
        next(room.ask("page", Conversation(), question, Settings.greedy()))
    assert caught.value.key == f"chat.errors.{key}"
    assert room.conversation() is None or loaded
    assert list_conversations(workspace) == []


def test_a_question_that_was_never_answered_is_not_told_again() -> None:
    """Two questions in a row are a form that no model was trained on."""
    failed = Reply("c")
    failed.take(Failed("c", EngineError("engine.errors.silent")))
    done = Reply("c")
    done.take(Delta("c", text="Yes.", content="Yes.", tokens=2))
    done.take(Done("c", "stop", 2, 1.0))
    column = SavedColumn("c", "c")
    column.messages = [
        SavedMessage("user", "First?"),
        saved_reply(failed, {}),
        SavedMessage("user", "Second?"),
        saved_reply(done, {}),
    ]
    assert [message["content"] for message in history(column)] == ["Second?", "Yes."]


def test_two_pages_add_to_one_conversation(workspace: Workspace) -> None:
    """Each page kept a copy of its own, and the one that saved last had lost the other's turns."""
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_with(workspace, FakeEngine(server))
        before = room.revision
        ask_all(room, "From one page?", session="one")
        ask_all(room, "From the other?", session="other")
    (kept,) = list_conversations(workspace)
    asked = [message.content for message in kept.columns[0].messages if message.role == "user"]
    assert asked == ["From one page?", "From the other?"]
    assert room.revision == before + 2, "the pages are told"


def test_clear_begins_anew_and_keeps_the_old(workspace: Workspace) -> None:
    """An answer still coming wrote itself back onto the cleared page."""
    with serving(
        base=[status(200), forever(chunk("on "))], first=[status(200), forever(chunk("on "))]
    ) as server:
        room = room_with(workspace, FakeEngine(server))
        old = room.conversation()
        assert old is not None
        replies = room.ask("page", old, "Q?", Settings.greedy())
        while not any(reply.tokens for reply in next(replies).values()):
            pass
        room.clear("page")
        assert len(list(replies)) <= 1
    new = room.conversation()
    assert new is not None and new is not old and new.columns[0].messages == []
    assert old.columns[0].messages[1].text.startswith("on")
    assert room_with(workspace, FakeEngine()).conversation().id == new.id  # type: ignore[union-attr]


def test_answers_that_can_not_be_kept_are_said_to_be_lost(workspace: Workspace) -> None:
    workspace.chats.rmdir()
    workspace.chats.write_text("in the way")
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_with(workspace, FakeEngine(server))
        with pytest.raises(EngineError) as caught:
            ask_all(room, "Q?")
    assert caught.value.key == "chat.errors.not_kept"
    shown = room.conversation()
    assert shown is not None and shown.columns[0].messages[1].text == "Rest."


def test_a_base_trained_anew_gets_no_old_answers(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        ask_all(room_with(workspace, FakeEngine(server)), "Q?")
    again = room_with(workspace, FakeEngine(base_mark="base-2")).conversation()
    assert again is not None and again.columns[0].messages == []


def test_the_base_is_asked_as_the_checkpoints_beside_it() -> None:
    """With another template than that of the training, the base looked worse for no merit of it."""
    base = Column("base", None, "default")
    assert asked_alike([base, TUNED])[0].template == "deepseekr1"
    other = Column("second/final", Path("second"), "qwen")
    assert asked_alike([base, TUNED, other])[0].template == "default"
    assert asked_alike([base]) == [base]
