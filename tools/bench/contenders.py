"""Pretraining models of bert_tf and its peers, with AdamW and dropout 0.1.

All train masked LM, and all but keras-hub and zeromodels next sentence prediction. Each function takes settings,
batches and a `Meter`, and returns (number of parameters, run); `run(steps)` trains on the batches in turn and returns
the mean loss.

A batch is a dict of arrays: ids, mask and segments [B, S]; positions, labels and weights [B, P]; next [B].
"""

import dataclasses
import itertools
import os

import numpy as np

from bench.figures import config_of


def jit_compile(settings):
    """Whether XLA compiles the whole step of a Keras model: always under JAX, else if the case asks for it."""
    import keras

    return keras.backend.backend() == "jax" or settings.get("compiled", False)


def policy(settings):
    """The Keras dtype policy of a case."""
    return settings["dtype"] if settings["dtype"] == "float32" else f"mixed_{settings['dtype']}"


def bert_tf(settings, batches, meter):
    """bert_tf's `BertPretrainer`."""
    model = make_bert_tf(settings, meter)

    def rename(batch):
        x = {"input_ids": "ids", "input_mask": "mask", "segment_ids": "segments", "masked_lm_positions": "positions"}
        y = {"masked_lm_logits": batch["labels"], "next_sentence_logits": batch["next"]}
        weights = {"masked_lm_logits": batch["weights"], "next_sentence_logits": np.ones(len(batch["next"]), "float32")}
        return {name: batch[theirs] for name, theirs in x.items()}, y, weights

    return model.count_params(), fit(model, endless(list(map(rename, batches))))


def make_bert_tf(settings, meter, next_sentence=True):
    """The `BertPretrainer`, compiled with its own losses and metrics."""
    import keras

    from bert_tf.modeling.pretrainer import BertPretrainer
    from bert_tf.training.optimizers.make_optimizer import make_optimizer

    meter.begin()
    keras.utils.set_random_seed(settings.get("seed", 0))
    model = BertPretrainer(dtype=policy(settings), **dataclasses.asdict(config_of(settings)))
    model.encoder.remat = settings.get("remat", False)
    model.compile(
        make_optimizer("adamw", settings.get("learning_rate", 1e-4)),
        accumulation_steps=settings.get("accumulation", 1),
        jit_compile=jit_compile(settings),
        next_sentence=next_sentence,
    )
    return model


def keras_hub(settings, batches, meter):
    """keras-hub's backbone and masked LM head, without next sentence prediction."""
    import keras
    import keras_hub

    meter.begin()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy(settings))
    config = config_of(settings)
    encoder = keras_hub.models.BertBackbone(
        config.vocab_size,
        config.num_layers,
        config.num_heads,
        config.hidden_size,
        config.intermediate_size,
        max_sequence_length=config.max_positions,
    )
    positions = keras.Input(batches[0]["positions"].shape[1:], dtype="int32", name="mask_positions")
    head = keras_hub.layers.MaskedLMHead(
        vocabulary_size=config.vocab_size, token_embedding=encoder.token_embedding, intermediate_activation="gelu"
    )
    logits = head(encoder.output["sequence_output"], positions)
    model = keras.Model({**encoder.input, "mask_positions": positions}, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=jit_compile(settings))

    def rename(batch):
        x = {"token_ids": "ids", "padding_mask": "mask", "segment_ids": "segments", "mask_positions": "positions"}
        return {name: batch[theirs] for name, theirs in x.items()}, batch["labels"], batch["weights"]

    return model.count_params(), fit(model, endless(list(map(rename, batches))))


def zeromodels(settings, batches, meter):
    """zeromodels' `BertMaskedLM`, which scores the vocabulary at all positions, without next sentence prediction."""
    import keras
    from zeromodels.models.bert import BertMaskedLM

    meter.begin()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy(settings))
    config = config_of(settings)
    model = BertMaskedLM(
        vocab_size=config.vocab_size,
        embed_dim=config.hidden_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        mlp_dim=config.intermediate_size,
        max_position_embeddings=config.max_positions,
        dropout=config.hidden_dropout,
        attention_dropout=config.attention_dropout,
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=jit_compile(settings))

    def rename(batch):
        x = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "segments"}
        return {name: batch[theirs] for name, theirs in x.items()}, *at_all_positions(batch)

    shared = model.count_params() - config.vocab_size * config.hidden_size  # without the decoder's table, its own here
    return shared, fit(model, endless(list(map(rename, batches))))


def at_all_positions(batch):
    """Labels and weights of a batch for models that score all positions, [B, S] each."""
    labels, weights = np.zeros(batch["ids"].shape, "int32"), np.zeros(batch["ids"].shape, "float32")
    row, place = np.nonzero(batch["weights"])
    labels[row, batch["positions"][row, place]] = batch["labels"][row, place]
    weights[row, batch["positions"][row, place]] = batch["weights"][row, place]
    return labels, weights


def endless(batches):
    """A function that returns the batches from the first one, repeated without end, for `fit`."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda: (batch for batch in itertools.cycle(batches))
    import tensorflow as tf

    shapes = {tuple(part.shape for part in keras.tree.flatten(batch)) for batch in batches}
    if len(shapes) == 1:
        data = tf.data.Dataset.from_tensor_slices(keras.tree.map_structure(lambda *parts: np.stack(parts), *batches))
    else:
        any_size = keras.tree.map_structure(lambda part: tf.TensorSpec([None] * part.ndim, part.dtype), batches[0])
        data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=any_size)
    options = tf.data.Options()
    options.autotune.enabled = False  # it delays the end of some `fit` calls by seconds
    data = data.repeat().with_options(options)
    return lambda: data


def fit(model, begin):
    """The `run` function of a compiled Keras model on the batches of `begin()`."""

    def run(steps):
        history = model.fit(begin(), steps_per_epoch=steps, shuffle=False, verbose=0)
        return float(history.history["loss"][0])

    return run


def step_of(model):
    """A function that trains a compiled Keras model on one batch and returns its loss."""

    def step(batch):
        model.reset_metrics()
        return float(model.train_on_batch(*batch, return_dict=True)["loss"])

    return step


def model_garden(settings, batches, meter):
    """Model Garden's `BertPretrainerV2`, with a training step in one `tf.function`."""
    import tensorflow as tf
    import tf_keras
    from official.nlp.modeling import layers, models, networks

    meter.begin()
    tf_keras.utils.set_random_seed(0)
    tf_keras.mixed_precision.set_global_policy(policy(settings))
    config = config_of(settings)
    encoder = networks.BertEncoder(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        intermediate_size=config.intermediate_size,
        max_sequence_length=config.max_positions,
        return_all_encoder_outputs=False,
        dict_outputs=True,
    )
    head = layers.ClassificationHead(inner_dim=config.hidden_size, num_classes=2, name="next_sentence")
    model = models.BertPretrainerV2(encoder, mlm_activation="gelu", classification_heads=[head])
    optimizer = tf_keras.optimizers.AdamW(1e-4)

    @tf.function
    def update(batch):
        names = {"input_word_ids": "ids", "input_mask": "mask", "input_type_ids": "segments"}
        names["masked_lm_positions"] = "positions"
        loss_of = tf.nn.sparse_softmax_cross_entropy_with_logits
        with tf.GradientTape() as tape:
            outputs = model({theirs: batch[name] for theirs, name in names.items()}, training=True)
            losses = loss_of(batch["labels"], tf.cast(outputs["mlm_logits"], tf.float32)) * batch["weights"]
            loss = tf.reduce_sum(losses) / tf.reduce_sum(batch["weights"])
            loss += tf.reduce_mean(loss_of(batch["next"], tf.cast(outputs["next_sentence"], tf.float32)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    tensors = [{name: tf.constant(value) for name, value in batch.items()} for batch in batches]
    update(tensors[0])
    return model.count_params(), cycle(tensors, lambda batch: float(update(batch)))


def cycle(batches, step):
    """The `run` function of a function that trains on one batch and returns its loss."""

    def run(steps):
        return float(np.mean([step(batch) for batch in itertools.islice(itertools.cycle(batches), steps)]))

    return run


def transformers(settings, batches, meter):
    """transformers' `BertForPreTraining`, whose loss needs the logits of all positions."""
    import torch
    from transformers import BertConfig, BertForPreTraining

    device = torch_device()
    meter.begin()
    config = config_of(settings)
    model = BertForPreTraining(
        BertConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_positions,
        )
    )
    model = model.to(device).train()
    forward = torch.compile(model) if settings.get("compiled") else model
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)

    def to_inputs(batch):
        labels, weights = at_all_positions(batch)
        inputs = {
            "input_ids": batch["ids"],
            "attention_mask": batch["mask"],
            "token_type_ids": batch["segments"],
            "labels": np.where(weights > 0, labels, -100),
            "next_sentence_label": batch["next"],
        }
        return {name: torch.tensor(value.astype("int64"), device=device) for name, value in inputs.items()}

    def step(inputs):
        with torch.autocast(device, torch.bfloat16, enabled=settings["dtype"] != "float32"):
            loss = forward(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, cycle(list(map(to_inputs, batches)), step)


def torch_device():
    """Seeds PyTorch and returns the name of its device: the GPU, if it sees one, with float32 products as Keras's."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    torch.set_float32_matmul_precision("high")  # TensorFlow and JAX round the factors to TF32 on a GPU, too
    return "cuda" if torch.cuda.is_available() else "cpu"


CONTENDERS = {function.__name__: function for function in (bert_tf, keras_hub, model_garden, zeromodels, transformers)}
