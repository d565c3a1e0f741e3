"""The objectives of pretraining: the model that learns each, and its outputs that get targets."""

import dataclasses
from typing import Any

from bert_tf.core.features import MASKED_LM_LOGITS, NEXT_SENTENCE_LOGITS, REPLACED_TOKEN_LOGITS
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.modeling.replaced_token_pretrainer import ReplacedTokenPretrainer
from bert_tf.training.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class Objective:
    """The objective of a run.

    Attributes:
        pretrainer: class of the model.
        outputs: its outputs that get targets; None: all that the records have targets for.
        head: arguments of its constructor.
        settings: names of its arguments that are settings of `ModelConfig`.
    """

    pretrainer: type[BertPretrainer] | type[ReplacedTokenPretrainer]
    outputs: tuple[str, ...] | None = None
    head: dict[str, Any] = dataclasses.field(default_factory=dict)
    settings: tuple[str, ...] = ()

    def arguments(self, model: ModelConfig) -> dict[str, Any]:
        """The arguments of the pretrainer's constructor that are not of its encoder."""
        values = {name: getattr(model, name) for name in self.settings}
        return self.head | {name: value for name, value in values.items() if value is not None}


_PAIRS = Objective(BertPretrainer, (MASKED_LM_LOGITS, NEXT_SENTENCE_LOGITS))
OBJECTIVES = {
    None: Objective(BertPretrainer),
    "masked_lm": Objective(BertPretrainer, (MASKED_LM_LOGITS,), {"next_sentence": False}),
    "next_sentence": _PAIRS,
    "sentence_order": _PAIRS,
    "replaced_token": Objective(
        ReplacedTokenPretrainer, (MASKED_LM_LOGITS, REPLACED_TOKEN_LOGITS), settings=("generator_size",)
    ),
}
