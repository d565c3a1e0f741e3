"""Times a .tflite against ONNX models of the same network, in turns, and prints how many times faster it is.

    python tools/benchmark_tflite.py FILE.tflite PEER.onnx [PEER.onnx ...]

One row of as many pieces as the file's longest signature takes, on 1 and 2 threads; medians of 60 runs. Wants
onnxruntime. The peers take input ids, mask and segments in this order, int64 [1, length].
"""

import sys
import time

import numpy as np
import onnxruntime

from bert_tf.core import features
from bert_tf.export.litert_model import LiteModel

RUNS = 60


def main():
    path, *peers = sys.argv[1:]
    for threads in (1, 2):
        lite = LiteModel(path, threads)
        ids = np.random.default_rng(0).integers(0, 1000, (1, lite.lengths[0]))
        row = dict(zip(features.ENCODER_INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
        work = {path: lambda lite=lite, row=row: lite(row)}
        work |= {peer: onnx(peer, threads, list(row.values())) for peer in peers}
        times = medians(work)
        for name, seconds in times.items():
            ratio = seconds / times[path]
            print(f"{threads} threads, {lite.lengths[0]} pieces: {seconds * 1e3:7.2f} ms {ratio:5.2f} {name}")


def onnx(path, threads, values):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options)
    feed = {given.name: value for given, value in zip(session.get_inputs(), values, strict=False)}
    return lambda: session.run(None, feed)


def medians(work):
    """Median seconds of each function, all of them in turns."""
    times = {name: [] for name in work}
    for _ in range(RUNS):
        for name, function in work.items():
            function()  # brings back what the others drove out of the caches
            begin = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


if __name__ == "__main__":
    main()
