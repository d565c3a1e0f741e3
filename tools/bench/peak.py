"""The machine's peak speed in matrix products, to which the speed of a step is compared."""

import os
import time

import numpy as np

from bench.figures import table
from bench.runner import Case, Race
from bench.worker import require

TITLE = "Matrix products"
PRODUCTS = 4  # per call


def races(options):
    """Keras's products on any backend; for int8 on a CPU those of LiteRT, because TensorFlow has no fast ones."""
    size = 512 if options.quick else 8192 if options.gpu else 2048
    dtypes = ("float32", "bfloat16", "int8") if options.gpu else ("float32", "bfloat16")
    cases = [Case("peak", "products", {"dtype": dtype, "size": size}) for dtype in dtypes]
    if not options.gpu and options.has("tensorflow", "int8 products of LiteRT"):
        cases.append(Case("peak", "litert", {"dtype": "int8", "size": size}))
    return [Race(cases, options.rounds)]


def products(settings, paths, meter):
    """Products of square matrices in TensorFlow or JAX, through Keras."""
    from keras import ops

    size, dtype = settings["size"], settings["dtype"]
    a, b = (np.random.default_rng(seed).integers(-3, 4, (size, size)).astype("int8") for seed in range(2))
    meter.begin()
    x, y = (ops.cast(ops.convert_to_tensor(value), dtype) for value in (a, b))
    column = ops.convert_to_numpy(ops.cast(ops.matmul(x, y)[:, 0], "float32"))
    require(np.allclose(column, a.astype(int) @ b[:, 0].astype(int), rtol=0.01, atol=1), "A product is wrong.")

    def chain(x, y):
        for _ in range(PRODUCTS):
            y = ops.cast(ops.matmul(x, y), dtype)
            y = y if dtype == "int8" else y * (0.5 * size**-0.5)  # keeps the numbers bounded
        return y

    chain = compiled(chain)
    return work(lambda: float(chain(x, y)[0, 0]), size, PRODUCTS)


def compiled(function):
    """The function compiled by Keras's backend."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


def litert(settings, paths, meter):
    """A fully quantized layer of a .tflite on all cores."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    size = settings["size"]
    a, b = (np.random.default_rng(seed).standard_normal((size, size)).astype("float32") for seed in range(2))
    multiply = tf.function(lambda x: tf.matmul(x, b), input_signature=[tf.TensorSpec([size, size])])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([multiply.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[a]]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    meter.begin()
    interpreter = Interpreter(model_content=converter.convert(), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = given["quantization"]
    interpreter.set_tensor(given["index"], np.clip(np.round(a / scale) + zero, -128, 127).astype("int8"))
    interpreter.invoke()
    found = interpreter.get_tensor(answer["index"])[:, 0].astype("float32")
    require(np.corrcoef(found, a @ b[:, 0])[0, 1] > 0.99, "A product is wrong.")
    return work(interpreter.invoke, size, 1)


def work(multiply, size, products, turns=5):
    """The work to time: `turns` calls, each of so many products, of which the fastest counts."""
    multiply()

    def run():
        found = []
        for _ in range(turns):
            began, worked = time.perf_counter(), time.process_time()
            multiply()
            found.append((time.perf_counter() - began, time.process_time() - worked))
        wall, cpu = map(min, zip(*found, strict=True))
        return {"steps": 1, "units": products * 2 * size**3, "wall": wall, "cpu": max(cpu, 1e-9)}

    return run


CONTENDERS = {"products": products, "litert": litert}


def describe(store):
    """The table of peak speeds."""
    rows = [
        [
            f"{found.settings['dtype']}{' (LiteRT)' if found.contender == 'litert' else ''}",
            f"{found.rate('cpu') / 1e9:,.0f}",
            f"{found.rate('wall') / 1e9:,.0f}",
            f"{found.spread('wall'):.0%}",
        ]
        for found in store.of("peak")
    ]
    return table(["matrix products", "GFLOP/s by CPU time, one core", "by the clock, all cores", "spread"], rows)
