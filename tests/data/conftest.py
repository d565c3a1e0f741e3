"""A small vocabulary and a made-up corpus in which every piece tells its document and sentence."""

import gzip

import numpy as np
import pytest

from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS

WORDS = [f"w{n}" for n in range(400)]


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer([*SPECIAL_TOKENS, *WORDS, "##s", "##ed", "."])


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A file of 120 documents of 1 to 30 sentences."""
    random = np.random.default_rng(0)

    def sentence():
        words = random.choice(WORDS, random.integers(3, 25))
        return " ".join(word + random.choice(["", "", "s", "ed"]) for word in words) + "."

    documents = ["\n".join(sentence() for _ in range(random.integers(1, 31))) for _ in range(120)]
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    path.write_text("\n\n".join(documents), encoding="utf-8")
    return path


@pytest.fixture
def real_text(shared, tmp_path):
    """Takes the name of a data set's file; gives a path from which records can be made."""

    def open_text(name):
        path = shared / "data" / name
        if "peoples_daily" not in name:
            return path
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = content.decode().split("\n")
        paragraphs = ["".join(word.rpartition("/")[0] for word in line.split()) for line in lines]
        documents = [paragraphs[n : n + 8] for n in range(0, len(paragraphs), 8)]  # a heading and what stands below it
        text = tmp_path / "text.txt"
        text.write_text("\n\n".join(map("\n".join, documents)), encoding="utf-8")
        return text

    return open_text
