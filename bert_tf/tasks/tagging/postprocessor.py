"""Logits of tags to entities, and their metrics."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import as_python
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.preprocessor import WORD_ENDS, WORD_MASK, WORD_STARTS

# N texts, W windows, S positions of a row, C tags, E entities


class TaggingPostprocessor(Postprocessor):
    """Decodes the best tag sequence of a text, over all its windows, that the scheme allows."""

    def __init__(self, scheme: str | None, decoder: decoding.Decoder):
        self.scheme, self._decoder = scheme, decoder

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Entities of logits [W, S, C]: "types" (strings), "starts", "ends" (characters), "scores", each [N, E].

        "" and 0 come after the last entity of a text. Without a scheme every word is one, its tag the type. A score is
        the mean probability of the tags of the entity's words.
        """
        mask = inputs[WORD_MASK] > 0
        counts = tf.math.unsorted_segment_sum(
            tf.reduce_sum(inputs[WORD_MASK], 1), inputs[windows.WINDOW_TEXTS], windows.number_of_texts(inputs)
        )
        logits = tf.boolean_mask(outputs, mask)  # [words of all texts, C]
        tags = self._decoder.best(tf.RaggedTensor.from_row_lengths(logits, counts, validate=False))
        scores = tf.gather(tf.nn.softmax(logits), tags.values, batch_dims=1)
        starts, ends = (tf.boolean_mask(inputs[name], mask) for name in (WORD_STARTS, WORD_ENDS))
        return self._decoder.entities(tags, scores, starts, ends)

    def to_python(self, answer: dict) -> dict:
        """{"entities": [{"type", "start", "end", "score"}]}."""
        answer = super().to_python(answer)
        rows = zip(*(answer[name] for name in ("types", "starts", "ends", "scores")), strict=True)
        names = ("type", "start", "end", "score")
        return {"entities": [dict(zip(names, row, strict=True)) for row in rows if row[0]]}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds the "text" of each entity: a substring, or the words with spaces between them."""
        for text, answer in zip(as_python(texts[0]), answers, strict=True):
            for entity in answer["entities"]:
                quoted = text[entity["start"] : entity["end"]]
                entity["text"] = quoted if isinstance(quoted, str) else " ".join(quoted)
        return answers

    def tags_of(self, answer: dict, length: int, scheme: str | None = None) -> list[str]:
        """The tags of `length` words from entities counted in words, in `scheme` or the model's own."""
        if not self.scheme:
            return [entity["type"] for entity in answer["entities"]]
        found = [(entity["type"], entity["start"], entity["end"]) for entity in answer["entities"]]
        return schemes.write(found, length, scheme or self.scheme)

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Entity F1, precision and recall, as the CoNLL script has them, and accuracy of tags; the last alone
        without a scheme. `answers` are those of `predict_text` to lists of words."""
        from seqeval import metrics

        found = [self.tags_of(answer, len(row), "IOB2") for answer, row in zip(answers, targets, strict=True)]
        right = [schemes.convert(row, "IOB2" if self.scheme else None) for row in targets]
        scores = {"accuracy": float(metrics.accuracy_score(right, found))}
        if self.scheme:
            by_name = {"f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score}
            scores |= {name: float(metric(right, found, zero_division=0)) for name, metric in by_name.items()}
        return scores
