"""Names under which columns are published, by role.

English and Chinese, best first. Names are compared without case, spaces, ``_`` and ``-``, full
width as half width. Where a name comes from one dataset only, that is said beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from backend.data.meaning.mapping import Role


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", name)).casefold()


INSTRUCTION = ("instruction", "指令")
"""Questions that alpaca's ``input`` may complete."""

QUESTION = (
    *("question", "questiontext", "openendedverifiablequestion"),  # medical-o1-verifiable-problem
    *("问题", "提问", "题目", "题干", "query", "prompt", "ask", "problem", "userquestion"),
    *INSTRUCTION,
)
ANSWER = (
    *("response", "answer", "output", "completion", "回答", "答案", "回复", "输出", "答复"),
    "response(content)",  # Medical-R1-Distill-Data
    *("groundtrueanswer", "groundtruthanswer", "groundtruth"),  # medical-o1-verifiable-problem
    *("longanswer", "finalanswer", "referenceanswer", "参考答案", "标准答案", "最终答案"),
    *("reply", "modelanswer", "dsanswer", "正确答案"),  # MedThoughts-8K: ds_
)
REASONING = (
    *("complexcot", "reasoning", "think", "thinking", "cot", "reasoningcontent"),
    "reasoning(reasoningcontent)",  # Medical-R1-Distill-Data
    *("chainofthought", "thought", "thoughts", "reasoningtrace", "reasoningprocess", "dsthink"),
    *("思考过程", "推理过程", "思维链", "思考", "推理", "思维过程"),
)
EXPLANATION = (
    *("exp", "explanation", "explain", "rationale", "analysis", "解析", "答案解析", "题目解析"),
    *("解释", "分析", "详解", "solution"),
)
"""Why an option is right: the reasoning of a choice that has no other."""

OPTIONS = ("options", "option", "choices", "选项", "候选项", "备选答案")
CORRECT = (
    *("answeridx", "answerindex", "cop", "correctoption", "correctanswer", "correctchoice"),
    *("correct", "answerkey", "正确答案", "正确选项", "答案", "label", "gold", "answer"),
    "标准答案",
)
INPUT = ("input", "输入")
SYSTEM = ("system", "systemprompt", "系统提示", "系统提示词")
HISTORY = ("history", "历史", "历史对话")
MESSAGES = ("messages", "conversations", "conversation", "dialogue", "dialog", "对话", "多轮对话")
CHOSEN = ("chosen", "chosenresponse", "preferred", "优选")
REJECTED = ("rejected", "rejectedresponse", "dispreferred", "拒绝")
CONTEXT = ("context", "passage", "abstract", "background", "背景", "材料", "上下文", "病例", "病历")
"""What a question is about: put before it."""

OUTPUT = ("output", "输出", "response")
"""Answers that make a file with an instruction alpaca."""

NAMES: Mapping[Role, tuple[str, ...]] = {
    Role.QUESTION: QUESTION,
    Role.INPUT: INPUT,
    Role.REASONING: REASONING,
    Role.ANSWER: ANSWER,
    Role.SYSTEM: SYSTEM,
    Role.HISTORY: HISTORY,
    Role.MESSAGES: MESSAGES,
    Role.OPTIONS: OPTIONS,
    Role.CORRECT: CORRECT,
    Role.CHOSEN: CHOSEN,
    Role.REJECTED: REJECTED,
}
