"""CPU time of a training step of words alone, and of the same words beside the patches of a picture.

    python tools/benchmark_patches.py [STEPS]

Both steps are measured in turns, STEPS (30) times each, in one process: batches of 16 rows of 64 tokens, without and
with 16 patches of 16 x 16 pixels; an encoder of 4 layers of 256. Prints the medians.
"""

import sys
import time

import keras
import numpy as np

from bert_tf.tasks import MultimodalClassifier, TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer

ROWS, TOKENS, WARM_UP = 16, 64, 3
SIZES = {"hidden_size": 256, "num_layers": 4, "num_heads": 4, "intermediate_size": 1024}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(8000))]


def main(steps):
    random = np.random.default_rng(0)
    words = {name: np.ones([ROWS, TOKENS], "int32") for name in ("input_ids", "input_mask", "segment_ids")}
    words["input_ids"] = random.integers(5, len(VOCABULARY), [ROWS, TOKENS]).astype("int32")
    words["segment_ids"] *= 0
    picture = {"image": random.integers(0, 256, [ROWS, 64, 64, 3]).astype("uint8")}
    picture["image_mask"] = np.ones([ROWS, 16], "int32")
    settings = {"labels": ["no", "yes"], "vocab_size": len(VOCABULARY), **SIZES}
    models = {
        "words": (TextClassifier(Tokenizer(VOCABULARY), **settings), words),
        "words and patches": (MultimodalClassifier(Tokenizer(VOCABULARY), image_size=64, **settings), words | picture),
    }
    labels = random.integers(0, 2, ROWS)
    times = {name: [] for name in models}
    for model, _ in models.values():
        model.compile()
    for step in range(WARM_UP + steps):
        for name, (model, inputs) in models.items():
            begin = time.process_time()
            model.train_on_batch(inputs, labels)
            if step >= WARM_UP:
                times[name].append(time.process_time() - begin)
    medians = {name: float(np.median(seconds)) for name, seconds in times.items()}
    for name, seconds in medians.items():
        low, high = np.percentile(times[name], [25, 75])
        print(f"{name}: {1e3 * seconds:.0f} ms of CPU time (quartiles {1e3 * low:.0f} and {1e3 * high:.0f})")
    print(f"ratio of the medians: {medians['words and patches'] / medians['words']:.2f}")


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
