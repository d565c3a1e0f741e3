"""Settings of the teacher in a run; checked without importing TensorFlow."""

import dataclasses

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import Settings, setting

MAX_LAYERS = 1024  # beyond it a typing error is likelier than a model


@dataclasses.dataclass(frozen=True)
class PretrainTeacherConfig(Settings):
    """The model that a pretrained one learns from, besides the masked tokens; none by default."""

    model: str | None = setting(None, "folder of a pretrained model with the records' vocabulary; none: no teacher")
    weight: float = setting(
        0.5, "share of the loss from the teacher's outputs; the rest is from the targets", least=0, most=1
    )
    temperature: float = setting(2.0, "softens the outputs of both; its square scales the loss", above=0, most=1000)
    hidden_weight: float = setting(0.0, "weight of the squared error between hidden states of mapped layers", least=0)
    relation_weight: float = setting(
        0.0, "weight of the divergence between self-attention relations of the last mapped layer", least=0
    )
    layers: tuple[int, ...] = setting(
        (),
        "the teacher's layer, from 1, that each layer of the student follows; empty: evenly spread",
        least=1,
        most=MAX_LAYERS,
    )
    relation_heads: int | None = setting(
        None, "heads that queries, keys and values are split into for relations; none: the student's", least=1
    )

    def check(self) -> None:
        """Raises `ConfigError` for settings that do not fit each other."""
        if self.model is None and self != type(self)():
            changed = next(
                field.name
                for field in dataclasses.fields(self)
                if getattr(self, field.name) != getattr(type(self)(), field.name)
            )
            raise ConfigError(f"Received: teacher.{changed} without a teacher. Set teacher.model to its folder.")
        for name in ("layers", "relation_heads"):
            if getattr(self, name) and not (self.hidden_weight or self.relation_weight):
                raise ConfigError(
                    f"Received: teacher.{name} without losses of layers. Set teacher.hidden_weight or "
                    "teacher.relation_weight."
                )


@dataclasses.dataclass(frozen=True)
class TeacherConfig(PretrainTeacherConfig):
    """The model that a fine-tuned one learns from, besides the labels; none by default."""

    model: str | None = setting(
        None, "folder of a model fine-tuned for the same task and labels, of any family; none: no teacher"
    )
    embeddings: bool = setting(
        False, "begin with the teacher's token embeddings, or their principal components; for students without blocks"
    )
    unlabelled: str | None = setting(
        None, "file of more texts, in data.folder, with the columns of the training file; targets are not read"
    )
    augment: int = setting(
        0, "copies of each example with replaced tokens, of which the teacher's outputs alone are learned", least=0
    )
    augment_share: float = setting(0.15, "share of the tokens of a copy that are replaced", above=0, below=1)
    outputs: str | None = setting(
        None, "folder that keeps the teacher's outputs for other runs on the same examples; none: the run's checkpoints"
    )

    def check(self) -> None:
        """Raises `ConfigError` for settings that do not fit each other."""
        super().check()
        for name in ("unlabelled", "augment"):
            if getattr(self, name) and not self.weight:
                raise ConfigError(
                    f"Received: teacher.{name} with teacher.weight=0. Texts without labels need a weight above 0."
                )
