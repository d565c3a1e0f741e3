"""Runs a .tflite with LiteRT as a phone does: one row at a time, on a given number of threads."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.core.quiet_stderr import quiet_stderr
from bert_tf.export.tflite_metadata import INPUT_NAMES

# N rows, S tokens

_WARMUP_RUNS = 3
_OURS = {theirs: ours for ours, theirs in INPUT_NAMES.items()}


class LiteRTModel:
    """A .tflite with a signature per row length.

    Attributes:
        lengths: tokens per row of each signature, the longest first.

    Args:
        path: of the file.
        num_threads: of the interpreter; None leaves it to LiteRT.
    """

    def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        with quiet_stderr():
            interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            by_length = {}
            for name in interpreter.get_signature_list():
                runner = interpreter.get_signature_runner(name)
                by_length[_row_length(runner)] = runner
                runner(**_blank(runner))  # allocates the tensors, which prints to stderr
        self._runners = dict(sorted(by_length.items(), reverse=True))
        self.lengths = list(self._runners)

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Runs the signature for the rows' length.

        Args:
            inputs: the model's under our names: the encoder's, integers [N, S], with N > 0 and S one of `lengths`, and
                those of pictures and sounds.

        Returns:
            {output name: float32 [N, ...]}.

        Raises:
            InputError: an output is not finite.
        """
        count, length = inputs[features.INPUT_IDS].shape
        runner = self._runners[length]
        columns = {}
        for theirs, details in runner.get_input_details().items():
            columns[theirs] = np.asarray(inputs[_OURS.get(theirs, theirs)], details["dtype"])
        rows = []
        for i in range(count):
            row = {name: column[i : i + 1] for name, column in columns.items()}  # [1, S]
            rows.append(runner(**row))
        outputs = {}
        for name in rows[0]:
            outputs[name] = np.concatenate([row[name] for row in rows])  # [N, ...]
        return check_finite(outputs, self.path)

    def latencies(self, length: int) -> dict[str, float]:
        """{"latency_ms": milliseconds for one row of `length` tokens}."""
        runner = self._runners[length]
        row = {name: np.ones_like(value) for name, value in _blank(runner).items()}
        return {"latency_ms": median_ms(lambda: runner(**row))}


def check_finite(outputs: dict[str, np.ndarray], path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The outputs of a file, unchanged; `InputError` where one is not finite."""
    for value in outputs.values():
        if not np.isfinite(value).all():
            raise InputError(f"{path} computes outputs that are not finite. Choose another --quantize.")
    return outputs


def median_ms(run: Callable[[], Any], repeats: int = 20) -> float:
    """Milliseconds of `run`: the median of `repeats` runs after a warm-up."""
    seconds = []
    for _ in range(_WARMUP_RUNS + repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[_WARMUP_RUNS:])) * 1e3


def _blank(runner: Any) -> dict[str, np.ndarray]:
    """Inputs of a signature, all 0."""
    return {name: np.zeros(each["shape"], each["dtype"]) for name, each in runner.get_input_details().items()}


def _row_length(runner: Any) -> int:
    return int(runner.get_input_details()[INPUT_NAMES[features.INPUT_IDS]]["shape"][1])
