"""The endpoints for programs: what they take, what they refuse, and that their page says so."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import gradio as gr
import pytest

from backend.chat.ballots import open_ballot
from backend.chat.room import Room
from backend.chat.settings import Settings
from backend.chat.sheets import Answer, Contestant, Question, make_sheet
from backend.data.meaning.mapping import ColumnMap, Role
from backend.errors import CallError, MedTuneError, WorkspaceError
from backend.files import close_to_writing
from backend.hub.settings import HubSettings, default_file
from backend.services import Services
from backend.training import layout
from backend.training.runs import list_runs
from backend.workspace import Workspace
from scripts.api_reference import BEGIN, PAGE, reference
from tests.fakes.hostile import SCRIPT, NoProcess, values, watching
from tests.fakes.ready_workspace import DATASET, MODEL, VALUES, make_ready
from ui.dashboard import build_dashboard
from ui.outside.endpoint import Endpoint, await_until
from ui.outside.offering import endpoints, offered

SECRET = "canary 4711"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A workspace with a model and datasets, in which no process starts and no hub answers."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "outside").mkdir()
    (folder / "outside" / "rows.json").write_text(json.dumps([{"Question": SECRET}]))
    workspace = make_ready(Workspace.open(folder / "workspace", sources=[]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "workspace" / "config"))
        patch.setattr("sys.dont_write_bytecode", True)
        patch.setattr(subprocess, "Popen", NoProcess)
        hubs = HubSettings(default_file())
        for hub in ("modelscope", "huggingface"):
            hubs.change(hub, endpoint="http://127.0.0.1:9", token=None, keep=False)
        made = Services.of(workspace)
        yield made
        made.close()


@pytest.fixture(scope="module")
def all_of(services: Services) -> dict[str, Endpoint]:
    room = Room(services.workspace, services.engines, services.remotes)
    return {one.name: one for one in endpoints(services, room)}


@pytest.fixture(scope="module")
def page(services: Services) -> gr.Blocks:
    return build_dashboard(services, language="en")


# --- What is offered ----------------------------------------------------------------------------


def test_scripts_find_these_endpoints_and_no_event_of_the_page(
    page: gr.Blocks, all_of: dict[str, Endpoint]
) -> None:
    named = page.get_api_info()["named_endpoints"]
    assert list(named) == [f"/{name}" for name in all_of]
    for name, endpoint in all_of.items():
        told = named[f"/{name}"]["parameters"]
        assert [one["parameter_name"] for one in told] == [one.name for one in endpoint.arguments]
        assert [one["parameter_has_default"] for one in told] == [
            not one.required for one in endpoint.arguments
        ]
        assert all(one["type"] for one in told), name
    assert [one.name for one in offered(page)] == list(all_of)


def test_docs_say_what_is_offered(all_of: dict[str, Endpoint]) -> None:
    """`python -m scripts.api_reference` writes it anew."""
    written = PAGE.read_text(encoding="utf-8")
    assert written == written.partition(BEGIN)[0] + reference(list(all_of.values()))


def test_everything_is_explained(all_of: dict[str, Endpoint]) -> None:
    for one in all_of.values():
        assert one.about.endswith("."), one.name
        assert one.answers.endswith("."), one.name
        assert all(argument.about.endswith(".") for argument in one.arguments), one.name


def test_a_browser_makes_no_place_for_them(page: gr.Blocks) -> None:
    config = page.get_config_file()
    laid_out = {child["id"] for child in config["layout"]["children"]}
    arguments = {one["id"] for one in config["components"] if one["type"] == "api"}
    assert arguments and not arguments & laid_out


# --- Arguments ----------------------------------------------------------------------------------


def every_kind(
    _language: str,
    text: str,
    whole: int = 1,
    number: float = 0.5,
    truth: bool = False,
    texts: list[str] | None = None,
    settings: dict[str, Any] | None = None,
    way: Literal["on", "off"] = "on",
) -> dict[str, Any]:
    """Answer what came.

    Args:
        text: A text, of
            two lines.
        whole: A number.
        number: Another one.
        truth: Or not.
        texts: Several.
        settings: By name.
        way: One of two.

    Returns:
        All of it.
    """
    return {key: value for key, value in locals().items() if not key.startswith("_")}


EVERY = Endpoint.of(every_kind)


def test_a_browser_waits_for_nothing_that_has_no_place(page: gr.Blocks) -> None:
    """The page was there, and a veil lay over it for ever: Gradio's script waited for components
    of the endpoints, which the layout does not have."""
    config = page.get_config_file()

    def placed(node: Any) -> set[int]:
        return {node["id"]}.union(*(placed(child) for child in node.get("children", [])))

    nowhere = [one for one in config["components"] if one["id"] not in placed(config["layout"])]
    assert nowhere
    assert [one["id"] for one in nowhere if one["props"].get("visible") is not False] == []


def test_a_docstring_is_the_documentation() -> None:
    assert EVERY.about == "Answer what came."
    assert EVERY.answers == "All of it."
    assert EVERY.arguments[0].about == "A text, of two lines."
    assert [one.name for one in EVERY.arguments if one.required] == ["text"]


def test_what_fits_is_taken() -> None:
    """JavaScript has one kind of number: 3.0 is whole, and 1 may be a share."""
    given = {"whole": 3.0, "number": 1, "truth": True, "texts": ["a"], "settings": {"a": [1]}}
    answered = EVERY.call("en", {"text": "a", "way": "off", **given})
    assert answered == {"text": "a", "way": "off", **given}
    assert isinstance(answered["whole"], int) and isinstance(answered["number"], float)
    defaults = {"whole": None, "texts": None, "way": None}
    assert EVERY.call("en", {"text": "", **defaults})["whole"] == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None),
        ("text", 1),
        ("whole", True),
        ("whole", 1.5),
        ("whole", "1"),
        ("whole", float("nan")),
        ("whole", 2**60),
        ("number", float("inf")),
        ("number", False),
        ("truth", 1),
        ("texts", "a"),
        ("texts", ["a", 1]),
        ("settings", []),
        ("way", "up"),
        ("way", ["on"]),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: Any) -> None:
    with pytest.raises(CallError, match=f"“{name}”"):
        EVERY.call("en", {"text": "a", name: value})


def test_names_that_are_missing_or_unknown_are_named() -> None:
    with pytest.raises(CallError, match="“text” is missing"):
        EVERY.call("en", {})
    with pytest.raises(CallError, match="“texxt” is no argument"):
        EVERY.call("en", {"text": "a", "texxt": "b"})


@pytest.mark.parametrize("seconds", [-1, 61, float("nan")])
def test_nobody_waits_for_ever(seconds: float) -> None:
    with pytest.raises(CallError, match="between 0 and 60"):
        await_until(lambda: False, seconds)


# --- Hostile ------------------------------------------------------------------------------------

FITTING: dict[type, Any] = {str: "x", int: 1, float: 0.0, bool: False}


def test_nothing_hostile_does_any_harm(services: Services, all_of: dict[str, Endpoint]) -> None:
    """Each argument gets each value while the others are as they should be, so that it is the
    action that refuses it and not the first check of kinds."""
    outside = services.workspace.root.parent / "outside"
    good = {
        "source": "notes.json",
        "model": MODEL,
        "dataset": DATASET,
        "preset": "quick_demo",
        "columns": None,
        "questions": ["x"],
        "repository": "a/b",
        "name": "fresh",
    }
    nested = [{one: value for one in ("run_name", "dataset", "enable_thinking", "template", "x")}
              for value in values(outside / "rows.json")]  # fmt: skip
    roles = [{"question": value} for value in values(outside / "rows.json")]
    sent = [*values(outside / "rows.json"), *nested, *roles]
    with watching(services.workspace.root, outside) as watch:
        for endpoint in all_of.values():
            usual = {
                one.name: good.get(one.name, FITTING.get(one.kind, one.default))
                for one in endpoint.arguments
                if one.required or one.name in good
            }
            for argument in endpoint.arguments:
                if argument.name == "wait_seconds":
                    continue
                for value in sent:
                    said = answered(endpoint, {**usual, argument.name: value})
                    assert SECRET not in said, (endpoint.name, argument.name, value)
    assert not (watch.written or watch.read or watch.asked or watch.started), watch
    assert list_runs(services.workspace) == []


def answered(endpoint: Endpoint, given: dict[str, Any]) -> str:
    """What is answered, as JSON, or the sentence that says why not."""
    try:
        return json.dumps(endpoint.call("en", given), allow_nan=False)
    except MedTuneError as error:
        assert error.sentence("zh")
        return error.sentence("en")


def test_a_sentence_is_no_html(page: gr.Blocks) -> None:
    call = next(one.fn for one in page.fns.values() if one.api_name == "list_checkpoints")
    request = gr.Request(headers={"accept-language": "zh-CN,en;q=0.5"})
    with pytest.raises(gr.Error) as refused:
        call(request, f'<b>"{SCRIPT}')
    assert "<" not in refused.value.message and '"' in refused.value.message
    assert "没有名为" in refused.value.message


# --- What they do -------------------------------------------------------------------------------


def test_settings_go_before_the_preset(
    services: Services, all_of: dict[str, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []

    def start(values: dict[str, Any]) -> Any:
        started.append(values)
        raise CallError("outside.errors.failed")

    monkeypatch.setattr(services.supervisor, "start", start)
    settings = {"max_steps": 3, "bf16": True, "neftune_noise_alpha": 5, "model_name_or_path": MODEL}
    call = {"dataset": DATASET, "preset": "quick_demo", "settings": settings, "name": "mine"}
    with pytest.raises(CallError):
        all_of["start_run"].call("en", call)
    (values,) = started
    assert values["lora_rank"] == 64  # the preset's
    assert (values["max_steps"], values["precision"], values["model"]) == (3, "bf16", MODEL)
    assert (values["dataset"], values["run_name"]) == (DATASET, "mine")
    assert values["template"] == "deepseekr1"
    with pytest.raises(CallError):
        all_of["start_run"].call("en", {"dataset": DATASET, "model": MODEL})
    assert started[1]["lora_rank"] != 64  # the form's default


def test_losses_are_told_once(services: Services, all_of: dict[str, Endpoint]) -> None:
    folder = services.workspace.runs / "told"
    folder.mkdir()
    record = {"id": "told", "created": "2026-01-01T00:00:00+00:00", "values": dict(VALUES)}
    (folder / layout.RUN).write_text(json.dumps(record))
    (folder / layout.EXIT).write_text(json.dumps({"reason": "finished", "code": 0}))
    lines = [
        {"current_steps": step, "total_steps": 5, "loss": 1 / step, "lr": 0.1, "epoch": 0.1}
        for step in range(1, 6)
    ]
    lines += [{"current_steps": 4, "total_steps": 5, "eval_loss": 0.5}]
    (folder / layout.TRAINER_LOG).write_text("".join(json.dumps(one) + "\n" for one in lines))
    try:
        followed = all_of["follow_run"].call("en", {"run": "told", "since_step": 3})
        assert [one["step"] for one in followed["losses"]] == [4, 5]
        assert followed["losses"][1] == {"step": 5, "loss": 0.2, "learning_rate": 0.1}
        assert followed["evaluations"] == [{"step": 4, "loss": 0.5}]
        assert (followed["over"], followed["more"], followed["state"]) == (True, False, "finished")
        (listed,) = all_of["list_runs"].call("en", {})
        assert listed == {name: followed[name] for name in listed}
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_a_list_that_is_rated_blind_tells_no_names(
    services: Services, all_of: dict[str, Endpoint]
) -> None:
    columns = [Contestant("base:a", "a"), Contestant("run/b", "b")]
    sheet = make_sheet(services.workspace, [Question("Why?")], columns, Settings())
    sheet.add(Answer(0, "run/b", text="So.", stats={"tokens": 2, "reason": "stop"}))
    (told,) = all_of["follow_answers"].call("en", {"sheet": sheet.id})["answers"]
    assert (told["number"], told["column"], told["answer"]) == (1, "run/b", "So.")
    assert (told["tokens"], told["end"], told["problem"]) == (2, "stop", None)
    open_ballot(services.workspace, sheet)
    with pytest.raises(MedTuneError, match="rated blind"):
        all_of["follow_answers"].call("en", {"sheet": sheet.id})


def test_rows_over_the_cutoff_are_counted_before_they_are_dropped(
    services: Services, all_of: dict[str, Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other columns than the page's there were no lengths, and the call was refused with what
    a person is to do on the page."""
    source, desk = "notes.json", services.desk
    begun: list[ColumnMap | None] = []
    monkeypatch.setattr(desk, "measure", lambda look: begun.append(look.columns))
    before = desk.draft(source)
    desk.change(source, lambda draft: replace(draft, drop=True, model=MODEL, template="default"))
    try:
        for columns in ({}, {"question": "Response"}):
            given = {"source": source, "name": "shorter", "columns": columns}
            with pytest.raises(CallError) as refused:
                all_of["prepare_dataset"].call("en", given)
            assert "call this again" in refused.value.sentence("en")
    finally:
        desk.change(source, lambda _: before)
    asked = [one.column(Role.QUESTION) for one in begun if one is not None]
    assert asked == ["Question", "Response"]


CHANGES: dict[str, dict[str, Any]] = {
    "download": {"repository": "a/b"},
    "stop_download": {"download": "x"},
    "prepare_dataset": {"source": "notes.json", "name": "other"},
    "start_run": {"dataset": DATASET, "model": MODEL},
    "stop_run": {"run": "x"},
    "resume_run": {"run": "x"},
    "stop_answers": {"sheet": "x"},
}


def test_a_second_dashboard_only_reads(services: Services, all_of: dict[str, Endpoint]) -> None:
    changing = {one.name for one in all_of.values() if not one.reads}
    beside = {"look_at_data", "load_columns", "unload_columns", "ask_columns"}
    assert changing == {*CHANGES, *beside}
    close_to_writing(services.workspace.root)
    try:
        for name, given in CHANGES.items():
            with pytest.raises(MedTuneError) as refused:
                all_of[name].call("en", given)
            gone = name in {"stop_run"}  # there is no run that could be refused
            assert gone or isinstance(refused.value, WorkspaceError), name
        with pytest.raises(MedTuneError):  # nothing is loaded
            all_of["ask_columns"].call("en", {"questions": ["x"]})
    finally:
        close_to_writing(services.workspace.root, open_again=True)
