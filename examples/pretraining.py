"""Pretraining on text in any language: vocabulary, records, a small BERT.

python examples/pretraining.py ['corpus/*.txt'] [OUTPUT] [STEPS] [TOKENS]
"""

import pathlib
import sys

import bert_tf
from bert_tf.data.pretraining.make_records import write_records
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.text.tokenizers.train_vocabulary import learn_from_files
from bert_tf.training.config import ModelConfig, PhaseConfig, PretrainConfig, TrainingConfig
from bert_tf.training.recipes.pretrain import pretrain

corpus = sys.argv[1] if len(sys.argv) > 1 else "corpus/*.txt"
folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "runs/own")
steps = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
tokens = int(sys.argv[4]) if len(sys.argv) > 4 else 8000

# A WordPiece vocabulary of the corpus.
learn_from_files(corpus, folder / "vocab.txt", size=tokens, overwrite=True)
tokenizer = bert_tf.Tokenizer.from_file(folder / "vocab.txt")
write_records(corpus, tokenizer, folder / "records", RecordsConfig(max_length=64, dupe_factor=2))
config = PretrainConfig(
    output=str(folder / "pretraining"),
    model=ModelConfig(hidden_size=128, num_layers=2, num_heads=2, max_positions=64, hidden_dropout=0.0),
    data=PhaseConfig(records=str(folder / "records"), batch_size=16),
    training=TrainingConfig(steps=steps, learning_rate=5e-4),
)
pretrain(config)  # a run that was killed resumes when the same lines run again
print("Model:", folder / "pretraining/model")  # for from_pretrained of every task
