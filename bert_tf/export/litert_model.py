"""Runs a .tflite with LiteRT as a phone does: one row at a time, on so many threads."""

import time

import numpy as np

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.export.quiet_stderr import quiet
from bert_tf.export.tflite_conversion import INPUT_NAMES


class LiteModel:
    """The file at `path`; `lengths` are the pieces a row that its signatures take, the longest first."""

    def __init__(self, path, num_threads=None):
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        with quiet():
            interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            runners = [interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()]
            by_length = {_length_of(runner): runner for runner in runners}
            for length, runner in by_length.items():
                runner(**dict.fromkeys(INPUT_NAMES.values(), np.zeros([1, length], "int32")))  # allocates, and says so
        self._runners = dict(sorted(by_length.items(), reverse=True))
        self.lengths = list(self._runners)

    def __call__(self, inputs):
        """Outputs {name: float32 [N, ...]} for the encoder's inputs, int [N, S] with S one of `lengths` and N > 0.

        An answer that is not finite raises `InputError`.
        """
        rows = {theirs: np.asarray(inputs[ours], "int32") for ours, theirs in INPUT_NAMES.items()}
        count, length = inputs[features.INPUT_IDS].shape
        runner = self._runners[length]
        answers = [runner(**{name: value[i : i + 1] for name, value in rows.items()}) for i in range(count)]
        outputs = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
        if not all(np.isfinite(value).all() for value in outputs.values()):
            raise InputError(f"{self.path} answers with numbers that are not finite.")
        return outputs

    def latency(self, length, repeats=20):
        """Milliseconds for a row of `length` pieces: the median of `repeats`, after three that warm up."""
        row = dict.fromkeys(features.ENCODER_INPUTS, np.ones([1, length], "int32"))
        times = []
        for _ in range(3 + repeats):
            begin = time.perf_counter()
            self(row)
            times.append(time.perf_counter() - begin)
        return float(np.median(times[3:])) * 1e3


def _length_of(runner):
    return int(runner.get_input_details()[INPUT_NAMES[features.INPUT_IDS]]["shape"][1])
