"""Logits of tags to entities, and their metrics."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.metrics import commonest_share
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.raw_inputs import as_python
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.preprocessor import WORD_ENDS, WORD_MASK, WORD_STARTS

# N texts, W windows, S positions of a row, C tags, E entities


class TaggingPostprocessor(Postprocessor):
    """Decodes the best tag sequence of a text, over all its windows, that the scheme allows."""

    def __init__(self, scheme: str | None, decoder: decoding.Decoder):
        self.scheme, self._decoder = scheme, decoder

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Logits, float32 [W, S, C], to "types" (strings), "starts", "ends" (characters) and "scores", each [N, E].

        Rows are padded with "" and 0. Without a scheme every word is an entity, of its tag as type. A score is the mean
        probability of the tags of the entity's words.
        """
        mask = inputs[WORD_MASK] > 0
        counts = tf.math.unsorted_segment_sum(
            tf.reduce_sum(inputs[WORD_MASK], 1), inputs[windows.WINDOW_TEXTS], windows.number_of_texts(inputs)
        )
        logits = tf.boolean_mask(outputs, mask)  # [words of all texts, C]
        tags = self._decoder.best(tf.RaggedTensor.from_row_lengths(logits, counts, validate=False))
        scores = tf.gather(tf.nn.softmax(logits), tags.values, batch_dims=1)
        starts, ends = tf.boolean_mask(inputs[WORD_STARTS], mask), tf.boolean_mask(inputs[WORD_ENDS], mask)
        return self._decoder.entities(tags, scores, starts, ends)

    def to_python(self, answer: dict) -> dict:
        """{"entities": [{"type", "start", "end", "score"}]}."""
        answer = super().to_python(answer)
        entities = []
        rows = zip(answer["types"], answer["starts"], answer["ends"], answer["scores"], strict=True)
        for kind, start, end, score in rows:
            if kind:  # "": padding
                entities.append({"type": kind, "start": start, "end": end, "score": score})
        return {"entities": entities}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds "text" to each entity: its substring of a raw text, or its words joined with spaces."""
        for text, answer in zip(as_python(texts[0]), answers, strict=True):
            for entity in answer["entities"]:
                quoted = text[entity["start"] : entity["end"]]
                if isinstance(quoted, list):
                    quoted = " ".join(quoted)
                entity["text"] = quoted
        return answers

    def tags_of(self, answer: dict, length: int, scheme: str | None = None) -> list[str]:
        """The tags of `length` words, in `scheme` or the model's own, from an answer whose places are words."""
        if not self.scheme:
            return [entity["type"] for entity in answer["entities"]]
        found = [(entity["type"], entity["start"], entity["end"]) for entity in answer["entities"]]
        return schemes.write(found, length, scheme or self.scheme)

    def constant_score(self, targets: Any) -> float:
        """0 with a scheme, because no entity is found; without one, the share of the commonest tag."""
        if self.scheme:
            return 0.0
        return commonest_share([tag for tags in targets for tag in tags])

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Entity F1, precision and recall, as the CoNLL script defines them, and accuracy of tags, in 0 to 1.

        Without a scheme accuracy alone. `answers` are those of `predict_text` to lists of words.
        """
        from seqeval import metrics

        # Answers and targets may be in different schemes; they are compared in one.
        scheme = "IOB2" if self.scheme else None
        found, right = [], []
        for answer, tags in zip(answers, targets, strict=True):
            found.append(self.tags_of(answer, len(tags), scheme))
            right.append(schemes.convert(tags, scheme))
        scores = {"accuracy": float(metrics.accuracy_score(right, found))}
        if self.scheme:
            scores["f1"] = float(metrics.f1_score(right, found, zero_division=0))
            scores["precision"] = float(metrics.precision_score(right, found, zero_division=0))
            scores["recall"] = float(metrics.recall_score(right, found, zero_division=0))
        return scores
