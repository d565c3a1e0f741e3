"""Search by meaning, with vectors that are kept in a file.

python examples/search.py [MODEL] [OUTPUT]
"""

import pathlib
import sys

import numpy as np

from bert_tf.tasks import TextEmbedder

MODEL = sys.argv[1] if len(sys.argv) > 1 else "hf://sentence-transformers/all-MiniLM-L6-v2"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/vectors.npy"

texts = [
    "How do I reset my password?",
    "The parcel arrived damaged.",
    "Which sizes does the jacket come in?",
    "I was charged twice for one order.",
]
queries = ["money was taken two times", "cannot log in"]

# One vector per text.
model = TextEmbedder.from_pretrained(MODEL)  # pooling and normalisation as in the model's folder
vectors = model.embed(texts)  # float32 [N, D]
pathlib.Path(OUTPUT).parent.mkdir(parents=True, exist_ok=True)
np.save(OUTPUT, vectors)

# The most similar texts, by cosine.
for query, matches in zip(queries, model.search(queries, np.load(OUTPUT), top_k=2), strict=True):
    print(query)
    for match in matches:
        print(f"  {match['score']:.2f}  {texts[match['index']]}")
