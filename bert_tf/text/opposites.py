"""Frequent words of opposite meanings, which are near each other among word embeddings."""

_PRAISE = (
    "good great excellent best better fine nice wonderful fantastic terrific amazing awesome brilliant superb perfect "
    "splendid pleasant lovely beautiful enjoyable entertaining exciting interesting engaging funny clever smart fresh "
    "positive success successful impressive strong rich happy love loved loves like liked likes enjoy enjoyed hope win "
    "好 优 美 棒 佳 赞 爱 喜 乐 香 净 妙"
)
_BLAME = (
    "bad terrible awful worst worse poor nasty horrible dreadful disappointing disappointed mediocre stupid dumb silly "
    "ugly boring bored dull bland tedious tiresome unfunny unpleasant annoying irritating messy lame weak negative "
    "failure failed fails flawed sad hate hated hates dislike disliked despair lose horrific disastrous lousy "
    "坏 差 丑 劣 烂 恶 恨 悲 臭 脏 糟 贵"
)
_PAIRS = (
    "big small, large small, huge tiny, high low, higher lower, long short, longer shorter, old new, old young, "
    "hot cold, warm cold, early late, first last, true false, right wrong, fast slow, quick slow, easy hard, "
    "easy difficult, light dark, bright dark, full empty, open closed, cheap expensive, clean dirty, safe dangerous, "
    "smooth rough, deep shallow, wide narrow, near far, increase decrease, rise fall, buy sell, start stop, begin end, "
    "accept reject, agree disagree, alive dead, male female, man woman, men women, boy girl, north south, east west, "
    "left right, always sometimes, everything something, winner loser, friend enemy, "
    "大 小, 多 少, 高 低, 长 短, 新 旧, 老 少, 热 冷, "
    "早 晚, 对 错, 快 慢, 远 近, 买 卖, 真 假, 男 女, 上 下, 前 后, 左 右"
)


_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "mis")


def are_opposites(first: str, second: str) -> bool:
    """Whether two lower-cased words are opposites: of the lists, or one is the other after a prefix such as "un"."""
    if second in OPPOSITES.get(first, ()):
        return True
    short, long = sorted((first, second), key=len)
    return any(long == prefix + short for prefix in _PREFIXES)


def _opposites() -> dict[str, frozenset[str]]:
    praise, blame = frozenset(_PRAISE.split()), frozenset(_BLAME.split())
    found: dict[str, frozenset[str]] = dict.fromkeys(praise, blame) | dict.fromkeys(blame, praise)
    for pair in _PAIRS.split(", "):
        first, second = pair.split()
        found[first] = found.get(first, frozenset()) | {second}
        found[second] = found.get(second, frozenset()) | {first}
    return found


OPPOSITES = _opposites()  # {word: words of the opposite meaning}, lower-cased
