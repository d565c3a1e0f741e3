"""The tasks that BERT is fine-tuned for: each a head with its targets, loss, metrics and decoding of answers."""

from bert_tf.core.errors import InputError
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.tasks.embedding.task import TextEmbedder
from bert_tf.tasks.fill_mask.task import FillMask
from bert_tf.tasks.next_sentence.task import NextSentence
from bert_tf.tasks.question_answering.task import QuestionAnswerer
from bert_tf.tasks.tagging.task import TextTagger
from bert_tf.weights import read_model

__all__ = [
    "TASKS",
    "FillMask",
    "NextSentence",
    "QuestionAnswerer",
    "TextClassifier",
    "TextEmbedder",
    "TextTagger",
    "load",
]

TASKS = {
    task.TASK: task for task in (TextClassifier, TextEmbedder, TextTagger, QuestionAnswerer, FillMask, NextSentence)
}


def load(folder, dtype=None):
    """The task model in `folder`, as its config.json names it; a folder without a task raises `InputError`."""
    checkpoint = read_model(folder)
    task = checkpoint.task.get("name")
    if task not in TASKS:
        raise InputError(
            f"{folder} holds no task model (task: {task!r}). Known tasks: {', '.join(TASKS)}. "
            "A pretrained model becomes one with bert-tf finetune."
        )
    return TASKS[task].from_checkpoint(checkpoint, folder, dtype)
