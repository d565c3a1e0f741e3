"""The model that easy-VQA's author published for Keras: two or three convolutions, a bag of words, and their product.

    python tools/peers/easy_vqa_keras.py DATA [--big] [--seed N]

DATA is that of tools/multimodal_data.py. As in the author's tutorial (victorzhou.com/blog/easy-vqa): pixels from -0.5
to 0.5, Adam at 5e-4, batches of 32, 8 passes. Prints a line "RESULT {...}" with the accuracy on the test questions and
the CPU seconds of training.
"""

import argparse
import csv
import json
import pathlib
import time

import keras
import numpy as np
from keras import layers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--big", action="store_true", help="a third convolution")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    folder = options.data / "easy_vqa"
    train, test = read(folder / "train.tsv"), read(folder / "test.tsv")
    answers = sorted({row["label"] for row in train})
    words = layers.TextVectorization(output_mode="multi_hot")
    words.adapt([row["text"] for row in train])
    model = make_model(words.vocabulary_size(), len(answers), options.big)
    start = time.process_time()
    model.fit(*arrays(train, words, answers, folder), batch_size=32, epochs=8, verbose=2)
    seconds = time.process_time() - start
    _, accuracy = model.evaluate(*arrays(test, words, answers, folder), verbose=0)
    print("RESULT", json.dumps({"accuracy": accuracy, "cpu_seconds": round(seconds)}))


def make_model(vocabulary, answers, big):
    image = x = keras.Input((64, 64, 3))
    for filters in (8, 16, 32) if big else (8, 16):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same")(x))
    x = layers.Dense(32, activation="tanh")(layers.Flatten()(x))
    question = y = keras.Input((vocabulary,))
    for _ in range(2):
        y = layers.Dense(32, activation="tanh")(y)
    joined = layers.Dense(32, activation="tanh")(layers.Multiply()([x, y]))
    model = keras.Model([image, question], layers.Dense(answers, activation="softmax")(joined))
    model.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def arrays(rows, words, answers, folder):
    """([pixels, bags of words], numbers of answers)."""
    pixels = {}
    for name in {row["image"] for row in rows}:
        pixels[name] = keras.utils.img_to_array(keras.utils.load_img(folder / name)) / 255 - 0.5
    bags = np.array(words([row["text"] for row in rows]))
    images = np.array([pixels[row["image"]] for row in rows])
    return [images, bags], np.array([answers.index(row["label"]) for row in rows])


if __name__ == "__main__":
    main()
