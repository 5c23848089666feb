"""What LLaMA-Factory did to a lesson that its reader may not expect; the sentences are
``data.tokens.<key>``. Knows nothing about how the tokens were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from backend.data.meaning.lesson import CLOSE, OPEN, Lesson
from backend.data.tokens.values import Note
from backend.workers.inspect_model import Fitted
from backend.workers.inspect_segments import Segment

SHOWN = 80
"""So many characters of a system prompt are quoted."""

SHOWN_MARKERS = 5
"""So many markers are named."""


def notes_of(
    fitted: Fitted, lesson: Lesson, segments: Sequence[Segment], variant: str
) -> tuple[Note, ...]:
    """Notes about one encoding, the gravest first.

    Args:
        variant: Of a preference pair which answer; else empty.
    """
    found = [
        *_new(fitted),
        *_cut(fitted, segments),
        *_thinking(fitted, lesson, variant),
        *_markers(fitted, lesson),
        *_system(fitted, lesson),
    ]
    return tuple(found)


def _new(fitted: Fitted) -> Iterator[Note]:
    if fitted.new:
        markers = ", ".join(fitted.new[:SHOWN_MARKERS])
        yield Note("tokens_new", {"template": fitted.name, "markers": markers}, "tokens")


def outputs_of(lesson: Lesson, variant: str = "") -> list[str]:
    """All answers of a lesson in order; of a pair the last is the named one."""
    answers = [turn.content for turn in lesson.turns if turn.speaker == "assistant"]
    if lesson.pair:
        answers.append(lesson.pair.rejected if variant == "rejected" else lesson.pair.chosen)
    return answers


def lacks_thought(fitted: Fitted, content: str) -> bool:
    """LLaMA-Factory's test for an answer without reasoning (``ReasoningTemplate``)."""
    return not any(word.strip() in content for word in fitted.template.thought_words)


def _cut(fitted: Fitted, segments: Sequence[Segment]) -> Iterator[Note]:
    targets = [one for one in segments if one.side == "target"]
    last = targets[-1]
    if CLOSE in fitted.decode(last.ids) and CLOSE not in fitted.decode(last.ids[: last.kept]):
        yield Note("reasoning_unclosed", {}, "tokens")
    if dropped := _dropped(targets):
        yield Note("answer_cut", {"tokens": dropped}, "tokens")
    if dropped := _dropped(one for one in segments if one.side == "source"):
        yield Note("prompt_cut", {"tokens": dropped}, "tokens")


def _dropped(segments: Iterable[Segment]) -> int:
    return sum(len(one.ids) - one.kept for one in segments)


def _thinking(fitted: Fitted, lesson: Lesson, variant: str) -> Iterator[Note]:
    answers = outputs_of(lesson, variant)
    words = tuple(word.strip() for word in fitted.template.thought_words)
    if any(OPEN in one for one in answers) and words != (OPEN, CLOSE):
        yield Note("other_think_words", {"open": words[0], "close": words[1]}, "tokens")
    if not fitted.reasoning:
        return
    # Of a pair only the last answer is trained.
    trained = answers[-1:] if lesson.pair else answers
    if any(lacks_thought(fitted, one) for one in trained):
        yield Note("empty_think_added", {}, "tokens")
    if any(fitted.template.remove_thought(one) != one for one in answers[:-1]):
        yield Note("history_removed" if lesson.pair else "history_kept", {}, "tokens")


def _markers(fitted: Fitted, lesson: Lesson) -> Iterator[Note]:
    """Markers in the text itself, which are read as if the template had put them there."""
    written = [lesson.system, *(turn.content for turn in lesson.turns), *(lesson.pair or ())]
    thoughts = {OPEN, CLOSE, *(word.strip() for word in fitted.template.thought_words)}
    found = sorted(
        token
        for token in set(fitted.specials.values()) - thoughts
        if any(token in text for text in written)
    )
    if found:
        yield Note("marker_in_text", {"markers": ", ".join(found[:SHOWN_MARKERS])}, "tokens")


def _system(fitted: Fitted, lesson: Lesson) -> Iterator[Note]:
    default = fitted.template.default_system
    if default and not lesson.system:
        yield Note("default_system", {"text": default.strip()[:SHOWN]}, "tokens")
