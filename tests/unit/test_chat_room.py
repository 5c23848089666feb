"""The room in which columns are asked, with scripted servers behind the columns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.chat.conversations import Conversation, SavedColumn, SavedMessage, load
from backend.chat.engines import EngineManager
from backend.chat.events import Delta, Done, Failed, Reply
from backend.chat.remotes import Remotes
from backend.chat.room import Room
from backend.chat.settings import Settings
from backend.chat.sources import remote
from backend.chat.talking import history, saved_reply
from backend.chat.under_way import Asking
from backend.errors import EngineError
from backend.workspace import Workspace
from tests.fakes.openai_server import (
    DONE,
    Act,
    Scripted,
    chunk,
    forever,
    serving,
    status,
    streams,
    until,
)

GREEDY = Settings.greedy()


def room_of(workspace: Workspace, server: Scripted, *models: str) -> Room:
    """A room whose columns are models of the server."""
    remotes = Remotes(workspace.root / "outside" / "servers.json")
    for model in models:
        remotes.add(server.url, model, key=None, keep=False, agreed=False)
    room = Room(workspace, EngineManager(workspace), remotes)
    room.choose([remote(server.url, model).key for model in models])
    return room


def answered(text: str) -> list[Act]:
    return [
        status(200),
        streams(chunk(f"<think>\nhm\n</think>\n\n{text}"), chunk(finish="stop"), DONE),
    ]


ENDLESS: Sequence[Act] = [status(200), forever(chunk("on "))]


def done(asking: Asking) -> Asking:
    asking.wait(20)
    assert not asking.running
    return asking


def texts(column: SavedColumn) -> list[str]:
    return [message.text or message.content for message in column.messages]


def column(room: Room, model: str) -> SavedColumn:
    return next(one for one in room.conversation().columns if one.model == model)


def wait_for(true: Callable[[], Any]) -> None:
    limit = time.monotonic() + 10
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_every_column_keeps_its_own_answer_and_is_told_its_own_past(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_of(workspace, server, "base", "first")
        done(room.talk.ask("Tired and pale?", GREEDY))
        assert [texts(one)[1] for one in room.conversation().columns] == ["Rest.", "Ferritin."]
        assert column(room, "base").messages[1].reasoning.strip() == "hm"
        done(room.talk.ask("And then?", GREEDY))
        told = {body["model"]: body["messages"] for body in server.asked[2:]}
    assert [message["content"] for message in told["first"]] == [
        "Tired and pale?",
        "<think>\nhm\n</think>\n\nFerritin.",
        "And then?",
    ]
    assert "Rest." in told["base"][1]["content"]


def test_a_turn_is_known_in_every_column_and_its_settings_are_kept(workspace: Workspace) -> None:
    settings = Settings(temperature=0.5, seed=3, system="Be brief.", thinking="off")
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_of(workspace, server, "base", "first")
        done(room.talk.ask("Tired?", settings))
        sent = server.asked[0]
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert "top_k" not in sent, "a server that does not know it may refuse it"
    turns = {message.turn for one in room.conversation().columns for message in one.messages}
    assert len(turns) == 1 and turns != {""}
    kept = column(room, "base").messages[1].settings
    assert (kept["temperature"], kept["seed"], kept["system"]) == (0.5, 3, "Be brief.")


def test_one_column_can_be_asked_alone(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        room = room_of(workspace, server, "base", "first")
        done(room.talk.ask("Only you?", GREEDY, [column(room, "first").key]))
    assert texts(column(room, "first")) == ["Only you?", "Ferritin."]
    assert column(room, "base").messages == []


def test_what_was_said_is_on_disk_and_comes_back(workspace: Workspace) -> None:
    with serving(base=answered("Rest."), first=answered("Ferritin.")) as server:
        done(room_of(workspace, server, "base", "first").talk.ask("Tired?", GREEDY))
    again = Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))
    assert [texts(one)[1] for one in again.conversation().columns] == ["Rest.", "Ferritin."]


def test_columns_come_go_and_move_and_the_others_keep_what_was_said(workspace: Workspace) -> None:
    with serving(a=answered("A."), b=answered("B."), c=answered("C.")) as server:
        room = room_of(workspace, server, "a", "b", "c")
        keys = {name: remote(server.url, name).key for name in "abc"}
        room.choose([keys["a"], keys["b"]])
        done(room.talk.ask("Q?", GREEDY))
        room.choose([keys["c"], keys["b"], keys["a"]])
        assert [one.model for one in room.conversation().columns] == ["c", "b", "a"]
        room.loader.move(keys["a"], -1)
        room.remove(keys["c"])
        assert [one.model for one in room.conversation().columns] == ["a", "b"]
        assert texts(column(room, "a")) == ["Q?", "A."]
        room.remove(keys["b"])
        assert load(workspace, room.conversation().id).removed[0].model == "b"
        room.choose([keys["b"], keys["a"]])
        assert texts(column(room, "b")) == ["Q?", "B."], "it goes on where it was"
        assert room.conversation().removed == []


def test_an_answer_that_comes_late_goes_to_its_own_column_or_nowhere(workspace: Workspace) -> None:
    """Columns were moved and removed while they answered; no one's words stand in another's."""
    gate = threading.Event()

    def late(text: str) -> list[Act]:
        return [status(200), streams(chunk(text)), until(gate), streams(chunk("!"), DONE)]

    with serving(a=late("A"), b=late("B"), c=late("C")) as server:
        room = room_of(workspace, server, "a", "b", "c")
        asking = room.talk.ask("Q?", GREEDY)
        wait_for(lambda: all(live.reply.text for live in asking.lives.values()))
        keys = {name: remote(server.url, name).key for name in "abc"}
        room.loader.move(keys["c"], -2)
        with room.present.lock:  # or it may have ended before its column is gone, which keeps it
            room.remove(keys["b"])
        gate.set()
        done(asking)
    assert [(one.model, texts(one)) for one in room.conversation().columns] == [
        ("c", ["Q?", "C!"]),
        ("a", ["Q?", "A!"]),
    ]
    assert room.conversation().removed == []


def test_an_answer_that_comes_late_stays_in_its_conversation(workspace: Workspace) -> None:
    with serving(a=ENDLESS) as server:
        room = room_of(workspace, server, "a")
        old = room.conversation()
        asking = room.talk.ask("Q?", GREEDY)
        wait_for(lambda: asking.lives[old.columns[0].key].reply.text)
        room.begin()
        done(asking)
        new = room.conversation()
        assert new is not old and new.columns[0].messages == []
        assert texts(old.columns[0])[1].startswith("on")
        room.open(old.id)
        assert room.conversation() is old
        done(asking)
    again = Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))
    assert again.conversation().id == new.id, "the new one is the last on disk"


def test_regenerating_replaces_the_answer_when_the_new_one_is_there(workspace: Workspace) -> None:
    with serving(a=answered("First."), b=answered("Other.")) as server:
        room = room_of(workspace, server, "a", "b")
        done(room.talk.ask("Q?", GREEDY))
        server.scripts["a"] = answered("Second.")
        done(room.talk.regenerate(GREEDY, [column(room, "a").key]))
        assert texts(column(room, "a")) == ["Q?", "Second."]
        assert texts(column(room, "b")) == ["Q?", "Other."]
        assert len(server.asked[-1]["messages"]) == 1
        server.scripts["a"] = [status(500, b"oops")]
        done(room.talk.regenerate(GREEDY, [column(room, "a").key]))
        assert texts(column(room, "a")) == ["Q?", "Second."], "a failure takes nothing away"
        assert "oops" in room.talk.failures[column(room, "a").key].sentence("en")


def test_a_question_is_edited_and_what_followed_it_goes(workspace: Workspace) -> None:
    with serving(a=answered("A."), b=answered("B.")) as server:
        room = room_of(workspace, server, "a", "b")
        for question in ("One?", "Two?"):
            done(room.talk.ask(question, GREEDY))
        turn = column(room, "a").messages[0].turn
        done(room.talk.resend(turn, "Other?", GREEDY))
        assert [texts(one) for one in room.conversation().columns] == [
            ["Other?", "A."],
            ["Other?", "B."],
        ]
        with pytest.raises(EngineError):
            room.talk.resend("gone", "Q?", GREEDY)


def test_the_latest_turn_is_taken_back(workspace: Workspace) -> None:
    with serving(a=answered("A."), b=answered("B.")) as server:
        room = room_of(workspace, server, "a", "b")
        done(room.talk.ask("One?", GREEDY))
        done(room.talk.ask("Two?", GREEDY, [column(room, "b").key]))
    room.talk.undo()
    assert [len(one.messages) for one in room.conversation().columns] == [2, 2]
    room.talk.undo([column(room, "a").key])
    assert [len(one.messages) for one in room.conversation().columns] == [0, 2]
    assert load(workspace, room.conversation().id).columns[0].messages == []


def test_one_column_is_stopped_and_the_other_goes_on(workspace: Workspace) -> None:
    with serving(a=ENDLESS, b=ENDLESS) as server:
        room = room_of(workspace, server, "a", "b")
        asking = room.talk.ask("Q?", GREEDY)
        wait_for(lambda: all(live.reply.tokens > 3 for live in asking.lives.values()))
        with pytest.raises(EngineError) as caught:
            room.talk.ask("Again?", GREEDY, [column(room, "a").key])
        assert caught.value.key == "chat.errors.already_asking"
        begun = time.monotonic()
        room.talk.stop(column(room, "a").key)
        wait_for(lambda: column(room, "a").messages)
        assert time.monotonic() - begun < 1
        assert list(room.talk.live()) == [column(room, "b").key]
        room.talk.stop()
        done(asking)
    for one in load(workspace, room.conversation().id).columns:
        assert one.messages[1].text.startswith("on on")
        assert one.messages[1].stats["reason"] == "cancelled"


@pytest.mark.parametrize(
    ("question", "key"), [("  \n", "empty_message"), ("x" * 300_000, "long_message")]
)
def test_what_can_not_be_asked(workspace: Workspace, question: str, key: str) -> None:
    with serving(a=answered("A.")) as server:
        room = room_of(workspace, server, "a")
        with pytest.raises(EngineError) as caught:
            room.talk.ask(question, GREEDY)
        assert server.asked == []
    assert caught.value.key == f"chat.errors.{key}"
    assert room.conversation().columns[0].messages == []


def test_a_hundred_thousand_characters_and_control_characters_are_asked(
    workspace: Workspace,
) -> None:
    question = "\x00\x07\u202e<script>" + "x" * 100_000
    with serving(a=answered("A.")) as server:
        room = room_of(workspace, server, "a")
        done(room.talk.ask(question, GREEDY))
        assert server.asked[0]["messages"][0]["content"] == question
    assert load(workspace, room.conversation().id).columns[0].messages[0].content == question


def test_a_server_that_is_away_fails_alone(workspace: Workspace) -> None:
    with serving() as gone:
        pass
    with serving(a=answered("A.")) as server:
        room = room_of(workspace, server, "a")
        room.loader.remotes.add(gone.url, "far", key=None, keep=False, agreed=False)
        room.choose([column(room, "a").key, remote(gone.url, "far").key])
        done(room.talk.ask("Q?", GREEDY))
    assert texts(column(room, "a"))[1] == "A."
    assert column(room, "far").messages[1].stats["error"]["key"] == "engine.errors.server_away"


def test_nothing_is_sent_to_another_machine_before_it_was_agreed(workspace: Workspace) -> None:
    """A conversation that was copied here must not send its next question far away by itself."""
    room = Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))
    room.present.arrange([remote("https://far.example/v1", "m").saved()])
    with pytest.raises(EngineError) as caught:
        room.talk.ask("Q?", GREEDY)
    assert caught.value.key == "chat.remote.errors.not_agreed"


def test_columns_that_are_not_loaded_say_so(workspace: Workspace) -> None:
    room = Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))
    with pytest.raises(EngineError) as caught:
        room.talk.ask("Q?", GREEDY)
    assert caught.value.key == "chat.errors.nothing_to_ask"
    room.choose(["base:medtune/demo"])
    with pytest.raises(EngineError) as caught:
        room.talk.ask("Q?", GREEDY)
    assert caught.value.key == "engine.errors.column_unknown"
    assert room.loader.states()["base:medtune/demo"].state == "unloaded"
    assert room.loader.unload() is None
    with pytest.raises(EngineError, match="chosen"):
        room.choose(["nobody"])


def test_a_question_that_was_never_answered_is_not_told_again() -> None:
    """Two questions in a row are a form that no model was trained on."""
    failed = Reply("c")
    failed.take(Failed("c", EngineError("engine.errors.silent")))
    replied = Reply("c")
    replied.take(Delta("c", text="Yes.", content="Yes.", tokens=2))
    replied.take(Done("c", "stop", 2, 1.0))
    messages = [
        SavedMessage("user", "First?"),
        saved_reply(failed, {}),
        SavedMessage("user", "Second?"),
        saved_reply(replied, {}),
    ]
    assert [message["content"] for message in history(messages)] == ["Second?", "Yes."]


def test_answers_that_can_not_be_kept_are_said_to_be_lost(workspace: Workspace) -> None:
    with serving(a=answered("Rest.")) as server:
        room = room_of(workspace, server, "a")
        workspace.chats.rmdir()
        workspace.chats.write_text("in the way")
        asking = done(room.talk.ask("Q?", GREEDY))
    assert asking.error is not None and asking.error.key == "chat.errors.not_kept"
    assert texts(column(room, "a"))[1] == "Rest.", "it is still on the page"


def test_weights_trained_anew_under_an_old_name_get_no_old_answers(workspace: Workspace) -> None:
    """A run was deleted and another trained under its name: the old words are not the new run's."""
    with serving(a=answered("Rest.")) as server:
        room = room_of(workspace, server, "a")
        done(room.talk.ask("Q?", GREEDY))
        key = column(room, "a").key
        room.present.prove(key, "aaaa")
        assert texts(column(room, "a")) == ["Q?", "Rest."]
        room.present.prove(key, "bbbb")
        assert column(room, "a").messages == []
        room.present.prove(key, "aaaa")
        assert texts(column(room, "a")) == ["Q?", "Rest."], "and the old ones get theirs back"


def test_what_a_source_says_of_itself_is_what_it_says_now(workspace: Workspace) -> None:
    """An evaluation loss that was logged after the first question never reached its column."""
    room = Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))
    before = SavedColumn("run/checkpoint-5", "run · checkpoint-5", kind="lora")
    before.messages.append(SavedMessage("user", "Q?"))
    room.present.arrange([before])
    room.present.arrange([SavedColumn("run/checkpoint-5", "new", kind="lora", evaluation_loss=1.5)])
    (now,) = room.conversation().columns
    assert (now.label, now.evaluation_loss, texts(now)) == ("new", 1.5, ["Q?"])


def test_a_deleted_conversation_does_not_come_back_with_a_late_answer(workspace: Workspace) -> None:
    with serving(a=ENDLESS) as server:
        room = room_of(workspace, server, "a")
        asking = room.talk.ask("Q?", GREEDY)
        room.present.save(room.conversation())
        room.delete(room.conversation().id)
        done(asking)
    assert list(workspace.chats.glob("*.json")) == []
    assert [one.model for one in room.conversation().columns] == ["a"]


def test_a_conversation_without_columns_is_an_empty_one(workspace: Workspace) -> None:
    (workspace.chats / "bad.json").write_text("{")
    room = Room(workspace, EngineManager(workspace), Remotes(Path("none")))
    assert room.conversation() == Conversation(
        id=room.conversation().id, created=room.conversation().created
    )
