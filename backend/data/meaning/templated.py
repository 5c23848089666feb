"""Lessons whose prompt and answer are put together from columns: medical-o1, questions, choices.

Knows nothing about files; the other shapes are in ``whole``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backend.data.meaning import templates
from backend.data.meaning.choice import Options, filled, options_of, right_of
from backend.data.meaning.faults import SHOWN, Unusable, blank, present
from backend.data.meaning.fields import (
    Maker,
    Value,
    answer_of,
    column_of,
    question_of,
    reasoning_of,
    system_of,
)
from backend.data.meaning.lesson import Lesson, Turn, output_of
from backend.data.meaning.mapping import OPTIONAL, REQUIRED, ColumnMap, Role
from backend.data.meaning.templates import LETTER, OPTION, Template


def plain_maker(columns: ColumnMap) -> Maker:
    """Makes lessons of a question, perhaps reasoning, and an answer.

    Raises:
        DataError: a role lacks its column, or a template is no template.
    """
    ask, tell, think = question_of(columns), answer_of(columns), reasoning_of(columns)
    system = system_of(columns)
    prompt = _own(columns.prompt, templates.DEFAULT_PROMPT[columns.shape])
    answer = _own(columns.answer, templates.DEFAULT_ANSWER[columns.shape])
    words_of = _words_of(columns)

    def make(value: Value) -> Lesson:
        asked, told = ask(value), tell(value)
        if prompt is not None:
            asked = _prompt(prompt, words_of(value))
        if answer is not None:
            told = _answer(_filled(answer, words_of(value)))
        return _lesson(asked, told, think(value), system(value))

    has_more = columns.column(Role.INPUT) or columns.column(Role.SYSTEM) or prompt or answer
    return make if has_more else _quick_maker(columns, make)


def _quick_maker(columns: ColumnMap, make: Maker) -> Maker:
    """Makes the same as ``make`` does without templates, of most rows in half the time: of texts
    that all say something."""
    question, answer = column_of(columns, Role.QUESTION), column_of(columns, Role.ANSWER)
    reasoning = columns.column(Role.REASONING) if columns.reasoning else None

    def quick(value: Value) -> Lesson:
        asked, told = value.get(question), value.get(answer)
        if type(asked) is not str or type(told) is not str or blank(asked) or blank(told):
            return make(value)
        if reasoning is None:
            return Lesson((Turn("user", asked), Turn("assistant", told)))
        thought = value.get(reasoning)
        if type(thought) is not str or blank(thought):
            return make(value)
        return Lesson(
            (Turn("user", asked), Turn("assistant", output_of(thought.strip("\r\n"), told)))
        )

    return quick


def choice_maker(columns: ColumnMap) -> Maker:
    """Makes lessons of a question, its options and the right ones.

    Raises:
        DataError: a role lacks its column, or a template is no template.
    """
    ask, think, system = question_of(columns), reasoning_of(columns), system_of(columns)
    options_in, right_in = choice_readers(columns)
    prompt = templates.parse(columns.prompt or templates.DEFAULT_PROMPT[columns.shape])
    answer = _lines(columns.answer or templates.DEFAULT_ANSWER[columns.shape])
    words_of = _words_of(columns)

    def make(value: Value) -> Lesson:
        ask(value)  # an empty question is told before its options
        options = options_in(value)
        right = right_of(right_in(value), options, right_column, columns.one_based)
        words = words_of(value)
        words[Role.OPTIONS.value] = _listed(filled(options))
        words[LETTER], words[OPTION] = _letters(right), "\n".join(one.text for one in right)
        asked, told = _prompt(prompt, words), _answer(_right(answer, words, right))
        return _lesson(asked, told, think(value), system(value))

    right_column = column_of(columns, Role.CORRECT)
    return make


def choice_readers(
    columns: ColumnMap,
) -> tuple[Callable[[Value], Options], Callable[[Value], Any]]:
    """Reads the options, and what names the right ones; both raise ``Unusable``.

    Raises:
        DataError: a role lacks its column.
    """
    first = column_of(columns, Role.OPTIONS)
    names, correct = columns.columns[Role.OPTIONS], column_of(columns, Role.CORRECT)
    said = ", ".join(names)

    def options_in(value: Value) -> Options:
        several = len(names) > 1
        held = [value.get(name) for name in names] if several else [present(value, first)]
        return options_of(held, said)

    return options_in, lambda value: present(value, correct)


def _lesson(asked: str, told: str, reasoning: str, system: str) -> Lesson:
    output = output_of(reasoning.strip("\r\n"), told) if reasoning else told
    return Lesson((Turn("user", asked), Turn("assistant", output)), system)


# --- Templates ----------------------------------------------------------------------------------


def _own(words: str, default: str) -> Template | None:
    """A person's template; None for the default, which is the field itself."""
    return None if words in ("", default) else templates.parse(words)


def _words_of(columns: ColumnMap) -> Callable[[Value], dict[str, Any]]:
    """What placeholders stand for: roles first, then columns; a role without a column is empty."""
    roles = (*REQUIRED[columns.shape], *OPTIONAL[columns.shape])
    absent = dict.fromkeys((role.value for role in roles), "")
    mapped = {role.value: name for role in roles if (name := columns.column(role)) is not None}

    def words_of(value: Value) -> dict[str, Any]:
        return {**absent, **value, **{word: value.get(name) for word, name in mapped.items()}}

    return words_of


def _filled(template: Template, words: Value) -> str:
    try:
        return template.fill(words)
    except KeyError as error:
        name = str(error.args[0])[:SHOWN]
        raise Unusable("data.problems.column_missing", column=name) from None


def _prompt(template: Template, words: Value) -> str:
    prompt = _filled(template, words)
    if blank(prompt):
        raise Unusable("data.problems.prompt_blank")
    return prompt


def _answer(words: str) -> str:
    if blank(words):
        raise Unusable("data.problems.answer_blank")
    return words


def _lines(words: str) -> tuple[Template, ...]:
    return tuple(map(templates.parse, words.split("\n")))


def _right(lines: tuple[Template, ...], words: dict[str, Any], right: Options) -> str:
    """An answer; a line with ``{option}`` comes once for each right option."""
    told: list[str] = []
    for line in lines:
        if OPTION in line.names:
            told += [_filled(line, {**words, LETTER: o.label, OPTION: o.text}) for o in right]
        else:
            told.append(_filled(line, words))
    return "\n".join(told)


def _listed(options: Options) -> str:
    return "\n".join(option.line for option in options)


def _letters(right: Options) -> str:
    """Labels as exams write several: "ABD"; those of more than a letter with commas between."""
    labels = [option.label for option in right]
    return ("" if all(len(label) == 1 for label in labels) else ", ").join(labels)
