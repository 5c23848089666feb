"""Counted in batches, a row has as many tokens as LLaMA-Factory's own template makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from backend.data.meaning.lesson import CLOSE, Lesson, Pair, Turn, output_of
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.reading.reader import RowReader
from backend.data.tokens.measuring import LengthsRequest
from backend.errors import DataError
from backend.workers import lengths, lengths_measure
from backend.workers.chat_templates import fitted_template
from backend.workers.inspect_model import Fitted, TextOnly
from backend.workers.inspect_segments import segments_of
from backend.workers.inspect_slots import SlotRecorder, answer, messages_of, slots_of, text_of
from backend.workers.inspect_source import processors
from backend.workers.lengths_measure import TokenCounter, measure
from tests.conftest import ROOT

DEMO = ROOT / "assets" / "demo_model" / "tokenizer.json"
TEMPLATES = (
    "deepseekr1",
    "qwen",
    "qwen3",
    "llama3",
    "llama2",
    "default",
    "breeze",
    "glm4",
    "gemma",
)


class PlainTokenizer:
    """The demo model's tokenizer without transformers, which would load torch."""

    def __init__(self, file: Path = DEMO) -> None:
        self.backend_tokenizer = Tokenizer.from_file(str(file))
        self.bos_token, self.eos_token = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
        self.pad_token = "<｜▁pad▁｜>"
        self.chat_template = "unused"

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids

    def convert_tokens_to_ids(self, token: str) -> int | None:
        return self.backend_tokenizer.token_to_id(token)

    def add_special_tokens(self, tokens: dict[str, Any], **_options: Any) -> int:
        for name, value in tokens.items():
            if isinstance(value, str):
                setattr(self, name, value)
        lists = [[value] if isinstance(value, str) else value for value in tokens.values()]
        return self.backend_tokenizer.add_special_tokens(list(chain(*lists)))

    def decode(self, ids: list[int], **_options: Any) -> str:
        return self.backend_tokenizer.decode(ids, skip_special_tokens=False)

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_token_id"):
            return self.convert_tokens_to_ids(getattr(self, name.removesuffix("_id")))
        raise AttributeError(name)

    @property
    def added_tokens_decoder(self) -> dict[int, str]:
        tokens = self.backend_tokenizer.get_added_tokens_decoder()
        return {number: token.content for number, token in tokens.items()}


@cache
def fitted(template: str) -> Fitted:
    tokenizer = PlainTokenizer()
    found = fitted_template(template, tokenizer)
    found.mm_plugin = TextOnly()
    return Fitted(DEMO.parent, template, tokenizer, found, processors())


words = st.text(
    st.one_of(
        st.sampled_from(list("ab \n<>/think心率🙂{}content")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=25,
)
markers = st.sampled_from(
    ["<think>", "</think>", "<｜User｜>", "<|im_end|>", "{{content}}", "\ufffd"]
)
texts = st.lists(st.one_of(words, markers), max_size=4).map("".join)
outputs = st.one_of(texts, st.builds(output_of, texts, texts))
systems = st.one_of(st.just(""), texts)


@st.composite
def conversations(draw: st.DrawFn) -> Lesson:
    turns = draw(st.lists(st.tuples(texts, outputs), min_size=1, max_size=3))
    said = [
        one
        for question, reply in turns
        for one in (Turn("user", question), Turn("assistant", reply))
    ]
    if draw(st.booleans()):
        pair = Pair(said[-1].content, draw(outputs))
        return Lesson(tuple(said[:-1]), draw(systems), pair)
    return Lesson(tuple(said), draw(systems))


def by_template(one: Fitted, lesson: Lesson) -> list[tuple[list[int], list[list[int]]]]:
    """Ids of each turn's sides, by LLaMA-Factory's own template."""
    template, messages = one.template, messages_of(lesson)
    if lesson.pair is None:
        turns = template.encode_multiturn(one.tokenizer, messages, lesson.system, "")
        return [(source, [target]) for source, target in turns]
    both = [
        template.encode_oneturn(one.tokenizer, [*messages, answer(text)], lesson.system, "")
        for text in lesson.pair
    ]
    return [(both[0][0], [target + [0] * one.tail for _, target in both])]


@settings(deadline=None, max_examples=60)
@given(st.lists(conversations(), min_size=1, max_size=5), st.sampled_from(TEMPLATES))
def test_counts_are_those_of_the_template(lessons: list[Lesson], template: str) -> None:
    one = fitted(template)
    found = measure(enumerate(lessons, start=1), one).arrays()
    expected = [turn for lesson in lessons for turn in by_template(one, lesson)]
    assert found["source"].tolist() == [len(source) for source, _ in expected]
    assert found["target"].tolist() == [max(map(len, targets)) for _, targets in expected]
    assert found["rows"].tolist() == list(range(1, len(lessons) + 1))
    turns = [len(by_template(one, lesson)) for lesson in lessons]
    assert found["turn_starts"].tolist() == [sum(turns[:n]) for n in range(len(turns) + 1)]


@settings(deadline=None, max_examples=60)
@given(conversations())
def test_reasoning_ends_with_its_tag(lesson: Lesson) -> None:
    """What is counted is the first tokens of the answer, of which the last closes the block."""
    one = fitted("deepseekr1")
    reasoning = int(measure([(1, lesson)], one).arrays()["reasoning"][0])
    targets = by_template(one, lesson)[-1][1]
    close = one.tokenizer.convert_tokens_to_ids(CLOSE)
    ends = [target.index(close) + 1 for target in targets if close in target]
    assert reasoning == max(ends, default=0)


def test_a_tag_of_several_tokens_is_found_by_its_place() -> None:
    """Qwen2.5's tokenizer has no token </think>: its parts are, the last with what follows."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "</": 1, "think": 2, ">.": 3}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")]
    )
    plain = SimpleNamespace(backend_tokenizer=tokenizer, added_tokens_decoder={})
    (found,) = TokenCounter(plain)(["one two </think>. three"])
    assert tokenizer.encode("one two </think>. three").tokens[:5] == ["[UNK]"] * 2 + [
        "</",
        "think",
        ">.",
    ]
    assert (found.tokens, found.closed) == (6, 5)


def test_a_tokenizer_that_cuts_and_pads_by_itself_is_told_not_to(tmp_path: Path) -> None:
    """Published tokenizer.json files carry truncation; transformers switches it off, so do we."""
    cutting = Tokenizer.from_file(str(DEMO))
    cutting.enable_truncation(5)
    cutting.enable_padding(length=50)
    cutting.save(str(tmp_path / "tokenizer.json"))
    text = "心率失常 " * 9
    (found,) = TokenCounter(PlainTokenizer(tmp_path / "tokenizer.json"))([text])
    assert found.tokens == len(PlainTokenizer().encode(text, add_special_tokens=False)) > 5


def test_a_tokenizer_of_python_alone_counts_alike() -> None:
    slow = SimpleNamespace(encode=PlainTokenizer().encode, added_tokens_decoder={})
    given_texts = ["心率", "<think>\na\n</think>\n\nb", "plain"]
    assert TokenCounter(slow)(given_texts) == TokenCounter(PlainTokenizer())(given_texts)


def test_batches_do_not_change_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = [
        (n, Lesson((Turn("user", "问" * n), Turn("assistant", output_of("想" * n, "答")))))
        for n in range(1, 30)
    ]
    whole = measure(lessons, fitted("deepseekr1")).arrays()
    told: list[int] = []
    monkeypatch.setattr(lengths_measure, "BATCH_CHARACTERS", 50)
    parts = measure(lessons, fitted("deepseekr1"), told.append).arrays()
    assert all(parts[name].tolist() == whole[name].tolist() for name in whole)
    assert len(told) > 3 and told == sorted(told)


@pytest.mark.parametrize("template", ["deepseekr1", "breeze"])
def test_several_processes_count_what_one_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, template: str
) -> None:
    """Ranges are put together in the order of the file, mended as one by one, holes and all."""
    said = [f"{'想' * n}<think>{'a ' * n}<think>答" if n % 3 else "" for n in range(1, 40)]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(f"{json.dumps({'q': 'q', 'a': one})}\n" for one in said))
    columns = ColumnMap(Shape.QA, {Role.QUESTION: ("q",), Role.ANSWER: ("a",)})
    request = LengthsRequest(source, columns, ("think_typo",), DEMO.parent, template)
    reader = RowReader.open(source, cache=tmp_path / "cache")
    monkeypatch.setattr(lengths, "RANGE_ROWS", 4)
    monkeypatch.setattr("gc.freeze", lambda: None)  # the tests' own memory is theirs to free
    found: dict[str, list[list[int]]] = {}
    for cores in ("1", "3"):
        monkeypatch.setenv("RAYON_NUM_THREADS", cores)
        counted = lengths_measure.Measured()
        ends = []
        for end, part in lengths.counted(lengths.Counting(request, fitted(template), reader)):
            ends.append(end)
            counted.extend(part)
        assert ends == [*range(4, 39, 4), 39]
        found[cores] = [one.tolist() for one in counted.arrays().values()]
    assert found["1"] == found["3"]
    assert len(found["1"][0]) == 26, "an empty answer teaches nothing"


def test_a_template_of_another_family_is_refused() -> None:
    """ChatGLM's names the token [gMASK]; where there is none, LLaMA-Factory trains with None."""
    lesson = Lesson((Turn("user", "q"), Turn("assistant", "a")))
    with pytest.raises(DataError) as caught:
        measure([(1, lesson)], fitted("chatglm3"))
    assert caught.value.key == "data.errors.template_foreign"


@settings(deadline=None, max_examples=60)
@given(conversations(), st.sampled_from(TEMPLATES), st.integers(1, 150))
def test_what_falls_beside_what_is_kept(lesson: Lesson, template: str, cutoff: int) -> None:
    """``segments_of`` raises where its kept tokens are not LLaMA-Factory's own, label by label.

    With what falls they are all tokens of the template.
    """
    one = fitted(template)
    turns = by_template(one, lesson)
    for place, segments in enumerate(segments_of(one, lesson, cutoff)):
        sides = [(source, targets[min(place, len(targets) - 1)]) for source, targets in turns]
        whole = [ids for source, target in sides for ids in (source, target)]
        found = [segment.ids for segment in segments if segment.side != "end"]
        assert list(map(len, found)) == list(map(len, whole))
        assert found[0] == whole[0]
        kept = sum(segment.kept for segment in segments)
        assert kept <= cutoff or kept == one.tail


@settings(deadline=None, max_examples=40)
@given(conversations(), st.sampled_from(("deepseekr1", "qwen", "default")))
def test_slots_say_what_the_tokens_say(lesson: Lesson, template: str) -> None:
    one = fitted(template)
    turns = slots_of(one.template, SlotRecorder(one.tokenizer), lesson)
    ids = by_template(one, lesson)
    said: Sequence[tuple[str, list[int]]] = [
        (text_of(turn.source), source) for turn, (source, _) in zip(turns, ids, strict=True)
    ]
    for text, tokens in said:
        assert one.decode(tokens) == text
