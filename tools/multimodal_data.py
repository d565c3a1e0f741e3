"""Writes the files that configs/easy_vqa.toml, spoken_digits.toml and openmoji.toml read, and an encoder to start from.

    python tools/multimodal_data.py easy_vqa PACKAGE DATA         # PACKAGE: the folder easy_vqa of the package easy-vqa
    python tools/multimodal_data.py spoken_digits FOLDER DATA     # FOLDER: of the Free Spoken Digit Dataset, .npz files
    python tools/multimodal_data.py openmoji FOLDER DATA          # FOLDER: node_modules after
                                                                  # npm install openmoji@17 cldr-annotations-modern@45

DATA/easy_vqa, DATA/spoken_digits or DATA/openmoji gets train.tsv, test.tsv or dev.tsv, sounds as WAV files, drawings as
PNG files (openmoji needs pip install cairosvg; the pictures of easy_vqa are read where they are), and `encoder`: sizes,
random weights, and a vocabulary of the words of the training texts.
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
COLOURS = {"black", "blue", "brown", "gray", "green", "red", "teal", "yellow"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = {"hidden_size": 128, "num_layers": 3, "num_heads": 4, "intermediate_size": 512, "max_positions": 64}
SIZES["initializer_range"] = SIZES["hidden_size"] ** -0.5  # with BERT's 0.02 so narrow a model learns little for long


def main(kind, source, data):
    output = data / kind
    output.mkdir(parents=True, exist_ok=True)
    texts = KINDS[kind](source, output)
    words = sorted(
        {word for text in texts for word in re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+|[^\w\s]", text.lower())}
    )
    vocabulary = SPECIAL + words
    encoder = BertEncoder(vocab_size=len(vocabulary), **SIZES)
    encoder.save_pretrained(output / "encoder", Tokenizer(vocabulary), overwrite=(output / "encoder").exists())


def easy_vqa(source, output):
    """Questions, each with the path of its picture, and answers; returns those to train on.

    Two more pairs of files are to begin with, because in all questions at once colours, which are easy, keep shapes
    from being learned, and of eight questions whether a colour is there seven find that it is not:

    - `shapes`: the questions that name no colour and ask for none;
    - `even`: all, but of those whether a colour is there as many in which it is as in which it is not.
    """
    random = np.random.default_rng(0)
    asked = []
    for part in ("train", "test"):
        rows = json.loads((source / "data" / part / "questions.json").read_text())
        images = os.path.relpath(source / "data" / part / "images", output)
        rows = [(question, f"{images}/{number}.png", answer) for question, answer, number in rows]
        shapes, there, absent = [], [], []
        for row in rows:
            if not is_of_colour(row):
                shapes.append(row)
            elif row[2] in ("yes", "no"):
                asks_for_absence = not words_of(row[0]).isdisjoint({"no", "not"})
                found = there if asks_for_absence == (row[2] == "no") else absent
                found.append(row)
        too_many = {absent[i] for i in random.permutation(len(absent))[len(there) :]}
        write(output / f"{part}.tsv", "image", rows)
        write(output / f"{part}_shapes.tsv", "image", shapes)
        write(output / f"{part}_even.tsv", "image", [row for row in rows if row not in too_many])
        asked += [question for question, *_ in rows] * (part == "train")
    return asked


def is_of_colour(row):
    """Whether a question names a colour or asks for one."""
    question, _, answer = row
    return answer in COLOURS or not words_of(question).isdisjoint(COLOURS)


def words_of(question):
    """The words of a question, without its question mark."""
    return set(question.rstrip("?").split())


def spoken_digits(source, output):
    """Each recording with four questions: its number, asked for twice, and two others; returns those to train on.

    Those to train on begin with a fifth, "what number is this?": from yes and no alone nothing is learned at first.
    """
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
            if part == "train":
                rows.append(("what number is this?", path, NUMBERS[digit]))
            others = random.choice(np.setdiff1d(np.arange(10), digit), 2, replace=False)
            for number in (digit, digit, *others):
                rows.append((f"is this the number {NUMBERS[number]}?", path, "yes" if number == digit else "no"))
        write(output / f"{part}.tsv", "audio", rows)
        asked += [question for question, *_ in rows] * (part == "train")
    return asked


def openmoji(source, output):
    """Emoji with their names and keywords in English and Chinese (Unicode CLDR); returns the texts to train on.

    A fifth of each group is held out. Skin tones, flags, and what CLDR does not name in both languages are left out.
    """
    import cairosvg

    names = {}
    for language in ("en", "zh"):
        file = source / f"cldr-annotations-modern/annotations/{language}/annotations.json"
        names[language] = json.loads(file.read_text(encoding="utf-8"))["annotations"]["annotations"]
    groups = {}
    for emoji in json.loads((source / "openmoji/data/openmoji.json").read_text(encoding="utf-8")):
        character = emoji["emoji"].replace("\ufe0f", "")
        if emoji["skintone"] or emoji["group"] == "flags" or not all(character in known for known in names.values()):
            continue
        groups.setdefault(emoji["group"], []).append((emoji["hexcode"], character))
    (output / "pictures").mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    train, test = [], {language: [] for language in names}
    for members in groups.values():
        heldout = set(random.choice(len(members), round(len(members) / 5), replace=False).tolist())
        for i, (code, character) in enumerate(members):
            picture = f"pictures/{code}.png"
            svg = source / f"openmoji/color/svg/{code}.svg"
            cairosvg.svg2png(url=str(svg), write_to=str(output / picture), output_width=72, output_height=72)
            for language, known in names.items():
                (name,) = known[character]["tts"]
                words = ", ".join(dict.fromkeys([name, *known[character].get("default", [])]))  # each once
                if i in heldout:
                    test[language].append((words, picture))
                else:
                    train += [(text, picture) for text in dict.fromkeys((name, words))]
    write(output / "train.tsv", "image", train)
    for language, rows in test.items():
        write(output / f"test_{language}.tsv", "image", rows)
    write(output / "test.tsv", "image", [row for rows in test.values() for row in rows])
    return [text for text, _ in train]


def write(path, name, rows):
    lines = ["\t".join(row) for row in [("text", name, "label")[: len(rows[0])], *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


KINDS = {"easy_vqa": easy_vqa, "spoken_digits": spoken_digits, "openmoji": openmoji}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]).absolute(), pathlib.Path(sys.argv[3]).absolute())
