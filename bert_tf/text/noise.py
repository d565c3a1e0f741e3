"""Noise as texts of people and machines have it: slips of keys, wrong case, look-alike and sound-alike characters."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bert_tf.text.ideographs import IDEOGRAPHS

# A unit is a word with its punctuation, or one Chinese character; white space between is kept.
_UNITS = re.compile(rf"[{IDEOGRAPHS}]|[^\s{IDEOGRAPHS}]+|\s+")
_LETTERS = re.compile(r"[A-Za-z]")
_NEIGHBOURS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        (
            *("wa", "qes", "wrd", "etf", "ryg", "tuh", "yij", "uok", "ipl", "ol"),  # qwertyuiop
            *("qsz", "awdx", "sefc", "drgv", "fthb", "gyjn", "hukm", "jil", "kop"),  # asdfghjkl
            *("asx", "zsdc", "xdfv", "cfgb", "vghn", "bhjm", "njk"),  # zxcvbnm
        ),
        strict=True,
    )
)  # of letters on a QWERTY keyboard
_MISREAD = {
    **dict(zip("oOlIisSBgzhe", map(list, "001l155892bc"), strict=True)),
    **{"rn": ["m"], "m": ["rn"], "cl": ["d"], "d": ["cl"], "vv": ["w"], "w": ["vv"]},
}
_HOMOGLYPHS = dict(zip("aeopcxyiABEHKMOPCTX", "аеорсхуіАВЕНКМОРСТХ", strict=True))  # Cyrillic
_INVISIBLE = "\u200b\u200c\u200d\ufeff"
_SOUND_ALIKE = (
    "他她它 的地得 在再 做作坐座 是事式市示试室世士视 以已一意义易议亿衣医依 有又友右优由油游 这着者 那哪 "
    "和合河何 很狠 好号 会回汇惠 就九久旧 到道倒 要药 为位未味 不部步布 想向象像相 时十实石食识 里理力利立离李 "
    "期其起气七齐 心新辛 机几己记计技级及集极 经京精景 公工功 生声升 中钟终种 明名 长常场厂 方房防放 "
    "前钱千签浅欠 清青轻请情晴 园圆元员原源 发法罚 东冬懂动 现线县先险鲜 成城程承 电店点典 话化花画华 书树数输 "
    "高搞告 见间件建简 字子自资 快块 门们 买卖 头投 面免 今金近进尽 飞非费 真针镇 加家价假 度读独都"
)
_LOOK_ALIKE = (
    "未末 己已巳 土士 人入八 大太犬 天夫无 日曰目 木本术 王玉主 白自百 田由甲申 干千于 今令 贝见 牛午 刀力 又叉 "
    "乌鸟 免兔 侯候 晴睛 请清情 辨辩辫 拔拨 桨浆 买卖 折拆 历厉 微徽 戊戌戍 治冶 风凤 住往 爪瓜 手毛 问间 幻幼 "
    "处外 休体 洒酒 喝渴 快块 跑泡抱"
)


@dataclasses.dataclass(frozen=True)
class Noise:
    """A kind of noise.

    Attributes:
        meaning: what it does, in words.
        pattern: what a unit must contain to be changed.
        change: from such a unit and a generator to another one.
        keeps_words: whether the words of a text stay as many as they are.
    """

    meaning: str
    pattern: re.Pattern
    change: Callable[[str, np.random.Generator], str]
    keeps_words: bool = True


def add_noise(text: str, kind: str, share: float, random: np.random.Generator) -> str:
    """The text with noise in a share of the units that this kind can change."""
    return "".join(noisy_units(_UNITS.findall(text), kind, share, random))


def noisy_units(units: Sequence[str], kind: str, share: float, random: np.random.Generator) -> list[str]:
    """As `add_noise`, for a list of words.

    Args:
        kind: a key of `NOISES`.
        share: of the units that can be changed, 0 to 1; fractions of a unit are drawn.
    """
    noise = NOISES[kind]
    able = [i for i, unit in enumerate(units) if noise.pattern.search(unit)]
    changed = list(units)
    for i in random.permutation(able)[: int(share * len(able) + random.random())]:
        changed[i] = noise.change(changed[i], random)
    return changed


def _typo(word: str, random: np.random.Generator) -> str:
    """One slip: two letters exchanged, one left out, one typed twice, or a neighbouring key."""
    places = [match.start() for match in _LETTERS.finditer(word)]
    i = places[random.integers(len(places))]
    kind = random.integers(4)
    if kind == 0 and i + 1 < len(word):
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[: i + 1] + word[i:]
    keys = _NEIGHBOURS[word[i].lower()]
    return word[:i] + keys[random.integers(len(keys))] + word[i + 1 :]


def _other_case(word: str, random: np.random.Generator) -> str:
    del random
    return word.upper() if word.islower() else word.lower()


def _without_punctuation(word: str, random: np.random.Generator) -> str:
    del random
    return re.sub(r"[^\w\s]+", "", word) or word[0]


def _split(word: str, random: np.random.Generator) -> str:
    i = int(random.integers(1, len(word)))
    return f"{word[:i]} {word[i:]}"


def _with_invisible(word: str, random: np.random.Generator) -> str:
    i = int(random.integers(1, len(word)))
    return word[:i] + _INVISIBLE[random.integers(len(_INVISIBLE))] + word[i:]


def _replacing(table: Mapping[str, Sequence[str]]) -> tuple[re.Pattern, Callable[[str, np.random.Generator], str]]:
    """A pattern of the keys of a table, and a function that replaces one of them in a word by one of its values."""
    pattern = re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))))

    def change(word: str, random: np.random.Generator) -> str:
        matches = list(pattern.finditer(word))
        match = matches[random.integers(len(matches))]
        others = table[match[0]]
        return word[: match.start()] + others[random.integers(len(others))] + word[match.end() :]

    return pattern, change


def _of_groups(text: str) -> dict[str, str]:
    """{character: the others of its group}; one of two groups goes with the first."""
    others: dict[str, str] = {}
    for group in text.split():
        for character in group:
            others.setdefault(character, group.replace(character, ""))
    return others


NOISES = {
    "typos": Noise("a slip of a key in a word", re.compile(r"[A-Za-z]\S*[A-Za-z]"), _typo),
    "case": Noise("a word in the other case", re.compile(r"[A-Za-z]"), _other_case),
    "punctuation": Noise("punctuation left out", re.compile(r"\w[^\w\s]|[^\w\s]\w"), _without_punctuation),
    "spaces": Noise("a space within a word", re.compile(r"\w\w"), _split, keeps_words=False),
    "zero_width": Noise("an invisible character within a word", re.compile(r"\w\w"), _with_invisible),
    "ocr": Noise("a character misread by a machine", *_replacing(_MISREAD)),
    "homoglyphs": Noise("a Latin letter replaced by one that looks the same", *_replacing(_HOMOGLYPHS)),
    "sound_alike": Noise(
        "a Chinese character replaced by one that sounds alike", *_replacing(_of_groups(_SOUND_ALIKE))
    ),
    "look_alike": Noise("a Chinese character replaced by one that looks alike", *_replacing(_of_groups(_LOOK_ALIKE))),
}
