import os
import subprocess
import sys

from bert_tf.text.tokenizers.wordpiece_trainer import learn_tokens

FIXED = ["[UNK]", "[PAD]"]
CODE = (
    "import random, string, hashlib\n"
    "from bert_tf.text.tokenizers.wordpiece_trainer import learn_tokens\n"
    "draw = random.Random(0)\n"
    "words = {''.join(draw.choices(string.ascii_lowercase[:7], k=draw.randint(1, 8))): 2 for _ in range(2000)}\n"
    "print(hashlib.sha256(' '.join(learn_tokens(words, 300, ['[UNK]'])).encode()).hexdigest())\n"
)


def test_pairs_are_joined_by_frequency():
    counts = {"low": 5, "lot": 3, "slow": 1, "hot": 4}
    characters = ["h", "l", "o", "s", "t", "w", "##l", "##o", "##t", "##w"]
    # l ##o stands 8 times at first, ##o ##t 7; once lo is joined, lo ##w with 5 is ahead of h ##o and ##o ##t with 4.
    assert learn_tokens(counts, 14, FIXED) == [*FIXED, *characters, "lo", "low"]


def test_fewer_pieces_where_the_text_has_no_more():
    assert learn_tokens({"ab": 1}, 50, FIXED) == ["[UNK]", "[PAD]", "a", "b", "##b"]


def test_rare_characters_fill_what_pairs_leave():
    counts = {"ab": 100_000, "q": 1, "xz": 1}
    pieces = learn_tokens(counts, 9, FIXED)
    assert pieces == ["[UNK]", "[PAD]", "a", "b", "##b", "ab", "q", "x", "z"]


def test_room_goes_to_the_most_frequent_characters():
    assert learn_tokens({"a": 3, "b": 2, "c": 1}, 4, FIXED) == ["[UNK]", "[PAD]", "a", "b"]


def test_same_pieces_in_every_process():
    def run(seed):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, check=True).stdout

    assert len({run(seed) for seed in ("0", "1", "2", "3")}) == 1
