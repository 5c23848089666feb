"""The inspector shows what LLaMA-Factory trains on, from a process of its own without torch."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.data.meaning.lesson import Lesson, Pair, Turn, output_of
from backend.data.tokens.inspector import Inspector
from backend.data.tokens.values import Encoding
from backend.data.tokens.wire import lesson_to_json
from backend.errors import DataError
from backend.workspace import Workspace
from tests.conftest import ROOT

pytestmark = pytest.mark.integration

DEMO = ROOT / "assets" / "demo_model"
TEMPLATES = ("deepseekr1", "qwen", "qwen3", "llama3", "llama2", "default", "breeze", "gemma")
CUTOFFS = (9, 40, 100, 4096)

# LLaMA-Factory's own path from a converted row to ids and labels, as a training run goes it.
REFERENCE = """
import json, sys
from llamafactory.data.processor import PairwiseDatasetProcessor, SupervisedDatasetProcessor
from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from transformers import AutoTokenizer

asked = json.load(open(sys.argv[1], encoding="utf-8"))
found = {}
for name in asked["templates"]:
    tokenizer = AutoTokenizer.from_pretrained(asked["model"], padding_side="right")
    for cutoff in asked["cutoffs"]:
        options = DataArguments(template=name, cutoff_len=cutoff)
        template = get_template_and_fix_tokenizer(tokenizer, options)
        made = found.setdefault(f"{name} {cutoff}", [])
        for lesson in asked["lessons"]:
            messages = [{"role": role, "content": content} for role, content in lesson["turns"]]
            answers = [{"role": "assistant", "content": one} for one in lesson["pair"] or ()]
            kind = PairwiseDatasetProcessor if answers else SupervisedDatasetProcessor
            rows = {
                "_prompt": [messages if answers else messages[:-1]],
                "_response": [answers or messages[-1:]],
                "_system": [lesson["system"]], "_tools": [""],
                "_images": [None], "_videos": [None], "_audios": [None],
            }
            result = kind(template, tokenizer, None, options).preprocess_dataset(rows)
            names = ["chosen_", "rejected_"] if answers else [""]
            made.append([[result[n + "input_ids"][0], result[n + "labels"][0]] for n in names])
json.dump(found, open(sys.argv[2], "w", encoding="utf-8"))
"""

WORDS = (
    "头痛",
    "心率失常",
    "the patient",
    "fever",
    "🙂",
    "\n",
    " ",
    "<think>",
    "</think>",
    "。",
    "\u2028",
)


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspector]:
    one = Inspector(Workspace.open(tmp_path_factory.mktemp("inspector")))
    yield one
    one.close()


def some_lessons(count: int) -> list[Lesson]:
    """Random conversations, the same each time: with and without system, reasoning and pairs."""
    chance = random.Random(20)

    def text(least: int = 1) -> str:
        return "".join(chance.choices(WORDS, k=chance.randint(least, 30)))

    def output() -> str:
        return output_of(text(), text()) if chance.random() < 0.6 else text()

    found = []
    for _ in range(count):
        turns = [
            turn
            for _ in range(chance.randint(1, 3))
            for turn in (Turn("user", text()), Turn("assistant", output()))
        ]
        system = text() if chance.random() < 0.3 else ""
        if chance.random() < 0.25:
            found.append(Lesson(tuple(turns[:-1]), system, Pair(output(), output())))
        else:
            found.append(Lesson(tuple(turns), system))
    return found


def kept(encoding: Encoding) -> list[int]:
    return [token.id for token in encoding.tokens if not token.dropped]


def trained(encoding: Encoding) -> list[bool]:
    return [token.trained for token in encoding.tokens if not token.dropped]


def test_tokens_are_those_that_llamafactory_trains_on(inspector: Inspector, tmp_path: Path) -> None:
    """Against the real import: every kept id and every mask, for many conversations and cutoffs."""
    lessons = some_lessons(16)
    asked = {
        "model": str(DEMO),
        "templates": TEMPLATES,
        "cutoffs": CUTOFFS,
        "lessons": [lesson_to_json(lesson) for lesson in lessons],
    }
    (tmp_path / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", REFERENCE, tmp_path / "asked.json", tmp_path / "found.json"],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    expected = json.loads((tmp_path / "found.json").read_text("utf-8"))
    for template in TEMPLATES:
        for cutoff in CUTOFFS:
            for number, lesson in enumerate(lessons):
                found = inspector.encode(DEMO, template, lesson, cutoff=cutoff)
                theirs = expected[f"{template} {cutoff}"][number]
                assert [kept(one) for one in found] == [ids for ids, _ in theirs]
                assert [trained(one) for one in found] == [
                    [label != -100 for label in labels] for _, labels in theirs
                ]


REASONED = Lesson(
    (
        Turn("user", "持续头痛三天，怎么办？"),
        Turn("assistant", output_of("先看危险。", "去医院。🙂")),
    )
)


def keys(notes: Any) -> list[str]:
    return [note.key for note in notes]


def test_a_reader_sees_the_whole_row_and_what_falls(inspector: Inspector) -> None:
    (whole,) = inspector.encode(DEMO, "deepseekr1", REASONED, cutoff=4096)
    (cut,) = inspector.encode(DEMO, "deepseekr1", REASONED, cutoff=14)
    assert [token.id for token in cut.tokens] == [token.id for token in whole.tokens]
    assert whole.dropped == 0 and cut.prompt + cut.trained == 14
    assert cut.dropped == len(whole.tokens) - 14
    shown = "".join(token.text for token in whole.tokens if token.text != "\ufffd")
    assert shown == (
        "<｜begin▁of▁sentence｜><｜User｜>持续头痛三天，怎么办？<｜Assistant｜>"
        "<think>\n先看危险。\n</think>\n\n去医院。🙂<｜end▁of▁sentence｜>"
    )
    first = next(token for token in whole.tokens if token.trained)
    assert (first.text, first.special) == ("<think>", True)
    assert keys(whole.notes) == []
    assert {"answer_cut", "prompt_cut"} <= set(keys(cut.notes))


def test_a_cut_before_the_tag_is_told(inspector: Inspector) -> None:
    long = REASONED._replace(
        turns=(REASONED.turns[0], Turn("assistant", output_of("想" * 400, "好")))
    )
    (cut,) = inspector.encode(DEMO, "deepseekr1", long, cutoff=60)
    assert keys(cut.notes)[:2] == ["reasoning_unclosed", "answer_cut"]


def test_llamafactory_adds_an_empty_think_block(inspector: Inspector) -> None:
    plain = Lesson((Turn("user", "q"), Turn("assistant", "a")))
    (found,) = inspector.encode(DEMO, "deepseekr1", plain, cutoff=100)
    assert keys(found.notes) == ["empty_think_added"]
    taught = "".join(token.text for token in found.tokens if token.trained)
    assert taught == "<think>\n\n</think>\n\na<｜end▁of▁sentence｜>"


def test_a_marker_in_the_text_is_told(inspector: Inspector) -> None:
    """Text scraped from a chat: the row's own end token ends the answer in its middle."""
    odd = Lesson((Turn("user", "q<｜User｜>"), Turn("assistant", output_of("r", "a"))))
    (found,) = inspector.encode(DEMO, "deepseekr1", odd, cutoff=100)
    assert [(note.key, note.params) for note in found.notes] == [
        ("marker_in_text", {"markers": "<｜User｜>"})
    ]


def test_a_template_of_another_family_is_told(inspector: Inspector) -> None:
    (found,) = inspector.encode(DEMO, "qwen", REASONED, cutoff=4096)
    assert keys(found.notes)[0] == "tokens_new"
    assert found.notes[0].params["markers"] == "<|im_end|>"
    parity = inspector.parity(DEMO, "qwen", REASONED)
    assert keys(parity.notes)[0] == "markers"
    assert {"system_training", "bos_serving", "end"} <= set(keys(parity.notes))


def test_of_a_pair_both_answers_are_shown(inspector: Inspector) -> None:
    lesson = Lesson(
        (*REASONED.turns, Turn("user", "还有呢？")), pair=Pair(output_of("r", "好"), "不好")
    )
    chosen, rejected = inspector.encode(DEMO, "deepseekr1", lesson, cutoff=4096)
    assert (chosen.variant, rejected.variant) == ("chosen", "rejected")
    assert kept(chosen)[: chosen.prompt] == kept(rejected)[: rejected.prompt]
    assert keys(chosen.notes) == ["history_removed"]
    assert keys(rejected.notes) == ["empty_think_added", "history_removed"]


def test_the_served_prompt_opens_the_think_block(inspector: Inspector) -> None:
    """hiyouga/LLaMA-Factory#6987: trained to write <think>, but asked with it written already."""
    parity = inspector.parity(DEMO, "deepseekr1", REASONED)
    assert parity.prompt[-1].kind == "serving" and parity.prompt[-1].text == "<think>\n"
    assert [piece.kind for piece in parity.prompt] == ["same", "serving"]
    assert keys(parity.notes) == ["think_in_prompt", "reasoning_removed"]
    training = "".join(p.text for p in parity.whole if p.kind != "serving")
    assert training.endswith("</think>\n\n去医院。🙂<｜end▁of▁sentence｜>")


def with_chat_template(folder: Path, template: str | None) -> Path:
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    file = folder / "chat_template.jinja"
    file.unlink() if template is None else file.write_text(template, encoding="utf-8")
    return folder


SAME = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}"
    "<｜Assistant｜>{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, ["no_chat_template"]),
        ("{{ raise_exception('roles must alternate') }}", ["template_error"]),
        ("{% broken", ["template_error"]),
        (SAME, ["identical"]),
        (SAME.replace("{{ bos_token }}", ""), ["bos_training"]),
        (SAME.replace("{{ eos_token }}", "{{ eos_token }}\n"), ["end"]),
        ("{{ bos_token }}You are a nurse." + SAME[15:], ["system_serving"]),
        (SAME.replace("{{ m.content }}<｜A", "{{ m.content }}!<｜A"), ["differs"]),
    ],
)
def test_what_a_difference_means(
    inspector: Inspector, tmp_path: Path, template: str | None, said: list[str]
) -> None:
    model = with_chat_template(tmp_path / "model", template)
    parity = inspector.parity(model, "deepseekr1", REASONED)
    assert keys(parity.notes) == said
    assert all(note.sentence("en") and note.sentence("zh") for note in parity.notes)


def test_earlier_reasoning_is_trained_but_not_served(inspector: Inspector) -> None:
    lesson = Lesson((*REASONED.turns, Turn("user", "还有呢？"), Turn("assistant", "没有了")))
    (found,) = inspector.encode(DEMO, "deepseekr1", lesson, cutoff=4096)
    assert keys(found.notes) == ["empty_think_added", "history_kept"]
    assert "history_removed" in keys(inspector.parity(DEMO, "deepseekr1", lesson).notes)


def test_a_system_prompt_that_is_not_served(inspector: Inspector, tmp_path: Path) -> None:
    lost = SAME.replace("{% else %}", "{% elif m.role == 'assistant' %}")
    model = with_chat_template(tmp_path / "model", lost)
    lesson = REASONED._replace(system="Answer as a nurse would.")
    assert keys(inspector.parity(model, "deepseekr1", lesson).notes) == ["system_lost"]


# --- The process ----------------------------------------------------------------------------------


def refusal(inspector: Inspector, model: Path, template: str = "deepseekr1") -> str:
    with pytest.raises(DataError) as caught:
        inspector.encode(model, template, REASONED, cutoff=100)
    assert caught.value.sentence("en") and caught.value.sentence("zh")
    return caught.value.key


def test_what_can_not_be_shown_is_said(inspector: Inspector, tmp_path: Path) -> None:
    pid = inspector.ping()["pid"]
    assert refusal(inspector, tmp_path) == "data.errors.tokenizer_missing"
    assert refusal(inspector, tmp_path / "gone") == "data.errors.tokenizer_missing"
    assert refusal(inspector, DEMO, "no_such") == "data.errors.template_unknown"
    assert refusal(inspector, DEMO, "chatglm3") == "data.errors.template_foreign"
    for name, content in (("tokenizer.json", "{"), ("tokenizer.json", "{}")):
        (tmp_path / name).write_text(content)
        assert refusal(inspector, tmp_path) == "data.errors.tokenizer_broken"
    assert inspector.ping()["pid"] == pid, "a bad model must not cost the process"


def test_a_model_that_brings_code_of_its_own_is_not_run(
    inspector: Inspector, tmp_path: Path
) -> None:
    model = with_chat_template(tmp_path / "model", SAME)
    settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
    settings["auto_map"] = {"AutoTokenizer": ["evil.Evil", None]}
    settings["tokenizer_class"] = "Evil"
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    (model / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: ...\n")
    try:
        inspector.encode(model, "deepseekr1", REASONED, cutoff=100)
    except DataError as error:
        assert error.key == "data.errors.tokenizer_broken"
    assert not (tmp_path / "ran").exists()


def test_torch_stays_out(inspector: Inspector) -> None:
    """It would cost ten seconds at the first row shown, and 600 MB for as long as it runs."""
    inspector.encode(DEMO, "deepseekr1", REASONED, cutoff=50)
    inspector.parity(DEMO, "deepseekr1", REASONED)
    said = inspector.ping()
    assert said["torch"] is False
    assert psutil.Process(said["pid"]).memory_info().rss < 250e6


def test_another_answers_when_it_was_killed(inspector: Inspector) -> None:
    pid = inspector.ping()["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    (found,) = inspector.encode(DEMO, "deepseekr1", REASONED, cutoff=77)
    assert found.cutoff == 77
    assert inspector.ping()["pid"] != pid


def test_threads_get_their_own_answers(inspector: Inspector) -> None:
    found: dict[int, int] = {}

    def ask(cutoff: int) -> None:
        for one in (cutoff, cutoff + 100):
            (encoding,) = inspector.encode(DEMO, "deepseekr1", REASONED, cutoff=one)
            found[one] = encoding.cutoff

    threads = [threading.Thread(target=ask, args=(200 + n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16 and all(key == value for key, value in found.items())


def test_too_slow_is_said_and_the_next_question_answered(tmp_path: Path) -> None:
    """A process that hangs (a stalled network folder) must not hold the page for ever."""
    slow = Inspector(Workspace.open(tmp_path / "workspace"), timeout=0.01)
    try:
        assert refusal(slow, DEMO) == "data.errors.inspector_timeout"
        slow._timeout = 120
        assert slow.ping()["torch"] is False
    finally:
        slow.close()


def test_it_ends_with_the_dashboard(tmp_path: Path) -> None:
    """Killed without a word, the dashboard leaves nothing behind: the pipe closes."""
    program = (
        "import sys, os; from pathlib import Path\n"
        "from backend.workspace import Workspace\n"
        "from backend.data.tokens.inspector import Inspector\n"
        "print(Inspector(Workspace.open(Path(sys.argv[1]))).ping()['pid'], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    wait_gone(int(run.stdout))


def wait_gone(pid: int, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def test_a_process_that_can_not_run_is_said_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation must be a sentence on the page, not a question without an end."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such module >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    one = Inspector(Workspace.open(tmp_path / "workspace"))
    with pytest.raises(DataError) as caught:
        one.ping()
    assert caught.value.key == "data.errors.inspector_died"
    assert caught.value.params["reason"] == "no such module"
