"""Tagging of words: entities, parts of speech, Chinese characters (Devlin et al. 2019, section 5.3)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from seqeval import metrics

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.substrings import substrings
from bert_tf.tasks.base.windowed_task import WindowedTask
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.pretokenized import as_python, as_words, begins_of_words, cut_words, is_words

# N texts, W windows, S sequence, C tags, E entities

# What `preprocess` adds to the encoder's inputs, each int32 [W, S].
WORD_MASK = "word_mask"  # 1 where a word begins whose tag is asked for in this window
WORD_STARTS = "word_starts"  # there: the word's first character in its text, or its number where words are given
WORD_ENDS = "word_ends"  # there: the character behind its last, or the number of the next word


class TextTagger(WindowedTask):
    """One dense layer over every piece: the encoder's inputs to float32 logits [W, S, C].

    Tags are learned and found for words as BERT's basic tokenizer splits them, at white space, at punctuation and
    around Chinese characters, each on its first piece; the others count in no loss. Where a sentence comes as a list
    of words, "U.S." may be one of them: its tag is then learned for all its four parts, so that raw text, where nobody
    says what one word is, is read as in training; asked for is the tag of its first. A word that gives no piece at all
    is read as [UNK], so that no tag shifts.

    Texts of more pieces than a row holds are cut into windows; a word is tagged in the window in which it stands most
    in the middle. Decoding finds the best of the sequences that the scheme allows for the whole text.

    Args:
        tokenizer: a `Tokenizer`.
        labels: the C tags; `tags.tag_set` gives those of training data.
        scheme: "IOB1", "IOB2", "BIOES" or None for tags that spell no entities, parts of speech for instance; "auto":
            as the labels look. Targets may be in any of the schemes.
        max_length: pieces a row at most; None: 128, or all positions of a smaller encoder.
        stride: pieces from one window to the next; None: half of `max_length`, 128 at most.
        encoder: the family's name, and the fields of its config.
    """

    TASK = "tagging"
    SCORE = "f1"

    def __init__(self, tokenizer, labels=(), scheme="auto", max_length=None, stride=None, **encoder):
        super().__init__(tokenizer, max_length, stride, **encoder)
        if len(labels) < 2:
            raise ConfigError(f"Received: labels={list(labels)}. A tagger needs at least two tags.")
        self.labels = [str(label) for label in labels]
        self.scheme = schemes.scheme_of(self.labels) if scheme == "auto" else scheme
        schemes.check_labels(self.labels, self.scheme)
        self.SCORE = "f1" if self.scheme else "accuracy"
        self.leave_pooler()
        self._decoder = decoding.Decoder(self.labels, self.scheme)
        self._is_first = tf.constant(tokenizer.starts_word)
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

    # Texts and targets in.

    def encode_texts(self, texts, training=False):
        """Raw texts as a string tensor [N] or lists of words as a ragged one [N, (words)], in a tuple."""
        (texts,) = texts if isinstance(texts, tuple) else (texts,)
        return (as_words(texts, allow_empty=not training),) if is_words(texts) else super().encode_texts(texts)

    def encode_targets(self, targets):
        """Lists of tags, in any scheme, as numbers: int32 ragged [N, (words)]; an unknown tag raises `InputError`."""
        number = {label: i for i, label in enumerate(self.labels)}
        rows = [self._in_scheme(row, sentence) for row, sentence in enumerate(targets)]
        found = [number[tag] for sentence in rows for tag in sentence]
        return tf.RaggedTensor.from_row_lengths(np.array(found, "int32"), [len(sentence) for sentence in rows])

    def _in_scheme(self, row, sentence):
        known = self.scheme is None or all(isinstance(tag, str) and schemes.spells_entities(tag) for tag in sentence)
        converted = schemes.convert(sentence, self.scheme) if known else sentence
        for place, tag in enumerate(converted):
            if tag not in self.labels:
                raise InputError(
                    f"Row {row}, word {place}: the tag is {sentence[place]!r}. "
                    f"The model's tags: {', '.join(self.labels[:20])}."
                )
        return converted

    def encode_pairs(self, texts, targets):
        if not is_words(texts if not isinstance(texts, tuple) else texts[0]):
            raise InputError("Tags are learned and scored for lists of words: give each sentence as such a list.")
        texts, encoded = super().encode_pairs(texts, targets)
        counts, tag_counts = texts[0].row_lengths().numpy(), encoded.row_lengths().numpy()
        if wrong := np.flatnonzero(counts != tag_counts).tolist():
            raise InputError(f"Row {wrong[0]} has {counts[wrong[0]]} words and {tag_counts[wrong[0]]} tags.")
        return texts, encoded

    def preprocess(self, texts, length=None):
        """Raw texts [N] or words [N, (words)] to the inputs of W windows; TensorFlow ops only.

        Places are counted in characters, in words where words are given.
        """
        return self._preprocess(texts, length, every_part=True)

    def inference_inputs(self, texts):
        """As `preprocess`; of a word in a list of them its first part alone is asked for its tag."""
        return self._preprocess(texts, None, every_part=False)

    def _preprocess(self, texts, length, every_part):
        (texts,) = texts if isinstance(texts, tuple) else (texts,)
        words = isinstance(texts, tf.RaggedTensor)
        if words:
            ids, starts = cut_words(self.tokenizer, texts)
            ends = starts + 1
        else:
            ids, starts, ends = self.tokenizer.with_offsets(texts)
        first = begins_of_words(starts) if words and not every_part else tf.gather(self._is_first, ids.values)
        first = ids.with_values(first)
        inputs, cut = self.to_rows([], ids, length)
        width = tf.shape(inputs[features.INPUT_IDS])[1]
        asked = cut.max_context_mask() * tf.cast(cut.take(first), tf.int32)
        return inputs | {
            WORD_MASK: cut.place(asked, width),
            WORD_STARTS: cut.place(cut.take(starts), width),
            WORD_ENDS: cut.place(cut.take(decoding.ends_of_words(first, ends)), width),
        }

    def places_in_row(self, inputs):
        """What `preprocess` adds, for rows of tokens alone: words begin where the tokenizer says so."""
        ids = inputs[features.INPUT_IDS]
        inside = tf.reduce_all(ids[..., tf.newaxis] != self.tokenizer.added_ids, -1) & (inputs[features.INPUT_MASK] > 0)
        first = inside & tf.gather(self._is_first, ids)
        places = tf.range(tf.shape(ids)[1]) + tf.zeros_like(ids)
        alone = tf.RaggedTensor.from_tensor(first | ~inside)
        ends = decoding.ends_of_words(alone, tf.RaggedTensor.from_tensor(places + 1)).to_tensor()
        return {WORD_MASK: tf.cast(first, tf.int32), WORD_STARTS: places, WORD_ENDS: ends}

    def to_batch(self, texts, targets):
        """Inputs, tags and weights [W, S]; the weight is 1 where a window is asked for a tag."""
        inputs = self.preprocess(texts)
        asked = inputs[WORD_MASK] > 0
        text = tf.gather(inputs[windows.WINDOW_TEXTS], tf.where(asked)[:, 0])
        words = tf.cast(tf.boolean_mask(inputs[WORD_STARTS], asked), tf.int64) + tf.gather(targets.row_starts(), text)
        found = self._decoder.of_parts(targets.values, words)
        found = tf.scatter_nd(tf.where(asked), found, tf.shape(asked, tf.int64))
        return {name: inputs[name] for name in features.ENCODER_INPUTS}, found, tf.cast(asked, tf.float32)

    # Answers out.

    def postprocess(self, outputs, inputs):
        """Entities in the graph: "types" (strings), "starts", "ends" (characters), "scores", each [N, E].

        "" and 0 stand beyond the last entity of a text. Without a scheme every word is one, its tag the type. A score
        is the mean probability of the tags of the entity's words.
        """
        asked = inputs[WORD_MASK] > 0
        counts = tf.math.unsorted_segment_sum(
            tf.reduce_sum(inputs[WORD_MASK], 1), inputs[windows.WINDOW_TEXTS], windows.number_of_texts(inputs)
        )
        logits = tf.boolean_mask(outputs, asked)  # [words of all texts, C]
        found = self._decoder.best(tf.RaggedTensor.from_row_lengths(logits, counts, validate=False))
        scores = tf.gather(tf.nn.softmax(logits), found.values, batch_dims=1)
        starts, ends = (tf.boolean_mask(inputs[name], asked) for name in (WORD_STARTS, WORD_ENDS))
        return self._decoder.entities(found, scores, starts, ends)

    def serve(self, *texts):
        """As `postprocess`, with "texts" [N, E]: the entities as they stand in the text."""
        answers = super().serve(*texts)
        return answers | {"texts": substrings(texts[0], answers["starts"], answers["ends"])}

    def to_python(self, answer):
        """{"entities": [{"type", "start", "end", "score"}]}."""
        answer = super().to_python(answer)
        rows = zip(*(answer[name] for name in ("types", "starts", "ends", "scores")), strict=True)
        names = ("type", "start", "end", "score")
        return {"entities": [dict(zip(names, row, strict=True)) for row in rows if row[0]]}

    def predict_text(self, texts, batch_size=32):
        """A dict a text: {"entities": [{"type", "start", "end", "score", "text"}]}.

        Places are characters of a raw text; of a list of words they are words.
        """
        answers = super().predict_text(texts, batch_size)
        (texts,) = texts if isinstance(texts, tuple) else (texts,)
        for text, answer in zip(as_python(texts), answers, strict=True):
            for entity in answer["entities"]:
                found = text[entity["start"] : entity["end"]]
                entity["text"] = found if isinstance(found, str) else " ".join(found)
        return answers

    def predict_words(self, sentences, scheme=None, batch_size=32):
        """A tag a word for sentences given as lists of words: a list of lists, in `scheme` or the model's own."""
        schemes.check_scheme(scheme)
        answers = super().predict_text(as_words(sentences), batch_size)
        return [self._tags_of(answer, len(s), scheme) for answer, s in zip(answers, sentences, strict=True)]

    def _tags_of(self, answer, length, scheme=None):
        """The tags of `length` words from entities counted in words."""
        if not self.scheme:
            return [entity["type"] for entity in answer["entities"]]
        found = [(entity["type"], entity["start"], entity["end"]) for entity in answer["entities"]]
        return schemes.write(found, length, scheme or self.scheme)

    def score(self, texts, targets, batch_size=64):
        """Of lists of words: entity F1, precision and recall, as the CoNLL script has them, and accuracy of tags.

        Without a scheme accuracy alone. All are in 0 to 1.
        """
        self.encode_pairs(texts, targets)
        return super().score(texts, targets, batch_size)

    def score_answers(self, answers, targets):
        """As `score`, of the answers that `predict_text` gave for lists of words."""
        found = [self._tags_of(answer, len(row), "IOB2") for answer, row in zip(answers, targets, strict=True)]
        right = [schemes.convert(row, "IOB2" if self.scheme else None) for row in targets]
        scores = {"accuracy": float(metrics.accuracy_score(right, found))}
        if self.scheme:
            by_name = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}
            scores |= {name: float(metric(right, found, zero_division=0)) for name, metric in by_name.items()}
        return scores

    # Folders.

    def task_settings(self):
        return super().task_settings() | {"labels": self.labels, "scheme": self.scheme}

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {key: task[key] for key in ("labels", "scheme") if key in task}

    def has_head_of(self, task):
        return super().has_head_of(task) and task.get("labels") == self.labels
