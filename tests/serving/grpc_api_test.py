"""The gRPC services through the stubs of tensorflow-serving-api, and health through grpcio-health-checking's."""

import concurrent.futures
import contextlib
import random
import socket
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    input_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from bert_tf.serving.batcher import BatchingConfig
from bert_tf.serving.limits import Limits
from tests.serving.conftest import running


@pytest.fixture
def channel(client):
    with grpc.insecure_channel(client.grpc) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


NO_TYPE, NEW_TYPE = tensor_pb2.TensorProto(), tensor_pb2.TensorProto(dtype=99)


def predict_request(signature_name="", name="parity", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature_name
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(
            value if isinstance(value, tensor_pb2.TensorProto) else tf.make_tensor_proto(value)
        )
    return request


def example(**features):
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()])) for name, text in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


def examples(*rows, context=None):
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=rows))
    listed = input_pb2.ExampleListWithContext(examples=rows, context=context)
    return input_pb2.Input(example_list_with_context=listed)


@contextlib.contextmanager
def refused(code, message):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() == code
    assert message in caught.value.details()


def test_predict_with_several_texts_per_row(stub):
    endings = [["b", "bcd"], ["é", "ü"]]
    response = stub.Predict(predict_request("longest", context=["a", "x"], endings=endings), timeout=10)
    answers = {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}
    assert answers["choice"].tolist() == [1, 0]
    assert answers["together"].tolist() == [[b"ab", b"abcd"], ["xé".encode(), "xü".encode()]]
    repeated = tf.make_tensor_proto([["a"]], shape=[2, 100])  # one string with the shape of 200
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Received: 200 texts of endings. A request has 1 to 128 texts"):
        stub.Predict(predict_request("longest", context=["a", "x"], endings=repeated), timeout=10)


def test_predict(stub):
    response = stub.Predict(predict_request(text=["abc", ""]), timeout=10)
    answers = {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}
    assert answers["label"].tolist() == [b"odd", b"even"]
    np.testing.assert_array_equal(answers["probabilities"], np.array([[0.25, 0.75], [0.75, 0.25]], "float32"))
    assert (response.model_spec.name, response.model_spec.version.value) == ("parity", 1)
    assert response.model_spec.signature_name == "serving_default"
    tokens = predict_request("tokens", ids=np.array([[5, 6, 7]], "int32"), mask=np.array([[1, 1, 0]], "int32"))
    assert tf.make_ndarray(stub.Predict(tokens, timeout=10).outputs["total"]).tolist() == [11]


def test_output_filter(stub):
    request = predict_request(text=["abc"])
    request.output_filter.append("label")
    assert list(stub.Predict(request, timeout=10).outputs) == ["label"]
    request.output_filter[:] = ["lable"]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "output_filter 'lable'. Outputs: "):
        stub.Predict(request, timeout=10)


def test_classify_and_regress(stub):
    request = classification_pb2.ClassificationRequest(input=examples(example(text="abc")))
    request.model_spec.name, request.model_spec.signature_name = "parity", "examples"
    response = stub.Classify(request, timeout=10)
    found = [(c.label, c.score) for c in response.result.classifications[0].classes]
    assert found == [("even", 0.25), ("odd", 0.75)]
    with_context = examples(example(other="x"), example(), context=example(text="abcd"))
    request = regression_pb2.RegressionRequest(input=with_context)
    request.model_spec.name, request.model_spec.signature_name = "parity", "lengths"
    assert [r.value for r in stub.Regress(request, timeout=10).result.regressions] == [4.0, 4.0]
    request.input.CopyFrom(examples(example(text="a"), context=example(text="b")))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "both have the feature 'text'"):
        stub.Regress(request, timeout=10)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "input without examples"):
        request.input.Clear()
        stub.Regress(request, timeout=10)


def test_metadata(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "parity"
    response = stub.GetModelMetadata(request, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert sorted(signatures.signature_def["pair"].inputs) == ["text", "text_pair"]
    request.metadata_field[:] = ["other"]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Ask for signature_def only."):
        stub.GetModelMetadata(request, timeout=10)


def test_status_and_health(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "parity"
    (version,) = stub.GetModelStatus(request, timeout=10).model_version_status
    assert (version.version, version.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    request.model_spec.version.value = 7
    with refused(grpc.StatusCode.NOT_FOUND, "parity has no version 7"):
        stub.GetModelStatus(request, timeout=10)
    with refused(grpc.StatusCode.UNIMPLEMENTED, ""):
        stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=10)
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def shaped(dtype, *shape, **values):
    """A TensorProto with a shape that its values may not have."""
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, **values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("code", "message", "request_"),
    [
        ("NOT_FOUND", "no model 'other'. Models: parity.", predict_request(name="other", text=["a"])),
        ("NOT_FOUND", "no model '../..'", predict_request(name="../..", text=["a"])),
        ("INVALID_ARGUMENT", "signature_name='x'", predict_request("x", text=["a"])),
        ("INVALID_ARGUMENT", "Received inputs: none.", predict_request()),
        ("INVALID_ARGUMENT", "text: received int32, expected string.", predict_request(text=[1])),
        ("INVALID_ARGUMENT", "text: received the shape [1, 1]", predict_request(text=[["a"]])),
        ("INVALID_ARGUMENT", "65537 bytes in row 0", predict_request(text=["a" * 65537])),
        ("INVALID_ARGUMENT", "129 rows", predict_request(text=["a"] * 129)),
        ("INVALID_ARGUMENT", "a text that fails", predict_request(text=["fail"])),
        # No type, and a number that is none.
        (
            "INVALID_ARGUMENT",
            "text: received a tensor of the unknown type 0",
            predict_request(text=tensor_pb2.TensorProto()),
        ),
        (
            "INVALID_ARGUMENT",
            "text: received a tensor of the unknown type 99",
            predict_request(text=tensor_pb2.TensorProto(dtype=99)),
        ),
        # A few bytes with the shape of terabytes.
        ("INVALID_ARGUMENT", "received the shape", predict_request(text=shaped(tf.string, 2**40, string_val=[b"a"]))),
        ("INVALID_ARGUMENT", "received the shape", predict_request(text=shaped(tf.string, -1, string_val=[b"a"]))),
        ("INVALID_ARGUMENT", "fit its shape", predict_request(text=shaped(tf.string, 1, string_val=[b"a", b"b"]))),
        (
            "INVALID_ARGUMENT",
            "A request has at most 1048576 bytes.",
            predict_request(text=shaped(tf.string, 100, string_val=[b"a" * 60000])),
        ),
        (
            "INVALID_ARGUMENT",
            "fit its shape",
            predict_request("tokens", ids=shaped(tf.int32, 1, 2, tensor_content=b"123"), mask=np.ones([1, 2], "int32")),
        ),
    ],
)
def test_wrong_predictions(stub, code, message, request_):
    with refused(grpc.StatusCode[code], message):
        stub.Predict(request_, timeout=10)


@pytest.mark.parametrize(
    ("method", "content", "code"),
    [
        ("tensorflow.serving.PredictionService/Predict", b"\xff" * 9, "INVALID_ARGUMENT"),
        ("tensorflow.serving.PredictionService/Classify", b'{"examples": []}', "INVALID_ARGUMENT"),
        ("tensorflow.serving.PredictionService/Predict", b"\x0a\x04\x0a\x02\xff\xff", "INVALID_ARGUMENT"),  # a name
        ("tensorflow.serving.ModelService/GetModelStatus", b"\x08", "INVALID_ARGUMENT"),
        ("grpc.health.v1.Health/Check", b"\x0b", "INVALID_ARGUMENT"),
        ("tensorflow.serving.PredictionService/MultiInference", b"", "UNIMPLEMENTED"),
        ("tensorflow.serving.ModelService/HandleReloadConfigRequest", b"", "UNIMPLEMENTED"),
        ("tensorflow.serving.PredictionService/Other", b"", "UNIMPLEMENTED"),
    ],
)
def test_requests_that_are_none_write_no_log(channel, caplog, method, content, code):
    with refused(grpc.StatusCode[code], ""):
        channel.unary_unary(f"/{method}")(content, timeout=10)
    assert caplog.records == []


def test_a_watch_that_is_no_proto_writes_no_log(channel, caplog):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "1 bytes that are no request of /grpc.health.v1.Health/Watch"):
        list(channel.unary_stream("/grpc.health.v1.Health/Watch")(b"\x0b", timeout=10))
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    assert caplog.records == []


def test_an_unknown_version(stub):
    request = predict_request(text=["a"])
    request.model_spec.version.value = 9
    with refused(grpc.StatusCode.NOT_FOUND, "no version 9 in service"):
        stub.Predict(request, timeout=10)
    request.model_spec.version_label = "stable"
    with refused(grpc.StatusCode.NOT_FOUND, "no label stable in service"):
        stub.Predict(request, timeout=10)


def test_a_large_request_is_refused(stub):
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, ""):
        stub.Predict(predict_request(text=["a" * 60000] * 20), timeout=10)


def test_time_limit_of_both_apis(base_path):
    with running(base_path, limits=Limits(seconds=0.2)) as client, grpc.insecure_channel(client.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        body = {"signature_name": "slow", "instances": [100_000]}
        status, answer = client.post("/v1/models/parity:predict", body)
        assert (status, answer["error"]) == (408, "Not answered within the time limit of 0.2 seconds.")
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED, "time limit of 0.2 seconds"):
            stub.Predict(predict_request("slow", steps=np.array([100_000], "int32")), timeout=10)
        # A running graph cannot be interrupted, but its thread is free when it ends.
        assert 200 in (client.predict(instances=["abc"])[0] for _ in range(100))


def test_noise_at_the_port_does_no_harm(client, stub):
    for size in (1, 100, 10_000):
        with socket.create_connection(client.grpc.split(":")) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(random.Random(size).randbytes(size))
    assert stub.Predict(predict_request(text=["abc"]), timeout=10).outputs


def test_a_full_queue_refuses_at_both_apis(base_path):
    batching = BatchingConfig(max_enqueued_batches=1, num_batch_threads=1)
    with (
        running(base_path, batching=batching) as client,
        grpc.insecure_channel(client.grpc) as channel,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        slow = pool.submit(client.predict, signature_name="slow", instances=[200_000])
        time.sleep(0.2)  # until it runs
        waiting = pool.submit(client.predict, instances=["abc"])
        while "bert_tf_queue_rows 1.0" not in client.text("/metrics"):
            assert not slow.done()
        status, answer = client.predict(instances=["abc"])
        assert (status, answer["error"].split(":")[0]) == (429, "The queue is full")
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "The queue is full"):
            stub.Predict(predict_request(text=["abc"]), timeout=10)
        assert slow.result()[0] == waiting.result()[0] == 200
