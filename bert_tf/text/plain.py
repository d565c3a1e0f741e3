"""Which texts are plain: for them tensorflow-text's own splitting gives the reference's words, several times faster."""

_LETTERS = "0-9A-Za-z"
# Characters that are a word of their own (or white space) for the reference and for FastWordpieceTokenizer alike,
# and that cleaning, lower-casing and accent stripping leave as they are.
_BREAKS = (
    r"\t\n\r -/:-@\[-`{-~"
    "\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u2043\u2045-\u2051\u2053-\u205e"
    "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff03\uff05-\uff0a\uff0c-\uff0f\uff1a\uff1b\uff1f\uff20"
)
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff"
_MAX_REPEAT = 1000  # of RE2


def plain_pattern(config):
    """The regular expression of plain texts: known characters only and no word that is too long."""
    breaks = _BREAKS + (_IDEOGRAPHS if config.split_cjk else "")
    longest = min(config.max_word_chars, _MAX_REPEAT)
    return f"(?:[{_LETTERS}]{{0,{longest}}}[{breaks}])*[{_LETTERS}]{{0,{longest}}}"
