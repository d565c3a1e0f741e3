"""Base classes of encoder families: the config, the Keras class, and the declaration that the registry holds."""

import dataclasses
import math
import numbers
import typing
from collections.abc import Mapping
from typing import Any, Self

import keras

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import families, resolve
from bert_tf.core.settings import shortened
from bert_tf.modeling.pretrained import Pretrained, unique_name
from bert_tf.text.tokenizers.vocabulary import Vocabulary
from bert_tf.weights import Checkpoint
from bert_tf.weights.formats.base import FamilyFormat

_NUMBERS: dict[Any, type] = {int: numbers.Integral, float: numbers.Real}
# Far above any published encoder: larger sizes are a damaged file or a slip, and would ask for any amount of memory.
MAX_SIZES = {
    "vocab_size": 2**24,
    "hidden_size": 2**16,
    "num_layers": 256,
    "num_heads": 2**12,
    "max_positions": 2**20,
    "intermediate_size": 2**18,
    "type_vocab_size": 2**10,
    "embedding_size": 2**16,
    "num_groups": 256,
    "local_window": 2**20,
    "global_every": 256,
    "feature_size": 2**16,
    "feature_types": 2**10,
}


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Sizes and numerics that the encoders of all families have; defaults are those of BERT base.

    `padding_id`, a field where models of a family differ in it, is the id of padding where a call has no input mask.

    Values that cannot be raise `ConfigError`.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_layers: int = 12
    num_heads: int = 12
    max_positions: int = 512
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    initializer_range: float = 0.02

    padding_id = 0

    @property
    def embedding_size(self) -> int:
        """Width of the embedding tables."""
        return self.hidden_size

    @property
    def head_size(self) -> int:
        """Width of an attention head."""
        return self.hidden_size // self.num_heads

    def layer_widths(self, layer: int) -> tuple[int, int]:
        """Width of all heads of a layer together, and of its feed-forward network, 0 without one."""
        del layer
        return self.hidden_size, 0

    def uniform(self) -> Self:
        """The config in which all layers have the same sizes."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The settings as a JSON file gives them back; optional ones only where they are set."""
        values: dict[str, Any] = {}
        for name, value in dataclasses.asdict(self).items():
            if value is not None:
                values[name] = list(value) if isinstance(value, tuple) else value
        return values

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, _NUMBERS.get(hints[field.name], object)):
                raise ConfigError(
                    f"Received: {field.name}={shortened(value)}. {field.name} must be of type "
                    f"{hints[field.name].__name__}."
                )
        self.check_positive("vocab_size", "hidden_size", "num_layers", "num_heads", "max_positions")
        if self.hidden_size % self.num_heads:
            raise ConfigError(
                f"Received: hidden_size={self.hidden_size}, num_heads={self.num_heads}. "
                "hidden_size must be a multiple of num_heads."
            )
        if not 0 < self.initializer_range < math.inf:
            raise ConfigError(f"Received: initializer_range={self.initializer_range}. It must be above 0.")
        for name in ("hidden_dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be in [0, 1).")

    @classmethod
    def of_family(cls, family: str, settings: Mapping[str, Any]) -> Self:
        """The config of a family's encoder; a setting that the family does not have raises `ConfigError`."""
        known = [field.name for field in dataclasses.fields(cls)]
        for setting, value in settings.items():
            if setting not in known:
                raise ConfigError(
                    f"Received: {setting}={value!r}. The encoder family {family!r} has no such setting; "
                    f"its settings: {', '.join(known)}."
                )
        return cls(**settings)

    def check_positive(self, *names: str) -> None:
        """Raises `ConfigError` for the first of the sizes `names` that is below 1, or above any sensible one."""
        for name in names:
            if not 1 <= getattr(self, name) <= MAX_SIZES[name]:
                raise ConfigError(
                    f"Received: {name}={getattr(self, name)}. {name} must be from 1 to {MAX_SIZES[name]}."
                )


class Encoder(Pretrained, keras.Model):
    """Base of all encoders: token ids to one vector per token and one per sequence.

    Called with a dict of int [B, S] tensors `input_ids`, `input_mask` (1 = real token) and `segment_ids`, of which the
    last two may be left out (`complete_inputs`); returns {"sequence_output": [B, S, D], "pooled_output": [B, D]}, and
    must accept `cls_only=True`, which says that only the vector of [CLS] is read. A subclass names its `family` and its
    `config_class` and has `stages`. The arguments of the constructor are the fields of `config_class`; an unknown one
    raises `ConfigError`.
    """

    family = ""
    config_class = EncoderConfig
    reads_pooler = True  # whether outputs are read that come through the pooler, where there is one
    config: Any  # an instance of `config_class`
    has_token_head = False  # whether heads on tokens read `head_vectors` that the pooler computes
    has_attention_probs = False  # whether `call` takes all_outputs=True and then returns "attention_probs"

    def __init__(self, name: str | None = None, dtype: Any = None, trainable: bool = True, **settings: Any):
        super().__init__(name=name or unique_name("encoder"), dtype=dtype, trainable=trainable)
        self.config = self.config_class.of_family(self.family, settings)

    @property
    def trainable(self) -> bool:
        """Whether the encoder is trained; setting it leaves out a pooler that nothing reads."""
        return super().trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.Model.trainable.fset(self, value)
        self.read_pooler(self.reads_pooler)

    def read_pooler(self, read: bool) -> None:
        """Says whether anything reads the pooler; else it is frozen, because no gradient would reach it."""
        self.reads_pooler = read
        if hasattr(self, "pooler"):
            self.pooler.trainable = read and self.trainable

    @property
    def stages(self) -> list[keras.layers.Layer]:
        """The layers from bottom to top, embeddings first, for layer-wise learning rates and freezing.

        Weights outside of them (a pooler) are above all stages.
        """
        raise NotImplementedError

    @property
    def token_embedding(self) -> keras.layers.Layer:
        """The layer from token ids, int [B, S], to their vectors, which everything else of an encoder reads."""
        return self.embeddings.token

    def head_vectors(self, x: Any) -> Any:
        """The vectors that heads on tokens read, [..., D], from "sequence_output" or a pooling of it."""
        return self.pooler(x) if self.has_token_head else x

    def encoder_config(self) -> dict[str, Any]:
        """The fields of `config_class`."""
        return dataclasses.asdict(self.config)

    @classmethod
    def class_for(cls, checkpoint: Checkpoint) -> type["Encoder"]:
        """The class of the checkpoint's family, for `Encoder.from_pretrained`."""
        return cls if cls.family else families()[checkpoint.family].encoder

    @classmethod
    def settings_of(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """Arguments of the constructor from a checkpoint; one of another family raises `InputError`."""
        if checkpoint.family != cls.family:
            raise InputError(
                f"The checkpoint holds an encoder of the family {checkpoint.family!r}, not {cls.family!r}. "
                f"Open it with the encoder of bert_tf.modeling.families.FAMILIES[{checkpoint.family!r}]."
            )
        return dataclasses.asdict(checkpoint.encoder)


@dataclasses.dataclass(frozen=True)
class EncoderFamily:
    """All that the package knows of an encoder family.

    Attributes:
        name: in settings (`model.encoder`) and in config.json (`family`).
        config: frozen dataclass of sizes and numerics, a subclass of `EncoderConfig`.
        encoder: the Keras class, a subclass of `Encoder` whose arguments are the fields of `config`.
        tokenizer_place: "module:name" of the tokenizer class; imported late, because it needs TensorFlow.
        formats: {name of a weights format: what that format needs to hold this family}.
        presets: {name: arguments of the encoder} of published sizes.
        title: the name in texts for people; empty: `name`.
    """

    name: str
    config: type[EncoderConfig]
    encoder: type[Encoder]
    tokenizer_place: str
    formats: Mapping[str, FamilyFormat]
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    title: str = ""

    @property
    def tokenizer(self) -> Any:
        """The class of the family's tokenizers."""
        return resolve(self.tokenizer_place)

    def make_tokenizer(self, vocabulary: list[str], text: TextConfig) -> Any:
        """The tokenizer of a vocabulary: of the `Vocabulary`'s class, or of the family's if that takes lists of tokens.

        Else a list is of WordPiece: many Chinese ALBERT models have BERT's vocabulary.
        """
        if isinstance(vocabulary, Vocabulary) or self.tokenizer.FILE_NAME != "vocab.txt":
            return resolve("bert_tf.text.tokenizers.base:Tokenizer")(vocabulary, text)
        return self.tokenizer(vocabulary, text)
