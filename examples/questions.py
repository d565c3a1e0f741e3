"""Answers to questions as spans of a context.

python examples/questions.py [MODEL] [OUTPUT]
"""

import sys

from bert_tf.tasks import QuestionAnswerer

MODEL = sys.argv[1] if len(sys.argv) > 1 else "hf://google-bert/bert-base-uncased"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/questions"

# Answers are spans of the context.
context = "The library opens at nine. It is closed on Monday. Anna keeps the key."
questions = {"When does the library open?": "at nine", "When is it closed?": "Monday", "Who keeps the key?": "Anna"}


def target(answer):
    """The answers of a question, as in SQuAD's files."""
    return [{"text": answer, "answer_start": context.index(answer)}]


model = QuestionAnswerer.from_pretrained(MODEL, max_length=128)
model.compile()
texts = (list(questions), [context] * len(questions))
model.fit(texts, [target(answer) for answer in questions.values()], epochs=10)
model.save_pretrained(OUTPUT, overwrite=True)

for question, answer in zip(questions, model.predict_text(texts), strict=True):
    print(f"{question} {answer['answer']!r}, characters {answer['start']} to {answer['end']} of the context")
