"""Texts, pictures and sounds in one space (Radford et al. 2021), by one encoder for all of them."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.pooling import POOLINGS, normalize, pool
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.metrics import ranking_metrics
from bert_tf.tasks.base.multimodal_task import MultimodalTask
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.embedding.losses import SymmetricContrastiveLoss
from bert_tf.tasks.embedding.postprocessor import ANSWER, EmbeddingPostprocessor
from bert_tf.tasks.embedding.search import most_similar
from bert_tf.tasks.multimodal_embedding import SPEC
from bert_tf.tasks.multimodal_embedding.preprocessor import MultimodalEmbeddingPreprocessor, distinct

# N examples, S sequence, T features, D hidden, Q queries

# CLIP's (section 2.5): the logarithm of 1 / temperature at the start, and the highest 1 / temperature.
_LOG_SCALE, _MAX_SCALE = math.log(1 / 0.07), 100.0


@keras.saving.register_keras_serializable("bert_tf")
class MultimodalEmbedder(MultimodalTask):
    """One float32 vector of length 1 per text, per file, or per text with its files: [N, D].

    The encoder reads words alone for a text, and the features of files after an empty text for files. Training takes
    texts with the files that belong to them, `fit((texts, images))`; the other examples of the batch are the negatives
    (`SymmetricContrastiveLoss`). The temperature is learned.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a text; None: 128, or all positions of a smaller encoder.
        pooling: "mean" or "max" of the vectors of tokens and features, or "cls".
        settings: those of `MultimodalTask`, the encoder's family and the fields of its config.

    Raises:
        ConfigError: `pooling` or a setting of the modalities is unknown or impossible.
    """

    SPEC = SPEC
    preprocessor: MultimodalEmbeddingPreprocessor
    LOSSES = ()  # of vectors
    SCORE = "mrr"

    def __init__(self, tokenizer: Any, max_length: int | None = None, pooling: str = "mean", **settings: Any):
        super().__init__(tokenizer, max_length, **settings)
        if pooling not in POOLINGS:
            raise ConfigError(f"Received: pooling={pooling!r}. Choose from {', '.join(POOLINGS)}.")
        self.pooling = pooling
        self.preprocessor = MultimodalEmbeddingPreprocessor(self.spec_of_words, tokenizer, self.max_length)
        self.preprocessor.modalities = self.files
        self.postprocessor = EmbeddingPostprocessor(normalize=True)
        self.leave_pooler()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes the layers of the modalities and the temperature."""
        self.build_files()
        self.inverse_temperature = Temperature(_LOG_SCALE, _MAX_SCALE, name="inverse_temperature")
        self.inverse_temperature.build()
        self.built = True

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The inputs `INPUTS` to vectors of length 1, float32 [N, D].

        For pairs, whose words are [N, 2, S], vectors of texts and files, [N, 2, D]: their products are the cosine
        similarities divided by the temperature.
        """
        words = {name: inputs[name] for name in features.ENCODER_INPUTS}
        if len(words[features.INPUT_IDS].shape) == 2:
            return self._vectors(words | self.file_features(inputs), training)
        added = self.tokenizer.num_added(1)  # tokens of an empty text
        texts = {name: value[:, 0] for name, value in words.items()}
        empty = {name: value[:, 1, :added] for name, value in words.items()}
        vectors = [self._vectors(texts, training), self._vectors(empty | self.file_features(inputs), training)]
        return self.inverse_temperature(ops.stack(vectors, 1))

    def _vectors(self, inputs: dict, training: bool | None) -> Any:
        outputs = self.encoder(inputs, training=training, cls_only=self.pooling == "cls")
        x, mask = outputs[features.SEQUENCE_OUTPUT], inputs[features.INPUT_MASK]  # [N, S, D], [N, S]
        if features.FEATURE_OUTPUT in outputs:
            x = ops.concatenate([x, outputs[features.FEATURE_OUTPUT]], 1)  # [N, S + T, D]
            mask = ops.concatenate([mask, ops.cast(inputs[features.FEATURE_MASK], mask.dtype)], 1)
        return normalize(pool(x, mask, self.pooling))

    def default_loss(self) -> Any:
        """Symmetric InfoNCE."""
        return GlobalMean(SymmetricContrastiveLoss())

    def default_metrics(self) -> list:
        """No metrics: `score` computes them on all examples at once."""
        return []

    def embed(self, texts: Any, batch_size: int = 32) -> np.ndarray:
        """Vectors of texts, of files `([""] * N, images)`, or of texts with files, float32 [N, D]."""
        return self._embed(self.preprocessor.prepare_inference(texts), batch_size)

    def _embed(self, prepared: PreparedExamples, batch_size: int) -> np.ndarray:
        vectors = np.zeros((len(prepared), self.config.hidden_size), "float32")
        for numbers, answers in self._predict_batches(prepared, batch_size):
            vectors[numbers] = answers[ANSWER]
        return vectors

    def search(self, queries: Any, vectors: np.ndarray, top_k: int = 10, batch_size: int = 32) -> list[list[dict]]:
        """The most similar vectors for each query.

        Args:
            queries: texts or files, as for `embed` [Q].
            vectors: of what is searched, float32 [N, D], as `embed` returns them.

        Returns:
            For each query a list of min(top_k, N) dicts {"index", "score"}, the most similar first.
        """
        return most_similar(self.embed(queries, batch_size), vectors, top_k)

    def score(self, texts: Any, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        """Metrics of N texts with their files, ([text], [image]): the search in both directions.

        Returns:
            {"recall@k", "mrr"} of finding a file by its text among the distinct files, "text_recall@k" and "text_mrr"
            of finding a text by its file among the distinct texts.

        Raises:
            InputError: a row has no text, or no file; names the row.
        """
        del targets
        self.preprocessor.encode_texts(texts, training=True)
        return self.score_prepared(self.preprocessor.prepare_inference(texts), None, batch_size)

    def score_prepared(self, prepared: PreparedExamples, targets: Any = None, batch_size: int = 64) -> dict[str, float]:
        """As `score`, of texts with files that `preprocessor.prepare_inference` tokenized."""
        if prepared.texts is None:
            raise InputError("Received examples without their texts. Use preprocessor.prepare_inference.")
        text_places, text_numbers = distinct(prepared.texts[:1])
        file_places, file_numbers = distinct(prepared.texts[1:])
        texts_alone = prepared.changed(lambda rows: (self.preprocessor.without_files(rows),)).take(text_places)
        files_alone = prepared.changed(lambda rows: (self.preprocessor.without_text(rows),)).take(file_places)
        texts, files = self._embed(texts_alone, batch_size), self._embed(files_alone, batch_size)
        scores = ranking_metrics(texts[text_numbers], files, file_numbers)
        # Other texts of the same file are right too.
        groups = file_numbers[text_places]
        back = ranking_metrics(files[file_numbers], texts, text_numbers, groups=groups)
        return scores | {f"text_{name}": value for name, value in back.items()}

    def task_settings(self) -> dict:
        """As `MultimodalTask.task_settings`, with the pooling."""
        return super().task_settings() | {"pooling": self.pooling}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `MultimodalTask.saved_settings`, with the pooling."""
        return super().saved_settings(task, source) | select(task, ("pooling",))


@keras.saving.register_keras_serializable("bert_tf")
class Temperature(keras.layers.Layer):
    """Vectors scaled so that their products are divided by a learned temperature (Radford et al. 2021, section 2.5).

    Its weight is the logarithm of 1 / temperature.

    Args:
        start: the weight at the start.
        highest: the highest 1 / temperature.
    """

    def __init__(self, start: float, highest: float, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.start, self.highest = start, highest

    def build(self, input_shape: Any = None) -> None:
        """Makes the variable."""
        # Named as a bias, which weight decay leaves alone.
        self.bias = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(self.start), name="bias")

    def call(self, vectors: Any) -> Any:
        """Vectors [..., D] to vectors [..., D], float32."""
        return vectors * ops.sqrt(ops.minimum(ops.exp(self.bias), self.highest))
