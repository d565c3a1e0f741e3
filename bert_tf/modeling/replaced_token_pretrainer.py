"""Pretraining by the detection of replaced tokens, with a generator of the replacements."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.core.hub import resolve_folder
from bert_tf.core.settings import shortened
from bert_tf.modeling.layers.heads import ReplacedTokenHead
from bert_tf.modeling.ops.cross_entropy import Accuracy, BinaryCrossEntropy, SparseCrossEntropy
from bert_tf.modeling.ops.sampling import sample_ids
from bert_tf.modeling.pretrained import Pretrained, unique_name
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.modeling.train_step import GlobalMean, replica_seed
from bert_tf.weights import read_model

# B batch, S sequence, P predictions, V vocabulary

GENERATOR = "generator"  # subfolder of a model's folder
# Of the losses (Clark et al. 2020, appendix A): the generator learns from few tokens and starts far from its goal.
LOSS_WEIGHTS = {features.MASKED_LM_LOGITS: 1.0, features.REPLACED_TOKEN_LOGITS: 50.0}


@keras.saving.register_keras_serializable("bert_tf")
class ReplacedTokenPretrainer(Pretrained, keras.Model):
    """Replaced token detection (Clark et al. 2020): a generator fills the masks, the encoder finds what it replaced.

    The generator, a `BertPretrainer` of masked LM, is an encoder of the same family with a share of the width, and has
    the embedding tables and their norm in common with the encoder, as in google-research/electra. A replacement that
    equals the original counts as original. In evaluation the replacements are drawn by one fixed seed.

    Inputs are those of the encoder and `masked_lm_positions` [B, P]; position 0 is none. Outputs are float32
    "masked_lm_logits" [B, P, V] of the generator, "replaced_token_logits" [B, S] (above 0: replaced), and "input_ids",
    int32 [B, S], the tokens that the encoder was given. Targets are the ids at the positions and the original ids of
    all tokens (`make_dataset(outputs=...)`).

    Folders hold the encoder with its head, and in the subfolder "generator" the generator.

    Args:
        generator_size: width, heads and feed-forward width of the generator as a share of the encoder's.
        encoder: name of the encoder's family, which has embeddings of a width of their own; or an encoder.
        settings: the fields of that family's config.
    """

    head_settings = ("generator_size",)

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        generator_size: float = 0.25,
        encoder: Any = "electra",
        **settings: Any,
    ):
        super().__init__(name=name or unique_name("pretrainer"), dtype=dtype, trainable=trainable)
        if not isinstance(generator_size, int | float) or not 0 < generator_size <= 1:
            raise ConfigError(f"Received: generator_size={shortened(generator_size)}. It must be in (0, 1].")
        self.generator_size = generator_size
        self.encoder = self.make_encoder(encoder, settings)
        self.config = config = self.encoder.config
        self.encoder.read_pooler(False)
        self.replaced_token = ReplacedTokenHead(
            config.hidden_size,
            config.activation,
            config.initializer_range,
            dtype=self.dtype_policy,
            name="replaced_token",
        )
        narrow = type(self.encoder)(
            name=self.encoder.name,
            dtype=self.dtype_policy,
            shared=self.encoder.embeddings,
            **dataclasses.asdict(generator_config(config, generator_size)),
        )
        self.generator = BertPretrainer(name=GENERATOR, dtype=self.dtype_policy, next_sentence=False, encoder=narrow)
        self.seed_generator = keras.random.SeedGenerator()
        self.build()

    @staticmethod
    def supports(family: Any) -> bool:
        """Whether encoders of an `EncoderFamily` can share their embeddings with a narrower one."""
        return "embedding_size" in family.config.__dataclass_fields__

    @property
    def parts(self) -> list[keras.layers.Layer]:
        """As `Pretrained.parts`, without the generator, which is a model of its own."""
        return [self.encoder, self.replaced_token]

    def build(self, input_shape: Any = None) -> None:
        """Makes the head's variables; their shapes do not depend on the inputs."""
        self.replaced_token.build()

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for Keras's serialization."""
        return super().get_config() | {"generator_size": self.generator_size}

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: Any = None, **head: Any) -> Self:
        """As `Pretrained.from_pretrained`; without a folder of the generator, only its embeddings are trained ones."""
        model = super().from_pretrained(folder, dtype, **head)
        generator = resolve_folder(folder) / GENERATOR
        if generator.is_dir():
            model.generator.assign(read_model(generator).weights)
        return model

    def save_pretrained(
        self, folder: str | Path, tokenizer: Any = None, task: dict[str, Any] | None = None, overwrite: bool = False
    ) -> None:
        """As `Pretrained.save_pretrained`, with the generator's folder inside."""
        super().save_pretrained(folder, tokenizer, task, overwrite)
        self.generator.source = self.source
        self.generator.save_pretrained(Path(folder) / GENERATOR, tokenizer, {})

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `BertPretrainer.example_inputs`."""
        return self.generator.example_inputs()

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> dict[str, Any]:
        """The outputs for a batch; inputs and outputs are described at the class."""
        logits = self.generator(inputs, training=training)[features.MASKED_LM_LOGITS]  # [B, P, V]
        # The state of the seeds stays as it is in evaluation, so that runs that evaluate more often learn the same.
        seed = self.seed_generator.next() if training else ops.zeros((2,), "uint32")
        sampled = sample_ids(logits, ops.cast(replica_seed(seed), "uint32"))  # [B, P]
        ids = _fill(inputs[features.INPUT_IDS], inputs[features.MASKED_LM_POSITIONS], sampled)  # [B, S]
        return {
            features.MASKED_LM_LOGITS: logits,
            features.REPLACED_TOKEN_LOGITS: self.detect({**inputs, features.INPUT_IDS: ids}, training),
            features.INPUT_IDS: ids,
        }

    def detect(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Scores tokens as they are: the encoder's inputs [B, S] to float32 logits [B, S], above 0 for replaced."""
        return self.replaced_token(self.encoder(inputs, training=training)[features.SEQUENCE_OUTPUT])

    def compile(
        self, optimizer: Any, loss: Any = None, weighted_metrics: Any = None, loss_weights: Any = None, **kwargs: Any
    ) -> None:
        """As Keras's; by default both losses, averaged over real targets, with `LOSS_WEIGHTS`, and both accuracies."""
        losses = {
            features.MASKED_LM_LOGITS: GlobalMean(SparseCrossEntropy()),
            features.REPLACED_TOKEN_LOGITS: GlobalMean(BinaryCrossEntropy()),
        }
        metrics = {
            features.MASKED_LM_LOGITS: [Accuracy()],
            features.REPLACED_TOKEN_LOGITS: [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)],
        }
        super().compile(
            optimizer,
            loss=loss or losses,
            weighted_metrics=weighted_metrics or metrics,
            loss_weights=loss_weights or dict(LOSS_WEIGHTS),
            **kwargs,
        )

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """As Keras's, for the outputs that have targets."""
        y_pred, y = {name: y_pred[name] for name in y}, _labels(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def loss_of_shares(self, x: Any, y: Any, y_pred: Any, shares: Any, training: bool = True) -> Any:
        """As the base class, for the outputs that have targets."""
        return super().loss_of_shares(x, _labels(y, y_pred), y_pred, shares, training)


def generator_config(config: Any, share: float) -> Any:
    """The config of the generator for an encoder's: equal depth and embeddings, and a share of everything else."""
    heads = max(1, int(share * config.num_heads))
    return dataclasses.replace(
        config.uniform(),
        hidden_size=heads * max(1, round(share * config.hidden_size / heads)),
        num_heads=heads,
        intermediate_size=max(1, round(share * config.intermediate_size)),
    )


def _fill(ids, positions, values):
    """`ids` [B, S] with `values` [B, P] at `positions` [B, P], of which 0 is none."""
    places = ops.one_hot(positions, ops.shape(ids)[1], dtype="int32")  # [B, P, S]
    places = places * ops.cast(ops.expand_dims(positions, -1) > 0, "int32")
    filled = ops.sum(places * ops.expand_dims(values, -1), 1)  # [B, S]
    return ops.where(ops.sum(places, 1) > 0, filled, ops.cast(ids, "int32"))


def _labels(y, y_pred):
    """The targets with 1 for replaced tokens and 0 for original ones, int32 [B, S], in place of the original ids."""
    original = y[features.REPLACED_TOKEN_LOGITS]  # [B, S]
    replaced = ops.not_equal(original, ops.cast(y_pred[features.INPUT_IDS], original.dtype))
    return {**y, features.REPLACED_TOKEN_LOGITS: ops.cast(replaced, "int32")}
