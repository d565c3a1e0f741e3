"""Scores of first and last tokens to answers, and their metrics."""

from typing import Any

from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.raw_inputs import as_python
from bert_tf.tasks.question_answering import metrics
from bert_tf.tasks.question_answering.decoding import END, START, best_spans
from bert_tf.tasks.question_answering.targets import read_answers

# N questions, W windows, S positions of a row, K candidates


class QuestionAnsweringPostprocessor(Postprocessor):
    """Decodes the best spans over all windows of a context; arguments as for `QuestionAnswerer`."""

    def __init__(self, max_answer_length: int, null_threshold: float | None, n_best: int, metric: str):
        self.max_answer_length, self.null_threshold = max_answer_length, null_threshold
        self.n_best = n_best
        self.metric = metric

    def __call__(self, outputs: dict, inputs: dict) -> dict:
        """Scores of first and last tokens, float32 [W, S] each, to answers.

        Returns:
            "start", "end" (characters of the context, int32) and "score" (float32), each [N]; no answer is
            start = end = 0. "candidate_starts", "candidate_ends" and "candidate_scores" [N, K], the best first; scores
            are probabilities among the candidates. "null_difference" float32 [N], which is compared with
            `null_threshold`.
        """
        return best_spans(
            outputs[START], outputs[END], inputs, self.max_answer_length, self.n_best, self.null_threshold
        )

    def to_python(self, answer: dict) -> dict:
        """{"start", "end", "score", "null_difference", "candidates": [{"start", "end", "score"}]}."""
        answer = super().to_python(answer)
        starts, ends, scores = map(answer.pop, ("candidate_starts", "candidate_ends", "candidate_scores"))
        candidates = []
        for start, end, score in zip(starts, ends, scores, strict=True):
            if end:  # 0: padding, where a context has fewer than K spans
                candidates.append({"start": start, "end": end, "score": score})
        return answer | {"candidates": candidates}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds "answer" to each answer and candidate: its text in the context."""
        for context, answer in zip(as_python(texts[1]), answers, strict=True):
            for span in (answer, *answer["candidates"]):
                span["answer"] = context[span["start"] : span["end"]]
        return answers

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Exact match and F1, in 0 to 1, as the official scripts of SQuAD (or CMRC) define them.

        Raises:
            InputError: a target is not a list of answers; names its row.
        """
        references = []
        for row, target in enumerate(targets):
            references.append([answer["text"] for answer in read_answers(target, row)])
        found = [answer["answer"] for answer in answers]
        return metrics.METRICS[self.metric](found, references)

    def constant_score(self, targets: Any) -> float:
        """The share of questions without an answer, which "" answers."""
        return sum(not target for target in targets) / max(len(targets), 1)
