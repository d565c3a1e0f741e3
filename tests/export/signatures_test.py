"""The signatures: each against the task model itself, and the operators they are made of."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.export.signatures import signatures

# Of tensorflow-text, all of which TF Serving links (tensorflow_serving/model_servers/BUILD), those that we use.
TEXT_OPS = {"FastBertNormalize", "FastWordpieceTokenizeWithOffsets"}
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


@pytest.fixture(scope="module")
def found(model):
    return signatures(model, with_attention=True)


def test_a_server_has_all_operators(found):
    graphs = [function.graph.as_graph_def() for function in found.values()]
    used = {node.op for graph in graphs for nodes in _bodies(graph) for node in nodes}
    assert used - set(dir(tf.raw_ops)) == TEXT_OPS
    assert not used & PYTHON_OPS


def _bodies(graph):
    return [graph.node, *(function.node_def for function in graph.library.function)]


def test_texts_and_pairs(model, found, texts):
    answers = found["serving_default"](text=tf.constant(texts))
    expected = model.serve(tf.constant(texts))
    np.testing.assert_allclose(answers["probabilities"], expected["probabilities"], atol=1e-5)
    assert answers["label"].numpy().tolist() == expected["label"].numpy().tolist()
    pair = found["pair"](text=tf.constant(texts), text_pair=tf.constant(["", "bad", "good", "我"]))
    expected = model.serve(tf.constant(texts), tf.constant(["", "bad", "good", "我"]))
    np.testing.assert_allclose(pair["probabilities"], expected["probabilities"], atol=1e-5)
    np.testing.assert_allclose(pair["probabilities"][0], answers["probabilities"][0], atol=1e-5)
    assert np.abs(pair["probabilities"] - answers["probabilities"])[1:].max() > 1e-3


def test_tokens_take_googles_names(model, found, texts):
    rows = model.preprocess(tf.constant(texts))
    answers = found["tokens"](**rows)
    np.testing.assert_allclose(answers["probabilities"], model.predict_inputs(rows)["probabilities"], atol=1e-5)


def test_examples_give_what_classify_reads(model, found):
    def example(**features):
        lists = {name: tf.train.BytesList(value=[text.encode()]) for name, text in features.items()}
        features = {name: tf.train.Feature(bytes_list=value) for name, value in lists.items()}
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    answers = found["examples"](inputs=tf.constant([example(text="good"), example(text="good", text_pair="bad")]))
    expected = model.serve(tf.constant(["good", "good"]), tf.constant(["", "bad"]))
    assert answers.keys() == {"classes", "scores"}
    assert answers["classes"].numpy().tolist() == [[b"x", b"y", b"z"]] * 2
    np.testing.assert_allclose(answers["scores"], expected["probabilities"], atol=1e-5)
