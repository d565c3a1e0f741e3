"""Bodies of the REST API: JSON to arrays for a signature, and its outputs to JSON, in rows or in columns."""

import json

from bert_tf.serving import examples
from bert_tf.serving.status import invalid
from bert_tf.serving.tensors import check_names, from_json, to_json


def parse(content):
    """The JSON object that `content`, bytes, holds."""
    try:
        body = json.loads(content)
    except RecursionError as error:
        raise invalid("The body is nested too deeply.") from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise invalid(f"The body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid(f"The body is no JSON object but a {type(body).__name__}.")
    if not isinstance(body.get("signature_name", ""), str):
        raise invalid("The signature_name is no string.")
    return body


def decode(method, body, signature):
    """The arrays {input: [N, ...]} of a predict, classify or regress request."""
    if method == "predict":
        return _decode_rows(body, signature) if _is_rows(body) else _decode_columns(body, signature)
    return examples.inputs(examples.from_json(body), signature)


def encode(method, body, outputs):
    """The answer as bytes of JSON; predictions come in the form, rows or columns, in which they were asked for."""
    if method == "classify":
        answer = {"results": examples.classifications(outputs, len(body["examples"]))}
    elif method == "regress":
        answer = {"results": examples.regressions(outputs, len(body["examples"]))}
    elif _is_rows(body):
        answer = {"predictions": _encode_rows(outputs)}
    else:
        columns = {name: to_json(value, name) for name, value in outputs.items()}
        answer = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    return dump(answer)


def dump(value):
    """JSON as bytes."""
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


def _is_rows(body):
    if ("instances" in body) == ("inputs" in body):
        raise invalid('Give either "instances" (rows) or "inputs" (columns).')
    return "instances" in body


def _decode_rows(body, signature):
    rows = body["instances"]
    if not isinstance(rows, list) or not rows:
        raise invalid('"instances" is a list of at least one row.')
    if not isinstance(rows[0], dict) or set(rows[0]) == {"b64"}:  # values of the only input
        return _decode_columns({"inputs": rows}, signature)
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != rows[0].keys():
            raise invalid(f"Row {number} has not the same names as row 0.")
    return _decode_columns({"inputs": {name: [row[name] for row in rows] for name in rows[0]}}, signature)


def _decode_columns(body, signature):
    columns = body["inputs"]
    if not isinstance(columns, dict) or set(columns) == {"b64"}:
        if len(signature.inputs) != 1:
            raise invalid(
                f"The signature {signature.name} takes several inputs, {', '.join(signature.inputs)}: name each."
            )
        columns = dict.fromkeys(signature.inputs, columns)
    check_names(columns, signature)
    return {name: from_json(columns[name], spec) for name, spec in signature.inputs.items()}


def _encode_rows(outputs):
    columns = {name: to_json(value, name) for name, value in outputs.items()}
    if any(not isinstance(value, list) for value in columns.values()) or len({len(v) for v in columns.values()}) != 1:
        raise invalid('The outputs are no rows of equal number: ask with "inputs" instead of "instances".')
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
