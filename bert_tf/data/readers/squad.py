"""Questions about contexts in the JSON format of SQuAD 1.1 and 2.0, which CMRC 2018 and others use too."""

from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import BadRows, read_document


def read_squad(
    path: Any, bad: BadRows, find_answers: bool = False, encoding: str | None = None
) -> Iterator[tuple[str, dict]]:
    """Streams questions: (place, {"id", "question", "context", "answers"}); "answers" is [] where there is none.

    Args:
        bad: called with the reason where something is missing.
        find_answers: whether an answer that is not at its answer_start is moved to its nearest occurrence in the
            context, and left out where it does not occur and the question has others.
        encoding: of the file, by Python's name; None: UTF-8.

    Raises:
        InputError: the file is not JSON, or has no list of articles.
    """
    for article, paragraph, question in _questions(_articles(path, encoding), bad):
        place = f"question {question.get('id', f'of article {article}')}"
        context, text = paragraph.get("context"), question.get("question")
        answers = question.get("answers", [])
        if question.get("is_impossible"):
            answers = []  # SQuAD 2.0 gives plausible answers too, which are wrong
        if not isinstance(context, str) or not isinstance(text, str) or not isinstance(answers, list):
            bad(place, "it needs a context, a question and a list of answers")
            continue
        if find_answers:
            moved = [_move(answer, context) for answer in answers]
            answers = [answer for answer in moved if _is_in_place(answer, context)] or moved
        yield place, {"id": question.get("id"), "question": text, "context": context, "answers": answers}


def _articles(path: Any, encoding: str | None) -> list:
    document = read_document(path, encoding)
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise InputError(f"{path} is not in SQuAD's format: it has no list of articles under 'data'.")
    return document["data"]


def _questions(articles: list, bad: BadRows) -> Iterator[tuple[int, dict, dict]]:
    """Streams (number of the article, paragraph, question)."""
    for number, article in enumerate(articles):
        try:
            # Read as a whole first: an article is either bad or used.
            found = [(number, dict(part), dict(question)) for part in article["paragraphs"] for question in part["qas"]]
        except (KeyError, TypeError, ValueError):
            bad(f"article {number}", "it has no paragraphs with questions under 'paragraphs' and 'qas'")
            continue
        yield from found


def _move(answer: Any, context: str) -> Any:
    """The answer at the occurrence of its text that is nearest to its answer_start; as it is without any."""
    if not _is_answer(answer):
        return answer
    text, start = answer["text"], answer["answer_start"]
    before = context.rfind(text, 0, max(start, 0) + len(text))
    after = context.find(text, max(start, 0))
    if before < 0 and after < 0:
        return answer
    if before < 0 or (after >= 0 and abs(after - start) < abs(before - start)):
        return answer | {"answer_start": after}
    return answer | {"answer_start": before}


def _is_in_place(answer: Any, context: str) -> bool:
    """Whether the context has the answer at its answer_start."""
    return (
        _is_answer(answer)
        and answer["answer_start"] >= 0
        and context.startswith(answer["text"], answer["answer_start"])
    )


def _is_answer(answer: Any) -> bool:
    """Whether it has a text and a place; the task refuses others."""
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("text"), str)
        and answer["text"] != ""
        and isinstance(answer.get("answer_start"), int)
    )
