"""Faults sown into good medical-o1 rows, one row for each check, and what should become of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

_REASONING = (
    "A lump that is soft, mobile and unchanged for months is most often a cyst. What would change "
    "that is growth, a hard edge or an ulcer, so these are what the examination looks for."
)
_ANSWER = "A hard, fixed or growing lump should be referred before anything is removed."
_EXAM = (
    "An elderly lighthouse keeper on a remote island develops confusion after eating preserved "
    "puffin eggs for eleven consecutive breakfasts; which deficiency explains his bleeding gums?"
)

_FAULTS: dict[str, Row] = {
    "no_reasoning": {"Complex_CoT": ""},
    "think_misplaced": {"Complex_CoT": f"<think>{_REASONING}"},
    # A file that was made by a script has the whole answer in one column, and none of reasoning.
    "think_typo": {"Complex_CoT": None, "Response": f"<think>\n{_REASONING}\n<think>\n\n{_ANSWER}"},
    "think_unclosed": {"Complex_CoT": None, "Response": f"<think>\n{_REASONING} {_ANSWER}"},
    "empty_think": {"Complex_CoT": None, "Response": f"<think>\n\n</think>\n\n{_ANSWER}"},
    "empty_answer_after_think": {
        "Complex_CoT": None,
        "Response": f"<think>\n{_REASONING}\n</think>\n\n",
    },
    "refusal": {"Response": "I'm sorry, but I can't help with medical questions."},
    "boilerplate": {"Response": f"{_ANSWER} I am ChatGPT, made by OpenAI."},
    "mixed_language": {
        "Response": "应当首先检查肿块是否坚硬、固定或持续增大，如果出现这些表现，"
        "应在手术之前尽快转诊至专科医生处进行评估和处理。"
    },
    "control_characters": {"Response": f"A hard\u200b lump\x07. {_ANSWER}"},
    "mojibake": {"Response": f"Itâ€™s a cyst until it grows. {_ANSWER}"},
    "repetition": {"Complex_CoT": "It may be a cyst, or it may not be one. " * 12},
    "very_short": {"Response": "Cyst"},
    "very_long": {
        "Complex_CoT": " ".join(f"Step {n}: weigh finding number {n * 7}." for n in range(1200))
    },
    "answer_in_question": {
        "Question": "Someone told the patient that warm compresses settle it. What settles it?",
        "Response": "warm compresses settle it",
    },
    "pii_cn_id": {"Response": f"Patient 11010519491231002X. {_ANSWER}"},
    "pii_phone": {"Response": f"Call 13812345678 for the result. {_ANSWER}"},
    "pii_email": {"Response": f"Write to li.na@example.org. {_ANSWER}"},
    "pii_record": {"Response": f"MRN: 00482913. {_ANSWER}"},
    "pii_birth": {"Response": f"Date of birth: 12/03/1957. {_ANSWER}"},
    "pii_name": {"Response": f"Mrs. Henderson was told this. {_ANSWER}"},
}
_TWINS = ("exact_duplicate", "near_duplicate", "same_question")
_NOT_ADVISED = (
    *("answer_in_question", "boilerplate", "mixed_language", "very_short", "very_long"),
    *("near_duplicate", "same_question"),
)
_MENDED = ("think_typo", "control_characters", "mojibake")
_SECRETS = (
    *("11010519491231002X", "13812345678", "li.na@example.org", "00482913", "12/03/1957"),
    *("â€™", "\u200b"),
)


@dataclass(frozen=True)
class Seeded:
    """What was sown.

    Attributes:
        faults: The checks that must find something, but for the overlap with ``exam``.
        not_advised: Those of them whose rows are left out only when a person says so.
        exam: Rows of an evaluation file, one of which is among the seeded ones.
        secrets: What must not be in the prepared rows.
    """

    base: int = 198
    exam: Sequence[Row] = field(
        default_factory=lambda: [{"question": _EXAM, "answer": "Vitamin C: he has scurvy."}]
    )
    secrets: Sequence[str] = _SECRETS
    not_advised: Sequence[str] = _NOT_ADVISED

    @property
    def faults(self) -> list[str]:
        return [*_FAULTS, *_TWINS]

    def row_of(self, fault: str) -> int:
        """Number of the row that has a fault."""
        order = [*_FAULTS, "evaluation_overlap", "unusable", "first", *_TWINS]
        return self.base + order.index(fault) + 1

    @property
    def rows_to_exclude(self) -> set[int]:
        """Rows that are left out when all remedies that leave rows out are applied."""
        masked = {name for name in _FAULTS if name.startswith("pii_")}
        names = {*_FAULTS, *_TWINS, "evaluation_overlap", "unusable"} - masked - set(_MENDED)
        return {self.row_of(name) for name in names}


SEEDED = Seeded()


def seeded(rows: list[Row]) -> list[Row]:
    """Good rows, and behind them one for each fault."""
    assert len(rows) == SEEDED.base
    sown = [{**_good(place), **fault} for place, fault in enumerate(_FAULTS.values())]
    exam = {**_good(90), "Question": f"Case of the week. {_EXAM}"}
    unusable = {**_good(91), "Response": {"no": "text"}}
    first = {
        "Question": "Which vitamin does a sailor of 41 lack whose scars open and whose gums bleed?",
        "Complex_CoT": "Collagen needs vitamin C. Scars are collagen, and so are the gums' fibres.",
        "Response": "Vitamin C: the sailor has scurvy.",
    }
    near = {**first, "Question": first["Question"].replace("41", "42")}
    same = {**first, "Response": "It is scurvy, the lack of ascorbic acid, and it heals in weeks."}
    return [*rows, *sown, exam, unusable, first, dict(first), near, same]


def _good(place: int) -> Row:
    tail = _SUBJECTS[place % len(_SUBJECTS)]
    return {
        "Question": f"{tail} What is done first, and why is it done before anything else?",
        "Complex_CoT": f"{tail} {_REASONING}",
        "Response": _ANSWER,
    }


_SUBJECTS = (
    "A gardener notices a painless lump behind one ear.",
    "A baker coughs each night since the bakery changed its flour.",
    "A diver feels numb toes after a quick ascent from the wreck.",
    "A teacher loses her voice every winter term for some weeks.",
    "A courier has burning heels on the first steps of each morning.",
    "A pianist drops cups because two fingers fall asleep.",
    "A shepherd shows a black scab on his wrist without pain.",
    "A welder wakes with gritty, streaming eyes past midnight.",
    "A nurse faints whenever blood is drawn from herself.",
    "A pilot's ear stays blocked for days after landing with a cold.",
    "A student sleeps twelve hours and is still tired at noon.",
    "A plumber's knee swells whenever he kneels on tiles.",
    "A cook burns a forearm on steam and asks about ice.",
    "A farmer was kicked in the belly by a cow this morning.",
    "A toddler swallowed a flat battery from a toy.",
    "A runner passes dark urine after a marathon in the heat.",
    "A librarian sees flashes and a curtain in one eye.",
    "A fisherman's finger is stiff after a hook went deep.",
    "A dancer limps since a pop in the calf during a leap.",
    "A mason's cough brings up rust since a chill last Friday.",
    "A beekeeper's lips swell minutes after a single sting.",
    "A tailor can't read the thread's number at arm's length any more.",
    "A miner's fingers turn white when he holds the drill in the cold.",
)
