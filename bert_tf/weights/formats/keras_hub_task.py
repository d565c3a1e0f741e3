"""The files of a keras-hub preset beside the backbone's: the tokenizer, and the head of a task."""

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.vocabulary import read_vocabulary, write_vocabulary
from bert_tf.weights.encoder_fields import load_json, member, parse, save_json
from bert_tf.weights.formats.google import text_of
from bert_tf.weights.io import hdf5
from bert_tf.weights.schema import part_of
from bert_tf.weights.weight_table import Row, linear, norm, read_rows, write_rows

TOKENIZER, VOCABULARY = "tokenizer.json", "assets/tokenizer/vocabulary.txt"
TEXT_FIELDS = {"lower_case": "lowercase", "strip_accents": "strip_accents"}
PREPROCESSOR, TASK, WEIGHTS = "preprocessor.json", "task.json", "task.weights.h5"
# The rows of task.weights.h5 by the class that it belongs to.
HEADS = {
    "BertTextClassifier": linear("classifier", "layers/dense/vars/", kernel="0", bias="1"),
    "BertMaskedLM": [
        *linear("masked_lm/transform", "layers/masked_lm_head/_intermediate_dense/vars/", kernel="0", bias="1"),
        *norm("masked_lm/norm", "layers/masked_lm_head/_intermediate_layer_norm/vars/", gamma="0", beta="1"),
        Row("masked_lm/bias", "layers/masked_lm_head/vars/0"),
    ],
}
MODULES = {"BertTextClassifier": "bert_text_classifier", "BertMaskedLM": "bert_masked_lm"}
# What the head of `BertMaskedLM` computes with, whatever the backbone does.
MASKED_LM = {"masked_lm_activation": "gelu", "masked_lm_epsilon": 1e-5}


def read_text(folder):
    """The `TextConfig` and the pieces; the pieces are None where there is no tokenizer."""
    if not (folder / VOCABULARY).exists():
        return TextConfig(), None
    vocabulary = read_vocabulary(folder / VOCABULARY)
    path = folder / TOKENIZER
    settings = member(load_json(path), "config", {}, path) if path.exists() else {}
    values = {ours: settings[theirs] for ours, theirs in TEXT_FIELDS.items() if theirs in settings}
    return (parse(TextConfig, values, path) if "lower_case" in values else text_of(vocabulary)), vocabulary


def settings_of_head(folder):
    """The task settings that the class in task.json stands for; {} without one that can be read."""
    kind = _kind(folder)
    if kind == "BertTextClassifier":
        classes = member(member(load_json(folder / TASK), "config", {}, folder / TASK), "num_classes", 0, folder / TASK)
        return {"name": "classification", "labels": [f"LABEL_{i}" for i in range(classes)]}
    return MASKED_LM if kind == "BertMaskedLM" else {}


def read_head(folder):
    """Our weights of the task's head; {} without one that can be read."""
    kind = _kind(folder)
    if kind is None or not (folder / WEIGHTS).exists():
        return {}
    return read_rows(HEADS[kind], hdf5.read(folder / WEIGHTS), ignored=("optimizer/",), required=())


def write_text(folder, checkpoint):
    """Writes the tokenizer's files; nothing without a vocabulary."""
    if checkpoint.vocabulary:
        (folder / VOCABULARY).parent.mkdir(parents=True)
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
        save_json(folder / TOKENIZER, _tokenizer(checkpoint.text))


def write_head(folder, checkpoint, backbone):
    """Writes the files of the task whose head the checkpoint has; returns the part that this carries, or None."""
    name = checkpoint.task.get("name", "classification")
    heads = {part_of(weight) for weight in checkpoint.weights} & {"masked_lm", "classifier"}
    head = "classifier" if "classifier" in heads and name == "classification" else "masked_lm"
    if head not in heads:
        return None
    kind = next(kind for kind, rows in HEADS.items() if part_of(rows[0].ours) == head)
    tensors, _ = write_rows(HEADS[kind], checkpoint.weights)
    settings = {"backbone": backbone, "preprocessor": None}
    if checkpoint.vocabulary:
        settings["preprocessor"] = _preprocessor(kind, checkpoint)
        save_json(folder / PREPROCESSOR, settings["preprocessor"])
    if kind == "BertTextClassifier":
        settings |= {"num_classes": len(checkpoint.weights["classifier/bias"]), "activation": "linear"}
    hdf5.write(folder / WEIGHTS, tensors)
    save_json(folder / TASK, serialized(MODULES[kind], kind, settings))
    return head


def serialized(module, name, settings, dtype="float32"):
    """The object that Keras builds an instance of keras-hub's class `name` from."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": dtype}, "registered_name": None}
    common = {"name": module, "trainable": True, "dtype": policy}
    return {
        "module": f"keras_hub.src.models.bert.{module}",
        "class_name": name,
        "config": common | settings,
        "registered_name": f"keras_hub>{name}",
    }


def _kind(folder):
    name = load_json(folder / TASK).get("class_name") if (folder / TASK).exists() else None
    return next((kind for kind in HEADS if kind == name), None)


def _tokenizer(text):
    strips = text.lower_case if text.strip_accents is None else text.strip_accents
    settings = {"vocabulary": None, "lowercase": text.lower_case, "strip_accents": strips, "config_file": TOKENIZER}
    return serialized("bert_tokenizer", "BertTokenizer", settings, "int32")


def _preprocessor(kind, checkpoint):
    length = checkpoint.task.get("max_length", checkpoint.encoder.max_positions)
    settings = {"tokenizer": _tokenizer(checkpoint.text), "config_file": PREPROCESSOR, "sequence_length": length}
    return serialized(f"{MODULES[kind]}_preprocessor", f"{kind}Preprocessor", settings)
