"""Tagging of words: entities, parts of speech, Chinese characters (Devlin et al. 2019, section 5.3)."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.class_weights import number_weights
from bert_tf.tasks.base.labels import label_names
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.tagging import SPEC, schemes
from bert_tf.tasks.tagging.decoding import Decoder
from bert_tf.tasks.tagging.postprocessor import TaggingPostprocessor
from bert_tf.tasks.tagging.preprocessor import TaggingPreprocessor
from bert_tf.tasks.tagging.pretokenized import as_words

# N texts, W windows, S sequence, C tags, E entities


@keras.saving.register_keras_serializable("bert_tf")
class TextTagger(WindowedTask):
    """One dense layer per token: the encoder's inputs to float32 logits [W, S, C].

    Words are those of BERT's basic tokenizer, which splits at white space, at punctuation and around Chinese
    characters. The tag of a word is on its first token; its other tokens have no loss. In a list of words, "U.S." may
    be one word: its tag is then learned for all its four parts, so that raw text, in which they are four words, is read
    as in training; inference takes the tag of the first part. A word without any token is read as [UNK], so that every
    word keeps its tag.

    Texts longer than a row are cut into windows; a word is tagged in the window where it has the most context. Decoding
    finds the best tag sequence that the scheme allows for the whole text.

    Args:
        tokenizer: a `Tokenizer`.
        labels: the C tags; `schemes.tag_set` returns those of training data.
        scheme: "IOB1", "IOB2" or "BIOES"; None for tags that do not mark entities, such as parts of speech; "auto"
            infers it from the labels. Targets may be in any of the schemes, and in BILOU or BMESO.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        stride: tokens from one window to the next; None: half of `max_length`, 128 at most.
        encoder: the family's name, and the fields of its config.

    Raises:
        ConfigError: fewer than two labels, or labels that `scheme` does not have.
    """

    SPEC = SPEC
    SCORE = "f1"  # without a scheme "accuracy"

    def __init__(
        self,
        tokenizer: Any,
        labels: Sequence[str] = (),
        scheme: str | None = "auto",
        max_length: int | None = None,
        stride: int | None = None,
        **encoder: Any,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        self.labels, self.scheme = label_names(labels, 2), scheme
        if scheme == "auto":
            self.labels, self.scheme = schemes.infer(self.labels)
        schemes.check_labels(self.labels, self.scheme)
        self.SCORE = "f1" if self.scheme else "accuracy"
        self.leave_pooler()
        decoder = Decoder(self.labels, self.scheme)
        self.preprocessor = TaggingPreprocessor(
            SPEC, tokenizer, self.max_length, stride, self.labels, self.scheme, decoder
        )
        self.postprocessor = TaggingPostprocessor(self.scheme, decoder)
        self.dropout = keras.layers.Dropout(self.config.hidden_dropout, dtype=self.dtype_policy)
        self.classifier = self.make_head(len(self.labels), "classifier")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the head."""
        self.classifier.build((None, None, self.config.hidden_size))

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The encoder's inputs, int32 [W, S], to logits, float32 [W, S, C]."""
        outputs = self.encoder(inputs, training=training)
        sequence = self.encoder.head_vectors(outputs[features.SEQUENCE_OUTPUT])  # [W, S, D]
        return ops.cast(self.classifier(self.dropout(sequence, training=training)), "float32")

    def compile(
        self, optimizer: Any = None, loss: Any = None, metrics: Any = None, weighted_metrics: Any = None, **kwargs: Any
    ) -> None:
        """As `Task.compile`; loss and metrics are over words."""
        weighted = [*(metrics or []), *(weighted_metrics or [])]  # the weights leave out tokens without a tag
        super().compile(optimizer, loss, [], weighted_metrics=weighted or ["accuracy"], **kwargs)

    def default_loss(self) -> Any:
        """Cross-entropy over the tags."""
        return GlobalMean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def default_weights(self, targets: Any) -> Any:
        """As the base class: 1 for each token, [W, S], padding too, as in Keras's mean."""
        return ops.ones(ops.shape(targets))

    def class_weights(self, weights: Any, targets: Any = None) -> dict[int, float]:
        """Weights by number of the tag (see `number_weights`); "balanced" counts the words of `targets`."""
        numbers = None if targets is None else self.preprocessor.encode_targets(targets).values.numpy()
        return number_weights(weights, self.labels, numbers)

    # Texts in, answers out.

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decoded entities of texts, string [N]; adds "texts", string [N, E]: the entities' substrings."""
        answers = super().serve(*texts)
        return answers | {"texts": substrings(texts[0], answers["starts"], answers["ends"])}

    def predict_text(self, texts: Any, batch_size: int = 32) -> list[dict]:
        """One dict per text: {"entities": [{"type", "start", "end", "score", "text"}]}.

        "start" and "end" count characters of a raw text, or words of a list of words.
        """
        return super().predict_text(texts, batch_size)

    def predict_words(self, sentences: Any, scheme: str | None = None, batch_size: int = 32) -> list[list[str]]:
        """The tag of each word of sentences given as lists of words, in `scheme` or the model's own.

        Raises:
            ConfigError: `scheme` is unknown.
            InputError: a sentence is not a list of words; names its row.
        """
        schemes.check_scheme(scheme)
        answers = super().predict_text(as_words(sentences), batch_size)
        postprocessor: Any = self.postprocessor
        pairs = zip(answers, sentences, strict=True)
        return [postprocessor.tags_of(answer, len(words), scheme) for answer, words in pairs]

    def score(self, texts: Any, targets: Any, batch_size: int = 64) -> dict[str, float]:
        """Entity F1, precision and recall, as the CoNLL script defines them, and accuracy of tags, in 0 to 1.

        Without a scheme accuracy alone. `texts` are lists of words, `targets` lists of tags in any scheme.
        """
        preprocessor: Any = self.preprocessor
        preprocessor.encode_examples(texts, targets)
        return super().score(texts, preprocessor.tag_names(targets), batch_size)

    # Folders.

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with labels and scheme."""
        return super().task_settings() | {"labels": self.labels, "scheme": self.scheme}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with labels and scheme."""
        return super().saved_settings(task, source) | select(task, ("labels", "scheme"))

    def has_head_of(self, task: dict) -> bool:
        """Whether the saved settings are those of a tagger with the same labels, in this or another spelling."""
        labels = task.get("labels") or []
        same = labels == self.labels or [schemes.canonical(str(label)) for label in labels] == self.labels
        return super().has_head_of(task) and same
