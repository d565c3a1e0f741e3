"""A sentiment classifier from strings.

python examples/sentiment.py [MODEL] [OUTPUT]
"""

import sys

import bert_tf
from bert_tf.tasks import TextClassifier

MODEL = sys.argv[1] if len(sys.argv) > 1 else "hf://google-bert/bert-base-uncased"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/sentiment"

# Eight texts show the calls; a useful model needs some hundred.
texts = [
    "a film to remember",
    "warm, funny, human",
    "the cast is a delight",
    "I would see it again tomorrow",
    "two hours I want back",
    "dull from end to end",
    "the jokes fall flat",
    "I left before the end",
]
labels = ["positive"] * 4 + ["negative"] * 4

# The encoder is read from MODEL; the head for the labels is new.
model = TextClassifier.from_pretrained(MODEL, labels=["negative", "positive"], max_length=64)
model.compile()  # AdamW at 5e-5, cross-entropy, accuracy
model.fit(texts, labels, epochs=5, batch_size=4)

# The folder has weights, vocabulary and labels: it is all that `bert_tf.load` needs.
model.save_pretrained(OUTPUT, overwrite=True)
model = bert_tf.load(OUTPUT)
for text, answer in zip(["a warm film", "dull jokes"], model.predict_text(["a warm film", "dull jokes"]), strict=True):
    print(f"{text}: {answer['label']} ({answer['probability']:.2f})")
