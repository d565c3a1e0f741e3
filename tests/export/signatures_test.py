"""The signatures against the task model, and their operators."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core.errors import InputError
from bert_tf.export import warmup
from bert_tf.export.signatures import label_lines, sample_request, signatures
from bert_tf.export.warmup import write_warmup
from bert_tf.modeling.families.base import EncoderConfig
from bert_tf.tasks import TASKS

# The ops of tensorflow-text that we use; TF Serving links all of them (tensorflow_serving/model_servers/BUILD).
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
    rows = model.preprocessor(tf.constant(texts))
    answers = found["tokens"](**rows)
    np.testing.assert_allclose(answers["probabilities"], model.predict_inputs(rows)["probabilities"], atol=1e-5)


def test_examples_return_the_outputs_of_classify(model, found):
    rows = [{"text": [b"good"]}, {"text": [b"good"], "text_pair": [b"bad"]}]
    answers = found["examples"](inputs=tf.constant([serialized(row) for row in rows]))
    expected = model.serve(tf.constant(["good", "good"]), tf.constant(["", "bad"]))
    assert answers.keys() == {"classes", "scores"}
    assert answers["classes"].numpy().tolist() == [[b"x", b"y", b"z"]] * 2
    np.testing.assert_allclose(answers["scores"], expected["probabilities"], atol=1e-5)


class Chooser:
    """A task whose examples have a list of texts each: chooses the longest of them."""

    TEXTS = ("context", "endings")
    OPTIONAL_TEXTS = ()
    INPUTS = ("input_ids",)
    SPEC = dataclasses.replace(TASKS["multiple_choice"], name="longest")
    config = EncoderConfig(vocab_size=10)
    max_length = 40

    def text_specs(self):
        ranks = {"context": 1, "endings": 2}
        return {name: tf.TensorSpec([None] * rank, tf.string, name=name) for name, rank in ranks.items()}

    def token_specs(self):
        return {"input_ids": tf.TensorSpec([None, None, None], tf.int32, name="input_ids")}

    def serve(self, context, endings):
        return {"together": context[:, tf.newaxis] + endings, "choice": tf.argmax(tf.strings.length(endings), 1)}

    def refresh_predict_graph(self):
        pass

    def predict_in_graph(self, inputs):
        return {"choice": tf.argmax(tf.reduce_max(inputs["input_ids"], 2), 1)}

    def call_in_graph(self, inputs):
        return tf.reduce_sum(inputs["input_ids"], 2)

    def example_files(self):
        return {}

    def example_outputs(self, answers):
        return answers


def test_examples_with_a_list_of_texts_each():
    found = signatures(Chooser())
    assert found.keys() == {"serving_default", "tokens", "logits", "examples"}
    assert found["logits"](input_ids=tf.constant([[[1, 5], [2, 3]]]))["logits"].numpy().tolist() == [[6, 5]]
    answer = found["serving_default"](context=tf.constant(["a"]), endings=tf.constant([["b", "cd"]]))
    assert answer["together"].numpy().tolist() == [[b"ab", b"acd"]]
    assert found["tokens"](input_ids=tf.constant([[[1, 5], [2, 3]]]))["choice"].numpy().tolist() == [0]
    rows = [{"context": [b"a"], "endings": [b"b", b"cd"]}, {"context": [b"x"], "endings": [b"yz"]}]
    answer = found["examples"](inputs=tf.constant([serialized(row) for row in rows]))
    assert answer["together"].numpy().tolist() == [[b"ab", b"acd"], [b"xyz", b"x"]]  # "" where a list is shorter


def serialized(lists):
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value)) for name, value in lists.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.mark.parametrize("label", ["a\nb", "a\n", "a\r\nb"])
def test_labels_of_several_lines_are_refused(label):
    model = types.SimpleNamespace(labels=["x", label])
    with pytest.raises(InputError, match="has a line break. Files of labels have one per line: rename it."):
        label_lines(model)
    assert label_lines(types.SimpleNamespace(labels=["x", "y z"])) == "x\ny z\n"


def test_sample_requests_have_lists_where_the_task_takes_them():
    assert sample_request(Chooser(), ["a", "b", "c"]) == (["a", "b", "c"], [["a", "b"], ["b", "c"], ["c", "a"]])


def test_warm_up_requests_have_the_ranks_of_the_signatures(tmp_path):
    write_warmup(tmp_path, "name", Chooser())
    shapes = {}
    for record in tf.data.TFRecordDataset(str(tmp_path / warmup.FILE)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for name, proto in request.inputs.items():
            shapes.setdefault((request.model_spec.signature_name, name), []).append(tf.make_ndarray(proto).shape)
    assert shapes == {
        ("serving_default", "context"): [(1,), (1,)],
        ("serving_default", "endings"): [(1, 2), (1, 2)],
        ("examples", "inputs"): [(1,), (1,)],
        ("tokens", "input_ids"): [(1, 1, 32), (1, 1, 40)],
    }
