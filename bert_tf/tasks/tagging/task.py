"""Tagging of words: entities, parts of speech, Chinese characters (Devlin et al. 2019, section 5.3)."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.tagging import SPEC, schemes
from bert_tf.tasks.tagging.decoding import Decoder
from bert_tf.tasks.tagging.postprocessor import TaggingPostprocessor
from bert_tf.tasks.tagging.preprocessor import TaggingPreprocessor
from bert_tf.tasks.tagging.pretokenized import as_words

# N texts, W windows, S sequence, C tags, E entities


class TextTagger(WindowedTask):
    """One dense layer per token: the encoder's inputs to float32 logits [W, S, C].

    Tags are learned and found for words as BERT's basic tokenizer splits them, at white space, at punctuation and
    around Chinese characters, each on its first token; the others count in no loss. Where a sentence comes as a list
    of words, "U.S." may be one of them: its tag is then learned for all its four parts, so that raw text, where nobody
    says what one word is, is read as in training; asked for is the tag of its first. A word that gives no token at all
    is read as [UNK], so that no tag shifts.

    Texts of more tokens than a row holds are cut into windows; a word is tagged in the window where it has most
    context. Decoding finds the best of the sequences that the scheme allows for the whole text.

    Args:
        tokenizer: a `Tokenizer`.
        labels: the C tags; `tags.tag_set` gives those of training data.
        scheme: "IOB1", "IOB2", "BIOES" or None for tags that spell no entities, parts of speech for instance; "auto":
            as the labels look. Targets may be in any of the schemes.
        max_length: most tokens of a row; None: 128, or all positions of a smaller encoder.
        stride: tokens from one window to the next; None: half of `max_length`, 128 at most.
        encoder: the family's name, and the fields of its config.
    """

    SPEC = SPEC
    SCORE = "f1"

    def __init__(self, tokenizer, labels=(), scheme="auto", max_length=None, stride=None, **encoder):
        super().__init__(tokenizer, max_length, **encoder)
        if len(labels) < 2:
            raise ConfigError(f"Received: labels={list(labels)}. A tagger needs at least two tags.")
        self.labels = [str(label) for label in labels]
        self.scheme = schemes.scheme_of(self.labels) if scheme == "auto" else scheme
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

    def build(self, input_shape=None):
        self.classifier.build((None, None, self.config.hidden_size))

    def call(self, inputs, training=None):
        sequence = self.encoder(inputs, training=training)[features.SEQUENCE_OUTPUT]  # [W, S, D]
        return ops.cast(self.classifier(self.dropout(sequence, training=training)), "float32")

    def compile(self, *args, metrics=None, weighted_metrics=None, **kwargs):
        """As `Task`'s; loss and accuracy are over words."""
        super().compile(*args, metrics=metrics or [], weighted_metrics=weighted_metrics or ["accuracy"], **kwargs)

    def default_loss(self):
        return global_mean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    # Texts in, answers out.

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decoded entities of texts [N], with "texts" [N, E]: the entities as they are written in the text."""
        answers = super().serve(*texts)
        return answers | {"texts": substrings(texts[0], answers["starts"], answers["ends"])}

    def predict_text(self, texts: Any, batch_size: int = 32) -> list[dict]:
        """A dict for each text: {"entities": [{"type", "start", "end", "score", "text"}]}.

        Places are characters of a raw text; of a list of words they are words.
        """
        return super().predict_text(texts, batch_size)

    def predict_words(self, sentences: Any, scheme: str | None = None, batch_size: int = 32) -> list[list[str]]:
        """The tag of each word of sentences given as lists of words, in `scheme` or the model's own."""
        schemes.check_scheme(scheme)
        answers = super().predict_text(as_words(sentences), batch_size)
        postprocessor: Any = self.postprocessor
        pairs = zip(answers, sentences, strict=True)
        return [postprocessor.tags_of(answer, len(words), scheme) for answer, words in pairs]

    def score(self, texts: Any, targets: Any, batch_size: int = 64) -> dict[str, float]:
        """Of lists of words: entity F1, precision and recall, as the CoNLL script has them, and accuracy of tags.

        Without a scheme accuracy alone. All are in 0 to 1.
        """
        self.preprocessor.encode_examples(texts, targets)
        return super().score(texts, targets, batch_size)

    # Folders.

    def task_settings(self):
        return super().task_settings() | {"labels": self.labels, "scheme": self.scheme}

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {key: task[key] for key in ("labels", "scheme") if key in task}

    def has_head_of(self, task):
        return super().has_head_of(task) and task.get("labels") == self.labels
