"""What an answer says: refusals, other assistants' phrases, loops, and answers that say too little.

Each check of this module is a function of the question and the parts of the answer that returns the
words it found, or nothing. Every answer of a conversation is looked at, since every one is trained
on; of a preference pair only the better one: that the worse one refuses, or says too little, is
what the pair teaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backend.data.checks.loops import loop_in
from backend.data.checks.parameters import (
    ANSWER_CJK,
    ANSWER_LATIN,
    LONG_LESSON,
    OPENING,
    SHORT_ANSWER,
    SHORT_CJK,
    SHORT_REASONING,
    SHORT_WORDS,
)
from backend.data.checks.passages import shown
from backend.data.checks.scripts import foreign_words, has_han
from backend.data.checks.structure import fault_and_parts, trained
from backend.data.checks.values import Finding, Part
from backend.data.meaning.lesson import Lesson, Parts

_OPTION_LINE = re.compile(r"(?:^|[\s;；。?？:：])[(（]?[A-H][.)）、:：．]")

# For re.VERBOSE: spaces are written out.
_ASSISTANT = r"(?:an?\ )?(?:AI|artificial\ intelligence|(?:large\ )?language\ model|chatbot)\b"
_CANNOT = (
    r"(?:can['’]?t|can\ ?not|am\ unable|am\ not\ able|['’]m\ unable|['’]m\ not\ able|won['’]t)"
)

_REFUSAL = re.compile(
    rf"""(?:
      (?:I['’]m|I\ am)\ (?:(?:very|really|so|truly)\ )?(?:sorry|afraid),?\ (?:but\ )?
        (?:(?:as\ )?{_ASSISTANT},?\ )?(?:that\ )?I\ ?{_CANNOT}
    | (?:sorry|(?:I|my|we)\ apologi[sz]e|my\ apologies)[,.]?\ (?:but\ )?I\ ?{_CANNOT}
    | I\ ?{_CANNOT}\ (?:to\ )?(?:provide|assist|help|answer|give|offer|comply|fulfill|diagnose
        |discuss|engage|continue)
    | As\ {_ASSISTANT}
    | (?:非常|很|十分|实在)?(?:抱歉|对不起|不好意思)[，,。！!\ ]*.{{0,20}}?
        (?:无法|不能|没有办法|没法|不便|不可以)
    | (?:作为|我是|我只是)(?:一个|一名|一款|一种)?(?:AI|人工智能|大?语言模型)
    | 我(?:无法|不能|没有办法|没法)(?:为您|为你|向您|提供|回答|帮助|协助|给出|诊断)
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_REFUSAL_STARTS = frozenset("ISMWAismwa\u0130\u0131\u017f非很十实抱对不作我")
"""What ``_REFUSAL`` begins with, in any case; three odd letters are another case of "i" and "s"."""

_BOILERPLATE = re.compile(
    r"""
      \b[Aa]s\ an?\ (?:AI\b|(?:large\ )?language\ model)
    | \bI(?:['’]m|\ am)\ (?:just\ |only\ )?
        (?:an?\ AI\b|an?\ (?:large\ )?language\ model|ChatGPT|GPT-\d|DeepSeek|Qwen)
    | \b(?:developed|trained|created|made|built)\ by\ (?:OpenAI|DeepSeek)\b
    | 作为(?:一个|一名|一款|一种)?(?:AI|人工智能|大?语言模型)
    | 我是(?:一个|一名|一款)?由.{1,20}?(?:开发|训练|研发|创造|打造)
    | 我是(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型|ChatGPT|DeepSeek|通义千问|文心一言|豆包)
    """,
    re.VERBOSE,
)
BOILERPLATE_SIGNS = ("AI", "GPT", "DeepSeek", "Qwen", "language model", "我是", "作为")
"""Without one of these ``boilerplate`` finds nothing."""


def answer_in_question(question: str, answer: str) -> str:
    """The answer, where the question has it word for word and is not multiple choice."""
    words = answer.strip().rstrip(".。")
    if len(words) < ANSWER_CJK or words not in question:
        return ""
    if len(words) < ANSWER_LATIN and not has_han(words):
        return ""
    return "" if len(_OPTION_LINE.findall(question)) >= 2 else words


def refusal(answer: str) -> str:
    """How an answer refuses at its beginning."""
    opening = answer[:OPENING].lstrip()
    match = _REFUSAL.match(opening) if opening[:1] in _REFUSAL_STARTS else None
    return match.group().strip() if match else ""


def boilerplate(text: str) -> str:
    """Where a text speaks as some other assistant."""
    if not any(sign in text for sign in BOILERPLATE_SIGNS):
        return ""
    match = _BOILERPLATE.search(text)
    return match.group() if match else ""


def very_short(parts: Parts) -> str:
    """Which part says too little: "reasoning", "answer", or neither. A blank one is no short
    one."""
    if parts.reasoning is not None and 0 < len(parts.reasoning.strip()) < SHORT_REASONING:
        return "reasoning"
    answer = parts.answer.strip() if len(parts.answer) <= SHORT_ANSWER else ""
    if not answer or len(answer.split()) >= SHORT_WORDS:
        return ""
    return "answer" if not has_han(answer) or len(answer) < SHORT_CJK else ""


def length(lesson: Lesson) -> int:
    """Characters of all texts."""
    size = len(lesson.system) + sum(len(turn.content) for turn in lesson.turns)
    return size + sum(map(len, lesson.pair or ()))


def findings_of(lesson: Lesson) -> Iterator[Finding]:
    """What is wrong with what the answers say."""
    said = trained(lesson)
    for number, one in enumerate(said, start=1):
        parts = fault_and_parts(one.output)[1]
        for finding in _findings_of_answer(one.question, parts):
            # The page shows reasoning and answer of the last one apart.
            last = number == len(said)
            yield finding if last else replace(finding, part="row", answer=number)
    if (size := length(lesson)) > LONG_LESSON:
        yield Finding("very_long", params={"characters": size, "limit": LONG_LESSON})


def _findings_of_answer(question: str, parts: Parts) -> Iterator[Finding]:
    for check, words in (
        ("answer_in_question", answer_in_question(question, parts.answer)),
        ("refusal", refusal(parts.answer)),
    ):
        if words:
            yield Finding(check, "answer", evidence=shown(words))
    yield from _findings_in(question, parts)
    if short := very_short(parts):
        yield Finding("very_short", "reasoning" if short == "reasoning" else "answer")


def _findings_in(question: str, parts: Parts) -> Iterator[Finding]:
    """What can be wrong with the reasoning as with the answer."""
    texts: tuple[tuple[Part, str], ...] = (
        ("reasoning", parts.reasoning or ""),
        ("answer", parts.answer),
    )
    for part, text in texts:
        for check, words in (
            ("boilerplate", boilerplate(text)),
            ("mixed_language", foreign_words(question, text)),
            ("repetition", loop_in(text)),
        ):
            if words:
                yield Finding(check, part, evidence=shown(words))
