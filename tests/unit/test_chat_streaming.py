"""Answers while they come: what a page is told, piece by piece, is what was said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.chat.blocks import Blocks
from backend.chat.conversations import Conversation
from backend.chat.events import Delta
from backend.chat.settings import Settings
from backend.chat.under_way import Cursor, LiveAnswer, News

MARKDOWN = st.lists(
    st.sampled_from(["word ", "\n", "\n\n", "```\n", "~~~", "$$", "\\[", "\\]\n", "- a\n", "  "]),
    max_size=40,
).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def live() -> LiveAnswer:
    return LiveAnswer(Conversation(), "c", "t", "Q?", Settings.greedy(), cut=0)


class Page:
    """What a page has put together from the news."""

    def __init__(self) -> None:
        self.cursor = Cursor()
        self.reasoning = self.blocks = self.tail = ""

    def take(self, news: News) -> None:
        if news.afresh:
            self.reasoning = self.blocks = self.tail = ""
        self.reasoning += news.reasoning
        self.blocks += "".join(news.blocks)
        self.tail = news.tail if news.tail is not None else self.tail + news.text
        self.cursor = news.cursor


@given(MARKDOWN, st.lists(st.integers(0, 500), max_size=10))
def test_blocks_do_not_depend_on_how_the_text_came(text: str, places: list[int]) -> None:
    whole, pieces = Blocks(), Blocks()
    whole.feed(text)
    for piece in cut(text, places):
        pieces.feed(piece)
    assert pieces.ends == whole.ends
    assert all(text[end - 1] == "\n" for end in whole.ends)


def test_code_and_formulas_are_not_cut_in_two() -> None:
    text = "a\n\n```\nx\n\ny\n```\n\n$$\nb\n\nc\n$$\n\n- d\n\ne"
    blocks = Blocks()
    blocks.feed(text)
    starts = [0, *blocks.ends]
    assert [text[a:b] for a, b in zip(starts, blocks.ends, strict=False)] == [
        "a\n\n",
        "```\nx\n\ny\n```\n\n",
        "$$\nb\n\nc\n$$\n\n",
        "- d\n\n",
    ]


@given(MARKDOWN, MARKDOWN, st.lists(st.integers(0, 500), max_size=12), st.data())
@hypothesis_settings(deadline=None)
def test_a_page_that_looks_now_and_then_has_all_of_it(
    reasoning: str, text: str, places: list[int], data: st.DataObject
) -> None:
    answer, page = live(), Page()
    for piece in cut(reasoning, places):
        answer.take(Delta("c", reasoning=piece))
        if data.draw(st.booleans()):
            page.take(answer.news(page.cursor))
    for piece in cut(text, places):
        answer.take(Delta("c", text=piece))
        if data.draw(st.booleans()):
            page.take(answer.news(page.cursor))
    page.take(answer.news(page.cursor))
    assert (page.reasoning, page.blocks + page.tail) == (reasoning, text)
    again = answer.news(page.cursor)
    assert (again.reasoning, again.blocks, again.tail, again.text) == ("", (), None, "")


def test_text_that_turns_out_to_be_reasoning_moves() -> None:
    answer, page = live(), Page()
    answer.take(Delta("c", text="so\n\nthen", content="so\n\nthen"))
    page.take(answer.news(page.cursor))
    assert page.blocks == "so\n\n"
    answer.take(Delta("c", text="yes", text_was_reasoning=True, reasoning_closed=True))
    page.take(answer.news(page.cursor))
    assert (page.reasoning, page.blocks, page.tail) == ("so\n\nthen", "", "yes")


def test_an_update_costs_what_is_new_however_long_the_answer_is() -> None:
    """Twelve times a second the whole answer went to the browser, and was parsed again."""
    sizes = []
    answer, page = live(), Page()
    for number in range(4000):
        answer.take(Delta("c", text="word\n\n" if number % 40 == 39 else "word ", tokens=number))
        if number % 10 == 9:
            news = answer.news(page.cursor)
            page.take(news)
            sizes.append(len(news.text) + len(news.tail or "") + sum(map(len, news.blocks)))
    assert max(sizes[-50:]) <= max(sizes[:50])


def test_a_cursor_from_nowhere_gives_all_of_it() -> None:
    answer = live()
    answer.take(Delta("c", text="a\n\nb"))
    news = answer.news(Cursor(0, 99, 99, 99))
    assert news.afresh and news.blocks == ("a\n\n",) and news.tail == "b"
