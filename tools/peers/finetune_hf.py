"""Fine-tunes with transformers and torch what one of configs/ names: a text or a pair, a score, or tags of words.

    python tools/peers/finetune_hf.py --config configs/sst2.toml --init FOLDER --data FOLDER [--seed N]

`--init` is a Hugging Face folder. Prints a line "RESULT {...}" with the scores on the held-out rows. Wants
tools/peers/requirements.txt in an environment of its own.
"""

import torch
from recipe import Recipe, cut, outputs_of
from scipy import stats
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification


def main():
    recipe = Recipe(__doc__)
    (tags if recipe.config["task"] == "tagging" else texts)(recipe)


def texts(recipe):
    """Classes or scores of texts and pairs."""
    regression = recipe.config["model"].get("problem_type") == "regression"
    rows, heldout = (
        recipe.read(part, lambda text: _table(text, recipe.config["data"])) for part in ("train", "heldout")
    )
    labels = sorted({target for _, target in rows})
    number = {label: i for i, label in enumerate(labels)}
    model = AutoModelForSequenceClassification.from_pretrained(
        recipe.options.init, num_labels=1 if regression else len(labels)
    )

    def inputs(batch):
        columns = [list(column) for column in zip(*(row for row, _ in batch), strict=True)]
        return recipe.tokenizer(
            *columns, padding=True, truncation=True, max_length=recipe.max_length, return_tensors="pt"
        )

    def to_batch(batch):
        targets = [float(target) if regression else number[target] for _, target in batch]
        return {**inputs(batch), "labels": torch.tensor(targets)}

    seconds = recipe.train(model, rows, to_batch)
    logits = torch.cat([outputs.logits for outputs in outputs_of(model, map(inputs, cut(heldout)))]).float()
    if regression:
        truth, found = [float(target) for _, target in heldout], logits[:, 0].tolist()
        scores = {
            "pearson": stats.pearsonr(truth, found).statistic,
            "spearman": stats.spearmanr(truth, found).statistic,
        }
    else:
        truth, found = [number[target] for _, target in heldout], logits.argmax(-1).tolist()
        scores = {"accuracy": accuracy_score(truth, found)}
        scores |= {"f1": f1_score(truth, found)} if len(labels) == 2 else {}
    recipe.tell({name: float(value) for name, value in scores.items()}, seconds)


def tags(recipe):
    """Tags of words, each on the word's first piece."""
    rows, heldout = (recipe.read(part, _sentences) for part in ("train", "heldout"))
    labels = sorted({tag for _, sentence in rows for tag in sentence})
    number = {label: i for i, label in enumerate(labels)}
    model = AutoModelForTokenClassification.from_pretrained(recipe.options.init, num_labels=len(labels))

    def to_batch(batch):
        words = [words for words, _ in batch]
        inputs = recipe.tokenizer(
            words,
            is_split_into_words=True,
            padding=True,
            truncation=True,
            max_length=recipe.max_length,
            return_tensors="pt",
        )
        targets = torch.full(inputs["input_ids"].shape, -100)
        for row, (_, sentence) in enumerate(batch):
            before = None
            for place, word in enumerate(inputs.word_ids(row)):
                if word is not None and word != before:
                    targets[row, place] = number[sentence[word]]
                before = word
        return {**inputs, "labels": targets}

    seconds = recipe.train(model, rows, to_batch)
    right, found = [], []
    batches = [to_batch(batch) for batch in cut(heldout)]
    for batch, outputs in zip(batches, outputs_of(model, batches), strict=True):
        for target, guess in zip(batch["labels"], outputs.logits.argmax(-1), strict=True):
            right.append([labels[i] for i in target[target >= 0]])
            found.append([labels[i] for i in guess[target >= 0]])
    recipe.tell({"f1": float(entity_f1(right, found))}, seconds)


def _table(text, data):
    """(texts, target) of each row of a TSV file without quoting."""
    names, *rows = [line.split("\t") for line in text.splitlines()]
    columns, target = data.get("columns", ["text"]), data.get("target", "label")
    return [(tuple(row[names.index(name)] for name in columns), row[names.index(target)]) for row in rows]


def _sentences(text):
    """(words, tags in IOB2) of each sentence of a CoNLL file."""
    sentences = [[]]
    for line in text.splitlines():
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            sentences.append([])
        else:
            sentences[-1].append((columns[0], columns[-1]))
    return [([word for word, _ in rows], _iob2([tag for _, tag in rows])) for rows in sentences if rows]


def _iob2(sentence):
    before = ["O", *sentence]
    return [
        f"B-{tag[2:]}" if tag != "O" and (last == "O" or last[2:] != tag[2:] or tag[0] == "B") else tag
        for last, tag in zip(before, sentence, strict=False)
    ]


if __name__ == "__main__":
    main()
