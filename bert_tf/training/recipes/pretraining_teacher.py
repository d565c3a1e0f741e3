"""The teacher of a pretraining run: whether it fits the run, and the model that learns from it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.base.saved_tokenizer import describe_tokenizer
from bert_tf.tasks.distillation.followed_layers import HIDDEN, RELATIONS
from bert_tf.tasks.distillation.pretraining_distiller import TEACHER, PretrainingDistiller
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.training.recipes.pretraining_data import RecordsSource, check_lengths
from bert_tf.training.teacher_config import PretrainTeacherConfig
from bert_tf.weights import read_model


def taught_losses(config: PretrainTeacherConfig) -> tuple[str, ...]:
    """The names of the losses of a teacher that have a weight; () without a teacher."""
    weights = {TEACHER: config.weight, HIDDEN: config.hidden_weight, RELATIONS: config.relation_weight}
    return tuple(name for name, weight in weights.items() if weight and config.model)


def check_teacher(folder: str, tokenizer: Tokenizer, vocab_size: int, sources: Sequence[RecordsSource]) -> None:
    """Raises `ConfigError` unless the model in `folder` reads the records and predicts the student's `vocab_size`."""
    checkpoint = read_model(folder)
    if not BertPretrainer.supports(FAMILIES[checkpoint.family]) or "masked_lm/bias" not in checkpoint.weights:
        raise ConfigError(f"Received: teacher.model={folder}, which has no masked LM head. Give a pretrained model.")
    same = describe_tokenizer(Tokenizer.from_pretrained(folder)) == describe_tokenizer(tokenizer)
    if not same or checkpoint.encoder.vocab_size != vocab_size:
        raise ConfigError(
            f"Received: teacher.model={folder}, which has another vocabulary or tokenizer than the records or the "
            "student. Give a teacher of the same tokens, or build the records with its vocabulary."
        )
    check_lengths(sources, checkpoint.encoder.max_positions)


def with_teacher(student: BertPretrainer, config: PretrainTeacherConfig, precision: Any) -> PretrainingDistiller:
    """The student with the teacher of a run."""
    teacher = BertPretrainer.from_pretrained(config.model, precision, next_sentence=False)
    settings = {name: value for name, value in dataclasses.asdict(config).items() if name != "model"}
    return PretrainingDistiller(student, teacher, **settings)
