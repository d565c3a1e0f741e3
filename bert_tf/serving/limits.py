"""Limits of the size and time of a request."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from bert_tf.serving.status import invalid


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one request. Memory grows with rows times length, so both are limited.

    Attributes:
        body_bytes: of the request, and of all strings of an input.
        rows: of an input, and texts where a row has several.
        text_bytes: of each string; also the number of values in each row of numbers.
        seconds: from the head of the request to its answer.
    """

    body_bytes: int = 1 << 20
    rows: int = 128
    text_bytes: int = 1 << 16
    seconds: float = 30.0

    def check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raises INVALID_ARGUMENT for arrays {name: [N, ...]} without rows, with too many or with too long ones."""
        for name, value in inputs.items():
            if value.ndim and not 0 < len(value) <= self.rows:
                raise invalid(f"Received: {len(value)} rows of {name}. A request has 1 to {self.rows} rows.")
            if value.ndim > 1 and np.prod(value.shape[1:]) > self.text_bytes:
                raise invalid(f"Received: {name} of shape {value.shape}. A row has at most {self.text_bytes} values.")
            if value.dtype == object:
                self._check_strings(name, value)

    def _check_strings(self, name: str, value: np.ndarray) -> None:
        if value.ndim > 1 and not 0 < value.size <= self.rows:  # each text costs the model as much as a row
            raise invalid(f"Received: {value.size} texts of {name}. A request has 1 to {self.rows} texts in all rows.")
        lengths = [len(string) for string in value.flat]
        longest = max(lengths, default=0)
        if longest > self.text_bytes:
            num_rows = len(value) if value.ndim else 1
            row = lengths.index(longest) * num_rows // value.size  # each row has value.size / num_rows texts
            raise invalid(
                f"Received: {longest} bytes in row {row} of {name}. "
                f"A text has at most {self.text_bytes} bytes: cut it, or split it into rows."
            )
        if sum(lengths) > self.body_bytes:  # a proto may repeat one string for many rows
            raise invalid(f"Received: {sum(lengths)} bytes of {name}. A request has at most {self.body_bytes} bytes.")
