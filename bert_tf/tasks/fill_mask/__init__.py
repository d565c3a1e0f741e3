"""Filling of [MASK] in texts by a pretrained model."""

import dataclasses

from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings:
    """Arguments of `FillMask`; None leaves one to the model."""

    max_length: int | None = None
    top_k: int | None = None


SPEC = TaskSpec(
    name="fill_mask",
    summary="The most likely tokens in place of each [MASK], by a pretrained model.",
    model="bert_tf.tasks.fill_mask.task:FillMask",
    settings=Settings,
    head="masked_lm",
)
