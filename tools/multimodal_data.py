"""Writes the files that configs/easy_vqa.toml and configs/spoken_digits.toml read, and an encoder to start from.

    python tools/multimodal_data.py easy_vqa PACKAGE DATA         # PACKAGE: the folder easy_vqa of the package easy-vqa
    python tools/multimodal_data.py spoken_digits FOLDER DATA     # FOLDER: of the Free Spoken Digit Dataset, .npz files

DATA/easy_vqa or DATA/spoken_digits gets train.tsv, test.tsv or dev.tsv, sounds as WAV files (pictures are read where
they are), and `encoder`: sizes, random weights, and a vocabulary of the words of the training questions.
"""

import json
import os
import pathlib
import re
import sys

import numpy as np

from bert_tf.media.sounds import wav
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.text.tokenizers.wordpiece import Tokenizer

RATE = 8000
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = {"hidden_size": 128, "num_layers": 3, "num_heads": 4, "intermediate_size": 512, "max_positions": 64}


def main(kind, source, data):
    output = data / kind
    output.mkdir(parents=True, exist_ok=True)
    questions = {"easy_vqa": easy_vqa, "spoken_digits": spoken_digits}[kind](source, output)
    words = sorted({word for question in questions for word in re.findall(r"\w+|[^\w\s]", question.lower())})
    vocabulary = SPECIAL + words
    encoder = BertEncoder(vocab_size=len(vocabulary), **SIZES)
    encoder.save_pretrained(output / "encoder", Tokenizer(vocabulary), overwrite=(output / "encoder").exists())


def easy_vqa(source, output):
    """Questions, each with the path of its picture, and answers; returns those to train on."""
    asked = []
    for part in ("train", "test"):
        rows = json.loads((source / "data" / part / "questions.json").read_text())
        images = os.path.relpath(source / "data" / part / "images", output)
        write(output / f"{part}.tsv", "image", [(q, f"{images}/{number}.png", answer) for q, answer, number in rows])
        asked += [question for question, *_ in rows] * (part == "train")
    return asked


def spoken_digits(source, output):
    """Each recording with four questions: its number, asked for twice, and two others; returns those to train on."""
    random = np.random.default_rng(0)
    asked = []
    for part in ("train", "dev"):
        data = np.load(source / f"{part}.npz")
        ends = np.cumsum(data["lengths"])
        (output / part).mkdir(exist_ok=True)
        rows = []
        for i, (end, length, digit) in enumerate(zip(ends, data["lengths"], data["digit"], strict=True)):
            path = f"{part}/{i}.wav"
            (output / path).write_bytes(wav(data["samples"][end - length : end].astype("<i2").tobytes(), RATE))
            others = random.choice(np.setdiff1d(np.arange(10), digit), 2, replace=False)
            for number in (digit, digit, *others):
                rows.append((f"is this the number {NUMBERS[number]}?", path, "yes" if number == digit else "no"))
        write(output / f"{part}.tsv", "audio", rows)
        asked += [question for question, *_ in rows] * (part == "train")
    return asked


def write(path, name, rows):
    lines = ["\t".join(row) for row in [("text", name, "label"), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("easy_vqa", "spoken_digits"):
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]).absolute(), pathlib.Path(sys.argv[3]).absolute())
