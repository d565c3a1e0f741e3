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

# Integrated gradients: the attributions of the words add up to the change of the logit.
model = bert_tf.load(MODEL)
explanations = list(explain(model, texts))
for explanation in explanations:
    print(f"{explanation.explained}: logit {explanation.score:.2f}, {explanation.baseline:.2f} with all words masked")
    for word in explanation.words:
        print(f"  {word['attribution']:+.3f}  {word['word']}")

# Which method's order of words the model follows, measured by masking them one after the other.
measured = faithfulness(model, texts)
write_page(pathlib.Path(OUTPUT), "Explanations", explanations, measured)
