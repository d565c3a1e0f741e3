"""Token ids to texts, and the metrics of texts."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.raw_inputs import as_list
from bert_tf.tasks.generation.metrics import TextScores, describe, score_texts

# N texts, T tokens

TEXT = "generated_text"
TOKEN_IDS = "token_ids"


def decode_targets(tokenizer: Any, ids: tf.Tensor, end_id: int) -> tf.Tensor:
    """Texts, strings [N], of token ids of targets, int32 [N, T], start token first."""
    written = ids[:, 1:]
    ended = tf.cumsum(tf.cast(written == end_id, tf.int32), 1) > 0
    return tokenizer.detokenize(tf.ragged.boolean_mask(written, ~ended))


class GenerationPostprocessor(Postprocessor):
    """Texts of token ids; arguments as for `TextGenerator`."""

    def __init__(self, tokenizer: Any, end_id: int, metric: str, bleu_tokenize: str, bleu_lowercase: bool):
        self.tokenizer, self.end_id, self.metric = tokenizer, end_id, metric
        self.bleu_tokenize, self.bleu_lowercase = bleu_tokenize, bleu_lowercase

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Token ids, int32 [N, T], start token first, to {"generated_text": string [N], "token_ids": as received}."""
        del inputs
        return {TEXT: decode_targets(self.tokenizer, outputs, self.end_id), TOKEN_IDS: outputs}

    def to_python(self, answer: dict) -> dict:
        """{"generated_text": string}."""
        return super().to_python({TEXT: answer[TEXT]})

    def score(self, answers: list[dict], targets: Any) -> TextScores:
        """The `TextScores` of the answers of `predict_text` to N examples with these target texts."""
        texts = [answer[TEXT] for answer in answers]
        return score_texts(texts, as_list(targets), self.bleu_tokenize, self.bleu_lowercase)

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """{"rouge1", "rouge2", "rougeL": F1 in 0 to 1, "bleu": 0 to 100}."""
        return self.score(answers, targets).all()

    def describe_metrics(self) -> list[str]:
        return describe(self.bleu_tokenize, self.bleu_lowercase)

    def constant_score(self, targets: Any) -> float:
        """The metric of the first target as the answer to all."""
        targets = as_list(targets)
        return (
            self.score([{TEXT: text} for text in targets[:1] * len(targets)], targets).of(self.metric)
            if targets
            else 0.0
        )
