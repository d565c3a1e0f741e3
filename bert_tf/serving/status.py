"""Errors of requests: gRPC status codes, and the HTTP status of each code."""

import asyncio
import re

import tensorflow as tf
from absl import logging
from grpc import StatusCode as Code

# As in TF Serving, except for the time limit: 408 tells clients to send a smaller request.
HTTP_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.NOT_FOUND: 404,
    Code.DEADLINE_EXCEEDED: 408,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
}
_BY_NUMBER = {code.value[0]: code for code in Code}
# TensorFlow puts this before and after the message of an op that fails.
_GRAPH_NOISE = re.compile(r"^Graph execution error:.*?<stack traces unavailable>\n|\n\t \[\[\{\{node .*", re.DOTALL)
_LONGEST_MESSAGE = 1000  # characters; a failing graph may quote whole tensors


class RequestError(Exception):
    """An error for the client: gRPC status code, message, and an HTTP status if it is not the code's."""

    def __init__(self, code: Code, message: str, http_status: int | None = None):
        super().__init__(message)
        self.code = code
        self.message = message[:_LONGEST_MESSAGE]
        self.http_status = http_status or HTTP_STATUS.get(code, 500)


def invalid(message: str) -> RequestError:
    """The error of a wrong request (INVALID_ARGUMENT)."""
    return RequestError(Code.INVALID_ARGUMENT, message)


def from_exception(error: Exception, seconds: float) -> RequestError:
    """Any exception as a `RequestError`; `seconds` is the time limit, for its message."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, asyncio.TimeoutError):
        return RequestError(Code.DEADLINE_EXCEEDED, f"Not answered within the time limit of {seconds:g} seconds.")
    if isinstance(error, tf.errors.OpError):  # TensorFlow's error codes are gRPC's
        return RequestError(_BY_NUMBER[error.error_code], _GRAPH_NOISE.sub("", error.message))
    logging.error("A request failed: %s: %s", type(error).__name__, error, exc_info=error)
    return RequestError(Code.INTERNAL, f"The server failed on this request ({type(error).__name__}).")
