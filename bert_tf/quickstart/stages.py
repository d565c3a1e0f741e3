"""Middle stages: pretraining, filling masks, and fine-tuning a classifier."""

import dataclasses
import json
import pathlib
import shutil
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from bert_tf.core import features, files
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.quickstart import documents as texts
from bert_tf.quickstart.corpus import read_documents
from bert_tf.quickstart.documentation import LABELS
from bert_tf.quickstart.run import Run
from bert_tf.quickstart.settings import QuickstartConfig
from bert_tf.tasks.fill_mask.task import FillMask
from bert_tf.text.tokenizers.unicode_tables import CJK_IDEOGRAPHS
from bert_tf.training.callbacks.metrics_logger import METRICS, read_metrics
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import ModelConfig, PhaseConfig, PretrainConfig, TrainingConfig
from bert_tf.training.model_card import curves_of
from bert_tf.training.recipes import finetune as finetuning
from bert_tf.training.recipes import pretrain as pretraining
from bert_tf.training.recipes.finetune_config import make_config
from bert_tf.training.recipes.pretraining_data import RecordsSource

POINTS = 10  # evaluations in the pretraining curve
MASKED_SENTENCES = (
    "Returns the number of {mask} in the list.",
    "If the file does not {mask}, an error is raised.",
    "This function takes a {mask} as its first argument.",
)
MIN_PARAGRAPHS = 100  # of a label, to learn it


def pretrain(run: Run, config: QuickstartConfig, seed: int) -> dict:
    """Pretrains as `bert-tf pretrain` does; measures both objectives on all held-out documents."""
    steps_a_point = max(1, config.pretrain_steps // POINTS)
    training = TrainingConfig(
        steps=POINTS * steps_a_point,
        learning_rate=config.pretrain_learning_rate,
        seed=seed,
        precision="float32",
        log_every=steps_a_point,
        evaluate_every=steps_a_point,
        evaluate_batches=10,
        checkpoint_every=steps_a_point,
        keep_checkpoints=1,
    )
    data = PhaseConfig(
        records=str(run.folder / "records/train"),
        heldout=str(run.folder / "records/heldout"),
        batch_size=config.batch_size,
    )
    model = ModelConfig(
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        max_positions=max(config.max_length, config.finetune_length),
        # No dropout: in such a short run no example is seen often enough to be memorized.
        hidden_dropout=0.0,
        attention_dropout=0.0,
    )
    folder = run.folder / "pretraining"
    pretraining.pretrain(PretrainConfig(output=str(folder), model=model, data=data, training=training))
    _copy_model(folder, run.folder / "pretrained")
    # Evaluated again on all records; during training only on the first batches.
    everything = dataclasses.replace(training, evaluate_batches=sys.maxsize)
    validation = RecordsSource(data, everything).validation
    assert validation is not None
    trained = BertPretrainer.from_pretrained(run.folder / "pretrained")
    compile_model(trained, training)
    scores = validation.evaluate(trained)
    return {
        "parameters": trained.count_params(),
        "masked_lm_accuracy": scores["masked_lm_accuracy"],
        "masked_lm_commonest_piece": commonest_share(validation.one_pass(config.batch_size)),
        "masked_lm_loss": scores["masked_lm_loss"],
        "next_sentence_accuracy": scores["next_sentence_accuracy"],
        "next_sentence_chance": 0.5,
        "curves": _curves(folder),
    }


def fill_masks(run: Run, corpus: str | None) -> list[dict]:
    """The most likely tokens for a masked word in each of three sentences.

    Returns:
        [{"text": sentence, "best": [(token, probability), ...]}, ...].
    """
    model = FillMask.from_pretrained(run.folder / "pretrained")
    mask = model.tokenizer.SPECIAL_TOKENS.mask
    if corpus:
        sentences = masked_sentences(read_documents(run, "heldout"), mask)
    else:
        sentences = [sentence.format(mask=mask) for sentence in MASKED_SENTENCES]
    filled = []
    for text, answer in zip(sentences, model.predict_text(sentences), strict=True):
        best = list(zip(answer["pieces"][0], answer["scores"][0], strict=True))
        filled.append({"text": text, "best": best})
    return filled


def masked_sentences(documents: Sequence[texts.Document], mask: str) -> list[str]:
    """The first 12 words of three paragraphs, the seventh masked; in Chinese the first 24 characters, one masked.

    Args:
        documents: held-out ones; the paragraphs are spread evenly over them.
        mask: the mask token.
    """
    paragraphs: list[str] = []
    for document in documents:
        paragraphs += texts.whole_paragraphs(document)
    sentences = []
    for paragraph in paragraphs[:: max(1, len(paragraphs) // 3)][:3]:
        words = paragraph.split()[:12]
        # The spaces of a Chinese paragraph are between its sentences, not between words.
        if len(words) == 12 and not _has_ideographs(paragraph):
            sentences.append(" ".join([*words[:6], mask, *words[7:]]))
        else:
            sentences.append(paragraph[:12] + mask + paragraph[13:24])
    return sentences


def _has_ideographs(text: str) -> bool:
    return any(first <= ord(letter) <= last for letter in text for first, last in CJK_IDEOGRAPHS)


def finetune(run: Run, config: QuickstartConfig, corpus: str | None, seed: int) -> dict:
    """Fine-tunes a classifier of the package or file of a paragraph, as `bert-tf finetune` does.

    The held-out paragraphs are from documents that neither this training nor pretraining used.

    Returns:
        Labels, accuracy, curves and held-out paragraphs; {"skipped": reason} if the text has fewer than two labels.
    """
    train, heldout = read_documents(run, "train"), read_documents(run, "heldout")
    labels = list(LABELS)
    if corpus:
        labels = choose_labels(train, heldout, config.max_labels)
    if len(labels) < 2:
        return {"skipped": f"the text has fewer than two files of at least {MIN_PARAGRAPHS} paragraphs"}
    counts = {"train": config.paragraphs_a_label, "heldout": config.paragraphs_a_label // 10}
    rows = {}
    for part, documents in {"train": train, "heldout": heldout}.items():
        rows[part] = list(zip(*texts.labelled_paragraphs(documents, labels, counts[part], seed), strict=True))
        lines = ""
        for text, label in rows[part]:
            lines += json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n"
        files.write_text(run.folder / f"corpus/classifier_{part}.jsonl", lines)
    folder = run.folder / "finetuning"
    results = finetuning.finetune(
        make_config(
            {
                "output": str(folder),
                "data": {
                    "folder": str(run.folder / "corpus"),
                    "train": "classifier_train.jsonl",
                    "heldout": "classifier_heldout.jsonl",
                },
                "model": {
                    "init": str(run.folder / "pretrained"),
                    "labels": labels,
                    "max_length": config.finetune_length,
                    "hidden_dropout": config.finetune_dropout,
                    "attention_dropout": config.finetune_dropout,
                },
                "epochs": config.finetune_epochs,
                "batch_size": config.finetune_batch_size,
                "training": {
                    "learning_rate": config.finetune_learning_rate,
                    "seed": seed,
                    "precision": "float32",
                },
            }
        )
    )
    _copy_model(folder, run.folder / "classifier")
    heldout_texts, heldout_labels = map(list, zip(*rows["heldout"], strict=True))
    return {
        "labels": labels,
        "train_paragraphs": len(rows["train"]),
        "heldout_paragraphs": len(heldout_labels),
        "accuracy": results["scores"]["accuracy"],
        "majority_class": max(map(heldout_labels.count, labels)) / len(heldout_labels),
        "curves": _curves(folder),
        "heldout": {"texts": heldout_texts, "labels": heldout_labels},
    }


def _copy_model(run_folder: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies the model of a training run to `folder`, where other programs find it."""
    with files.atomic_folder(folder) as temporary:
        shutil.copytree(run_folder / "model", temporary, dirs_exist_ok=True)


def _curves(folder: pathlib.Path) -> dict:
    """The losses and accuracies of a run: {metric: (steps, values)}."""
    curves = curves_of(read_metrics(folder / METRICS))
    return {name: curve for name, curve in curves.items() if name.endswith(("loss", "accuracy"))}


def choose_labels(train: Sequence[texts.Document], heldout: Sequence[texts.Document], most: int) -> list[str]:
    """The `most` labels with the most training paragraphs, sorted by name.

    Labels with fewer than `MIN_PARAGRAPHS`, or without a held-out paragraph, are left out.
    """
    counts: dict[str, int] = {}
    for document in train:
        counts[document.label] = counts.get(document.label, 0) + len(texts.whole_paragraphs(document))
    held_out = {document.label for document in heldout if texts.whole_paragraphs(document)}
    enough = [label for label, count in counts.items() if count >= MIN_PARAGRAPHS and label in held_out]
    return sorted(sorted(enough, key=counts.__getitem__, reverse=True)[:most])


def commonest_share(dataset: tf.data.Dataset) -> float:
    """The accuracy of always predicting the most common masked token: a baseline for masked LM.

    Args:
        dataset: batches as `RecordsSource` gives them.
    """
    counts = np.zeros(0, int)
    for _, targets, weights in dataset:
        hidden = targets[features.MASKED_LM_LOGITS][weights[features.MASKED_LM_LOGITS] > 0].numpy()
        # `found` is longer than `counts` if a batch has a greater id than all before.
        found = np.bincount(hidden, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return float(counts.max() / counts.sum())


def read_heldout(run: Run) -> dict[str, list[str]]:
    """Held-out paragraphs and their labels from `finetune`: {"texts": [N], "labels": [N]}."""
    return json.loads((run.folder / "stages/fine-tune.json").read_text(encoding="utf-8"))["heldout"]
