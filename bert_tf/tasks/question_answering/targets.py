"""Right answers to questions, as SQuAD's files have them: read and checked."""

from bert_tf.core.errors import InputError


def read_answers(answers, row, context=None):
    """The answers to the question of a row: a list of {"text", "answer_start"}.

    They may overlap, as the answers of SQuAD's several annotators do; each must be at its answer_start.

    Args:
        answers: such a list, or as Hugging Face's copies of SQuAD have it, {"text": [...], "answer_start": [...]}.
        row: the number that messages name.
        context: the text that must have the answers; None: not checked.
    """
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        columns = (answers["text"], answers.get("answer_start", []))
        if len(columns[0]) != len(columns[1]):
            raise InputError(f"Row {row} has {len(columns[0])} answer texts and {len(columns[1])} starts.")
        answers = [{"text": text, "answer_start": start} for text, start in zip(*columns, strict=True)]
    if not isinstance(answers, list):
        raise InputError(f"Row {row}: the answers are {answers!r}. They are a list of text and answer_start.")
    for answer in answers:
        _check(answer, row, context)
    return answers


def first_span(answers):
    """Characters of the first answer, (start, end); (-1, -1) where there is none."""
    if not answers:
        return -1, -1
    start = answers[0]["answer_start"]
    return start, start + len(answers[0]["text"])


def _check(answer, row, context):
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str) or not answer["text"]:
        raise InputError(f"Row {row}: the answer {answer!r} has no text.")
    text, start = answer["text"], answer.get("answer_start")
    if not isinstance(start, int) or isinstance(start, bool) or start < 0:
        raise InputError(f"Row {row}: the answer {text!r} has answer_start {start!r}, which is no place in a text.")
    if context is None or context[start : start + len(text)] == text:
        return
    if start + len(text) > len(context):
        raise InputError(
            f"Row {row}: the answer {text!r} at {start} goes beyond its context of {len(context)} characters."
        )
    there, found = context[start : start + len(text)], context.find(text)
    hint = f"it stands at {found}" if found >= 0 else "the context does not have it"
    raise InputError(f"Row {row}: at {start} the context has {there!r}, not the answer {text!r}; {hint}.")
