"""Compares the latency of a .tflite with ONNX models of the same network.

    python tools/benchmark_tflite.py FILE.tflite PEER.onnx [PEER.onnx ...]

Measures one row of the file's longest signature on 1 and 2 threads: medians of 60 runs, in turns. Needs onnxruntime.
The ONNX models must take input ids, mask and segments in this order, int64 [1, S].
"""

import sys
import time

import numpy as np
import onnxruntime

from bert_tf.core import features
from bert_tf.export.litert_model import LiteRTModel

RUNS = 60


def main():
    path, *peers = sys.argv[1:]
    for threads in (1, 2):
        litert = LiteRTModel(path, threads)
        ids = np.random.default_rng(0).integers(0, 1000, (1, litert.lengths[0]))
        row = dict(zip(features.ENCODER_INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
        work = {path: lambda litert=litert, row=row: litert(row)}
        work |= {peer: onnx(peer, threads, list(row.values())) for peer in peers}
        times = medians(work)
        for name, seconds in times.items():
            ratio = seconds / times[path]
            print(f"{threads} threads, {litert.lengths[0]} tokens: {seconds * 1e3:7.2f} ms {ratio:5.2f} {name}")


def onnx(path, threads, values):
    """A function that runs an ONNX model on `values`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options)
    feed = {given.name: value for given, value in zip(session.get_inputs(), values, strict=False)}
    return lambda: session.run(None, feed)


def medians(work):
    """Median seconds of each function, run in turns."""
    times = {name: [] for name in work}
    for _ in range(RUNS):
        for name, function in work.items():
            function()  # warms the caches, which hold the data of the others
            begin = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


if __name__ == "__main__":
    main()
