"""Text from text, by an encoder with a decoder (Rothe et al. 2020) or by an encoder alone (Dong et al. 2019)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.generation import GenerationConfig
from bert_tf.generation.generate import check, graph_arguments, run_graph, token_inputs
from bert_tf.generation.generate import search as search_targets
from bert_tf.modeling.decoders import DECODERS
from bert_tf.modeling.decoders.model import SequenceToSequence, with_decoder
from bert_tf.modeling.layers.encoder_inputs import complete_inputs
from bert_tf.modeling.ops.cross_entropy import SparseCrossEntropy
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.microbatch import call_in_microbatches
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.generation import BLEU, SPEC
from bert_tf.tasks.generation.no_tokenizer import NoTokenizer
from bert_tf.tasks.generation.postprocessor import TEXT, GenerationPostprocessor
from bert_tf.tasks.generation.preprocessor import GenerationPreprocessor
from bert_tf.weights import read_model

# N texts, S tokens of a source, T tokens of a target, V vocabulary

_TARGET_LENGTH = 64  # default of `max_target_length`
# Settings of a search; `max_length` is `max_target_length` unless a call gives another one.
SEARCH = tuple(field.name for field in dataclasses.fields(GenerationConfig) if field.name != "max_length")
# Settings in config.json, of the same name on the model.
_SAVED = (
    *("architecture", "share_weights", "max_target_length", "label_smoothing"),
    *("metric", "bleu_tokenize", "bleu_lowercase", "start_id", "end_id", "pad_id"),
)


@keras.saving.register_keras_serializable("bert_tf")
class TextGenerator(SequenceToSequence, Task):
    """Writes a target text for a source text, token by token.

    Takes the encoder's inputs for the source, int32 [N, S], and `target_ids` and `target_mask`, int32 [N, T], a target
    that begins with the start token; returns float32 logits [N, T, V] of the token after each. `fit(sources, targets)`
    trains it on the right target (teacher forcing).

    "encoder_decoder" has a decoder, which begins with the weights of the encoder; "prefix" reads
    `[CLS] source [SEP] target [SEP]` by the encoder alone, where a source sees itself, and a target its past too.

    Args:
        tokenizer: a `Tokenizer`.
        architecture: "encoder_decoder" or "prefix".
        max_length: most tokens of a source with its marks; None: as many as there are positions for.
        max_target_length: most tokens of a target with its marks; None: 64, or fewer for few positions.
        share_weights, decoder: of the decoder, see `Seq2Seq`.
        label_smoothing: share of a target that the loss spreads over all V tokens.
        metric: "rouge1", "rouge2", "rougeL" or "bleu", by which the best model is selected.
        bleu_tokenize, bleu_lowercase: of sacrebleu, see `score_texts`.
        start_id, end_id: tokens around a target; None: the tokenizer's `cls_id` ("prefix": `sep_id`) and `sep_id`.
        pad_id: token after the end of a text; None: the tokenizer's `pad_id`.
        encoder: the family's name, the fields of its config, and the settings of `generate`.

    Raises:
        ConfigError: a setting cannot be.
        InputError: the vocabulary has no tokens for start and end, or the encoder has too few positions.
    """

    SPEC = SPEC
    INPUTS = (*features.ENCODER_INPUTS, features.TARGET_IDS, features.TARGET_MASK)
    LENGTH = None  # all positions
    WRITES_TEXT = True
    SCORE = "rougeL"  # by the setting `metric`
    preprocessor: GenerationPreprocessor
    postprocessor: GenerationPostprocessor

    def __init__(
        self,
        tokenizer: Any,
        architecture: str = "encoder_decoder",
        max_length: int | None = None,
        max_target_length: int | None = None,
        share_weights: bool = False,
        decoder: Mapping[str, Any] | None = None,
        label_smoothing: float = 0.0,
        metric: str = "rougeL",
        bleu_tokenize: str = "13a",
        bleu_lowercase: bool = False,
        start_id: int | None = None,
        end_id: int | None = None,
        pad_id: int | None = None,
        **encoder: Any,
    ):
        search = select(encoder, SEARCH)
        super().__init__(tokenizer, max_length, **{name: encoder[name] for name in encoder.keys() - search.keys()})
        self.add_decoder(architecture, decoder, share_weights)
        self.label_smoothing, self.SCORE = label_smoothing, metric
        self.SCORE_MAX = 100.0 if metric == BLEU else 1.0
        self.bleu_tokenize, self.bleu_lowercase = bleu_tokenize, bleu_lowercase
        special = tokenizer.special
        first = special.sep if architecture == "prefix" else special.cls
        self.start_id = first if start_id is None else start_id
        self.end_id = special.sep if end_id is None else end_id
        self.pad_id = tokenizer.pad_id if pad_id is None else pad_id
        if None in (self.start_id, self.end_id):
            names = tokenizer.SPECIAL_TOKENS
            raise InputError(f"The vocabulary needs {names.cls} and {names.sep}, between which a target is written.")
        self._set_lengths(max_length, max_target_length)
        self.generation = GenerationConfig(max_length=self.max_target_length, **search)
        self.preprocessor = GenerationPreprocessor(
            SPEC, tokenizer, self.max_length, self.max_target_length, self.start_id, self.end_id
        )
        self.postprocessor = GenerationPostprocessor(tokenizer, self.end_id, metric, bleu_tokenize, bleu_lowercase)
        self.leave_pooler()
        self.build()

    @property
    def metric(self) -> str:
        """The metric by which the best model is selected."""
        return self.SCORE

    def _set_lengths(self, max_length: int | None, max_target_length: int | None) -> None:
        """Sets the most tokens of a target, and those of a source which shares its positions with the target."""
        positions = self.decoder.stack(self.encoder).config.max_positions
        shares_positions = self.architecture == "prefix"
        target = max_target_length
        if target is None:
            target = min(_TARGET_LENGTH, positions // 2 if shares_positions else positions)
        if shares_positions and max_length is None:
            self.max_length -= target
        self.max_target_length = target
        most = self.decoder.max_target_length(self.encoder, self.max_length)
        if target > most:
            raise ConfigError(
                f"Received: max_target_length={target} for sources of max_length={self.max_length} tokens. "
                f"The model has positions for {most} tokens of a target."
            )

    def build(self, input_shape: Any = None) -> None:
        """Marks the model as built: the weights are there."""
        self.built = True

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """Source int32 [N, S] and target int32 [N, T] to logits of the tokens that follow, float32 [N, T, V]."""
        return self.target_logits(self.with_source(inputs), training)

    def with_source(self, inputs: dict) -> dict:
        """The inputs; for "prefix" without the [SEP] at the end of a source, which is the start token of its target."""
        if self.architecture != "prefix":
            return inputs
        mask = inputs[features.INPUT_MASK]
        return inputs | {features.INPUT_MASK: ops.pad(mask[:, 1:], [[0, 0], [0, 1]])}

    def default_loss(self) -> Any:
        """Cross-entropy of the right tokens, averaged over all tokens of a batch."""
        return GlobalMean(SparseCrossEntropy(self.label_smoothing))

    def default_metrics(self) -> list:
        """No metrics: `score` computes them of written texts."""
        return []

    # Writing.

    def search_of(self, settings: Mapping[str, Any], source_length: int) -> dict[str, Any]:
        """The `graph_arguments` of the model's `GenerationConfig` with `settings`, for sources of so many tokens.

        Raises:
            ConfigError: a setting is unknown or cannot be, or there are too few positions.
            InputError: the encoder has fewer positions.
        """
        config = self.generation.changed(settings)
        check(self, config, source_length)
        return graph_arguments(config)

    def generate(self, texts: Any, batch_size: int = 32, **settings: Any) -> list[str]:
        """Writes a text for each of N source texts.

        Args:
            texts: strings [N], or a tuple of two columns of them.
            settings: fields of `GenerationConfig` that replace the model's own; None leaves one as it is. `max_length`
                is `max_target_length` by default.

        Raises:
            ConfigError: a setting cannot be.
            InputError: a text is no string, or is empty; names its row.
        """
        search = self.search_of(settings, self.max_length)
        answers = self.predict_prepared(self.preprocessor.prepare_inference(texts), batch_size, **search)
        return [answer[TEXT] for answer in answers]

    def generate_tokens(self, input_ids: Any, input_mask: Any = None, **settings: Any) -> np.ndarray:
        """As `generate`, of token ids with their marks, int [N, S]; the mask is 1 for tokens that are no padding.

        Returns:
            int32 [N, T]: the start token, the text, the end token, and padding up to the longest text.
        """
        inputs = token_inputs(input_ids, input_mask, self.pad_id)
        search = self.search_of(settings, inputs[features.INPUT_IDS].shape[1])
        self.refresh_predict_graph()
        return run_graph(self._predict_graph, inputs, search).numpy()

    def reset_predict_graph(self) -> None:
        """As the base class; the graph is of `write`, for texts and token ids."""
        super().reset_predict_graph()
        self._predict_graph = tf.function(self.write, autograph=False)

    def predict_in_graph(self, inputs: dict[str, tf.Tensor], **search: Any) -> dict[str, tf.Tensor]:
        """As the base class; without `search` by the model's own settings."""
        search = search or graph_arguments(self.generation)
        return self.postprocess(run_graph(self._predict_graph, inputs, search), inputs)

    def predict_inputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As the base class, by the model's own search."""
        return self.postprocess(self.write(inputs), inputs)

    def write(self, inputs: dict[str, tf.Tensor], **search: Any) -> tf.Tensor:
        """Token ids of the texts for sources, int32 [N, S] each, in bounded memory: int32 [N, T]; TensorFlow ops."""
        config = dataclasses.replace(self.generation, **search)
        pad = self.pad_id

        def write_part(part: dict[str, tf.Tensor]) -> tf.Tensor:
            ids, _ = search_targets(self, self.with_source(part), config)
            return tf.pad(ids, [[0, 0], [0, config.max_length - tf.shape(ids)[1]]], constant_values=pad)

        sources = complete_inputs(select(inputs, features.ENCODER_INPUTS), self.pad_id)
        ids = call_in_microbatches(write_part, sources, dtypes=tf.int32, save_padding=False)  # [N, max_length]
        used = tf.reduce_any(ids != pad, 0)  # [max_length]
        return ids[:, : tf.reduce_sum(tf.cast(used, tf.int32))]

    # Folders.

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with the settings of the model and of its searches."""
        settings = {name: getattr(self, name) for name in _SAVED}
        return super().task_settings() | settings | {name: getattr(self.generation, name) for name in SEARCH}

    def get_config(self) -> dict[str, Any]:
        """As `Task.get_config`, with the decoder's settings."""
        decoder = self.decoder_config and dataclasses.asdict(self.decoder_config)
        return super().get_config() | {"decoder": decoder}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with all others."""
        return super().saved_settings(task, source) | select(task, (*_SAVED, *SEARCH))

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Any, source: Any, dtype: Any = None, decoder_init: Any = None, **settings: Any
    ) -> Any:
        """As `Task.from_checkpoint`; `decoder_init` is a folder whose encoder the decoder begins with.

        Raises:
            ConfigError: the architecture has no decoder with weights of its own.
            InputError: that encoder has another family, width or vocabulary.
        """
        if decoder_init:
            name = settings.get("architecture") or "encoder_decoder"
            if settings.get("share_weights") or not DECODERS[name].has_config:
                raise ConfigError(
                    f"Received: decoder_init={str(decoder_init)!r}. Only a decoder with weights of its own takes some: "
                    "choose architecture='encoder_decoder' and share_weights=False."
                )
            checkpoint = with_decoder(checkpoint, read_model(decoder_init), str(decoder_init))
            sizes = dataclasses.asdict(checkpoint.decoder)
            settings["decoder"] = sizes | dict(settings.get("decoder") or {})
        return super().from_checkpoint(checkpoint, source, dtype, **settings)

    @classmethod
    def tokenizer_of(cls, checkpoint: Any, source: Any) -> Any:
        """As `Task.tokenizer_of`; a folder without one, of a model that says its start and end, gives `NoTokenizer`."""
        start, end = (checkpoint.task.get(name) for name in ("start_id", "end_id"))
        if checkpoint.vocabulary is not None or start is None or end is None:
            return super().tokenizer_of(checkpoint, source)
        pad = checkpoint.task.get("pad_id", checkpoint.encoder.padding_id)
        return NoTokenizer(start, end, pad, checkpoint.encoder.vocab_size)

    def weights_taken_from(self, checkpoint: Any, source: Any, settings: dict) -> dict[str, np.ndarray]:
        """The weights of a `Checkpoint`: of the encoder, and of decoder and masked LM head where it has them."""
        return checkpoint.weights
