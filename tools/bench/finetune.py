"""Fine-tuning on SST-2 as each project does it: bert_tf batches by length, transformers pads to the longest row."""

import gzip
import pathlib
import random

import numpy as np

from bench import contenders
from bench.figures import comparison
from bench.runner import Case, Race
from bench.worker import require

TITLE = "Fine-tuning on SST-2"
NEEDS = ("tensorflow",)
FOLDERS = ("data", "init")
ROWS = 32


def races(options):
    """One race; each round trains on the next batches of an epoch."""
    size = {"steps": 3, "sentences": 2000} if options.quick else {"steps": 60, "sentences": 70000}
    dtypes = {"bert_tf": ["float32", "bfloat16"], "transformers": ["bfloat16"]}
    return [
        Race(
            [
                Case("finetune", name, size | {"dtype": dtype})
                for name in options.contenders(dtypes)
                for dtype in dtypes[name]
            ],
            options.rounds,
        )
    ]


def read(paths, most):
    """(sentences, labels 0 or 1): the first `most` rows of the training file."""
    with gzip.open(pathlib.Path(paths["data"]) / "sst2" / "train.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1 : most + 1]
    return [sentence for _, sentence in rows], [int(label) for label, _ in rows]


def bert_tf(settings, paths, meter):
    """Trains from strings, which the pipeline tokenizes during training."""
    import keras

    from bert_tf.tasks import TextClassifier
    from bert_tf.training.optimizers.make_optimizer import make_optimizer

    sentences, labels = read(paths, settings["sentences"])
    meter.begin()
    keras.utils.set_random_seed(0)
    model = TextClassifier.from_pretrained(
        paths["init"], dtype=contenders.policy(settings), labels=["negative", "positive"], max_length=128
    )
    model.compile(make_optimizer("adamw", 5e-5))
    batches = iter(model.dataset(sentences, labels, ROWS, shuffle=True, drop_remainder=True, repeat=None))
    model.make_train_function()

    def run(steps):
        model.reset_metrics()
        losses = [model.train_function(batches)["loss"] for _ in range(steps)]  # as `fit` does
        return float(losses[-1])  # Keras's running mean over all steps

    return checked(next(batches), contenders.step_of(model), run, settings)


def transformers(settings, paths, meter):
    """Trains from ids tokenized in advance, under bfloat16 autocast, as its Trainer does."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

    device = contenders.torch_device()
    tokenizer = AutoTokenizer.from_pretrained(paths["init"])
    collate = DataCollatorWithPadding(tokenizer)
    sentences, labels = read(paths, settings["sentences"])
    rows = [
        {"input_ids": ids, "labels": label}
        for ids, label in zip(tokenizer(sentences, truncation=True, max_length=128)["input_ids"], labels, strict=True)
    ]
    meter.begin()
    model = AutoModelForSequenceClassification.from_pretrained(paths["init"], num_labels=2).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), 5e-5, weight_decay=0.01)

    def endless():
        while True:
            order = random.Random(0).sample(rows, len(rows))
            for first in range(0, len(order) - ROWS + 1, ROWS):
                yield collate(order[first : first + ROWS]).to(device)

    def step(batch):
        with torch.autocast(device, torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    batches = endless()

    def run(steps):
        return float(np.mean([step(next(batches)) for _ in range(steps)]))

    return checked(next(batches), step, run, settings)


def checked(batch, step, run, settings):
    """The work to time, `run(steps)` on the next batches, after a check that the loss of `step(batch)` falls."""
    losses = [step(batch) for _ in range(4)]
    require(losses[-1] < losses[0] < 2, f"The loss does not fall: {losses}.")
    steps = settings["steps"]

    def work():
        return {"loss": run(steps), "steps": steps, "units": steps * ROWS}

    work()  # warm-up: the first batch of each width is slower
    return work


CONTENDERS = {"bert_tf": bert_tf, "transformers": transformers}


def describe(store):
    """The table of examples per second."""
    return comparison(store.of("finetune"), "examples", lambda found: f"{found.contender} {found.settings['dtype']}")
