"""Texts in which names, genders or a negation are changed, as CheckList tests models (Ribeiro et al. 2020)."""

import re
from collections.abc import Callable

import numpy as np

_ENGLISH_PAIRS = (
    "he she, him her, his her, himself herself, man woman, men women, boy girl, boys girls, father mother, "
    "son daughter, sons daughters, brother sister, brothers sisters, husband wife, king queen, prince princess, "
    "actor actress, actors actresses, mr mrs, sir madam, uncle aunt, nephew niece, grandfather grandmother, "
    "male female, gentleman lady, gentlemen ladies, guy gal, dad mom, waiter waitress, hero heroine"
)
_CHINESE_PAIRS = (
    "他 她, 先生 女士, 男 女, 父亲 母亲, 爸爸 妈妈, 儿子 女儿, 哥哥 姐姐, 弟弟 妹妹, 丈夫 妻子, 爷爷 奶奶, "
    "叔叔 阿姨, 王子 公主"
)
_ENGLISH_NAMES = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph "
    "Jessica Thomas Sarah Charles Karen Daniel Lisa Matthew Nancy Anthony Betty Mark Sandra Paul Ashley Emily "
    "Kevin Brian Amanda"
)
_CHINESE_NAMES = "张伟 王芳 李娜 刘洋 陈静 杨帆 赵磊 黄丽 周杰 吴敏 徐强 孙燕 马超 朱婷 胡军 林志玲 郭涛 何洁 罗兰"
_AUXILIARIES = re.compile(
    r"\b(?:is|was|are|were|do|does|did|can|could|will|would|should|has|have|had)\b", re.IGNORECASE
)
_CHINESE_NEGATIONS = {"是": "不是", "很": "不", "会": "不会", "能": "不能", "喜欢": "不喜欢", "值得": "不值得"}


def _swaps() -> dict[str, str]:
    """{word: that of the other gender}, lower-cased; a word of two pairs goes with the first ("her", "him")."""
    found: dict[str, str] = {}
    for pair in f"{_ENGLISH_PAIRS}, {_CHINESE_PAIRS}".split(", "):
        first, second = pair.split()
        found.setdefault(first, second)
        found.setdefault(second, first)
    return found


_SWAPS = _swaps()
_LATIN_WORDS = re.compile(r"[A-Za-z]+")
_CHINESE_WORDS = re.compile("|".join(sorted((word for word in _SWAPS if not word.isascii()), key=len, reverse=True)))
_NAMES = {"english": _ENGLISH_NAMES.split(), "chinese": _CHINESE_NAMES.split()}
_ANY_NAME = re.compile(rf"\b(?:{'|'.join(_NAMES['english'])})\b|{'|'.join(_NAMES['chinese'])}")


def swap_gender(text: str, random: np.random.Generator) -> str:
    """The text with words of one gender replaced by those of the other, in English and Chinese."""
    del random
    text = _LATIN_WORDS.sub(lambda match: cased(_SWAPS.get(match[0].lower(), match[0]), match[0]), text)
    return _CHINESE_WORDS.sub(lambda match: _SWAPS[match[0]], text)


def swap_names(text: str, random: np.random.Generator) -> str:
    """The text with frequent first names (Chinese: names) replaced by others, the same by the same."""
    others: dict[str, str] = {}

    def other(match: re.Match) -> str:
        name = match[0]
        if name not in others:
            known = _NAMES["english" if name.isascii() else "chinese"]
            left = [one for one in known if one != name and one not in others.values()]
            others[name] = left[random.integers(len(left))] if left else name
        return others[name]

    return _ANY_NAME.sub(other, text)


def negate(text: str, random: np.random.Generator) -> str:
    """The text with "not" after its first auxiliary verb, or with its first such Chinese word negated."""
    del random
    if match := _AUXILIARIES.search(text):
        return f"{text[: match.end()]} not{text[match.end() :]}"
    for word, negated in _CHINESE_NEGATIONS.items():
        if word in text and negated not in text:
            return text.replace(word, negated, 1)
    return text


def cased(word: str, like: str) -> str:
    """`word` in the case of `like`."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[0].isupper() else word


# {name: (the change, whether a right answer stays the same)}
COUNTERFACTUALS: dict[str, tuple[Callable[[str, np.random.Generator], str], bool]] = {
    "names": (swap_names, True),
    "gender": (swap_gender, True),
    "negation": (negate, False),
}
