"""Tasks that a pretrained model does without fine-tuning: their heads come from pretraining."""

import dataclasses
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.task import Task


class PretrainedHeadTask(Task):
    """A task that is not fine-tuned; the checkpoint must have the head that its spec names."""

    LENGTH = None  # all positions

    @classmethod
    def from_checkpoint(cls, checkpoint: Any, source: Any, dtype: Any = None, **settings: Any) -> Task:
        """As `Task.from_checkpoint`, for any checkpoint with the head; one without it raises `InputError`."""
        if not any(name.startswith(f"{cls.SPEC.head}/") for name in checkpoint.weights):
            found = ", ".join(sorted({name.split("/")[0] for name in checkpoint.weights}))
            raise InputError(f"{source} has no {cls.SPEC.head} head from pretraining; it has: {found}.")
        text = dataclasses.replace(checkpoint.text, special_tokens=True)  # "[MASK]" in a text is the token
        saved = select(checkpoint.task, cls.head_settings)
        return super().from_checkpoint(dataclasses.replace(checkpoint, text=text), source, dtype, **(saved | settings))

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with `top_k`."""
        return super().saved_settings(task, source) | select(task, ("top_k",))

    def has_head_of(self, task: dict) -> bool:
        """Always true, because `from_checkpoint` refuses checkpoints without the head."""
        return True
