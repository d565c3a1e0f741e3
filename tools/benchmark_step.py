"""One contender of `benchmark.py` in a process of its own: pretraining steps of one size, timed, as a line of JSON.

    python tools/benchmark_step.py {bert_tf,keras_hub,model_garden,transformers,peak} DTYPE LAYERS HIDDEN BATCH LENGTH

DTYPE is float32 or bfloat16. Each contender trains masked LM (20 positions a row; transformers takes the logits of all
positions) with AdamW, dropout 0.1 and, but for keras-hub, next sentences; vocabulary 30,522. Three steps warm up.
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a waiting thread of torch is no work

import numpy as np

VOCABULARY, PREDICTIONS, STEPS = 30522, 20, 5


def main():
    name, dtype, layers, hidden, batch, length = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    if name == "peak":
        print(json.dumps(peak(dtype)))
        return
    sizes = {"layers": layers, "hidden": hidden, "heads": 12, "length": length}
    parameters, step = CONTENDERS[name](dtype, sizes, make_rows(batch, length))
    losses = [step() for _ in range(3)]
    wall, cpu = [], []
    for _ in range(STEPS):
        began, worked = time.perf_counter(), time.process_time()
        losses.append(step())
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"parameters": parameters, "losses": losses, "wall": wall, "cpu": cpu, "memory": memory}
    print(json.dumps(result))


def make_rows(batch, length):
    random = np.random.default_rng(0)
    places = random.permuted(np.tile(np.arange(length), (batch, 1)), axis=1)[:, :PREDICTIONS]
    return {
        "ids": random.integers(1000, VOCABULARY, (batch, length)).astype("int32"),
        "ones": np.ones((batch, length), "int32"),
        "zeros": np.zeros((batch, length), "int32"),
        "positions": np.sort(places, 1).astype("int32"),
        "labels": random.integers(1000, VOCABULARY, (batch, PREDICTIONS)).astype("int32"),
        "next": random.integers(0, 2, batch).astype("int32"),
    }


def policy(dtype):
    return dtype if dtype == "float32" else f"mixed_{dtype}"


def bert_tf(dtype, sizes, rows):
    import keras

    from bert_tf.modeling.pretrainer import BertPretrainer
    from bert_tf.training.optimizers import make_optimizer

    keras.utils.set_random_seed(0)
    model = BertPretrainer(
        dtype=policy(dtype),
        vocab_size=VOCABULARY,
        num_layers=sizes["layers"],
        hidden_size=sizes["hidden"],
        num_heads=sizes["heads"],
        intermediate_size=4 * sizes["hidden"],
    )
    model.compile(make_optimizer("adamw", 1e-4))
    names = {
        "input_ids": "ids",
        "input_mask": "ones",
        "segment_ids": "zeros",
        "masked_lm_positions": "positions",
    }
    x = {ours: rows[name] for ours, name in names.items()}
    y = {"masked_lm_logits": rows["labels"], "next_sentence_logits": rows["next"]}
    weights = {name: np.ones(targets.shape, "float32") for name, targets in y.items()}
    x, y, weights = keras.tree.map_structure(keras.ops.convert_to_tensor, (x, y, weights))

    def step():
        model.reset_metrics()
        return float(model.train_on_batch(x, y, weights, return_dict=True)["loss"])

    return model.count_params(), step


def keras_hub(dtype, sizes, rows):
    import keras
    import keras_hub

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy(dtype))
    hidden = sizes["hidden"]
    encoder = keras_hub.models.BertBackbone(
        VOCABULARY, sizes["layers"], sizes["heads"], hidden, 4 * hidden, max_sequence_length=512
    )
    positions = keras.Input((PREDICTIONS,), dtype="int32", name="mask_positions")
    head = keras_hub.layers.MaskedLMHead(
        vocabulary_size=VOCABULARY, token_embedding=encoder.token_embedding, intermediate_activation="gelu"
    )
    logits = head(encoder.output["sequence_output"], positions)
    model = keras.Model({**encoder.input, "mask_positions": positions}, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=False)
    names = {"token_ids": "ids", "padding_mask": "ones", "segment_ids": "zeros", "mask_positions": "positions"}
    x = {theirs: keras.ops.convert_to_tensor(rows[name]) for theirs, name in names.items()}
    y = keras.ops.convert_to_tensor(rows["labels"])

    def step():
        model.reset_metrics()
        return float(np.ravel(model.train_on_batch(x, y))[0])

    return model.count_params(), step


def model_garden(dtype, sizes, rows):
    import tensorflow as tf
    import tf_keras
    from official.nlp.modeling import layers, models, networks

    tf_keras.utils.set_random_seed(0)
    tf_keras.mixed_precision.set_global_policy(policy(dtype))
    hidden = sizes["hidden"]
    encoder = networks.BertEncoder(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        intermediate_size=4 * hidden,
        return_all_encoder_outputs=False,
        dict_outputs=True,
    )
    head = layers.ClassificationHead(inner_dim=hidden, num_classes=2, name="next_sentence")
    model = models.BertPretrainerV2(encoder, mlm_activation="gelu", classification_heads=[head])
    optimizer = tf_keras.optimizers.AdamW(1e-4)
    names = {
        "input_word_ids": "ids",
        "input_mask": "ones",
        "input_type_ids": "zeros",
        "masked_lm_positions": "positions",
    }
    x = {theirs: tf.constant(rows[name]) for theirs, name in names.items()}
    targets = {"mlm_logits": tf.constant(rows["labels"]), "next_sentence": tf.constant(rows["next"])}

    @tf.function
    def update():
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = sum(
                tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(target, tf.cast(outputs[name], tf.float32))
                )
                for name, target in targets.items()
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    update()
    return model.count_params(), lambda: float(update())


def transformers(dtype, sizes, rows):
    import torch
    from transformers import BertConfig, BertForPreTraining

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    model = BertForPreTraining(
        BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=sizes["hidden"],
            num_hidden_layers=sizes["layers"],
            num_attention_heads=sizes["heads"],
            intermediate_size=4 * sizes["hidden"],
        )
    ).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    tensors = {name: torch.tensor(array.astype("int64")) for name, array in rows.items()}
    labels = torch.full(tensors["ids"].shape, -100).scatter_(1, tensors["positions"], tensors["labels"])

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype != "float32"):
            loss = model(
                input_ids=tensors["ids"],
                attention_mask=tensors["ones"],
                token_type_ids=tensors["zeros"],
                labels=labels,
                next_sentence_label=tensors["next"],
            ).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return sum(parameter.numel() for parameter in model.parameters()), step


def peak(dtype, size=2048, products=4):
    """GFLOP a second of wall and of CPU time in products of square matrices, the best of several."""
    import tensorflow as tf

    a, b = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    a = a / tf.cast(size**0.5, dtype)  # products of products keep their size

    @tf.function
    def multiply():
        c = b
        for _ in range(products):
            c = tf.matmul(a, c)
        return tf.cast(c[0, 0], tf.float32)

    multiply()
    found = []
    for _ in range(STEPS):
        began, worked = time.perf_counter(), time.process_time()
        multiply().numpy()
        found.append((time.perf_counter() - began, time.process_time() - worked))
    work = products * 2 * size**3 / 1e9
    return {"wall": work / min(wall for wall, _ in found), "cpu": work / min(cpu for _, cpu in found)}


CONTENDERS = {function.__name__: function for function in (bert_tf, keras_hub, model_garden, transformers)}

if __name__ == "__main__":
    main()
