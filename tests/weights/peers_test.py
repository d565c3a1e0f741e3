"""What is written opens in the other project's own code and gives the same outputs there."""

import dataclasses
import json

import numpy as np
import pytest

from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.weights import read_model, write_model
from tests.weights.samples import VOCABULARY, make

IDS = np.array([[2, 8, 9, 3, 10, 3], [2, 6, 3, 0, 0, 0]], "int32")
MASK = (IDS != 0).astype("int32")
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1], [0] * 6], "int32")
POSITIONS = np.array([[1, 2], [1, 0]], "int32")


def our_outputs(model_class, folder, **settings):
    inputs = {"input_ids": IDS, "input_mask": MASK, "segment_ids": SEGMENTS, "masked_lm_positions": POSITIONS}
    return model_class.from_pretrained(folder, **settings)(inputs)


def assert_close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), atol=1e-5)


@pytest.fixture(scope="module")
def garden():
    pytest.importorskip("official.nlp.modeling", reason="needs tf-models-official (extra garden)")
    from official.nlp import modeling

    return modeling


@pytest.fixture(scope="module")
def keras_hub():
    return pytest.importorskip("keras_hub")


GARDEN_INPUTS = {"input_word_ids": IDS, "input_mask": MASK, "input_type_ids": SEGMENTS}


def garden_pretrainer(garden, activation, mlm_activation):
    encoder = garden.networks.BertEncoderV2(
        vocab_size=11,
        hidden_size=8,
        num_layers=2,
        num_attention_heads=2,
        max_sequence_length=6,
        type_vocab_size=2,
        inner_dim=12,
        **({"inner_activation": activation} if activation else {}),
    )
    head = garden.layers.ClassificationHead(8, num_classes=2, name="next_sentence")
    model = garden.models.BertPretrainerV2(encoder, mlm_activation, classification_heads=[head])
    model(GARDEN_INPUTS | {"masked_lm_positions": POSITIONS})
    return model, head


def tanh_gelu(x):
    import tf_keras

    return tf_keras.activations.gelu(x, approximate=True)


@pytest.mark.parametrize(("ours", "theirs"), [("gelu_tanh", tanh_gelu), ("gelu", "gelu"), ("relu", "relu")])
def test_model_garden_restores_every_object(garden, tmp_path, ours, theirs):
    import tensorflow as tf

    write_model(make("pretrainer", activation=ours), tmp_path / "model", "model_garden")
    model, head = garden_pretrainer(garden, theirs, theirs)
    items = model.checkpoint_items | {"next_sentence.out_proj": head.out_proj}
    prefix = tf.train.latest_checkpoint(tmp_path / "model")
    tf.train.Checkpoint(**items).read(prefix).assert_existing_objects_matched()
    outputs = model(GARDEN_INPUTS | {"masked_lm_positions": POSITIONS})
    expected = our_outputs(BertPretrainer, tmp_path / "model")
    assert_close(outputs["sequence_output"], expected["sequence_output"])
    assert_close(outputs["pooled_output"], expected["pooled_output"])
    assert_close(outputs["mlm_logits"], expected["masked_lm_logits"])
    assert_close(outputs["next_sentence"], expected["next_sentence_logits"])


def test_model_garden_encoder_alone(garden, tmp_path):
    import tensorflow as tf

    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", "model_garden")
    model, _ = garden_pretrainer(garden, None, None)
    status = tf.train.Checkpoint(encoder=model.encoder_network).read(tf.train.latest_checkpoint(tmp_path / "model"))
    status.assert_existing_objects_matched()
    outputs = model.encoder_network(GARDEN_INPUTS)
    assert_close(outputs["pooled_output"], our_outputs(BertEncoder, tmp_path / "model")["pooled_output"])


def test_model_garden_encoder_of_a_model_without_a_pooler(garden, tmp_path):
    import tensorflow as tf

    notes = write_model(without_pooler("tagging"), tmp_path / "model", "model_garden")
    assert any("no pooler" in note for note in notes)
    model, _ = garden_pretrainer(garden, None, None)
    status = tf.train.Checkpoint(encoder=model.encoder_network).read(tf.train.latest_checkpoint(tmp_path / "model"))
    status.assert_existing_objects_matched()
    expected = our_outputs(BertEncoder, tmp_path / "model")["sequence_output"]
    assert_close(model.encoder_network(GARDEN_INPUTS)["sequence_output"], expected)
    assert not any("pooler" in name for name in read_model(tmp_path / "model").weights)


def test_model_gardens_trainer_saves_the_whole_model(garden, tmp_path):
    import tensorflow as tf
    import tf_keras

    model, _ = garden_pretrainer(garden, None, tanh_gelu)
    optimizer = tf_keras.optimizers.Adam()
    with tf.GradientTape() as tape:
        outputs = model(GARDEN_INPUTS | {"masked_lm_positions": POSITIONS})
        loss = tf.reduce_sum(outputs["mlm_logits"]) + tf.reduce_sum(outputs["next_sentence"][:, 0])
    pairs = zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
    optimizer.apply_gradients([(gradient, variable) for gradient, variable in pairs if gradient is not None])
    saved = tf.train.Checkpoint(model=model, optimizer=optimizer, global_step=optimizer.iterations)
    saved.save(str(tmp_path / "model" / "ckpt"))
    sizes = {"vocab_size": 11, "hidden_size": 8, "num_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    settings = sizes | {"max_position_embeddings": 6, "type_vocab_size": 2}
    (tmp_path / "model" / "config.json").write_text(json.dumps(settings))
    outputs = model(GARDEN_INPUTS | {"masked_lm_positions": POSITIONS})
    expected = our_outputs(BertPretrainer, tmp_path / "model")
    assert_close(outputs["sequence_output"], expected["sequence_output"])
    assert_close(outputs["mlm_logits"], expected["masked_lm_logits"])
    assert_close(outputs["next_sentence"], expected["next_sentence_logits"])


HUB_INPUTS = {"token_ids": IDS, "padding_mask": MASK, "segment_ids": SEGMENTS}


def test_keras_hub_backbone(keras_hub, tmp_path):
    write_model(make("encoder", activation="gelu_tanh"), tmp_path / "model", "keras_hub")
    outputs = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "model"))(HUB_INPUTS)
    expected = our_outputs(BertEncoder, tmp_path / "model")
    assert_close(outputs["sequence_output"], expected["sequence_output"])
    assert_close(outputs["pooled_output"], expected["pooled_output"])


def without_pooler(kind):
    checkpoint = make(kind, activation="gelu_tanh")
    weights = {name: array for name, array in checkpoint.weights.items() if "pooler" not in name}
    return dataclasses.replace(checkpoint, weights=weights)


def test_keras_hub_backbone_of_a_model_without_a_pooler(keras_hub, tmp_path):
    notes = write_model(without_pooler("tagging"), tmp_path / "model", "keras_hub")
    assert any("no pooler" in note for note in notes)
    outputs = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "model"))(HUB_INPUTS)
    assert_close(outputs["sequence_output"], our_outputs(BertEncoder, tmp_path / "model")["sequence_output"])
    assert not any("pooler" in name for name in read_model(tmp_path / "model").weights)


def test_keras_hub_classifier(keras_hub, tmp_path):
    checkpoint = make("classification", activation="gelu_tanh")
    write_model(checkpoint, tmp_path / "model", "keras_hub")
    model = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "model"))
    assert isinstance(model, keras_hub.models.BertTextClassifier)
    pooled = our_outputs(BertEncoder, tmp_path / "model")["pooled_output"]
    kernel, bias = checkpoint.weights["classifier/kernel"], checkpoint.weights["classifier/bias"]
    assert_close(model(HUB_INPUTS), np.asarray(pooled) @ kernel + bias)
    assert model.preprocessor.tokenizer.get_vocabulary() == VOCABULARY
    assert model.preprocessor.tokenizer("Größe")[0] == VOCABULARY.index("Größe")


def test_keras_hub_masked_lm(keras_hub, tmp_path):
    task = {"masked_lm_activation": "gelu", "masked_lm_epsilon": 1e-5}  # as their head computes
    checkpoint = dataclasses.replace(make("pretrainer", activation="gelu_tanh"), task=task)
    write_model(checkpoint, tmp_path / "model", "keras_hub")
    model = keras_hub.models.MaskedLM.from_preset(str(tmp_path / "model"), load_weights=True)
    logits = model(HUB_INPUTS | {"mask_positions": POSITIONS})
    assert_close(logits, our_outputs(BertPretrainer, tmp_path / "model")["masked_lm_logits"])


@pytest.mark.parametrize("kind", ["BertTextClassifier", "BertMaskedLM"])
def test_keras_hub_presets_of_tasks_are_read(keras_hub, tmp_path, kind):
    sizes = {"vocabulary_size": 11, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
    backbone = keras_hub.models.BertBackbone(max_sequence_length=6, **sizes)
    settings = {"num_classes": 3} if kind == "BertTextClassifier" else {}
    model = getattr(keras_hub.models, kind)(backbone=backbone, **settings)
    model.save_to_preset(str(tmp_path / "model"))
    checkpoint = read_model(tmp_path / "model")
    outputs = our_outputs(BertPretrainer, tmp_path / "model")
    if kind == "BertTextClassifier":
        kernel, bias = checkpoint.weights["classifier/kernel"], checkpoint.weights["classifier/bias"]
        assert_close(model(HUB_INPUTS), np.asarray(outputs["pooled_output"]) @ kernel + bias)
        assert checkpoint.task == {"name": "classification", "labels": ["LABEL_0", "LABEL_1", "LABEL_2"]}
    else:
        assert_close(model(HUB_INPUTS | {"mask_positions": POSITIONS}), outputs["masked_lm_logits"])
