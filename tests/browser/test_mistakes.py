"""What people do wrong, each answered by one sentence on the page, in their language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.library.datasets import find_raw_dataset
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.fakes.openai_server import DONE, chunk, status, streams
from tests.fakes.openai_server import serving as serving_models
from tests.fakes.server import Server, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.open(tmp_path_factory.mktemp("mistakes") / "workspace")
    sample = find_raw_dataset(made, "sample/medical_en").path
    prepare_now(made, sample, PrepareSettings(name="ready"))
    return made


@pytest.fixture(scope="module")
def medtune(workspace: Workspace) -> Iterator[Server]:
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    # Servers that are added are noted there, and not among a developer's own.
    env = {"XDG_CONFIG_HOME": str(workspace.root.parent / "config")}
    with serving(arguments, env=env) as server:
        yield server
        assert "Traceback" not in server.output()


@pytest.fixture
def me(medtune: Server, open_page: Open) -> Person:
    person = Person(open_page(medtune.address).page)
    person.arrives()
    return person


def put(workspace: Workspace, name: str, content: str) -> None:
    (workspace.raw_datasets / name).write_text(content, encoding="utf-8")


def test_an_import_from_nowhere(me: Person, tmp_path: Path) -> None:
    me.types("import-path", str(tmp_path / "nowhere"))
    me.presses("import-start")
    me.is_told("nowhere")
    assert me.value_of("import-path").endswith("nowhere"), "what was typed is kept"


def test_a_folder_that_is_no_model(me: Person, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to load")
    me.marks("import-kind", "Model")
    me.types("import-path", str(tmp_path))
    me.presses("import-start")
    me.is_told(re.compile("model"))
    expect(me.sees("models").locator("tbody tr")).to_have_count(1)


def test_an_empty_file_is_listed_with_its_fault(me: Person, workspace: Workspace) -> None:
    put(workspace, "empty.json", "")
    me.goes_to("data")
    me.goes_to("download")
    row = me.sees("datasets").locator("tr", has_text="empty.json")
    expect(row).to_contain_text("Not usable", timeout=PATIENCE)
    expect(row).to_contain_text("empty")


def test_a_malformed_file_is_said_to_be_one(me: Person, workspace: Workspace) -> None:
    put(workspace, "prose.json", "Dear colleague, this is no JSON.")
    me.goes_to("data")
    me.chooses("data-source", re.compile("prose"))
    expect(me.sees("tab-data")).to_contain_text("neither a JSON array nor JSON lines")


def test_bad_rows_are_named_by_number_and_the_rest_is_prepared(
    me: Person, workspace: Workspace
) -> None:
    good = {"Question": "Q?", "Complex_CoT": "Because.", "Response": "A."}
    rows: list[dict[str, object]] = [{**good, "Question": f"Question {n}?"} for n in range(6)]
    rows[2]["Response"] = {"no": "text"}
    put(workspace, "some.json", json.dumps(rows))
    me.goes_to("data")
    me.chooses("data-source", re.compile("some"))
    expect(me.sees("checks")).to_contain_text("column Response holds no text", timeout=PATIENCE)
    me.sees("checks").locator("button[data-action=show_problem]").first.click()
    shown = me.sees("rows").locator("article")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-row", "3")
    me.types("data-name", "some")
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text("ready", timeout=PREPARING)
    folder = workspace.prepared_datasets / "some"
    # Questions that differ in a number only are relatives: all of them stay on one side.
    kept = (folder / "data.jsonl").read_text(encoding="utf-8")
    assert [n for n in range(6) if f"Question {n}?" in kept] == [0, 1, 3, 4, 5]
    # The page offers the next free name; the one that is taken is refused.
    me.types("data-name", "some")
    me.presses("data-start")
    me.is_told("some")


def test_answers_of_the_tutorials_script_are_repaired_and_counted(
    me: Person, workspace: Workspace
) -> None:
    """The script writes ``<think>`` where ``</think>`` belongs."""
    rows = [
        {"instruction": f"Q{n}?", "input": "", "output": f"<think>Why {n}.<think>\n\nAnswer {n}."}
        for n in range(4)
    ]
    put(workspace, "by_script.json", json.dumps(rows))
    before = (workspace.raw_datasets / "by_script.json").read_bytes()
    me.goes_to("data")
    me.chooses("data-source", re.compile("by_script"))
    found = me.sees("checks").locator("li[data-check=think_typo]")
    expect(found).to_contain_text("4 rows", timeout=PATIENCE)
    expect(found).to_contain_text("repaired")
    taught = me.sees("rows").locator("article").first.locator(".mt-lesson-side").nth(1)
    expect(taught.locator(".mt-tag")).to_have_text(["<think>", "</think>"])
    assert (workspace.raw_datasets / "by_script.json").read_bytes() == before


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", "CON"])
def test_a_name_that_leads_elsewhere(me: Person, workspace: Workspace, name: str) -> None:
    me.goes_to("data")
    me.chooses("data-source", re.compile("medical_en"))
    expect(me.sees("data-survey")).to_contain_text("64", timeout=PATIENCE)
    me.types("data-name", name)
    me.presses("data-start")
    me.is_told("can't be used as a name")
    assert not (workspace.root.parent / "outside").exists()


def test_a_value_out_of_range_is_said_before_the_start(me: Person) -> None:
    me.goes_to("hyperparameters")
    me.types("field-lora_rank", "0")
    expect(me.sees("config-summary")).to_contain_text("LoRA rank", timeout=PATIENCE)
    expect(me.sees("config-yaml")).not_to_contain_text("lora_rank")
    me.presses("go-training")
    me.is_told("LoRA rank")
    expect(me.sees("tab-hyperparameters")).to_be_visible()


def test_a_fraction_where_a_whole_number_belongs(me: Person) -> None:
    me.goes_to("hyperparameters")
    me.types("field-per_device_train_batch_size", "2.5")
    expect(me.sees("config-summary")).to_contain_text("whole number", timeout=PATIENCE)
    me.presses("go-training")
    me.is_told("must be a whole number; it is 2.5")


def test_another_preset_leaves_nothing_of_the_one_before(me: Person) -> None:
    me.goes_to("hyperparameters")
    yaml = me.sees("config-yaml")
    expect(yaml).to_contain_text("max_samples: 24", timeout=PATIENCE)
    me.chooses("preset", re.compile("[Tt]utorial"))
    expect(yaml).to_contain_text("gradient_accumulation_steps: 8", timeout=PATIENCE)
    expect(yaml).not_to_contain_text("max_samples: 24")


def test_numbers_that_nothing_can_be_prepared_with(me: Person) -> None:
    me.goes_to("data")
    me.presses("data-start")
    me.is_told("No data file is chosen")
    me.chooses("data-source", re.compile("medical_en"))
    expect(me.sees("data-survey")).to_contain_text("64", timeout=PATIENCE)
    for field, entered, sentence in (
        ("data-share", "120", "less than 100"),
        ("data-share", "", "share for validation is empty"),
        ("data-share", "10", "seed must be a whole number"),
    ):
        me.types("data-seed", "")
        me.types(field, entered)
        if entered == "120":
            me.types("data-seed", "42")
        me.presses("data-start")
        me.is_told(sentence)


def test_a_damaged_registry_blanks_no_tab(me: Person, workspace: Workspace) -> None:
    whole = workspace.dataset_info.read_bytes()
    try:
        workspace.dataset_info.write_text("{", encoding="utf-8")
        me.goes_to("data")
        expect(me.sees("prepared")).to_contain_text("is damaged", timeout=PATIENCE)
        me.chooses("data-source", re.compile("medical_en"))
        expect(me.sees("data-survey")).to_contain_text("64", timeout=PATIENCE)
        me.goes_to("hyperparameters")
        expect(me.sees("field-model").locator("input")).to_have_value("medtune/demo")
    finally:
        workspace.dataset_info.write_bytes(whole)


def test_a_run_whose_name_leads_elsewhere_is_not_started(me: Person, workspace: Workspace) -> None:
    me.goes_to("hyperparameters")
    me.types("field-run_name", "../evil")
    expect(me.sees("config-summary")).to_contain_text("can't be used", timeout=PATIENCE)
    me.goes_to("training")
    me.presses("run-start")
    me.is_told("can't be used as a name")
    assert not list(workspace.runs.glob("*")) and not (workspace.root / "evil").exists()


def test_a_question_before_anything_is_loaded(me: Person) -> None:
    me.goes_to("chat")
    me.types("chat-question", "Anyone there?")
    me.presses("chat-send")
    me.is_told("Nothing is loaded yet")


def test_errors_are_in_the_readers_language(medtune: Server, open_page: Open) -> None:
    me = Person(open_page(medtune.address, locale="zh-CN").page)
    me.arrives()
    expect(me.sees("brand")).to_contain_text("医学推理模型", timeout=PATIENCE)
    me.goes_to("chat")
    me.types("chat-question", "有人吗？")
    me.presses("chat-send")
    me.is_told("尚未加载任何模型")


def test_the_language_changes_in_place_and_is_remembered(medtune: Server, open_page: Open) -> None:
    me = Person(open_page(medtune.address).page)
    me.arrives()
    me.types("import-name", "typed before")
    me.marks("language", "中文")
    expect(me.page.get_by_role("tab", name="2 数据")).to_be_visible(timeout=PATIENCE)
    expect(me.sees("import-start")).to_have_text("导入")
    assert me.value_of("import-name") == "typed before"
    me.page.reload()
    me.arrives()
    expect(me.sees("import-start")).to_have_text("导入", timeout=PATIENCE)


def test_hyperparameters_survive_a_reload(medtune: Server, open_page: Open) -> None:
    me = Person(open_page(medtune.address).page)
    me.arrives()
    me.goes_to("hyperparameters")
    me.types("field-lora_alpha", "77")
    me.types("field-run_name", "kept")
    expect(me.sees("config-yaml")).to_contain_text("runs/kept", timeout=PATIENCE)
    me.page.reload()
    me.arrives()
    me.goes_to("hyperparameters")
    expect(me.sees("field-lora_alpha").locator("input")).to_have_value("77", timeout=PATIENCE)
    expect(me.sees("field-run_name").locator("textarea, input")).to_have_value("kept")


def test_servers_that_are_none_and_answers_that_would_do_harm(me: Person) -> None:
    """A clear sentence for each, and what a model writes is shown and never run."""
    evil = "<script>window.harmed = 1</script> <img src=x onerror='window.harmed = 1'> $x_1$"
    good = [status(200), streams(chunk(evil), chunk(finish="stop"), DONE)]
    broken = [status(200), streams(chunk("half"))]
    with serving_models(broken=broken, good=good) as server:
        me.goes_to("chat")
        me.opens_all_folds()
        me.types("chat-address", "http://me:secret@far/v1")
        me.presses("chat-ask-models")
        me.is_told("is no address of a server")
        me.types("chat-address", server.url.replace("/v1", "/elsewhere"))
        server.key = "sk-0815"
        me.types("chat-key", "wrong")
        me.presses("chat-ask-models")
        me.is_told("refuses the key")
        for model in ("broken", "good"):
            me.types("chat-address", server.url)
            me.types("chat-key", "sk-0815")
            me.presses("chat-ask-models")
            expect(me.sees("chat-remote-model")).to_be_visible()
            me.chooses("chat-remote-model", model)
            me.presses("chat-add-remote")
            expect(me.sees("chat-columns")).to_contain_text(model)
        me.presses("chat-load")
        expect(me.sees("column-3-head")).to_contain_text("good")
        me.chooses("chat-target", "good")
        me.types("chat-question", "<b>Who?</b>")
        me.presses("chat-send")
        expect(me.sees("column-3-chat").locator(".katex")).to_be_visible()
        assert me.last_answer(3).startswith("<script>window.harmed = 1</script>")
        expect(me.sees("column-3-chat").locator(".mt-question")).to_have_text("<b>Who?</b>")
        assert me.page.evaluate("window.harmed") is None
        me.chooses("chat-target", "broken")
        me.types("chat-question", "Q?")
        me.presses("chat-send")
        expect(me.sees("column-2-chat")).to_contain_text("stopped in the middle")
        assert me.last_answer(2) == "half"
        for column in (3, 2):
            me.sees(f"column-{column}").get_by_role("button", name="Remove this column").click()
            expect(me.sees(f"column-{column}")).to_have_count(0)
        assert "sk-0815" not in me.page.content()
