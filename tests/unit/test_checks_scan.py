"""What is wrong with a lesson: every fault is found, mended where it can be, and found nowhere
else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks import remedies
from backend.data.checks.loops import loop_in
from backend.data.checks.passages import text_of
from backend.data.checks.registry import CHECKS, bit_of, find_check, flag_of
from backend.data.checks.remedies import each_remedied, remedied
from backend.data.checks.scan import findings, flags, flags_of_each
from backend.data.checks.structure import fault_and_parts
from backend.data.checks.values import Remedy
from backend.data.meaning.lesson import Lesson, Pair, Turn, output_of, parts_of
from backend.text import ASSETS, LANGUAGES

QUESTION = "A 45-year-old woman has chest pain and a blood pressure of 180/100 mmHg. What is next?"
REASONING = (
    "The pain began two hours ago. Ischaemia must be ruled out before anything else is done."
)
ANSWER = "Record an electrocardiogram and measure troponin at once."
QUESTION_ZH = "育龄女性月经量多，乏力、面色苍白，怀疑缺铁，首选哪项检查？"
REASONING_ZH = "月经过多会持续丢失铁。贮存铁先于血红蛋白下降。反映贮存铁的指标最敏感。"
ANSWER_ZH = "首选血清铁蛋白，降低即可确诊缺铁。"

MENDING = tuple(check.id for check in CHECKS if check.remedy is not Remedy.EXCLUDE)
SENTENCE = "The patient should be seen again in a week. "


def lesson(question: str = QUESTION, output: str = output_of(REASONING, ANSWER)) -> Lesson:
    return Lesson((Turn("user", question), Turn("assistant", output)))


def answered(answer: str, reasoning: str = REASONING, question: str = QUESTION) -> Lesson:
    return lesson(question, output_of(reasoning, answer))


def found(one: Lesson) -> set[str]:
    """Ids of the checks whose bits are set."""
    bits = flags(one)
    return {check.id for check in CHECKS if bits >> bit_of(check.id) & 1}


PHONES = [
    "电话 010-12345678", "0755-1234567", "（021）55551234", "(021) 5555 1234", "(0755)8234-5678",
    "010 6234 5678", "021-5555 1234", "0571 87654321", "来电话：62345678", "电话号码是 6234-5678",
    "（13812345678）", "+86 10 6234 5678", "Tel: 555-1234", "Phone number: 5551234",
]  # fmt: skip
NAMES_ZH = [
    "李明先生", "王医生", "请张主任会诊", "我院陈教授", "协和医院王建国教授", "李副主任",
    "王主任医师", "欧阳医生", "诸葛小明女士", "何医生", "高明大夫", "王护士", "患者张三，男，45岁",
    "张三（女，3个月）", "病人李四，45岁", "张三 男 45岁", "我叫李华", "名叫王小明",
    "姓名：欧阳修", "Dr. Smith",
]  # fmt: skip
NAMES = [
    "Patient John Smith", "The patient, Mary Ann Jones,", "Patient: Robert Brown", "Dr. Jane Doe",
    "Mr. John A. Smith", "Dr McDonald", "Mrs. O'Brien", "Prof. Li Ming", "Professor Jane Doe",
    "John Smith, a 45-year-old man,", "John Smith, 45 years old,", "My name is Jane Roe; who",
]  # fmt: skip


# --- Each fault is found, and nothing else -----------------------------------------------------

FAULTS = [
    ("no_reasoning", lesson(output=ANSWER)),
    ("think_typo", lesson(output=f"<think>\n{REASONING}\n<think>\n\n{ANSWER}")),
    ("think_unclosed", lesson(output=f"<think>\n{REASONING} {ANSWER}")),
    ("think_misplaced", lesson(output=f"Well. <think>{REASONING}</think>{ANSWER}")),
    ("think_misplaced", lesson(output=f"<think><think>{REASONING}</think></think>{ANSWER}")),
    ("think_misplaced", lesson(output=f"{REASONING}</think>{ANSWER}")),
    ("think_misplaced", answered(f"{ANSWER}</think>")),
    ("think_misplaced", lesson(question=f"{QUESTION} <think>")),
    ("empty_think", answered(ANSWER, reasoning=" \n ")),
    ("empty_answer_after_think", answered(" ")),
    ("answer_in_question", answered("chest pain and a blood pressure of 180/100 mmHg")),
    ("answer_in_question", answered("怀疑缺铁，首选哪项检查", REASONING_ZH, QUESTION_ZH)),
    ("refusal", answered("I'm sorry, but I can't help with medical questions.")),
    ("refusal", answered("I’m sorry, but as an artificial intelligence I cannot diagnose.")),
    ("refusal", answered("抱歉，我无法提供医疗建议，请咨询医生。", REASONING_ZH, QUESTION_ZH)),
    ("boilerplate", answered(f"{ANSWER} I am ChatGPT, and glad to help.")),
    (
        "boilerplate",
        answered("我是由深度求索公司开发的助手。" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH),
    ),
    ("mixed_language", answered(ANSWER_ZH * 2, REASONING)),
    ("mixed_language", answered(ANSWER, REASONING_ZH, QUESTION_ZH)),
    ("control_characters", answered(f"{ANSWER}\u200b")),
    ("control_characters", answered(f"\x07{ANSWER}")),
    ("control_characters", answered(f"{ANSWER_ZH}\ufeff", REASONING_ZH, QUESTION_ZH)),
    ("control_characters", answered(f"{ANSWER} 5 \ufffd")),
    ("control_characters", answered(f"{ANSWER}\x85")),
    ("control_characters", answered(f"{ANSWER}\ud83d")),
    ("mojibake", answered(f"{ANSWER} Guillain-BarrÃ© syndrome is rarer.")),
    ("mojibake", answered(f"{ANSWER} The patientâ€™s history matters.")),
    ("mojibake", answered("锟斤拷" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("mojibake", answered("æ‚£è€…ï¼Œç”·" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("repetition", answered(f"{ANSWER} " + "I do not know, I do not know, " * 8)),
    ("repetition", answered(ANSWER, f"{REASONING} {SENTENCE * 6} {REASONING * 9}")),
    ("repetition", answered("首选铁蛋白检查结果，" * 12, REASONING_ZH, QUESTION_ZH)),
    ("very_short", answered("Troponin.")),
    ("very_short", answered("贫血", REASONING_ZH, QUESTION_ZH)),
    ("very_short", answered(ANSWER, reasoning="It is the heart.")),
    ("very_long", answered(ANSWER, " ".join(f"Point {n} is noted." for n in range(2000)))),
    ("pii_cn_id", answered("身份证号11010519491231002X，" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("pii_phone", answered("请致电13812345678。" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("pii_phone", answered(f"{ANSWER} Call (555) 123-4567 or 555-123-4567.")),
    ("pii_phone", answered(f"{ANSWER} Call +44 20 7946 0958.")),
    ("pii_phone", answered(f"{ANSWER} Call +86 138-1234-5678.")),
    ("pii_phone", answered("电话：010-62345678，" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("pii_email", lesson(question=f"{QUESTION} Write to jane.doe@example.com.")),
    ("pii_record", answered("住院号：20190123，" + ANSWER_ZH, REASONING_ZH, QUESTION_ZH)),
    ("pii_record", lesson(question=f"MRN: 1234567. {QUESTION}")),
    ("pii_record", lesson(question=f"Medical record no. A-12345. {QUESTION}")),
    ("pii_birth", lesson(question=f"DOB: 05/03/1980. {QUESTION}")),
    ("pii_birth", lesson(question=f"She was born on May 3, 1980. {QUESTION}")),
    ("pii_birth", answered(ANSWER_ZH, REASONING_ZH, f"出生日期：1980年5月3日。{QUESTION_ZH}")),
    ("pii_birth", answered(ANSWER_ZH, REASONING_ZH, f"1980年5月3日出生，{QUESTION_ZH}")),
    ("pii_name", lesson(question=f"Mrs. Smith asks: {QUESTION}")),
    ("pii_name", lesson(question=f"Name: Jane Roe. {QUESTION}")),
    ("pii_name", answered(ANSWER_ZH, REASONING_ZH, f"患者李某某，{QUESTION_ZH}")),
    ("pii_name", answered(ANSWER_ZH, REASONING_ZH, f"张女士，{QUESTION_ZH}")),
    *(
        ("pii_cn_id", answered(f"{said}，{ANSWER_ZH}", REASONING_ZH, QUESTION_ZH))
        for said in ("身份证号110105491231002", "身份证 440524800101001")
    ),
    *(
        ("pii_phone", answered(f"{said}，{ANSWER_ZH}", REASONING_ZH, QUESTION_ZH))
        for said in PHONES
    ),
    *(
        ("pii_name", answered(ANSWER_ZH, REASONING_ZH, f"{said}，{QUESTION_ZH}"))
        for said in NAMES_ZH
    ),
    *(("pii_name", lesson(question=f"{said} asks. {QUESTION}")) for said in NAMES),
]


@pytest.mark.parametrize(("check", "faulty"), FAULTS)
def test_a_fault_is_found_and_nothing_else(check: str, faulty: Lesson) -> None:
    assert found(faulty) == {check}
    assert {finding.check for finding in findings(faulty)} == {check}


@pytest.mark.parametrize(
    ("check", "faulty"), [one for one in FAULTS if find_check(one[0]).remedy is not Remedy.EXCLUDE]
)
def test_a_fault_is_gone_when_it_is_mended(check: str, faulty: Lesson) -> None:
    mended = remedied(faulty, [check])
    assert mended != faulty
    assert found(mended) == set()
    assert remedied(mended, [check]) is mended


@pytest.mark.parametrize(("check", "faulty"), FAULTS)
def test_evidence_stands_in_the_lesson(check: str, faulty: Lesson) -> None:
    """The page marks the evidence in the text; what was shortened with dots was never marked."""
    text = faulty.question + "\n" + faulty.output
    for finding in findings(faulty):
        assert finding.evidence in text
        assert len(finding.evidence) <= 120
        for language in LANGUAGES:
            assert "{" not in finding.sentence(language)


def test_every_row_check_has_a_fault_here() -> None:
    across = {"exact_duplicate", "near_duplicate", "same_question", "evaluation_overlap"}
    read = {"duplicate_keys", "not_numbers"}  # of the file, not of a lesson
    assert {check for check, _ in FAULTS} == {check.id for check in CHECKS} - across - read


# --- No false alarms ----------------------------------------------------------------------------

FINE = [
    # Numbers that are no telephone, record or identity numbers.
    "Give 1000 mg at 0800 and 2000; PMID 12345678901 and NCT01234567890 report 12000-15000 cells.",
    "血小板 120000-150000/μL，白细胞 13800000000/L，参考值 3.5-5.5，2019-2020年，共 18000 例。",
    "The values were 110 120 130 1400 and 555 1234, from 2010 to 2020, p = 0.0000000001.",
    "PaO2 80.1234567890 mmHg; code 110105194912310021 has a wrong check digit.",
    "She was born in 1980. The child was born at 3200 g, 39 weeks; birth weight 2500-4000 g.",
    "The number needed to treat is 1200; hospital number two has 4000 beds.",
    "Sodium 135-145, 0.12-1234567, 0800 2000 2200, code 991332123456789 and 110105491331002.",
    "钠 135-145 mmol/L，血糖 3.9-6.1，比值 0.010-1234567，共 0800 2000 2200 例，电话随访 120 例。",
    # Names that are no patients.
    "Dr. Down, Hodgkin, Mr. X and Ms. A are not patients; MS and MRI are not titles.",
    "The patient had the Patient Health Questionnaire, Patient Global Impression, Patient Safety.",
    "Dr. James Parkinson, Professor Emeritus; Professor of Medicine. Drug and Dress. Mr. and Mrs.",
    "In the Emergency Department, a 45-year-old man is seen. The Marfan Study is a 3-year one.",
    "主治医生、住院医师、牙周医生、每分钟医生、提高医生、顾问医生、其余医生、为何医生、任何医生、高年资主任、感谢医生。",
    "许多医生与许多女士，三万名女士，顾客先生，曾任主任，周末医生，武汉医生，复苏医生，规范医生，叶酸医生，国王医生。",
    "患者，男，45岁。张口困难，男，45岁。高血压，45岁。黄疸，3岁。陈旧性，男，5岁。孙女，3岁。既往史，女，9岁。",
    "江苏，女，9岁；雷诺病，女，30岁；毛细血管扩张，男，2岁；苏醒，男，5岁；我叫救护车。",
    "李斯特菌、王氏孢子菌、张力性气胸、黄疸、高血压、白细胞；主任医师、年轻女士、对于女士、任何女士、某些患者。",
    "因某种原因，王某种植；对方先生。",
    # Letters that look like mojibake.
    "Ménière's, Sjögren’s, Guillain-Barré – naïve Ångström; 37 °C, 5 µg, ±2, ½, “quoted” … Ünal",
    "锛的笔画，Îlot–é…",
    # Refusals and assistants that are none.
    "The patient says: I'm sorry, but I can't walk. AI means aromatase inhibitor; the DS score.",
    "我是医生，作为家属应当陪同。抱歉是患者常用的词。",
    # Lists, tables and rules are no loops.
    "| a | b |\n|---|---|\n" + "|---|---|\n" * 30 + "-" * 200,
    "1. Take aspirin daily.\n2. Take aspirin daily.\n3. Take statins daily.\n4. Walk daily.",
    "Less than 5: <5 mg, <think, think>; p<0.05 and <b>bold</b>.",
]


@pytest.mark.parametrize("text", FINE)
def test_what_only_looks_like_a_fault_is_none(text: str) -> None:
    assert found(answered(f"{ANSWER}\n{text}")) - {"mixed_language"} == set()


def test_multiple_choice_has_its_answer_in_the_question() -> None:
    options = "A. aspirin and clopidogrel\nB. warfarin\nC. none of these"
    assert found(answered("aspirin and clopidogrel", question=f"{QUESTION}\n{options}")) == set()


def test_drug_names_in_chinese_text_are_no_other_language() -> None:
    answer = "首选 amoxicillin-clavulanate（阿莫西林），过敏者改用 levofloxacin 或 azithromycin。"
    assert found(answered(answer, REASONING_ZH, QUESTION_ZH)) == set()


def test_the_rejected_answer_of_a_pair_may_refuse() -> None:
    """A preference pair teaches not to refuse by showing a refusal; it was left out as a
    refusal."""
    refusing = output_of(REASONING, "I'm sorry, but I can't help with that.")
    pair = Pair(output_of(REASONING, ANSWER), refusing)
    assert found(Lesson((Turn("user", QUESTION),), pair=pair)) == set()


def test_both_answers_of_a_pair_need_their_tags_right() -> None:
    pair = Pair(output_of(REASONING, ANSWER), f"<think>{REASONING}<think>{ANSWER}")
    one = Lesson((Turn("user", QUESTION),), pair=pair)
    assert found(one) == {"think_typo"}
    mended = remedied(one, ["think_typo"])
    assert mended.pair == Pair(pair.chosen, output_of(REASONING, ANSWER))


def talk(*outputs: str, question: str = QUESTION) -> Lesson:
    """A conversation with these answers."""
    asked = (question, f"And then? {QUESTION}", f"And in the end? {QUESTION}")
    turns = [
        turn
        for words, output in zip(asked, outputs, strict=False)
        for turn in (Turn("user", words), Turn("assistant", output))
    ]
    return Lesson(tuple(turns))


LAST = output_of(REASONING, "The patient can go home after three days.")


@pytest.mark.parametrize(
    ("checks", "output"),
    [
        ({"no_reasoning"}, ANSWER),
        ({"refusal"}, output_of(REASONING, "I'm sorry, but I can't help with that.")),
        ({"boilerplate"}, output_of("I am ChatGPT and think so anyway.", ANSWER)),
        ({"repetition"}, output_of("It may be a cyst, or it may not be one. " * 12, ANSWER)),
        ({"very_short"}, output_of(REASONING, "Cyst")),
        ({"think_typo"}, f"<think>\n{REASONING}\n<think>\n\n{ANSWER}"),
        ({"think_unclosed"}, f"<think>\n{REASONING}\n{ANSWER}"),
        ({"think_misplaced"}, f"{ANSWER}<think>{REASONING}</think>"),
        ({"empty_think"}, output_of(" ", ANSWER)),
        ({"empty_answer_after_think"}, output_of(REASONING, " ")),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_every_answer_of_a_conversation_is_looked_at(
    checks: set[str], output: str, place: int
) -> None:
    """LLaMA-Factory trains on every answer, and puts an empty think block before each that has no
    tags. Only the last one was looked at: a conversation whose first answer refused was taught as
    if nothing were wrong.
    """
    outputs = [output_of(REASONING, ANSWER)] * 2
    outputs[place] = output
    one = talk(*outputs, LAST)
    assert found(one) == checks
    for finding in findings(one):
        assert (finding.part, finding.answer) == ("row", place + 1)
        assert finding.sentence("en").startswith(f"Answer {place + 1} of the conversation: ")
        assert finding.evidence in output
    assert {finding.answer for finding in findings(talk(LAST, LAST, output))} == {0}


def test_an_answer_is_compared_with_its_own_question() -> None:
    chinese = output_of(REASONING_ZH, "应当首先检查肿块是否坚硬、固定或持续增大，再决定是否转诊。")
    assert found(talk(LAST, chinese)) == {"mixed_language"}
    assert found(talk(chinese, question=QUESTION_ZH)) == set()


def test_the_reasoning_of_every_answer_is_closed() -> None:
    typo = f"<think>\n{REASONING}\n<think>\n\n{ANSWER}"
    mended = remedied(talk(typo, typo, LAST), ["think_typo"])
    assert [turn.content for turn in mended.turns[1::2]] == [
        *[output_of(REASONING, ANSWER)] * 2,
        LAST,
    ]


def test_earlier_answers_of_a_pair_are_only_read() -> None:
    """Of a preference pair nothing but the two answers is trained on."""
    turns = talk(ANSWER, LAST).turns[:-1]
    pair = Pair(LAST, output_of(REASONING, "Nobody knows."))
    assert found(Lesson(turns, pair=pair)) == set()


def test_all_turns_and_the_system_prompt_are_looked_at() -> None:
    turns = (
        Turn("user", "Call me at 13812345678 please."),
        Turn("assistant", f"<think>{ANSWER}"),
        *lesson().turns,
    )
    one = Lesson(turns, system="You are helpful.\u200b")
    assert found(one) == {"pii_phone", "think_unclosed", "control_characters"}
    assert {(one.check, one.part) for one in findings(one)} == {
        ("control_characters", "system"),
        ("think_unclosed", "row"),
        ("pii_phone", "question"),
    }


def test_a_mark_is_in_the_language_of_its_text() -> None:
    english = lesson(question=f"{QUESTION} Call 555-123-4567, or mail a.b@example.com.")
    chinese = answered(ANSWER_ZH, REASONING_ZH, f"张先生，电话13812345678，{QUESTION_ZH}")
    assert "Call [PHONE], or mail [EMAIL]." in remedied(english, MENDING).question
    assert "【姓名】先生，电话【电话】，" in remedied(chinese, MENDING).question


def test_a_whole_name_is_masked() -> None:
    """Half a name was left beside the mark: "[NAME]Donald", or the given name before a title."""
    names = (
        "Mr. John Q. McDonald, Dr. Mary Ann Jones and\nMrs. Smith\nThe patient John O'Brien sat."
    )
    masked = "Mr. [NAME], Dr. [NAME] and\nMrs. [NAME]\nThe patient [NAME] sat."
    assert remedied(lesson(question=names), ["pii_name"]).question == masked
    chinese = "患者欧阳小明，女，45岁，由王大夫、张建国副主任医师和李老师收治，赵小姐陪同。"
    masked = (
        "患者【姓名】，女，45岁，由【姓名】大夫、【姓名】副主任医师和【姓名】老师收治，"
        "【姓名】小姐陪同。"
    )
    assert remedied(lesson(question=chinese), ["pii_name"]).question == masked


def test_a_lost_character_is_called_lost() -> None:
    wordings = {one.wording for one in findings(answered(f"{ANSWER} \ufffd"))}
    assert wordings == {"lost"}


def test_remedies_that_leave_rows_out_change_nothing() -> None:
    faulty = lesson(output=f"<think>\n{REASONING}")
    assert remedied(faulty, [check.id for check in CHECKS]) is faulty


# --- Real rows ----------------------------------------------------------------------------------

LEAVING_OUT = sum(
    flag_of(check.id) for check in CHECKS if check.advised and check.remedy is Remedy.EXCLUDE
)


def lessons_in(path: Path) -> Iterator[Lesson]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        yield lesson(row["Question"], output_of(row["Complex_CoT"], row["Response"]))


def test_no_real_row_would_be_left_out_or_changed(real_rows: Path) -> None:
    """Each false alarm here would cost a row of a real file."""
    rows = list(lessons_in(real_rows))
    assert len(rows) > 100
    for row in rows:
        assert flags(row) & LEAVING_OUT == 0
        assert remedied(row, MENDING) is row


@pytest.mark.parametrize("path", sorted((ASSETS / "samples").glob("*.json")), ids=lambda p: p.name)
def test_no_row_of_the_samples_has_a_fault(path: Path) -> None:
    assert {name for row in lessons_in(path) for name in found(row)} == set()


# --- Properties ---------------------------------------------------------------------------------

SNIPPETS = st.sampled_from(
    [
        "<think>", "</think>", "<think>\n", "\n</think>\n\n", "\n", " ", ". ", "。", "，",
        QUESTION, REASONING, ANSWER, QUESTION_ZH, REASONING_ZH, ANSWER_ZH, SENTENCE * 4,
        "13812345678", "+86 138 1234 5678", "(555) 123-4567", "555.123.4567", "+1 555 123 4567",
        "11010519491231002X", "a.b@example.com", "MRN 12345", "病历号：A12345",
        "record number 9876",
        "DOB 1980-05-03", "born 3 May 1980", "生于1980.5.3", "1980年5月3日生，", "Date of Birth: ",
        "Mr. Smith", "Miss Marple", "Patient name: John Smith", "Name: ",
        "张先生", "李某", "姓名：张三，", "王小明", "医生", "李", "副主任", "小姐", "，男，45岁",
        "，", "3岁", "我叫", "患者", "Dr. ", "Dr\u3000Roe", "Prof. ", "Patient ", "John Smith",
        ", a 45-year-old", " is an 8-year old", "My name is ", "110105491231002",
        "(021) 5555 1234", "电话 6234-5678",
        "Ã©", "â€™", "锟斤拷", "ï¼Œ", "锛", "銆", "鈥", "é", "Ã", "\ufffd",
        "\u200b", "\x00", "\x85",
        "I'm sorry, but I can't", "As an AI language model", "抱歉，我无法", "我是由谁开发的",
        "I am ChatGPT", "AI", "made by OpenAI", "language model", "A. ", "\nB) ", "0", "1980", "-",
        "(", "贫血", "yes", "number", "号", "生", "name", "M", "\ud800", "ſ", "İ", "１３８",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(SNIPPETS, st.text(max_size=12)), max_size=14).map("".join)


@st.composite
def any_lesson(draw: st.DrawFn) -> Lesson:
    system = draw(st.one_of(st.just(""), TEXTS))
    turns = [Turn("user", draw(TEXTS))]
    if draw(st.booleans()):
        turns += [Turn("assistant", draw(TEXTS)), Turn("user", draw(TEXTS))]
    if draw(st.booleans()):
        return Lesson(tuple(turns), system, Pair(draw(TEXTS), draw(TEXTS)))
    return Lesson((*turns, Turn("assistant", draw(TEXTS))), system)


@settings(max_examples=600, deadline=None)
@given(any_lesson())
def test_fast_flags_are_those_of_the_findings(one: Lesson) -> None:
    """The fast path skips what it believes can't be there; each time it was wrong, a row was
    lost."""
    bits = 0
    for finding in findings(one):
        bits |= flag_of(finding.check)
    assert flags(one) == bits


@settings(max_examples=200, deadline=None)
@given(st.lists(any_lesson() | st.sampled_from([faulty for _, faulty in FAULTS]), max_size=6))
def test_flags_do_not_depend_on_the_lessons_beside(lessons: list[Lesson]) -> None:
    """Signs are sought in all texts at once, and put down to the one where they are."""
    together = flags_of_each(lessons, [text_of(one) for one in lessons])
    assert together == [flags(one) for one in lessons]


def test_emoji_do_not_shift_what_stands_behind() -> None:
    """They take two places in UTF-16, by which signs beyond ASCII are found."""
    smiling = answered(f"{'😀' * 5}{ANSWER_ZH}", REASONING_ZH, f"{QUESTION_ZH}😀患者李某某，")
    plain = answered(ANSWER_ZH, REASONING_ZH, QUESTION_ZH)
    lessons = [smiling, plain]
    together = flags_of_each(lessons, [text_of(one) for one in lessons])
    assert together == [flag_of("pii_name"), 0]


@settings(max_examples=300, deadline=None)
@given(any_lesson(), st.sets(st.sampled_from(MENDING)))
def test_what_is_mended_is_gone_and_mending_twice_is_mending_once(
    one: Lesson, applied: set[str]
) -> None:
    wanted = sum(map(flag_of, applied))
    mended = remedied(one, applied)
    assert flags(mended) & wanted == 0
    assert remedied(mended, applied) is mended
    assert (mended is one) == (flags(one) & wanted == 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(any_lesson(), max_size=6), st.sets(st.sampled_from(MENDING)), st.integers(1, 400))
def test_many_are_mended_as_each_is_by_itself(
    lessons: list[Lesson], applied: set[str], at_once: int
) -> None:
    """Whatever they share a batch with; what needs no mending is the same object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remedies, "BATCH_BYTES", at_once)
        mended = list(each_remedied(enumerate(lessons), applied))
    assert mended == [(number, remedied(one, applied)) for number, one in enumerate(lessons)]
    wanted = sum(map(flag_of, applied))
    for one, (_, other) in zip(lessons, mended, strict=True):
        assert (other is one) == (flags(one) & wanted == 0)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_parts_are_those_of_the_lesson(output: str) -> None:
    fault, parts = fault_and_parts(output)
    if not fault:
        assert parts == parts_of(output)


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="abcdefgh ijk", min_size=20, max_size=200),
    st.integers(0, 600),
    st.integers(0, 600),
)
def test_a_loop_over_a_third_of_a_text_is_found_wherever_it_stands(
    unit: str, before: int, behind: int
) -> None:
    """Only some places are looked at; between two of them no such loop has room."""
    numbers = " ".join(str(number * 7919) for number in range(400))
    loop = unit * 5
    around = min(before + behind, 2 * len(loop)) / max(before + behind, 1)
    text = numbers[: int(before * around)] + loop + numbers[700 : 700 + int(behind * around)]
    if len(set(unit.replace(" ", ""))) >= 3:
        assert loop_in(text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FAULTS), st.text(alphabet="abcdefghij ", max_size=60))
def test_a_fault_is_found_wherever_it_stands(fault: tuple[str, Lesson], around: str) -> None:
    check, faulty = fault
    if check.startswith("pii") or check in ("control_characters", "mojibake", "boilerplate"):
        longer = lesson(f"{around} {faulty.question} {around}", f"{faulty.output} {around}")
        assert check in found(longer)
