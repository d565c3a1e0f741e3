"""How large a request may be, and how long it may take."""

import dataclasses

import numpy as np

from bert_tf.serving.status import invalid


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of one request; memory while it runs grows with rows times length, so each has one."""

    body_bytes: int = 1 << 20
    rows: int = 128
    text_bytes: int = 1 << 16  # of each string, and values of each row of numbers
    seconds: float = 30.0

    def check(self, inputs):
        """Raises INVALID_ARGUMENT for arrays {name: [N, ...]} with no row, too many of them or too long ones."""
        for name, value in inputs.items():
            if value.ndim and not 0 < len(value) <= self.rows:
                raise invalid(f"Received: {len(value)} rows of {name}. A request has 1 to {self.rows} rows.")
            if value.ndim > 1 and np.prod(value.shape[1:]) > self.text_bytes:
                raise invalid(f"Received: {name} of shape {value.shape}. A row has at most {self.text_bytes} values.")
            if value.dtype == object:
                self._check_strings(name, value)

    def _check_strings(self, name, value):
        lengths = [len(string) for string in value.flat]
        longest = max(lengths, default=0)
        if longest > self.text_bytes:
            raise invalid(
                f"Received: {longest} bytes in row {lengths.index(longest)} of {name}. "
                f"A text has at most {self.text_bytes} bytes; cut it, or split it into rows."
            )
        if sum(lengths) > self.body_bytes:  # one string of a proto may stand for many rows
            raise invalid(f"Received: {sum(lengths)} bytes of {name}. A request has at most {self.body_bytes}.")
