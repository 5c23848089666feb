"""What goes in comes out: any table through a file and our reader, any chat through LLaMA-Factory's
own converter."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.convert import compile_map
from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.records import Target, entry_of, lesson_from, record_of, target_of
from backend.data.reading.reader import Row
from tests.fakes.data_files import NewFile, new_files, opened
from tests.fakes.llamafactory_reading import SkippedRowError, converter

Table = list[dict[str, str]]

# --- Tables -------------------------------------------------------------------------------------

# No halves of surrogate pairs, which UTF-8 has no bytes for, and no NUL, which no text has.
WORDS = st.text(
    st.one_of(
        st.sampled_from("\",;\t\n\r {}[]:\\#'\u2028\u0085\ufeff"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)


# A column whose name can't be seen can't be chosen: a table's gets one.
NAMES = WORDS.filter(lambda name: bool(name.strip()))
# And by its header it is told what delimits a table: "|" above "|" may be one column or two.
HEADERS = NAMES.filter(lambda name: not set(',;\t|{["') & set(name))


@st.composite
def tables(draw: st.DrawFn, names: st.SearchStrategy[str]) -> Table:
    columns = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    rows = st.lists(st.tuples(*[WORDS] * len(columns)), min_size=1, max_size=5)
    return [dict(zip(columns, row, strict=True)) for row in draw(rows)]


def delimited(delimiter: str, quoting: Any = csv.QUOTE_MINIMAL) -> Callable[[Table], bytes]:
    def written(rows: Table) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, quoting=quoting)
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode()

    return written


def parquet(rows: Table) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), out, row_group_size=2)
    return out.getvalue()


WRITTEN: dict[str, tuple[str, Callable[[Table], bytes]]] = {
    "csv": ("rows.csv", delimited(",")),
    "csv, quoted": ("rows.csv", delimited(",", csv.QUOTE_ALL)),
    "tsv": ("rows.tsv", delimited("\t")),
    "parquet": ("rows.parquet", parquet),
    "json": ("rows.json", lambda rows: json.dumps(rows).encode()),
    "json, indented": (
        "rows.json",
        lambda rows: json.dumps(rows, indent=2, ensure_ascii=False).encode(),
    ),
    "json lines": (
        "rows.jsonl",
        lambda rows: b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows),
    ),
}


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("written", WRITTEN)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), packed=st.booleans())
def test_any_table_of_strings(
    new_file: NewFile, written: str, data: st.DataObject, packed: bool
) -> None:
    name, content_of = WRITTEN[written]
    rows = data.draw(tables(HEADERS if name.endswith(("csv", "tsv")) else NAMES))
    content = content_of(rows)
    path = new_file().with_suffix(Path(name).suffix + ".gz" * packed)
    path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    assert [row.value for row in opened(path)] == rows


# --- Chats --------------------------------------------------------------------------------------

SAID = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda words: bool(words.strip())
)
SIDES = {
    "system": ("system", "developer", "System"),
    "user": ("user", "human", "USER"),
    "assistant": ("assistant", "gpt", "model", "bot"),
}
CHAT = ColumnMap(Shape.CHAT, {Role.MESSAGES: ("talk",), Role.SYSTEM: ("rules",)})


class Chat(NamedTuple):
    """A conversation, and a row of a file that has it."""

    row: dict[str, Any]
    system: str
    turns: tuple[Turn, ...]


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """In ShareGPT's form or OpenAI's, with the roles' names as files have them."""
    role, content = draw(st.sampled_from([("role", "content"), ("from", "value")]))
    system = draw(st.just("") | SAID)
    in_column = draw(st.booleans())
    pairs = draw(st.lists(st.tuples(SAID, SAID), min_size=1, max_size=4))
    turns = [
        turn for asked, told in pairs for turn in (Turn("user", asked), Turn("assistant", told))
    ]
    said = [("system", system)] if system and not in_column else []
    said += [(turn.speaker, turn.content) for turn in turns]
    messages = [{role: draw(st.sampled_from(SIDES[side])), content: words} for side, words in said]
    return Chat({"talk": messages, "rules": system if in_column else ""}, system, tuple(turns))


def read_by_llamafactory(lesson: Lesson, target: Target) -> tuple[str, list[tuple[str, str]]]:
    """The system prompt and all that is said, in the prompt and then in the answers."""
    entry = entry_of("data.jsonl", target, system=bool(lesson.system))
    read = converter(entry)(json.loads(orjson.dumps(record_of(lesson, target))))
    said = [*read["_prompt"], *read["_response"]]
    return read["_system"], [(one["role"], one["content"]) for one in said]


@settings(deadline=None, max_examples=150)
@given(chat=chats())
def test_any_chat(chat: Chat) -> None:
    """Through the very bytes of the file, and read by LLaMA-Factory's own code."""
    lesson = compile_map(CHAT)(Row(1, chat.row)).lesson
    assert lesson is not None
    assert (lesson.system, lesson.turns) == (chat.system, chat.turns)
    target = target_of(CHAT)
    line = orjson.dumps(record_of(lesson, target))
    assert b"\n" not in line
    assert lesson_from(json.loads(line), target) == lesson
    assert read_by_llamafactory(lesson, target) == (chat.system, [tuple(one) for one in chat.turns])


@settings(deadline=None, max_examples=100)
@given(chat=chats(), rejected=SAID)
def test_any_pair_and_any_question(chat: Chat, rejected: str) -> None:
    *before, last = chat.turns
    said = [tuple(one) for one in chat.turns]
    pair = Lesson(tuple(before), chat.system, Pair(last.content, rejected))
    both = [*said, ("assistant", rejected)]
    assert read_by_llamafactory(pair, Target.RANKING) == (chat.system, both)
    single = Lesson(chat.turns[:2], chat.system)
    assert read_by_llamafactory(single, Target.ALPACA) == (chat.system, said[:2])


def test_llamafactory_skips_what_is_no_chat() -> None:
    """What the tests above would see if the roles did not take turns."""
    entry = entry_of("data.jsonl", Target.SHAREGPT, system=False)
    message = {"role": "user", "content": "?"}
    with pytest.raises(SkippedRowError, match="Invalid role tag"):
        converter(entry)({"messages": [message, message]})
