"""One conversation through LLaMA-Factory's template and through the tokenizer's own chat template.

A model is trained with the first and, by most servers, asked with the second: where the two differ,
it is asked something else than it was taught. Knows nothing about cutoffs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backend.data.meaning.lesson import CLOSE, OPEN, Lesson, parts_of
from backend.data.tokens.values import Note, Parity
from backend.workers.inspect_diff import pieces
from backend.workers.inspect_model import Fitted
from backend.workers.inspect_notes import SHOWN, lacks_thought, outputs_of
from backend.workers.inspect_slots import SlotRecorder, answer, messages_of, slots_of, text_of

_MARKER = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Za-z_]{2,20}\]")
_EMPTY_BLOCK = re.compile(rf"{OPEN}\s*{CLOSE}")


@dataclass(frozen=True)
class Texts:
    """A conversation as text.

    Attributes:
        prompt: All before the last answer, to where the model begins to write.
        whole: With the last answer.
    """

    prompt: str
    whole: str


def parity(fitted: Fitted, lesson: Lesson) -> Parity:
    """How training and serving differ for a lesson; of a pair for the chosen answer.

    Raises:
        DataError: the tokenizer can't be loaded again.
    """
    training = training_texts(fitted, lesson)
    served = serving_texts(fitted, lesson)
    if isinstance(served, Note):
        return Parity(pieces(training.prompt, ""), pieces(training.whole, ""), (served,))
    return Parity(
        pieces(training.prompt, served.prompt),
        pieces(training.whole, served.whole),
        tuple(_notes(_Case(fitted, lesson, training, served))),
    )


def training_texts(fitted: Fitted, lesson: Lesson) -> Texts:
    """By LLaMA-Factory's template, whose own code puts the text together."""
    turns = slots_of(fitted.template, SlotRecorder(fitted.tokenizer), lesson)
    sides = [(text_of(turn.source), text_of(turn.targets[0])) for turn in turns]
    before = "".join(source + target for source, target in sides[:-1]) + sides[-1][0]
    end = str(fitted.tokenizer.eos_token) if fitted.tail and not lesson.pair else ""
    return Texts(before, before + sides[-1][1] + end)


def serving_texts(fitted: Fitted, lesson: Lesson) -> Texts | Note:
    """By the tokenizer's own template, or why it makes none."""
    from jinja2 import TemplateError

    if not fitted.own.chat_template:
        return Note("no_chat_template")
    system = [{"role": "system", "content": lesson.system}] if lesson.system else []
    before = [*system, *_before(lesson)]
    try:
        return Texts(
            _applied(fitted.own, before, True),
            _applied(fitted.own, [*before, answer(lesson.output)], False),
        )
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
        return Note("template_error", {"reason": reason})


def _before(lesson: Lesson) -> list[dict[str, str]]:
    messages = messages_of(lesson)
    return messages if lesson.pair else messages[:-1]


def _applied(tokenizer: Any, messages: list[dict[str, str]], generate: bool) -> str:
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
    )


# --- What the differences mean ------------------------------------------------------------------


@dataclass(frozen=True)
class _Case:
    fitted: Fitted
    lesson: Lesson
    training: Texts
    serving: Texts

    def heads(self) -> tuple[str, str]:
        """What comes before the first question, by training and by serving."""
        first = self.lesson.turns[0].content
        return self.training.prompt.partition(first)[0], self.serving.prompt.partition(first)[0]

    def tails(self) -> tuple[str, str]:
        """What comes behind the answer proper, by training and by serving."""
        last = parts_of(self.lesson.output).answer.strip()
        return self.training.whole.rpartition(last)[2], self.serving.whole.rpartition(last)[2]


def _notes(case: _Case) -> Iterator[Note]:
    if case.training == case.serving:
        yield Note("identical")
        return
    found = [
        *_markers(case),
        *_thinking(case),
        *_system(case),
        *_begin(case),
        *_removed(case),
        *_end(case),
    ]
    yield from found or [Note("differs")]


def _markers(case: _Case) -> Iterator[Note]:
    """The two mark the turns in other ways: most often the template is that of another family."""
    about = {OPEN, CLOSE, case.fitted.own.bos_token}
    around = " ".join((*case.lesson.turns[0], case.lesson.system))
    training, serving = (
        [one for one in _MARKER.findall(text) if one not in about and one not in around]
        for text in (case.training.prompt, case.serving.prompt)
    )
    if not set(training) & set(serving) and (training or serving):
        yield Note(
            "markers",
            {
                "template": case.fitted.name,
                "training": training[0] if training else "–",
                "serving": serving[0] if serving else "–",
            },
        )


def _thinking(case: _Case) -> Iterator[Note]:
    """Who writes ``<think>``: hiyouga/LLaMA-Factory#6987."""
    training, serving = case.training.prompt.rstrip(), case.serving.prompt.rstrip()
    if serving.endswith(OPEN) and not training.endswith(OPEN):
        yield Note("think_in_prompt")
    if _EMPTY_BLOCK.search(serving[-40:]) and not _EMPTY_BLOCK.search(training[-40:]):
        yield Note("empty_think_in_prompt")
    adds = case.fitted.reasoning and lacks_thought(case.fitted, case.lesson.output)
    if adds and not _EMPTY_BLOCK.search(case.serving.whole):
        yield Note("empty_think")


def _system(case: _Case) -> Iterator[Note]:
    training, serving = (_MARKER.sub("", head).strip() for head in case.heads())
    system = case.lesson.system.strip()
    if system:
        if system in training and system not in case.serving.prompt:
            yield Note("system_lost")
        training, serving = (one.replace(system, "").strip() for one in (training, serving))
    if training == serving:
        return
    default = case.fitted.template.default_system.strip()
    if default and not system and default not in serving:
        yield Note("system_training", {"text": default[:SHOWN]})
    # A template names the role, too ("system", "user"): only words beyond those are a prompt.
    words = " ".join(serving.split())
    if len(words) > len(" ".join(training.split())) + len("system") and words not in training:
        yield Note("system_serving", {"text": words.removeprefix("system").strip()[:SHOWN]})


def _begin(case: _Case) -> Iterator[Note]:
    bos = case.fitted.own.bos_token
    if not bos:
        return
    training, serving = (
        len(text) - len(text.removeprefix(bos)) > 0
        for text in (case.training.prompt, case.serving.prompt)
    )
    if training and not serving:
        yield Note("bos_training", {"token": bos})
    if serving and not training:
        yield Note("bos_serving", {"token": bos})


def _removed(case: _Case) -> Iterator[Note]:
    """Reasoning that the tokenizer's template leaves out, of the answer or of earlier ones."""
    answers = [parts_of(one).reasoning for one in outputs_of(case.lesson)]
    kept = [one.strip() for one in answers if one and one.strip()]
    last = (answers[-1] or "").strip()
    if last and last not in case.serving.whole:
        yield Note("reasoning_removed")
    for earlier in kept[: len(kept) - bool(last)]:
        if (earlier in case.training.prompt) != (earlier in case.serving.prompt):
            yield Note("history_removed")
            return


def _end(case: _Case) -> Iterator[Note]:
    training, serving = case.tails()
    if training != serving:
        yield Note("end", {"training": _visible(training), "serving": _visible(serving)})


def _visible(text: str) -> str:
    """An end of a text with its line ends to be seen; a dash where there is nothing."""
    return text[:SHOWN].replace("\n", "⏎") or "–"
