"""Base classes of encoder families: the config, the Keras class, and the declaration that the registry holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import keras

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import resolve
from bert_tf.modeling.pretrained import Pretrained
from bert_tf.weights import Checkpoint
from bert_tf.weights.formats.base import FamilyFormat

# Far above any published encoder: larger sizes are a damaged file or a slip, and would ask for any amount of memory.
MOST = {
    "vocab_size": 2**24,
    "hidden_size": 2**16,
    "num_layers": 256,
    "num_heads": 2**12,
    "max_positions": 2**20,
    "intermediate_size": 2**18,
    "type_vocab_size": 2**10,
}


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Sizes and numerics that the encoders of all families have; defaults are those of BERT base.

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

    def __post_init__(self) -> None:
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

    def check_positive(self, *names: str) -> None:
        """Raises `ConfigError` for the first of the sizes `names` that is below 1, or above any sensible one."""
        for name in names:
            if not 1 <= getattr(self, name) <= MOST[name]:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be from 1 to {MOST[name]}.")


class Encoder(Pretrained, keras.Model):
    """Base of all encoders: token ids to one vector per token and one per sequence.

    Called with a dict of int [B, S] tensors `input_ids`, `input_mask` (1 = real token) and `segment_ids`; returns
    {"sequence_output": [B, S, D], "pooled_output": [B, D]}, and must accept `cls_only=True`, which says that only the
    vector of [CLS] is read. A subclass names its `family` and its `config_class` and has `stages`. The arguments of
    the constructor are the fields of `config_class`; an unknown one raises `ConfigError`.
    """

    family = ""
    config_class = EncoderConfig
    has_attention_probs = False  # whether `call` takes all_outputs=True and then returns "attention_probs"

    def __init__(self, name: str = "encoder", dtype: Any = None, trainable: bool = True, **settings: Any):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        known = [field.name for field in dataclasses.fields(self.config_class)]
        for setting, value in settings.items():
            if setting not in known:
                raise ConfigError(
                    f"Received: {setting}={value!r}. The encoder family {self.family!r} has no such setting; "
                    f"its settings: {', '.join(known)}."
                )
        self.config = self.config_class(**settings)

    @property
    def stages(self) -> list[keras.layers.Layer]:
        """The layers from bottom to top, embeddings first, for layer-wise learning rates and freezing.

        Weights outside of them (a pooler) are above all stages.
        """
        raise NotImplementedError

    def constructor_settings(self) -> dict[str, Any]:
        """The arguments from which the constructor builds such an encoder again."""
        return dataclasses.asdict(self.config)

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
    """

    name: str
    config: type[EncoderConfig]
    encoder: type[Encoder]
    tokenizer_place: str
    formats: Mapping[str, FamilyFormat]
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @property
    def tokenizer(self) -> type:
        """The class of the family's tokenizers."""
        return resolve(self.tokenizer_place)
