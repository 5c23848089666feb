"""What the name of a person looks like: by the title, the sex, the age or the word beside it.

A name alone is not told from other words. Patterns are narrow on purpose: eponyms ("Hodgkin"),
headings ("Patient Health Questionnaire") and words that begin with a family name (高血压, 张口) are
names too, to a pattern. Knows nothing about lessons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backend.data.checks.looks import IS, Before, Look, Pattern, behind

# --- Chinese ------------------------------------------------------------------------------------

_FIRM = (
    "王李刘陈杨赵吴徐孙朱郭郑梁宋韩冯邓曹彭肖袁潘蒋蔡杜魏吕丁沈姚卢姜崔谭陆廖贾韦邹熊孟秦邱尹"
    "薛闫侯黎贺郝龚邵覃"
)
_LOOSE = "张黄周胡马林罗谢唐许曾田董余叶程苏汪范夏付江雷龙史陶顾毛钟段万钱严武戴莫孔汤"
_SURNAMES = _FIRM + _LOOSE
"""The hundred most frequent family names in China (Ministry of Public Security, 2020) but those
that are common words before 女士 and 某; 何 and 高 are asked for what makes them such words. The
loose ones end other words as often (紧张, 牙周, 代谢, 分钟)."""

_HAN = "\u4e00-\u9fff"

# Words that begin with a family name, by their first two characters.
_WORDS = (
    "万[一名位分千古物能]|严[重格肃谨厉密]|丁[克酸]|付[费款出]|何[时种况处首必]|余[名位下量]|史[上]"
    "|叶[酸绿]|周[一二三四五六日末天围期边岁身]|夏[天季令]|姜[黄汁]|孔[径隙]|孙[女子辈]|孟[加]"
    "|宋[代朝]|张[口力开嘴]|徐[徐缓]|戴[上着]|曾[经任是在有做患为]|朱[砂]|杜[绝仲]|李[斯]|林[区业]"
    "|武[汉警器]|毛[细发囊孔巾病利]|江[苏西南门河]|汤[剂药]|沈[阳]|潘[生]|熊[去胆]|田[间野七]|程[序度]"
    "|胡[萝言椒子乱]|苏[州醒丹打格木]|莫[名]|董[事]|许[多可久]|谢[谢绝]|郑[州]|钟[情]|钱[币]"
    "|陆[军续地]|陈[述诉旧年皮列]|雷[诺尼公]|韩[国式]|顾[客问虑及]|马[上来铃尾路拉氏]|魏[格]"
    "|黄[疸色体连芩芪河豆褐斑种曲精]|黎[巴明]|龙[胆骨]"
    "|高[血压糖脂热烧龄危级年位度频发温浓强效原中考层校职手难速端质蛋尿钾钠钙渗敏]"
)
_DOUBLE = "欧阳|上官|司徒|司马|诸葛|皇甫|慕容|令狐|夏侯|尉迟|公孙|端木"
# Not what is seldom part of a given name but often behind or before one, or of a disease.
_GIVEN = (
    "(?![的了是在和与或及有为被把给对向从到也都就还又很不没无我你您他她它们这那些个种各每某名位年月日时岁"
    "男女性者人医师主任教授科室院病患症癌瘤炎痛热血肿诊治疗药术副总儿孩压糖脂氏])"
    f"[{_HAN}]"
)
_FAMILY = f"(?:{_DOUBLE}|(?!{_WORDS})[{_SURNAMES}何高](?<![任如为因]何))"

# A name begins where words do: behind what is no Chinese character, or one of those that stand
# before names ("患者", "请", "45岁", "心内科").
_BEGINS = (
    f"(?:(?<![{_HAN}])"
    "|(?<=[者人岁是由请找向和与给让对跟问见位叫的被据经听为到因像院科室校系组天午晚]))"
)


def _named(alone: str) -> str:
    """A name that ends where a title begins, or its last characters do.

    Args:
        alone: A family name that is one wherever it stands.
    """
    name = f"{_BEGINS}{_FAMILY}(?:{_GIVEN}){{0,2}}?|{alone}"
    return f"({name})(?:小|大|老|副?[主教]|副)?$"


# Hardly a word before 先生 ends with a family name; before 医生 many do.
_POLITE = _named(f"[{_SURNAMES}]|(?<![任如为])何|(?<![最较很更身增])高")
_LEARNED = _named(f"[{_FIRM}](?<!国王)")

# Each begins with the character of a title that is seldom in other words.
_POLITE_TITLES = ("先(?=生)", "女(?=士)", "姐(?<=小姐)", "太(?=太)")
_LEARNED_TITLES = (
    *("医(?=[生师])", "夫(?<=大夫)", "任(?<=主任)", "授(?<=教授)", "院(?=长)", "护(?=士)"),
    *("师(?<=老师)", "博(?=士)"),
)

# 张三，男，45岁 and 张三（女，3个月） and 张三，45岁
_STATED = f"{_BEGINS}({_FAMILY}(?:{_GIVEN}){{1,2}})[，,、（( ：:]{{1,2}}(?:[0-9]{{1,3}} ?)?$"
_AGE = "[0-9]{1,3} ?(?:周?岁|个?月|天)"

_CHINESE: tuple[Before | Pattern, ...] = (
    *(Before(one[0], one, _POLITE, reach=6) for one in _POLITE_TITLES),
    *(Before(one[0], one, _LEARNED, reach=6) for one in _LEARNED_TITLES),
    Pattern(
        "某",
        rf"某(?<=[{_SURNAMES}]某)某?(?![某种些个一类年月日天时地处项段次])",
        back=1,
    ),
    Pattern(
        "姓",
        rf"姓名{IS}((?:{_DOUBLE})[{_HAN}]{{1,2}}|[{_SURNAMES}何高][{_HAN}]{{1,2}})(?![{_HAN}])",
    ),
    Pattern("叫", rf"叫(?<=[我名]叫)({_FAMILY}(?:{_GIVEN}){{1,2}})(?![{_HAN}])"),
    *(Before(sex, f"{sex}(?=性?[，,、； ]{{0,2}}{_AGE})", _STATED, reach=6) for sex in "男女"),
    Before("岁", "岁", _STATED, reach=10),
)

# --- English ------------------------------------------------------------------------------------

_WORD = r"(?:[A-Z]['’])?[A-Z][a-z]+(?:[A-Z][a-z]+)?(?:['’\-][A-Z][a-z]+)?"
"""Smith, O'Brien, McDonald, Smith-Jones."""

_MORE = rf"(?: (?:[A-Z]\.? )?{_WORD})"
"""A further name, perhaps behind an initial."""

# Physicians after whom something is named: a text about "Dr. Down" is about no patient's doctor.
# And a few who are none.
_EPONYMS = (
    "Addison|Alport|Alzheimer|Apgar|Asperger|Babinski|Basedow|Charcot|Chagas|Crohn|Cushing|Down"
    "|Duchenne|Ewing|Fallot|Freud|Google|Guillain|Hashimoto|Hirschsprung|Hodgkin|Huntington|Jenner"
    "|Kaposi|Kawasaki|Klinefelter|Koch|Lister|Marfan|No|Osler|Paget|Parkinson|Pasteur|Raynaud"
    "|Scholl|Tourette|Virchow|Wernicke|Whipple|Who|Wilms"
)
_NO_EPONYM = rf"(?!(?:{_WORD} )?(?:{_EPONYMS})\b)"

# The most frequent given names of a century in the United States (Social Security Administration),
# but those that are words or places (Grace, Virginia).
_GIVEN_NAMES = (
    "Aaron|Abigail|Adam|Alan|Albert|Alexander|Alexis|Alice|Amanda|Amy|Andrea|Andrew|Angela|Ann|Anna"
    "|Anne|Anthony|Arthur|Ashley|Barbara|Benjamin|Betty|Beverly|Billy|Bobby|Bradley|Brandon|Brenda"
    "|Brian|Brittany|Bruce|Bryan|Caleb|Carl|Carol|Carolyn|Catherine|Charles|Charlotte|Cheryl"
    "|Christina|Christine|Christopher|Cynthia|Daniel|Danielle|David|Deborah|Debra|Denise|Dennis"
    "|Diana|Diane|Donald|Donna|Doris|Dorothy|Douglas|Dylan|Edward|Elijah|Elizabeth|Emily|Emma|Eric"
    "|Ethan|Evelyn|Frances|Frank|Gabriel|Gary|George|Gerald|Gloria|Gregory|Hannah|Harold|Heather"
    "|Helen|Henry|Isabella|Jack|Jacob|Jacqueline|James|Jane|Janet|Janice|Jason|Jean|Jeffrey"
    "|Jennifer|Jeremy|Jerry|Jesse|Jessica|Joan|Joe|John|Jonathan|Jose|Joseph|Joshua|Joyce|Juan"
    "|Judith|Judy|Julia|Julie|Justin|Karen|Katherine|Kathleen|Kathryn|Kayla|Keith|Kelly|Kenneth"
    "|Kevin|Kimberly|Kyle|Larry|Laura|Lauren|Lawrence|Linda|Lisa|Lori|Lucas|Margaret|Maria|Marie"
    "|Marilyn|Martha|Mary|Matthew|Megan|Melissa|Michael|Michelle|Nancy|Natalie|Nathan|Nicholas"
    "|Nicole|Noah|Olivia|Pamela|Patricia|Patrick|Paul|Peter|Philip|Rachel|Ralph|Randy|Raymond"
    "|Rebecca|Richard|Robert|Roger|Ronald|Roy|Russell|Ruth|Ryan|Samantha|Samuel|Sandra|Sara|Sarah"
    "|Scott|Sean|Sharon|Shirley|Sophia|Stephanie|Stephen|Steven|Susan|Teresa|Terry|Theresa|Thomas"
    "|Tiffany|Timothy|Tyler|Victoria|Vincent|Walter|Wayne|William|Zachary"
)
_PERSON = rf"(?:{_GIVEN_NAMES}){_MORE}{{1,2}}"

_ENGLISH: tuple[Look, ...] = (
    # Not "Mr. and Mrs.", and no single letter: "Mr. X" is nobody.
    Pattern("M", rf"M(?<!\wM)(?:rs?|s)\b\.?\s({_WORD}{_MORE}{{0,2}})"),
    Pattern("Miss", rf"Miss(?<!\wMiss)\s({_WORD}{_MORE}{{0,2}})"),
    Pattern("Dr", rf"Dr(?<!\wDr)\b\.?\s({_NO_EPONYM}{_WORD}{_MORE}{{0,2}})"),
    Pattern(
        "Prof",
        rf"Prof(?<!\wProf)(?:essor\b|\b\.?)\s({_NO_EPONYM}(?!Emerit){_WORD}{_MORE}{{0,2}})",
    ),
    Pattern(
        "ame: ",
        r"ame: (?:(?<=[Pp]atient name: )|(?<=\bName: )) ?([A-Z][a-z]+(?: [A-Z][a-z]+){0,2})",
    ),
    Pattern("My name is ", rf"My name is ({_WORD}{_MORE}{{0,2}})"),
    Pattern("atient", rf"atient(?<=[Pp]atient)[:,]? ({_PERSON})"),
    # "John Smith, a 45-year-old man"
    Before(
        "year",
        r"year(?=s?[\- ]old)",
        rf"\b({_PERSON})(?:, (?:an? )?| is an? )[0-9]{{1,2}}[\- ]$",
        reach=64,
    ),
)

NAMES = (*_ENGLISH, *_CHINESE)

# --- What a text with a name has ----------------------------------------------------------------

_AGE_SAID = re.compile(
    (
        "year"
        + behind(
            *(
                f"{said}{age}.year"
                for said in (", ", ", a ", ", an ", " is a ", " is an ")
                for age in ("[0-9]", "[0-9]{2}")
            )
        )
    ).encode()
)


def is_before_age(data: bytes, place: int) -> bool:
    """Whether "year" stands at a place in UTF-8, behind an age as it is said of a named person."""
    return _AGE_SAID.match(data, place) is not None


CHINESE_SIGNS: Sequence[tuple[str, str, str]] = (
    *(("", sign, "生士太长") for sign in "先女太院护博"),
    *(("小大主教老", sign, "") for sign in "姐夫任授师"),
    ("", "医", "生师"),
    *(("", sex, "性，,、； 0123456789") for sex in "男女"),
    ("0123456789 ，,、（(：:", "岁", ""),
    (_SURNAMES, "某", ""),
    ("", "姓", "名"),
    ("我名", "叫", ""),
)
"""What may stand before a character of ``_CHINESE``, the character, and what may stand behind; any
character where that is empty. No name is anywhere else."""

_LOOKS_BY_SIGN: dict[str, list[Before | Pattern]] = {}
for _look in _CHINESE:
    _LOOKS_BY_SIGN.setdefault(_look.sign, []).append(_look)


def is_chinese_name(text: str, place: int) -> bool:
    """Whether one of the Chinese ``NAMES`` has its sign at a place in a text."""
    return any(look.is_at(text, place) for look in _LOOKS_BY_SIGN[text[place]])
