"""Filling of [MASK] in texts by a pretrained model."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSettings, TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(TaskSettings):
    """Arguments of `FillMask`; None leaves one to the model."""

    top_k: int | None = setting(None, "tokens in the answer for a mask", least=1)


SPEC = TaskSpec(
    name="fill_mask",
    summary="The most likely tokens in place of each [MASK], by a pretrained model.",
    model="bert_tf.tasks.fill_mask.task:FillMask",
    settings=Settings,
    example=("The quick brown {mask} jumps over the lazy dog.",),
    head="masked_lm",
)
