"""Questions on contexts in the JSON of SQuAD 1.1 and 2.0, which CMRC 2018 and others use too."""

import json

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import read_lines


def read_squad(path, bad, find_answers=False):
    """Streams questions: (place, {"id", "question", "context", "answers"}); answers is [] where there is none.

    Args:
        bad: called with the reason where something is missing.
        find_answers: an answer that is not at its answer_start is moved to its nearest occurrence in the context; one
            that does not occur is left out, if the question has others.
    """
    for article, paragraph, question in _questions(path, bad):
        place = f"question {question.get('id', f'of article {article}')}"
        context, text = paragraph.get("context"), question.get("question")
        answers = [] if question.get("is_impossible") else question.get("answers", [])
        if not isinstance(context, str) or not isinstance(text, str) or not isinstance(answers, list):
            bad(place, "it needs a context, a question and a list of answers")
            continue
        if find_answers:
            answers = [_found(answer, context) for answer in answers]
            answers = [answer for answer in answers if _stands(answer, context)] or answers
        yield place, {"id": question.get("id"), "question": text, "context": context, "answers": answers}


def _questions(path, bad):
    try:
        articles = json.loads("".join(read_lines(path)))["data"]
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from None
    except (KeyError, TypeError):
        raise InputError(f"{path} is not as SQuAD's files are: it has no list of articles under 'data'.") from None
    for number, article in enumerate(articles):
        try:
            found = [(number, part, question) for part in article["paragraphs"] for question in part["qas"]]
        except (KeyError, TypeError):
            bad(f"article {number}", "it has no paragraphs with questions under 'paragraphs' and 'qas'")
            continue
        yield from found


def _found(answer, context):
    """The answer with the place of its text that is nearest to the one given."""
    if not _is_answer(answer):
        return answer
    text, start = answer["text"], answer["answer_start"]
    before, behind = context.rfind(text, 0, max(start, 0) + len(text)), context.find(text, max(start, 0))
    places = [place for place in (before, behind) if place >= 0]
    return answer | {"answer_start": min(places, key=lambda place: abs(place - start), default=start)}


def _stands(answer, context):
    return (
        _is_answer(answer)
        and answer["answer_start"] >= 0
        and context.startswith(answer["text"], answer["answer_start"])
    )


def _is_answer(answer):
    """Whether it has a text and a place; others are left for the task to refuse."""
    return isinstance(answer, dict) and bool(answer.get("text")) and isinstance(answer.get("answer_start"), int)
