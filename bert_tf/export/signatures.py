"""The signatures of a SavedModel: strings, pieces or serialized examples in, decoded answers out."""

import tensorflow as tf

from bert_tf.core import features
from bert_tf.export.attention import attention

# N texts, S pieces, C classes

SERVING_DEFAULT = "serving_default"
PAIR = "pair"
TOKENS = "tokens"
EXAMPLES = "examples"
ATTENTION = {SERVING_DEFAULT: "attention", PAIR: "attention_pair"}  # for the texts that these take


def signatures(model, with_attention=False):
    """{name: concrete function} of a task model, TensorFlow ops only.

    `serving_default` takes the texts that a request must have, string [N] each under its name in `TEXTS`; `pair` those
    that may be left out too, for a task that has such; `tokens` takes Google's feature names, int32 [N, S] each; and
    `examples` takes "inputs", string [N], serialized tf.Examples with the texts under their names. Each returns what
    the task's `postprocess` decodes, but for a classifier's or regressor's `examples`, which return what TF Serving's
    Classify and Regress read. `with_attention` adds `attention`, which takes what `serving_default` takes and returns
    what attention.py says, and `attention_pair` where there is `pair`.
    """
    asked = {SERVING_DEFAULT: [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]}
    if model.OPTIONAL_TEXTS:
        asked[PAIR] = model.TEXTS
    found = {name: _of_texts(texts, model.serve) for name, texts in asked.items()}
    found |= {TOKENS: _of_tokens(model), EXAMPLES: _of_examples(model)}
    if with_attention:
        found |= {
            ATTENTION[name]: _of_texts(texts, lambda *given: attention(model, given)) for name, texts in asked.items()
        }
    return found


def _of_texts(names, compute):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=name) for name in names], autograph=False)
    def serve(*texts):
        return compute(*texts)

    return serve.get_concrete_function()


def _of_tokens(model):
    names = features.ENCODER_INPUTS

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name=name) for name in names], autograph=False)
    def serve(*rows):
        return model.predict_inputs(dict(zip(names, rows, strict=True)))

    return serve.get_concrete_function()


def _of_examples(model):
    spec = {
        name: tf.io.FixedLenFeature([], tf.string, default_value="" if name in model.OPTIONAL_TEXTS else None)
        for name in model.TEXTS
    }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")], autograph=False)
    def serve(inputs):
        texts = tf.io.parse_example(inputs, spec)
        answers = model.serve(*(texts[name] for name in model.TEXTS))
        if "probabilities" in answers and model.labels:
            scores = answers["probabilities"]  # [N, C]
            return {"classes": tf.broadcast_to(tf.constant(model.labels), tf.shape(scores)), "scores": scores}
        if set(answers) == {"score"}:
            return {"outputs": answers["score"][:, tf.newaxis]}
        return answers

    return serve.get_concrete_function()
