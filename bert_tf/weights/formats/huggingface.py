"""Hugging Face's BERT folders: config.json, model.safetensors in one piece or in shards, and the tokenizer's files."""

from bert_tf.core.errors import InputError
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    GOOGLE_FIELDS,
    load_json,
    masked_lm_notes,
    member,
    read_encoder,
    save_json,
    write_encoder,
)
from bert_tf.weights.formats import huggingface_tokenizer, sentence_transformers
from bert_tf.weights.io import safetensors
from bert_tf.weights.weight_table import (
    TRANSPOSED,
    Row,
    expand,
    linear,
    norm,
    read_rows,
    write_rows,
)

CONFIG = "config.json"
FIELDS = GOOGLE_FIELDS | {"layer_norm_epsilon": "layer_norm_eps"}
# Their "gelu" is the exact one; all their tanh forms are Google's. Of two names for one function the first is written.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_python": "gelu",
    "silu": "silu",
    "swish": "silu",
}


def _linear(ours, theirs):
    return linear(ours, f"{theirs}.", kernel="weight", bias="bias", transform=TRANSPOSED)


def _norm(ours, theirs):
    return norm(ours, f"{theirs}.LayerNorm.", gamma="weight", beta="bias")


_LAYER = "bert.encoder.layer.{i}."
ROWS = [
    Row("encoder/embeddings/token/embeddings", "bert.embeddings.word_embeddings.weight"),
    Row("encoder/embeddings/position/embeddings", "bert.embeddings.position_embeddings.weight"),
    Row("encoder/embeddings/segment/embeddings", "bert.embeddings.token_type_embeddings.weight"),
    *_norm("encoder/embeddings/norm", "bert.embeddings"),
    *_linear("encoder/block_{i}/attention/query", _LAYER + "attention.self.query"),
    *_linear("encoder/block_{i}/attention/key", _LAYER + "attention.self.key"),
    *_linear("encoder/block_{i}/attention/value", _LAYER + "attention.self.value"),
    *_linear("encoder/block_{i}/attention/output", _LAYER + "attention.output.dense"),
    *_norm("encoder/block_{i}/attention_norm", _LAYER + "attention.output"),
    *_linear("encoder/block_{i}/intermediate", _LAYER + "intermediate.dense"),
    *_linear("encoder/block_{i}/output", _LAYER + "output.dense"),
    *_norm("encoder/block_{i}/output_norm", _LAYER + "output"),
    *_linear("encoder/pooler", "bert.pooler.dense"),
    *_linear("masked_lm/transform", "cls.predictions.transform.dense"),
    *_norm("masked_lm/norm", "cls.predictions.transform"),
    Row("masked_lm/bias", "cls.predictions.bias"),
    *_linear("next_sentence", "cls.seq_relationship"),
    *_linear("classifier", "classifier"),
    *_linear("answer_span", "qa_outputs"),
]
# Which class opens which heads; the first whose heads are all there.
ARCHITECTURES = {
    "BertForPreTraining": ("masked_lm", "next_sentence"),
    "BertForMaskedLM": ("masked_lm",),
    "BertForNextSentencePrediction": ("next_sentence",),
    "BertForSequenceClassification": ("classifier",),
    "BertForTokenClassification": ("classifier",),
    "BertForQuestionAnswering": ("answer_span",),
    "BertModel": (),
}
TASKS = {
    "BertForSequenceClassification": "classification",
    "BertForTokenClassification": "tagging",
    "BertForQuestionAnswering": "question_answering",
}


def holds(folder):
    """Whether the folder has a config.json that names a Hugging Face model, or a safetensors file."""
    named = (folder / CONFIG).exists() and "model_type" in load_json(folder / CONFIG)
    return named or safetensors.exists(folder)


def read_task(folder):
    """The task and its labels as the architecture in config.json says, or the pooling of a sentence encoder."""
    settings = load_json(folder / CONFIG)
    architecture, *_ = member(settings, "architectures", [], folder / CONFIG) or [None]
    name = next((task for named, task in TASKS.items() if named == architecture), None)
    if name is None:
        return sentence_transformers.read(folder)
    task = {"name": name}
    if name != "question_answering":
        task["labels"] = _labels(settings, folder / CONFIG)
    if settings.get("problem_type"):
        task["problem_type"] = settings["problem_type"]
    if length := huggingface_tokenizer.max_length(folder):
        task["max_length"] = min(length, member(settings, "max_position_embeddings", 512, folder / CONFIG))
    return task


def read(folder):
    """Reads the folder of a BERT model; another architecture or a broken file raises `InputError`."""
    settings = load_json(folder / CONFIG)
    _refuse_others(settings, folder)
    encoder = read_encoder(FIELDS, ACTIVATIONS, settings, folder / CONFIG)
    weights = read_rows(expand(ROWS, encoder.num_layers), _plain_names(safetensors.read(folder), folder))
    text, vocabulary = huggingface_tokenizer.read(folder)
    return Checkpoint(encoder, weights, text, vocabulary, read_task(folder))


def write(checkpoint, folder):
    """Writes the files into `folder`; returns what could not be carried over, a line each."""
    architecture = _architecture(checkpoint)
    settings, notes = write_encoder(FIELDS, ACTIVATIONS, checkpoint.encoder)
    settings |= {"model_type": "bert", "architectures": [architecture], "pad_token_id": 0}
    if labels := checkpoint.task.get("labels"):
        settings["id2label"] = {str(i): label for i, label in enumerate(labels)}
        settings["label2id"] = {label: i for i, label in enumerate(labels)}
    if "problem_type" in checkpoint.task:
        settings["problem_type"] = checkpoint.task["problem_type"]
    save_json(folder / CONFIG, settings)
    table = [row for row in expand(ROWS, checkpoint.encoder.num_layers) if _belongs(row.ours, architecture)]
    tensors, left_out = write_rows(table, checkpoint.weights)
    if architecture == "BertModel":
        tensors = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    safetensors.write(folder, tensors)
    huggingface_tokenizer.write(folder, checkpoint)
    sentence_transformers.write(folder, checkpoint)
    return notes + masked_lm_notes(checkpoint) + left_out


def _refuse_others(settings, folder):
    kind = settings.get("model_type")
    if kind != "bert":
        raise InputError(f"{folder} holds a {kind!r} model. Only model_type 'bert' can be read.")
    positions = settings.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise InputError(f"{folder} has {positions!r} positions. BERT's are 'absolute'; no others can be read.")
    if settings.get("is_decoder") or settings.get("add_cross_attention"):
        raise InputError(f"{folder} holds a decoder. Only encoders can be read.")


def _plain_names(tensors, folder):
    """Their tensors under today's names, without the copies that tie the output embedding to the input."""
    plain = {}
    for name, tensor in tensors.items():
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        prefix = "bert." if name.startswith(("embeddings.", "encoder.", "pooler.")) else ""  # of the bare encoder
        plain[prefix + name] = tensor
    plain.pop("bert.embeddings.position_ids", None)
    for copy, original in (
        ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    ):
        tensor = plain.pop(copy, None)
        if tensor is not None and (tensor != plain.setdefault(original, tensor)).any():
            raise InputError(f"{folder}: {copy} differs from {original}. Only tied output embeddings can be read.")
    return plain


def _belongs(name, architecture):
    return name.split("/")[0] in ("encoder", *ARCHITECTURES[architecture])


def _architecture(checkpoint):
    heads = {name.split("/")[0] for name in checkpoint.weights} - {"encoder"}
    task = checkpoint.task.get("name")
    for architecture, needed in ARCHITECTURES.items():
        if set(needed) <= heads and TASKS.get(architecture, task) == task:
            return architecture
    return "BertModel"


def _labels(settings, path):
    names = member(settings, "id2label", {}, path)
    if not names:  # their default, which they do not write
        return [f"LABEL_{i}" for i in range(member(settings, "num_labels", 2, path))]
    if sorted(names) != sorted(str(i) for i in range(len(names))):
        raise InputError(f"{path}: id2label does not number its {len(names)} labels from 0.")
    return [str(names[str(i)]) for i in range(len(names))]
