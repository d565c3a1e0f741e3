"""Tasks that a pretrained model answers as it is: their heads come from pretraining, none starts fresh."""

import dataclasses

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.task import Task


class PretrainedHeadTask(Task):
    """A task without training of its own; the head of its spec must be in the checkpoint."""

    LENGTH = None  # all positions

    @classmethod
    def from_checkpoint(cls, checkpoint, source, dtype=None, **settings):
        """As `Task`'s, of any checkpoint with the head; one without raises `InputError`."""
        if not any(name.startswith(f"{cls.SPEC.head}/") for name in checkpoint.weights):
            found = ", ".join(sorted({name.split("/")[0] for name in checkpoint.weights}))
            raise InputError(f"{source} has no {cls.SPEC.head} head from pretraining; it has: {found}.")
        text = dataclasses.replace(checkpoint.text, special_tokens=True)  # a [MASK] in a text is one
        saved = {name: checkpoint.task[name] for name in cls.head_settings if name in checkpoint.task}
        return super().from_checkpoint(dataclasses.replace(checkpoint, text=text), source, dtype, **(saved | settings))

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {key: task[key] for key in ("top_k",) if key in task}

    def has_head_of(self, task):
        return True  # `from_checkpoint` has looked
