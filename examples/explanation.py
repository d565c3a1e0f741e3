"""Which words an answer depends on, and a page that shows them.

python examples/explanation.py [MODEL] [OUTPUT], MODEL being the folder that sentiment.py writes
"""

import pathlib
import sys

import bert_tf
from bert_tf.evaluation.explain import explain, faithfulness
from bert_tf.evaluation.explanation_page import write_page

MODEL = sys.argv[1] if len(sys.argv) > 1 else "runs/sentiment"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/explained.html"
texts = ["a warm and funny film", "dull jokes from end to end"]

model = bert_tf.load(MODEL)
explanations = list(explain(model, texts))
for explanation in explanations:
    print(f"{explanation.explained}: logit {explanation.score:.2f}, {explanation.baseline:.2f} with all words masked")
    for word in explanation.words:
        print(f"  {word['attribution']:+.3f}  {word['word']}")

measured = faithfulness(model, texts)  # which method's order of words the model follows
write_page(pathlib.Path(OUTPUT), "Explanations", explanations, measured)
