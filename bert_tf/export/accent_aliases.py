"""Letters that a tokenizer reads as others, for tokenizers on phones, which do not.

MediaPipe lowers ASCII alone and strips no accents, so that "Café" would be unknown to a model of lower-case letters.
With "é" among the pieces it is read as "caf", "##é"; and the file takes that piece for "##e".
"""

_LETTERS = [chr(code) for code in range(0xC0, 0x2000) if chr(code).isalpha()]  # but for Asian scripts


def read_alike(tokenizer):
    """{piece that the vocabulary lacks: id of the piece that the `Tokenizer` reads it as}."""
    number = {piece: i for i, piece in enumerate(tokenizer.vocabulary)}
    found = {}
    for letter, ids in zip(_LETTERS, tokenizer(_LETTERS).to_list(), strict=True):
        if len(ids) != 1 or ids[0] == tokenizer.unk_id:
            continue
        plain = tokenizer.vocabulary[ids[0]]
        pieces = {letter: plain, f"##{letter}": f"##{plain}"}
        found |= {piece: number[other] for piece, other in pieces.items() if piece not in number and other in number}
    return found
