"""Named entities from sentences with tagged words.

python examples/entities.py [MODEL] [OUTPUT]
"""

import sys

from bert_tf.tasks import TextTagger

MODEL = sys.argv[1] if len(sys.argv) > 1 else "hf://google-bert/bert-base-cased"
OUTPUT = sys.argv[2] if len(sys.argv) > 2 else "runs/entities"

# Words and their tags, in the IOB2 scheme: B- begins an entity, I- continues it, O is none.
sentences = [
    ["Anna", "Smith", "lives", "in", "Rome"],
    ["The", "office", "in", "Paris", "is", "closed"],
    ["Peter", "met", "Maria", "in", "Oslo"],
    ["Nobody", "works", "on", "Sunday"],
]
tags = [
    ["B-PER", "I-PER", "O", "O", "B-LOC"],
    ["O", "O", "O", "B-LOC", "O", "O"],
    ["B-PER", "O", "B-PER", "O", "B-LOC"],
    ["O", "O", "O", "O"],
]

model = TextTagger.from_pretrained(MODEL, labels=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], max_length=64)
model.compile()
model.fit(sentences, tags, epochs=10, batch_size=4)
print(model.score(sentences, tags))  # f1, precision, recall of entities; accuracy of tags
model.save_pretrained(OUTPUT, overwrite=True)

text = "Maria lives in Paris."  # raw text: the places of entities are counted in its characters
(answer,) = model.predict_text([text])
for entity in answer["entities"]:
    print(entity["type"], text[entity["start"] : entity["end"]], f"{entity['score']:.2f}")
