"""Sizes and numerics of the configurable transformer encoder."""

import dataclasses
import numbers
from typing import Any, Self

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import shortened
from bert_tf.modeling.families.base import MAX_SIZES, EncoderConfig


@dataclasses.dataclass(frozen=True)
class TransformerConfig(EncoderConfig):
    """Sizes and numerics of a transformer; where the models of one family differ, a subclass has more fields.

    `layer_heads` and `layer_intermediate_sizes` are the sizes of a pruned encoder, one for each block: how many of the
    `num_heads` heads, whose width stays, and of the `intermediate_size` columns it has. None: all.

    `feature_size` (F), `feature_positions` (sizes of the position tables, one or two axes) and `feature_types` (number
    of modalities) are those of features beside the tokens (see `FeatureEmbeddings`). None, all three: words alone.

    Attributes without a type hint are the same for all models of a family:
        type_vocab_size: number of segments; 0: the family has none.
        skips_padding: whether positions are counted as in fairseq (see `Embeddings`).
        num_groups: number of blocks with weights of their own; None: all.
    """

    intermediate_size: int = 3072
    activation: str = "gelu"  # exact; google-research/bert computes "gelu_tanh"
    layer_norm_epsilon: float = 1e-12
    layer_heads: tuple[int, ...] | None = None
    layer_intermediate_sizes: tuple[int, ...] | None = None
    feature_size: int | None = None
    feature_positions: tuple[int, ...] | None = None
    feature_types: int | None = None

    type_vocab_size = 0
    skips_padding = False
    num_groups = None

    @property
    def has_projection(self) -> bool:
        """Whether a dense layer brings the embeddings to the hidden size."""
        return self.embedding_size != self.hidden_size

    @property
    def num_blocks(self) -> int:
        """Number of blocks with weights of their own."""
        return self.num_groups or self.num_layers

    def block_sizes(self, i: int) -> dict[str, int]:
        """The heads, their width, and the width of the feed-forward network of block number `i`."""
        return {
            "num_heads": self.layer_heads[i] if self.layer_heads else self.num_heads,
            "head_size": self.head_size,
            "intermediate_size": (
                self.layer_intermediate_sizes[i] if self.layer_intermediate_sizes else self.intermediate_size
            ),
        }

    def layer_widths(self, layer: int) -> tuple[int, int]:
        """As `EncoderConfig.layer_widths`."""
        sizes = self.block_sizes(self.block_number(layer))
        return sizes["num_heads"] * self.head_size, sizes["intermediate_size"]

    def block_number(self, layer: int) -> int:
        """The number of the block of a layer; groups of layers may share one."""
        return layer * self.num_blocks // self.num_layers

    def layer_kind(self, i: int) -> Any:
        """A value that differs between layers that compute different things, whatever their sizes."""

    def uniform(self) -> Self:
        """As `EncoderConfig.uniform`."""
        return dataclasses.replace(self, layer_heads=None, layer_intermediate_sizes=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("intermediate_size")
        if not 0 < self.layer_norm_epsilon < 1:
            raise ConfigError(
                f"Received: layer_norm_epsilon={self.layer_norm_epsilon}. It must be above 0 and below 1."
            )
        self._check_block_sizes("layer_heads", "num_heads")
        self._check_block_sizes("layer_intermediate_sizes", "intermediate_size")
        self._check_features()

    def _check_block_sizes(self, name: str, whole: str) -> None:
        """Checks the field `name`, and sets it to None where every block has all that the field `whole` says."""
        sizes, most = getattr(self, name), getattr(self, whole)
        if sizes is None:
            return
        are_numbers = isinstance(sizes, tuple | list) and all(isinstance(size, numbers.Integral) for size in sizes)
        if not are_numbers or len(sizes) != self.num_blocks or not 1 <= min(sizes) <= max(sizes) <= most:
            raise ConfigError(
                f"Received: {name}={shortened(sizes)}. It must have a number for each of the {self.num_blocks} blocks, "
                f"from 1 to {whole}={most}."
            )
        kept = None if set(sizes) == {most} else tuple(sizes)
        object.__setattr__(self, name, kept)  # of a frozen dataclass

    def _check_features(self) -> None:
        """Checks the fields of features, which are all None or all set."""
        names = ("feature_size", "feature_positions", "feature_types")
        values = [getattr(self, name) for name in names]
        if values == [None] * 3:
            return
        received = ", ".join(f"{name}={shortened(value)}" for name, value in zip(names, values, strict=True))
        size, positions, types = values
        axes = positions if isinstance(positions, tuple | list) else ()
        if not all(isinstance(number, numbers.Integral) for number in (size, types, *axes)):
            raise ConfigError(f"Received: {received}. Give all three in whole numbers, or none for words alone.")
        self.check_positive("feature_size", "feature_types")
        if not (1 <= len(axes) <= 2 and 1 <= min(axes) <= max(axes) <= MAX_SIZES["max_positions"]):
            raise ConfigError(f"Received: {received}. Give feature_positions for one axis or two, each from 1.")
        object.__setattr__(self, "feature_positions", tuple(axes))
