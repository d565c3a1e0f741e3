"""Bodies of the REST API: JSON to arrays for a signature, and its outputs to JSON, in row or column format."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.files import parse_json
from bert_tf.serving import examples
from bert_tf.serving.servable import Signature
from bert_tf.serving.status import invalid
from bert_tf.serving.tensors import check_names, from_json, to_json


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object in the bytes of a body."""
    try:
        body = parse_json(content.decode(json.detect_encoding(content)), "The body")
    except (InputError, UnicodeDecodeError) as error:
        raise invalid(str(error)) from error
    if not isinstance(body, dict):
        raise invalid(f"The body is a JSON {type(body).__name__}, not an object.")
    if not isinstance(body.get("signature_name", ""), str):
        raise invalid("The signature_name is not a string.")
    return body


def decode(method: str, body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The arrays {input: [N, ...]} of a predict, classify or regress request."""
    if method != "predict":
        return examples.inputs(examples.from_json(body), signature)
    if _is_rows(body):
        return _decode_rows(body, signature)
    return _decode_columns(body, signature)


def encode(method: str, body: Mapping[str, Any], outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer as JSON; predictions have the format, rows or columns, of the request."""
    if method == "classify":
        return dump({"results": examples.classifications(outputs, len(body["examples"]))})
    if method == "regress":
        return dump({"results": examples.regressions(outputs, len(body["examples"]))})
    if _is_rows(body):
        return dump({"predictions": _encode_rows(outputs)})
    columns = _to_columns(outputs)
    if len(columns) == 1:  # as in TF Serving, a single output has no name
        return dump({"outputs": next(iter(columns.values()))})
    return dump({"outputs": columns})


def dump(value: Any) -> bytes:
    """JSON as bytes."""
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


def _is_rows(body: Mapping[str, Any]) -> bool:
    if ("instances" in body) == ("inputs" in body):
        raise invalid('Give either "instances" (rows) or "inputs" (columns).')
    return "instances" in body


def _decode_rows(body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    rows = body["instances"]
    if not isinstance(rows, list) or not rows:
        raise invalid('"instances" must be a list of at least one row.')
    if not isinstance(rows[0], dict) or set(rows[0]) == {"b64"}:  # rows are values of the only input
        return _decode_columns({"inputs": rows}, signature)
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise invalid(f"Row {number} does not have the same names as row 0.")
    columns = {}
    for name in rows[0]:
        columns[name] = [row[name] for row in rows]
    return _decode_columns({"inputs": columns}, signature)


def _decode_columns(body: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    columns = body["inputs"]
    if not isinstance(columns, dict) or set(columns) == {"b64"}:  # the value of the only input, without its name
        if len(signature.inputs) != 1:
            raise invalid(
                f"The signature {signature.name} takes several inputs; name each: {', '.join(signature.inputs)}."
            )
        columns = dict.fromkeys(signature.inputs, columns)
    check_names(columns, signature)
    return {name: from_json(columns[name], spec) for name, spec in signature.inputs.items()}


def _encode_rows(outputs: Mapping[str, np.ndarray]) -> list:
    columns = _to_columns(outputs)
    counts = set()  # of rows; None for an output without an axis
    for value in columns.values():
        counts.add(len(value) if isinstance(value, list) else None)
    if len(counts) != 1 or None in counts:
        raise invalid('The outputs do not have the same number of rows: send "inputs" instead of "instances".')
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _to_columns(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: to_json(value, name) for name, value in outputs.items()}
