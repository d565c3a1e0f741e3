"""Middle stages: pretraining, filling masks, and fine-tuning a classifier."""

import json

import keras
import numpy as np

from bert_tf.core import features
from bert_tf.data.pipeline.pretraining_dataset import make_dataset
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.quickstart import documents as texts
from bert_tf.quickstart.corpus import read_documents
from bert_tf.quickstart.documentation import LABELS
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.tasks.fill_mask.task import FillMask
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.training.callbacks.progress_bar import ProgressBar
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from bert_tf.training.optimizers.schedules import make_schedule

EPOCHS = 10  # points of the curve
MASKED_SENTENCES = (
    "Returns the number of {mask} in the list.",
    "If the file does not {mask}, an error is raised.",
    "This function takes a {mask} as its first argument.",
)
MIN_PARAGRAPHS = 100  # a label with fewer cannot be learned


def pretrain(run, config, seed):
    """Trains masked LM and next sentence prediction; scores both on the held-out documents."""
    keras.utils.set_random_seed(seed)
    tokenizer = Tokenizer.from_file(run.folder / "vocab.txt")
    model = BertPretrainer(
        vocab_size=tokenizer.vocab_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        intermediate_size=4 * config.hidden_size,
        max_positions=max(config.max_length, config.finetune_length),
        # No dropout: in so short a run no example is seen often enough to be learned by heart.
        hidden_dropout=0.0,
        attention_dropout=0.0,
    )
    steps = config.pretrain_steps // EPOCHS
    model.compile(adamw(config.pretrain_learning_rate, steps * EPOCHS))
    heldout = make_dataset(run.folder / "records/heldout", config.batch_size, shuffle=False, repeat=1)
    history = fit(
        model,
        make_dataset(run.folder / "records/train", config.batch_size, seed=seed),
        run.folder / "logs/pretrain",
        ProgressBar(steps * EPOCHS, config.batch_size * config.max_length),
        steps_per_epoch=steps,
        epochs=EPOCHS,
        validation_data=heldout.take(10),
    )
    scores = model.evaluate(heldout, verbose=0, return_dict=True)
    model.save_pretrained(run.folder / "pretrained", tokenizer, overwrite=True)
    return {
        "parameters": model.count_params(),
        "masked_lm_accuracy": scores["masked_lm_logits_accuracy"],
        "masked_lm_commonest_piece": commonest_share(heldout),
        "masked_lm_loss": scores["masked_lm_logits_loss"],
        "next_sentence_accuracy": scores["next_sentence_logits_accuracy"],
        "next_sentence_chance": 0.5,
        "steps": [steps * (epoch + 1) for epoch in range(EPOCHS)],
        "history": history,
    }


def fill_masks(run, corpus):
    """The best pieces for a masked word in each of three sentences."""
    model = FillMask.from_pretrained(run.folder / "pretrained")
    mask = model.tokenizer.SPECIAL_TOKENS.mask
    if corpus:
        sentences = masked_sentences(read_documents(run, "heldout"), mask)
    else:
        sentences = [sentence.format(mask=mask) for sentence in MASKED_SENTENCES]
    answers = model.predict_text(sentences)
    best = [list(zip(answer["pieces"][0], answer["scores"][0], strict=True)) for answer in answers]
    return [{"text": text, "best": pieces} for text, pieces in zip(sentences, best, strict=True)]


def masked_sentences(documents, mask):
    """Three held-out beginnings of paragraphs with the middle hidden: a word, or a character where words run on."""
    paragraphs = [paragraph for document in documents for paragraph in texts.whole_paragraphs(document)]
    sentences = []
    for paragraph in paragraphs[:: max(1, len(paragraphs) // 3)][:3]:
        words = paragraph.split()[:12]
        if len(words) == 12:
            sentences.append(" ".join([*words[:6], mask, *words[7:]]))
        else:
            sentences.append(paragraph[:12] + mask + paragraph[13:24])
    return sentences


def finetune(run, config, corpus, seed):
    """Fine-tunes a classifier that tells which package, or which document, a paragraph comes from.

    The held-out paragraphs are those of documents that neither this training nor pretraining saw.
    """
    train, heldout = read_documents(run, "train"), read_documents(run, "heldout")
    labels = choose_labels(train, heldout, config.max_labels) if corpus else list(LABELS)
    if len(labels) < 2:
        return {"skipped": f"the text has fewer than two documents of {MIN_PARAGRAPHS} paragraphs to tell apart"}
    keras.utils.set_random_seed(seed)
    x, y = texts.labelled_paragraphs(train, labels, config.paragraphs_a_label, seed)
    heldout_x, heldout_y = texts.labelled_paragraphs(heldout, labels, config.paragraphs_a_label // 10, seed)
    model = TextClassifier.from_pretrained(
        run.folder / "pretrained",
        labels=labels,
        max_length=config.finetune_length,
        hidden_dropout=config.finetune_dropout,
        attention_dropout=config.finetune_dropout,
    )
    steps = -(-len(x) // config.finetune_batch_size)
    model.compile(adamw(config.finetune_learning_rate, steps * config.finetune_epochs))
    history = fit(
        model,
        model.dataset(x, y, config.finetune_batch_size, shuffle=True, seed=seed, repeat=None),
        run.folder / "logs/finetune",
        ProgressBar(steps * config.finetune_epochs),
        steps_per_epoch=steps,
        epochs=config.finetune_epochs,
        validation_data=model.dataset(heldout_x, heldout_y),
    )
    model.save_pretrained(run.folder / "classifier", overwrite=True)
    return {
        "labels": labels,
        "train_paragraphs": len(x),
        "heldout_paragraphs": len(heldout_x),
        "accuracy": model.evaluate(heldout_x, heldout_y, verbose=0, return_dict=True)["accuracy"],
        "majority_class": max(map(heldout_y.count, labels)) / len(heldout_y),
        "steps": [steps * (epoch + 1) for epoch in range(config.finetune_epochs)],
        "history": history,
        "heldout": {"texts": heldout_x, "labels": heldout_y},
    }


def choose_labels(train, heldout, most):
    """The labels with the most training paragraphs, of those that have enough of them and some held out."""
    counts = {}
    for document in train:
        counts[document.label] = counts.get(document.label, 0) + len(texts.whole_paragraphs(document))
    held_out = {document.label for document in heldout if texts.whole_paragraphs(document)}
    enough = [label for label, count in counts.items() if count >= MIN_PARAGRAPHS and label in held_out]
    return sorted(sorted(enough, key=counts.get, reverse=True)[:most])


def adamw(learning_rate, steps):
    """As BERT is trained: a tenth of the steps up to `learning_rate`, the others down to 0."""
    return make_optimizer("adamw", make_schedule("linear", learning_rate, steps, steps // 10))


def fit(model, data, logs, progress, **kwargs):
    """Keras's `fit` with a bar and TensorBoard logs; returns the history as plain numbers."""
    tensorboard = keras.callbacks.TensorBoard(str(logs), write_graph=False)
    try:
        history = model.fit(data, shuffle=False, verbose=0, callbacks=[progress, tensorboard], **kwargs).history
    finally:
        progress.close()
    return {name: [float(value) for value in values] for name, values in history.items()}


def commonest_share(dataset):
    """How often the commonest hidden piece is the answer: what always guessing it would score."""
    counts = np.zeros(0, int)
    for _, targets, weights in dataset:
        hidden = targets[features.MASKED_LM_LOGITS][weights[features.MASKED_LM_LOGITS] > 0].numpy()
        found = np.bincount(hidden, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return float(counts.max() / counts.sum())


def read_heldout(run):
    """Held-out paragraphs and labels, as `finetune` left them."""
    return json.loads((run.folder / "stages/fine-tune.json").read_text(encoding="utf-8"))["heldout"]
