"""Scores of first and last tokens to answers, and their metrics."""

from typing import Any

from bert_tf.tasks.base.batching import as_python
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.question_answering import metrics
from bert_tf.tasks.question_answering.decoding import END, START, best_spans
from bert_tf.tasks.question_answering.targets import read_answers

# N questions, W windows, S positions of a row, K candidates


class QuestionAnsweringPostprocessor(Postprocessor):
    """Decodes the best spans over all windows of a context; arguments as for `QuestionAnswerer`."""

    def __init__(self, max_answer_length: int, null_threshold: float | None, n_best: int, metric: str):
        self.max_answer_length, self.null_threshold = max_answer_length, null_threshold
        self.n_best, self.metric = n_best, metric

    def __call__(self, outputs: dict, inputs: dict) -> dict:
        """Answers of two scores [W, S]: "start", "end" (characters of the context) and "score", each [N].

        A score is a probability among the candidates, which are in "candidate_starts", "candidate_ends" and
        "candidate_scores" [N, K], the best first. No answer is start = end = 0. "null_difference" [N] is compared with
        `null_threshold`.
        """
        return best_spans(
            outputs[START], outputs[END], inputs, self.max_answer_length, self.n_best, self.null_threshold
        )

    def to_python(self, answer: dict) -> dict:
        """{"start", "end", "score", "null_difference", "candidates": [{"start", "end", "score"}]}."""
        answer = super().to_python(answer)
        names = ("start", "end", "score")
        rows = zip(*(answer.pop(f"candidate_{name}s") for name in names), strict=True)
        return answer | {"candidates": [dict(zip(names, row, strict=True)) for row in rows if row[1]]}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds the "answer" of each answer and candidate, as it is written in the context."""
        for context, answer in zip(as_python(texts[1]), answers, strict=True):
            for span in (answer, *answer["candidates"]):
                span["answer"] = context[span["start"] : span["end"]]
        return answers

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Exact match and F1, in 0 to 1, as the official scripts of SQuAD (or CMRC) have them."""
        right = [[answer["text"] for answer in read_answers(target, row)] for row, target in enumerate(targets)]
        return metrics.METRICS[self.metric]([answer["answer"] for answer in answers], right)
