"""The REST API over HTTP: formats of requests and answers, messages and statuses of errors."""

import base64

import pytest

from bert_tf.serving import rest

# The answers to "abc" and "".
ODD = {"label": "odd", "probabilities": [0.25, 0.75], "version": 1.0}
EVEN = {"label": "even", "probabilities": [0.75, 0.25], "version": 1.0}


def test_rows_of_values_and_of_objects(client):
    assert client.predict(instances=["abc", ""]) == (200, {"predictions": [ODD, EVEN]})
    assert client.predict(instances=[{"text": "abc"}]) == (200, {"predictions": [ODD]})
    rows = [{"text": "a", "text_pair": "b"}, {"text_pair": "我", "text": "é"}]
    answer = client.predict(signature_name="pair", instances=rows)
    assert answer == (200, {"predictions": ["ab", "é我"]})


def test_columns(client):
    columns = {"label": ["odd", "even"], "probabilities": [[0.25, 0.75], [0.75, 0.25]], "version": [1.0, 1.0]}
    assert client.predict(inputs={"text": ["abc", ""]}) == (200, {"outputs": columns})
    assert client.predict(inputs=["abc", ""]) == (200, {"outputs": columns})
    answer = client.predict(signature_name="tokens", inputs={"ids": [[5, 6, 7]], "mask": [[1, 1, 0]]})
    assert answer == (200, {"outputs": [11]})


def test_an_input_with_several_texts_per_row(client):
    columns = {"context": ["a", "x"], "endings": [["b", "bcd"], ["é", "ü"]]}
    chosen = {
        "choice": [1, 0],
        "probabilities": [[0.25, 0.75], [0.5, 0.5]],
        "together": [["ab", "abcd"], ["xé", "xü"]],
    }
    assert client.predict(signature_name="longest", inputs=columns) == (200, {"outputs": chosen})
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = [dict(zip(chosen, row, strict=True)) for row in zip(*chosen.values(), strict=True)]
    assert client.predict(signature_name="longest", instances=rows) == (200, {"predictions": expected})


@pytest.mark.parametrize(
    ("endings", "message"),
    [
        ([["a", "b"], ["c"]], "endings: rows of unequal length."),
        ([["a"], "b"], "endings: rows of unequal length."),
        (["a", "b"], "endings: received the shape [2], expected (None, None)."),
        ([[], []], "Received: 0 texts of endings. A request has 1 to 128 texts in all rows."),
        ([["a"] * 65] * 2, "Received: 130 texts of endings. A request has 1 to 128 texts in all rows."),
        ([["a", "b"], ["c", "d" * 65537]], "Received: 65537 bytes in row 1 of endings."),
        ([["a"]], "Inputs of unequal numbers of rows: {'context': 2, 'endings': 1}."),
    ],
)
def test_wrong_lists_of_texts(client, endings, message):
    status, answer = client.predict(signature_name="longest", inputs={"context": ["", ""], "endings": endings})
    assert status == 400
    assert message in answer["error"]


def test_an_output_without_rows_goes_in_columns_only(client):
    assert client.predict(signature_name="count", inputs=["a", "b", "c"]) == (200, {"outputs": 3})
    status, answer = client.predict(signature_name="count", instances=["a"])
    assert status == 400
    assert 'send "inputs"' in answer["error"]


def test_base64_in_and_out(client):
    odd_bytes = base64.b64encode(b"\xff\xfe\xfd").decode()
    assert client.predict(instances=[{"b64": odd_bytes}])[1]["predictions"][0]["label"] == "odd"
    assert client.predict(instances=[{"text": {"b64": odd_bytes}}])[1]["predictions"][0]["label"] == "odd"
    status, answer = client.predict(signature_name="raw", instances=["hé", {"b64": odd_bytes}])
    assert status == 200
    named_bytes = base64.b64encode("hé".encode()).decode()
    assert answer["predictions"] == [
        {"text_bytes": {"b64": named_bytes}, "text": "hé"},
        {"text_bytes": {"b64": odd_bytes}, "text": {"b64": odd_bytes}},  # not UTF-8, whatever its name
    ]


def test_classify_and_regress(client):
    body = {"signature_name": "examples", "examples": [{"text": "abc"}, {"text": [""]}]}
    status, answer = client.post("/v1/models/parity:classify", body)
    assert (status, answer) == (200, {"results": [[["even", 0.25], ["odd", 0.75]], [["even", 0.75], ["odd", 0.25]]]})
    body = {"signature_name": "lengths", "context": {"text": "abc"}, "examples": [{"other": 1}, {"other": [0.5, 2]}]}
    assert client.post("/v1/models/parity:regress", body) == (200, {"results": [3.0, 3.0]})


def test_status_and_metadata(client):
    entry = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/parity", "/v1/models/parity/versions/1"):
        assert client.get(path) == (200, {"model_version_status": [entry]})
    status, answer = client.get("/v1/models/parity/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "parity", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["tokens"]
    assert signature["inputs"]["ids"]["dtype"] == "DT_INT32"
    assert signature["inputs"]["ids"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}] * 2
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_a_version_can_be_named(client):
    assert client.post("/v1/models/parity/versions/1:predict", {"instances": ["abc"]})[1] == {"predictions": [ODD]}
    status, answer = client.post("/v1/models/parity/versions/2:predict", {"instances": ["abc"]})
    assert (status, answer["error"]) == (404, "Servable not found: parity has no version 2 in service. Versions: 1.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body: not JSON"),
        (b"{", "The body: not JSON"),
        (b"\xff\xff\xff", "can't decode byte 0xff"),
        (b'{"instances": ["\xed\xa0\x80"]}', "can't decode byte 0xed"),  # half of a surrogate pair as bytes
        (b"[1]", "The body is a JSON list, not an object."),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "Exceeds the limit (4300 digits)"),
        ({}, 'Give either "instances" (rows) or "inputs" (columns).'),
        ({"instances": ["a"], "inputs": ["a"]}, 'Give either "instances" (rows) or "inputs" (columns).'),
        ({"instances": []}, "at least one row"),
        ({"instances": "abc"}, "at least one row"),
        ({"inputs": []}, "A request has 1 to 128 rows"),
        ({"inputs": "abc"}, "text: received the shape [], expected (None,)"),
        ({"instances": [["a"]]}, "text: received the shape [1, 1], expected (None,)"),
        ({"instances": [1]}, "Received: 1. Expected a string."),
        ({"instances": [None]}, "Received: None. Expected a string."),
        ({"instances": ["a", ["b"]]}, "Received: ['b']. Expected a string."),
        ({"instances": [{"b64": "@@"}]}, "not base64"),
        ({"instances": [{"b64": 3}]}, "Received: {'b64': 3}. Expected a string."),
        (b'{"instances": ["\\ud800"]}', "half of a surrogate pair"),
        (b'{"instances": [{"text\\udfff": "a"}]}', "half of a surrogate pair"),
        (b'{"signature_name": "\\ud800", "instances": ["a"]}', "half of a surrogate pair"),
        ({"instances": [{"txt": "a"}]}, "Received inputs: txt. The signature serving_default takes text."),
        ({"instances": [{"text": "a"}, {}]}, "Row 1 does not have the same names as row 0."),
        ({"instances": [{"text": "a"}, "b"]}, "Row 1 does not have the same names as row 0."),
        ({"signature_name": "other", "instances": ["a"]}, "Received: signature_name='other'. Signatures: count, "),
        ({"signature_name": 3, "instances": ["a"]}, "signature_name is not a string"),
        ({"signature_name": "pair", "instances": ["a"]}, "takes several inputs; name each: text, text_pair."),
        (
            {"signature_name": "pair", "inputs": {"text": ["a"], "text_pair": ["b", "c"]}},
            "Inputs of unequal numbers of rows: {'text': 1, 'text_pair': 2}.",
        ),
        ({"instances": ["fail"]}, "a text that fails"),
        ({"instances": ["a" * 65537]}, "Received: 65537 bytes in row 0 of text. A text has at most 65536 bytes"),
        ({"instances": ["a"] * 129}, "Received: 129 rows of text. A request has 1 to 128 rows."),
    ],
)
def test_wrong_predictions(client, body, message):
    status, answer = client.post("/v1/models/parity:predict", body)
    assert (status, list(answer)) == (400, ["error"])
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1.5]], "ids: received 1.5, expected a value of type int32."),
        ([[True]], "ids: received True, expected a value of type int32."),
        ([["1"]], "ids: received '1', expected a value of type int32."),
        ([[2**31]], "ids: a number does not fit int32"),
        ([[10**400]], "ids: a number does not fit int32"),
        ([[float("nan")]], "ids: received nan, expected a value of type int32."),
        ([[1], [1, 2]], "ids: rows of unequal length."),
        ([[[1]]], "ids: received the shape [1, 1, 1], expected (None, None)."),
        ([[1] * 65537], "A row has at most 65536 values."),
    ],
)
def test_wrong_numbers(client, ids, message):
    mask = [[1] * 65537] if len(ids[0]) > 2 else [[1]] * len(ids)
    status, answer = client.predict(signature_name="tokens", inputs={"ids": ids, "mask": mask})
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        ("classify", {"examples": [{"text": "a"}]}, "name it as signature_name"),
        ("classify", {"signature_name": "lengths", "examples": [{"text": "a"}]}, "outputs classes or scores"),
        ("regress", {"signature_name": "examples", "examples": [{"text": "a"}]}, "the output outputs"),
        ("classify", {"signature_name": "examples"}, 'Expected {"examples"'),
        ("classify", {"signature_name": "examples", "examples": []}, "A request has 1 to 128 rows"),
        ("classify", {"signature_name": "examples", "examples": ["a"]}, "Every example is an object"),
        ("classify", b'{"signature_name": "examples", "examples": [{"\\ud83d": "a"}]}', "half of a surrogate pair"),
        ("classify", b'{"signature_name": "examples", "examples": [{}], "context": {"\\ud83d": 1}}', "surrogate pair"),
        ("classify", {"signature_name": "examples", "examples": [{"text": [1, "a"]}]}, "1. Expected a string."),
        ("classify", {"signature_name": "examples", "examples": [{"text": 2**63}]}, "The feature 'text' does not fit"),
        ("classify", {"signature_name": "examples", "examples": [{}]}, "text"),
        (
            "classify",
            {"signature_name": "examples", "examples": [{"text": "a"}], "context": {"text": "b"}},
            "Example 0 and the context both have the feature 'text'.",
        ),
    ],
)
def test_wrong_examples(client, method, body, message):
    status, answer = client.post(f"/v1/models/parity:{method}", body)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/other",
        "/v1/models/parity/versions/2",
        "/v1/models/parity/versions/x",
        "/v1/models/parity/versions/" + "9" * 5000,
        "/v1/models/parity/labels/none",
        "/v1/models/..",
        "/v1/models/../../etc/passwd",
        "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v1/models/parity/versions/..%2f..",
        "/v1/models/%2fetc%2fpasswd/metadata",
        "/v1/models/parity%00",
        "/v1/models/parity:predict",  # needs POST
        "/v1/models/",
        "/etc/passwd",
        "/page.html",
        "/../labels.txt",
    ],
)
def test_unknown_paths_are_404(client, path):
    status, answer = client.get(path)
    assert (status, list(answer)) == (404, ["error"])


def test_a_large_body_is_413(client):
    status, answer = client.post("/v1/models/parity:predict", b" " * (2**20 + 1))
    assert (status, answer["error"]) == (413, "The body is larger than 1048576 bytes; split the request.")


def test_the_uncompressed_size_of_a_body_counts(client):
    import gzip

    headers = {"Content-Encoding": "gzip"}
    small = gzip.compress(b'{"instances": ["abc"]}')
    assert client.post("/v1/models/parity:predict", small, headers) == (200, {"predictions": [ODD]})
    assert client.post("/v1/models/parity:predict", gzip.compress(b" " * 10**8), headers)[0] == 413
    assert client.post("/v1/models/parity:predict", b"no gzip", headers)[0] == 400


def test_a_huge_answer_is_413(client, monkeypatch):
    monkeypatch.setattr(rest, "_MAX_VALUES", 12)
    assert client.predict(instances=["abc"] * 3)[0] == 200  # a label, two probabilities and the version each
    status, answer = client.predict(instances=["abc"] * 4)
    assert (status, answer["error"]) == (413, "The answer has 16 values, over 12; send fewer rows.")
