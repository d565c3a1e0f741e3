"""Signatures of a SavedModel: texts, tokens or serialized examples in, decoded answers out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.export.attention import attention
from bert_tf.tasks.base.task import Task

# N examples, T texts of an example where it has a list of them, S tokens, C classes

SERVING_DEFAULT = "serving_default"
PAIR = "pair"
TOKENS = "tokens"
LOGITS = "logits"
EXAMPLES = "examples"
ATTENTION = {SERVING_DEFAULT: "attention", PAIR: "attention_pair"}  # by the signature that takes the same texts


def signatures(model: Task, with_attention: bool = False) -> dict[str, Any]:
    """{name: concrete function} of a task model, TensorFlow ops only.

    - `serving_default` takes the texts that a request must have: string [N], or [N, T] for lists of texts, each under
      its name in `TEXTS`.
    - `pair` takes all texts; it exists where some are optional.
    - `tokens` takes the encoder's inputs, int32 [N, S], under Google's feature names, and what else the model's
      `token_specs` name. Rows that the model cannot read are an error (INVALID_ARGUMENT), never another answer.
    - `logits` takes what the model's `call` takes, `INPUTS`, and returns what it returns: numbers only, so that XLA
      (`jit_compile`) and the TFLite converter take it. The checks of `tokens` do nothing there.
    - `examples` takes "inputs", string [N], serialized tf.Examples with the texts under their names, and returns what
      TF Serving's Classify and Regress read (`Task.example_outputs`).
    - `attention` and `attention_pair`, if asked for, take the texts of the first two (see attention.py).

    `serving_default`, `pair` and `tokens` return the task's decoded answers; beside "probabilities" of labels they
    return "classes".
    """
    model.refresh_predict_graph()
    specs = model.text_specs()
    inputs = {SERVING_DEFAULT: [specs[name] for name in required_texts(model)]}
    if model.OPTIONAL_TEXTS:
        inputs[PAIR] = list(specs.values())

    def answer(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return named_classes(model, model.serve(*texts))

    functions = {name: concrete_function(asked, answer) for name, asked in inputs.items()}
    functions[TOKENS] = _tokens(model)
    functions[LOGITS] = _logits(model)
    functions[EXAMPLES] = _examples(model, functions.get(PAIR, functions[SERVING_DEFAULT]))
    if with_attention:
        for name, asked in inputs.items():
            functions[ATTENTION[name]] = concrete_function(asked, lambda *texts: attention(model, texts))
    return functions


def required_texts(model: Task) -> list[str]:
    """Names of the texts that a request must have."""
    return [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]


def example_request(model: Task) -> dict[str, Any]:
    """{name: text, or list of texts} of an example that people may try, for each of `TEXTS` that a request must have.

    Where the task's spec has an example, also for the optional ones.
    """
    if not model.SPEC.example:
        columns = sample_request(model, ["It was the best of times.", "It was the worst of times."])
        return {name: column[0] for name, column in zip(required_texts(model), columns, strict=True)}
    mask = model.tokenizer.SPECIAL_TOKENS.mask

    def filled(text: Any) -> Any:
        return list(map(filled, text)) if isinstance(text, list) else text.replace("{mask}", mask)

    example = dict(zip(model.TEXTS, map(filled, model.SPEC.example), strict=False))
    return example | model.example_files()


def check_request(model: Task) -> tuple[list, ...]:
    """A request for the comparison of an artifact with Keras: the task's example, an empty text, and a Chinese one."""
    example = example_request(model)
    columns = sample_request(model, ["", "我", "It was the best of times."])
    return tuple([example[name], *column] for name, column in zip(required_texts(model), columns, strict=True))


def named_classes(model: Task, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Answers with "classes", string [N, C], beside "probabilities" [N, C]: the name of each class, in their order."""
    if "probabilities" not in answers or not (labels := getattr(model, "labels", ())):
        return answers
    return answers | {"classes": tf.broadcast_to(tf.constant(labels), tf.shape(answers["probabilities"]))}


def label_lines(model: Task) -> str:
    """The names of the model's classes, one per line, "" without; a name of several lines raises `InputError`."""
    labels = getattr(model, "labels", ())
    for label in labels:
        if "\n" in label or "\r" in label:
            raise InputError(f"The label {label!r} has a line break. Files of labels have one per line: rename it.")
    return "".join(f"{label}\n" for label in labels)


def sample_request(model: Task, texts: Sequence[str]) -> tuple[list, ...]:
    """A request made of any texts: a column of them for each required input, as the model's `encode_texts` takes it.

    Where an example has a list of texts, each text comes with the next one. Files are the model's example.
    """
    following = [*texts[1:], *texts[:1]]
    lists = [list(pair) for pair in zip(texts, following, strict=True)]
    specs = model.text_specs()
    columns: list[Any] = []
    files = model.example_files()
    for name in required_texts(model):
        if name in files:
            columns.append([files[name]] * len(texts))
            continue
        takes_lists = specs[name].shape.rank > 1
        columns.append(lists if takes_lists else list(texts))
    return tuple(columns)


def concrete_function(specs: Sequence[tf.TensorSpec], compute: Callable[..., Any]) -> Any:
    """The graph of `compute` for tensors of these specs, whose names are those of its inputs."""

    @tf.function(input_signature=specs, autograph=False)
    def serve(*inputs: tf.Tensor) -> Any:
        return compute(*inputs)

    return serve.get_concrete_function()


def _tokens(model: Task) -> Any:
    specs = model.token_specs()

    def compute(*rows: tf.Tensor) -> Any:  # int32 [N, S] each
        answers = model.predict_in_graph(_checked(model, dict(zip(specs, rows, strict=True))))
        return named_classes(model, answers)

    return concrete_function(list(specs.values()), compute)


def _logits(model: Task) -> Any:
    specs = call_specs(model)

    def compute(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model.call_in_graph(_checked(model, dict(zip(specs, inputs, strict=True))))
        return named_outputs(model, outputs)

    return concrete_function(list(specs.values()), compute)


def call_specs(model: Task) -> dict[str, tf.TensorSpec]:
    """{name: spec} of the inputs of the model's `call`: int32 [N, S], and positions of masks [N, M]."""
    specs = model.token_specs()
    for name in model.INPUTS:
        specs.setdefault(name, tf.TensorSpec([None, None], tf.int32, name=name))
    return specs


def named_outputs(model: Task, outputs: Any) -> dict[str, tf.Tensor]:
    """{name: tensor} of the outputs of the model's `call`."""
    if isinstance(outputs, dict):
        return outputs
    return {LOGITS if model.SPEC.head else "vectors": outputs}  # [N, C], or [N, D] of a task without a head


def _checked(model: Task, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Inputs made of tokens, unchanged; the graph fails on rows that the model cannot read.

    Each row has a token at least and not more than the model has positions, the encoder's inputs have one shape, and
    all values are within their tables: a lookup would take another row for some of the others, and answer.
    """
    shape, most = tf.shape(inputs[features.INPUT_IDS]), model.config.max_positions
    limits = {
        features.INPUT_IDS: model.config.vocab_size,
        features.INPUT_MASK: 2,
        features.SEGMENT_IDS: max(2, getattr(model.config, "type_vocab_size", 0)),  # not read below 2
        features.MASKED_LM_POSITIONS: shape[-1],
        features.TARGET_IDS: model.config.vocab_size,
        features.TARGET_MASK: 2,
    }
    checks = [_require((shape[-1] > 0) & (shape[-1] <= most), "Rows have 1 to", most, "tokens. Received:", shape[-1])]
    for name, value in inputs.items():
        own = tf.shape(value)
        alike = own == shape if name in features.ENCODER_INPUTS else own[:1] == shape[:1]
        checks.append(_require(alike, f"{name} does not have the shape of input_ids:", own, "and", shape))
        if name in limits:  # others have a value for each number of their type
            within = (value >= 0) & (value < limits[name])
            checks.append(_require(within, f"{name} is from 0 to below", limits[name], "only. Received:", value))
    with tf.control_dependencies(checks):
        return {name: tf.identity(value) for name, value in inputs.items()}


def _require(condition: tf.Tensor, *message: Any) -> tf.Operation:
    """Fails with INVALID_ARGUMENT unless all of `condition` is true. XLA and the TFLite converter leave it out.

    They take this op alone: `tf.debugging` adds branches with strings.
    """
    return tf.raw_ops.Assert(condition=tf.reduce_all(condition), data=list(message))


def _examples(model: Task, answer: Callable[..., dict[str, tf.Tensor]]) -> Any:
    """The signature `examples`; `answer` is the one that takes all texts."""
    features = _example_features(model)

    def compute(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, features)
        texts = {name: parsed[name] for name in model.TEXTS}  # [N] or [N, T] each
        return model.example_outputs(answer(**texts))

    return concrete_function([tf.TensorSpec([None], tf.string, name="inputs")], compute)


def _example_features(model: Task) -> Mapping[str, Any]:
    """How the texts of a tf.Example are parsed; optional ones are "" where they are missing."""
    features = {}
    for name, spec in model.text_specs().items():
        if spec.shape.rank == 1:
            default = "" if name in model.OPTIONAL_TEXTS else None  # None: a missing text is an error
            features[name] = tf.io.FixedLenFeature([], tf.string, default)
        else:  # shorter lists are padded with ""
            features[name] = tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    return features
