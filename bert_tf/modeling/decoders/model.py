"""Models that write a target for a source: an encoder, a decoder and the masked LM head as language model head."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError, did_you_mean
from bert_tf.modeling.decoders import DECODERS
from bert_tf.modeling.decoders.base import Cache
from bert_tf.modeling.layers.heads import masked_lm_head
from bert_tf.modeling.pretrained import Pretrained, unique_name
from bert_tf.weights import Checkpoint

# B batch, S source, T target, K beams, R rows of caches, V vocabulary


class SequenceToSequence(Pretrained):
    """Mixed into a `keras.Model` that has an `encoder`: its decoder, and the interface that a search uses.

    Attributes:
        decoder: a `Decoder`.
        masked_lm: the head, tied to the embedding that reads the target.
    """

    encoder: Any

    def add_decoder(
        self, architecture: str, decoder: Mapping[str, Any] | None = None, share_weights: bool = False
    ) -> None:
        """Makes `decoder` and `masked_lm`; see `Seq2Seq` for the arguments."""
        self.architecture, self.share_weights = architecture, share_weights
        settings = {}
        if DECODERS[architecture].has_config and not share_weights:
            settings["config"] = _decoder_config(self.encoder, decoder or {})
        self.decoder = DECODERS[architecture](self.encoder, **settings)
        self.masked_lm = masked_lm_head(self.decoder.stack(self.encoder))
        self.masked_lm.build()

    def target_logits(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Logits of the token after each token of a target, float32 [B, T, V]; for `inputs` see `Decoder`."""
        x = self.decoder.target_vectors(self.encoder, inputs, training)  # [B, T, D]
        return self.masked_lm(x, self._token_table())

    def output_matrix(self) -> Any:
        """The matrix [D, V] that `step` reads, transposed once for all steps."""
        return self.masked_lm.output_matrix(self._token_table())

    def start(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], Cache]:
        """All that the steps read of the source, from the encoder's inputs [B, S], and a cache of no tokens."""
        source = self.decoder.start(self.encoder, inputs)
        source["output_matrix"] = self.output_matrix()
        return source, self.decoder.empty_cache(self.encoder, ops.shape(source["source_mask"])[0])

    def step(
        self, tokens: Any, index: Any, visible: Any, source: Mapping[str, Any], caches: Sequence[Cache]
    ) -> tuple[Any, Cache]:
        """Logits of the next token of each beam, float32 [B, K, V], and the grown cache; see `Decoder.step`."""
        x, cache = self.decoder.step(self.encoder, tokens, index, visible, source, caches)  # [B, K, D]
        return self.masked_lm.logits(x, source["output_matrix"]), cache

    def _token_table(self):
        return self.decoder.stack(self.encoder).embeddings.token.embeddings  # [V, D]

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """As `Pretrained.assign`; a decoder that the weights lack begins with those of the encoder."""
        copies = {}
        for name, variable in self.named_weights.items():
            original = weights.get(name.replace("decoder/", "encoder/", 1))
            if name not in weights and original is not None and original.shape == tuple(variable.shape):
                copies[name] = original
        super().assign(weights | copies)

    @classmethod
    def settings_of(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """As `Pretrained.settings_of`, with the settings of a decoder."""
        settings = super().settings_of(checkpoint)
        if checkpoint.decoder:
            settings["decoder"] = dataclasses.asdict(checkpoint.decoder)
        return settings

    def to_checkpoint(self, *args: Any, **kwargs: Any) -> Checkpoint:
        """As `Pretrained.to_checkpoint`, with the config of a decoder that has weights of its own."""
        checkpoint = super().to_checkpoint(*args, **kwargs)
        return dataclasses.replace(checkpoint, decoder=self.decoder_config)

    @property
    def decoder_config(self) -> Any:
        """The config of a decoder that has weights of its own, else None."""
        stack = self.decoder.stack(self.encoder)
        return None if stack is self.encoder else stack.config


def with_decoder(checkpoint: Checkpoint, other: Checkpoint, where: str) -> Checkpoint:
    """The checkpoint with the encoder of another one as its decoder, and with that one's masked LM head.

    Args:
        where: the other one's folder, for messages.

    Raises:
        InputError: it has another family, width or vocabulary, or weights that are missing.
    """
    for name, mine, its in (
        ("family", checkpoint.family, other.family),
        ("hidden size", checkpoint.encoder.hidden_size, other.encoder.hidden_size),
        ("number of tokens", checkpoint.encoder.vocab_size, other.encoder.vocab_size),
    ):
        if mine != its:
            raise InputError(f"The decoder in {where} has the {name} {its}, the encoder {mine}. They must agree.")
    if checkpoint.vocabulary is not None and list(checkpoint.vocabulary) != list(other.vocabulary or ()):
        raise InputError(f"The vocabulary in {where} is not that of the encoder. They must agree.")
    weights = {name: array for name, array in checkpoint.weights.items() if name.startswith("encoder/")}
    for name, array in other.weights.items():
        part, _, rest = name.partition("/")
        if part == "masked_lm":
            weights[name] = array
        elif part == "encoder" and not rest.startswith("pooler/"):
            weights[f"decoder/{rest}"] = array
    return dataclasses.replace(checkpoint, weights=weights, decoder=other.encoder)


def _decoder_config(encoder, fields):
    """The config of a decoder that differs from its encoder in `fields`; an unknown one raises `ConfigError`."""
    config = encoder.config
    known = dataclasses.asdict(config)
    for name in fields:
        if name not in known:
            raise ConfigError(f"Received: decoder setting {name!r}. {did_you_mean(name, known, 'Known keys')}")
    if fields:
        config = config.uniform()  # the layers of a pruned encoder may be more, or larger, than the decoder's
    return dataclasses.replace(config, **fields)


@keras.saving.register_keras_serializable("bert_tf")
class Seq2Seq(SequenceToSequence, keras.Model):
    """A model that writes: inputs of source and target (see `Decoder.target_vectors`) to float32 logits [B, T, V].

    From the folder of an encoder, or of a pretrained model with its masked LM head, it makes a new decoder; the folder
    may also be of transformers' `EncoderDecoderModel`.

    Args:
        architecture: "encoder_decoder" or "prefix" (`DECODERS`).
        decoder: fields of the config in which a decoder of "encoder_decoder" differs from the encoder.
        share_weights: whether the encoder's weights read the target of "encoder_decoder" too.
        start_id, end_id: ids of the tokens before and after a target.
        pad_id: id of padding, in sources without a mask and after a target; None: that of the family.
        encoder: name of the encoder's family; or an encoder.
        settings: the fields of that family's config.
    """

    head_settings = ("architecture", "share_weights", "start_id", "end_id", "pad_id")

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        architecture: str = "encoder_decoder",
        decoder: Mapping[str, Any] | None = None,
        share_weights: bool = False,
        start_id: int | None = None,
        end_id: int | None = None,
        pad_id: int | None = None,
        encoder: Any = "bert",
        **settings: Any,
    ):
        super().__init__(name=name or unique_name("seq2seq"), dtype=dtype, trainable=trainable)
        self.start_id, self.end_id = start_id, end_id
        self.encoder = self.make_encoder(encoder, settings)
        self.encoder.read_pooler(False)
        self.config = self.encoder.config
        self.pad_id = self.config.padding_id if pad_id is None else pad_id
        self.add_decoder(architecture, decoder, share_weights)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: all variables are there."""

    def call(self, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """As `SequenceToSequence.target_logits`."""
        return self.target_logits(inputs, training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor, for Keras's serialization."""
        own = {name: getattr(self, name) for name in self.head_settings}
        own["decoder"] = self.decoder_config and dataclasses.asdict(self.decoder_config)
        return super().get_config() | own

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `Pretrained.example_inputs`, with the target, int32 [B, T]."""
        name = features.TARGET_IDS
        return super().example_inputs() | {name: keras.KerasTensor((None, None), "int32", name=name)}
