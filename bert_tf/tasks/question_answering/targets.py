"""Right answers to questions, in the form of SQuAD's files: reading and checks."""

from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.settings import LARGEST_INTEGER, shortened


def read_answers(answers: Any, row: int, context: str | None = None) -> list[dict]:
    """The answers to the question of a row: a list of {"text", "answer_start"}.

    Answers may overlap, because SQuAD has several annotators; each must be at its answer_start.

    Args:
        answers: such a list, or the form of Hugging Face's copies of SQuAD, {"text": [...], "answer_start": [...]}.
        row: number of the example, for error messages.
        context: the text that must contain the answers; None: not checked.

    Raises:
        InputError: the answers have another form, or one is not at its place; names the row.
    """
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        texts, starts = answers["text"], answers.get("answer_start", [])
        if len(texts) != len(starts):
            raise InputError(f"Row {row} has {len(texts)} answer texts and {len(starts)} starts.")
        answers = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    if not isinstance(answers, list):
        raise InputError(
            f"Row {row}: the answers are {answers!r}. Give a list of dicts with the keys text and answer_start."
        )
    for answer in answers:
        _check(answer, row, context)
    return answers


def first_span(answers: Sequence[dict]) -> tuple[int, int]:
    """(start, end) of the first answer, in characters; (-1, -1) for an empty list."""
    if not answers:
        return -1, -1
    start = answers[0]["answer_start"]
    return start, start + len(answers[0]["text"])


def _check(answer: Any, row: int, context: str | None) -> None:
    """Raises `InputError` for an answer without text or place, or one that is not in the context at its place."""
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str) or not answer["text"]:
        raise InputError(f"Row {row}: the answer {answer!r} has no text.")
    text, start = answer["text"], answer.get("answer_start")
    if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start <= LARGEST_INTEGER:
        raise InputError(
            f"Row {row}: the answer {text!r} has answer_start {shortened(start)}. Give a character position."
        )
    if context is None or context[start : start + len(text)] == text:
        return
    if start + len(text) > len(context):
        raise InputError(
            f"Row {row}: the answer {text!r} at {start} ends after its context of {len(context)} characters."
        )
    there, found = context[start : start + len(text)], context.find(text)
    hint = f"it is at {found}" if found >= 0 else "it is nowhere in the context"
    raise InputError(f"Row {row}: at {start} the context has {there!r}, not the answer {text!r}; {hint}.")
