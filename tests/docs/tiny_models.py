"""Tiny model folders that stand in for the models that documentation and examples name."""

import pathlib
import string

import keras

from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.tasks.embedding.task import TextEmbedder
from bert_tf.tasks.generation.task import TextGenerator
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model, write_model

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_CHINESE = (
    "的一是不了在人有我他这中大来上个国到说们为子和你地出房间干净服务周态度好差电池书内容很充实正面负天京北张三李四上海"
)
_WORDS = ["a", "the", "is", "film", "good", "bad", "warm", "funny", "dull", "jokes", "of", "where", "library"]
VOCABULARY = list(
    dict.fromkeys(
        [
            *_SPECIAL,
            *_WORDS,
            *_CHINESE,
            *string.ascii_lowercase,
            *(f"##{c}" for c in string.ascii_lowercase),
            *string.digits,
            *".,?!'#",
        ]
    )
)
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_layers": 2,
    "num_heads": 2,
    "intermediate_size": 32,
    "max_positions": 512,
}


def write_pretrained(folder: pathlib.Path) -> None:
    """Writes a BERT with the heads of pretraining and random weights."""
    keras.utils.set_random_seed(0)
    BertPretrainer(**SIZES).save_pretrained(folder, Tokenizer(VOCABULARY))


def write_classifier(folder: pathlib.Path, labels: tuple[str, ...] = ("negative", "positive")) -> None:
    """Writes a classifier with random weights."""
    keras.utils.set_random_seed(0)
    TextClassifier(Tokenizer(VOCABULARY), labels, max_length=64, **SIZES).save_pretrained(folder)


def write_all(folder: pathlib.Path) -> None:
    """Writes a folder for each kind of model: pretrained models, classifiers, an embedder and a generator."""
    write_pretrained(folder / "pretrained")
    write_model(read_model(folder / "pretrained"), folder / "google", "google")
    BertPretrainer(**SIZES | {"num_layers": 12}).save_pretrained(folder / "deep", Tokenizer(VOCABULARY))
    write_classifier(folder / "classifier")
    write_classifier(folder / "chinese classifier", ("负面", "正面"))
    TextEmbedder(Tokenizer(VOCABULARY), max_length=64, **SIZES).save_pretrained(folder / "embedder")
    generator = TextGenerator(Tokenizer(VOCABULARY), max_length=384, max_target_length=6, **SIZES)
    generator.save_pretrained(folder / "generator")
