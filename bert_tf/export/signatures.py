"""Signatures of a SavedModel: texts, tokens or serialized examples in, decoded answers out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from bert_tf.export.attention import attention
from bert_tf.tasks.base.task import Task

# N examples, T texts of an example where it has a list of them, S tokens

SERVING_DEFAULT = "serving_default"
PAIR = "pair"
TOKENS = "tokens"
EXAMPLES = "examples"
ATTENTION = {SERVING_DEFAULT: "attention", PAIR: "attention_pair"}  # by the signature that takes the same texts


def signatures(model: Task, with_attention: bool = False) -> dict[str, Any]:
    """{name: concrete function} of a task model, TensorFlow ops only.

    - `serving_default` takes the texts that a request must have: string [N], or [N, T] for lists of texts, each under
      its name in `TEXTS`.
    - `pair` takes all texts; it exists where some are optional.
    - `tokens` takes the encoder's inputs, int32 [N, S], under Google's feature names.
    - `examples` takes "inputs", string [N], serialized tf.Examples with the texts under their names, and returns what
      TF Serving's Classify and Regress read (`Task.example_outputs`).
    - `attention` and `attention_pair`, if asked for, take the texts of the first two (see attention.py).

    All but the last three return the task's decoded answers.
    """
    specs = model.text_specs()
    inputs = {SERVING_DEFAULT: [specs[name] for name in required_texts(model)]}
    if model.OPTIONAL_TEXTS:
        inputs[PAIR] = list(specs.values())
    functions = {name: _function(asked, model.serve) for name, asked in inputs.items()}
    functions[TOKENS] = _tokens(model)
    functions[EXAMPLES] = _examples(model)
    if with_attention:
        for name, asked in inputs.items():
            functions[ATTENTION[name]] = _function(asked, lambda *texts: attention(model, texts))
    return functions


def required_texts(model: Task) -> list[str]:
    """Names of the texts that a request must have."""
    return [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]


def sample_request(model: Task, texts: Sequence[str]) -> tuple[list, ...]:
    """A request made of any texts: a column of them for each required input, as the model's `encode_texts` takes it.

    Where an example has a list of texts, each text comes with the next one.
    """
    following = [*texts[1:], *texts[:1]]
    lists = [list(pair) for pair in zip(texts, following, strict=True)]
    specs = model.text_specs()
    columns = []
    for name in required_texts(model):
        takes_lists = specs[name].shape.rank > 1
        columns.append(lists if takes_lists else list(texts))
    return tuple(columns)


def _function(specs: Sequence[tf.TensorSpec], compute: Callable[..., Any]) -> Any:
    @tf.function(input_signature=specs, autograph=False)
    def serve(*inputs: tf.Tensor) -> Any:
        return compute(*inputs)

    return serve.get_concrete_function()


def _tokens(model: Task) -> Any:
    specs = model.token_specs()

    def compute(*rows: tf.Tensor) -> Any:  # int32 [N, S] each
        return model.predict_inputs(dict(zip(specs, rows, strict=True)))

    return _function(list(specs.values()), compute)


def _examples(model: Task) -> Any:
    features = _example_features(model)

    def compute(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, features)
        texts = [parsed[name] for name in model.TEXTS]  # [N] or [N, T] each
        return model.example_outputs(model.serve(*texts))

    return _function([tf.TensorSpec([None], tf.string, name="inputs")], compute)


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
