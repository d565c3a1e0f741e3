"""A small student learns from a fine-tuned teacher, from texts without labels too.

python examples/distillation.py [TEACHER] [OUTPUT], TEACHER being the folder that sentiment.py writes
"""

import sys

import bert_tf
from bert_tf.tasks import TextClassifier
from bert_tf.tasks.distillation.distiller import Distiller

TEACHER = sys.argv[1] if len(sys.argv) > 1 else "runs/sentiment"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/student"

# The student learns from the labels a little, and from what the teacher says of all texts.
texts = ["a film to remember", "two hours I want back", "warm, funny, human", "dull from end to end"]
labels = ["positive", "negative", "positive", "negative"]
unlabelled = ["a delight", "the jokes fall flat", "a slow start and a fine end", "not for me"]

# A bidirectional LSTM with the teacher's vocabulary and labels.
teacher = bert_tf.load(TEACHER)
student = TextClassifier(
    teacher.tokenizer,
    teacher.labels,
    max_length=64,
    encoder="bilstm",
    vocab_size=teacher.config.vocab_size,
    hidden_size=64,
    num_layers=1,
    num_heads=4,
)
distiller = Distiller(student, teacher, weight=0.9, temperature=2.0)
distiller.compile()
distiller.fit(texts, labels, unlabelled=unlabelled, epochs=5, batch_size=4)
student.save_pretrained(OUTPUT, overwrite=True)
print(f"{teacher.count_params():,} parameters of the teacher, {student.count_params():,} of the student")
