"""Ghost norms against the gradient of each example alone, on every kind of layer that tasks have."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.tasks import MultipleChoice, QuestionAnswerer, TextClassifier, TextEmbedder, TextGenerator, TextTagger
from bert_tf.tasks.base.example_losses import example_losses, weights_of
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.privacy.ghost_norms import GhostNorms
from bert_tf.training.privacy.private_gradients import PrivateGradients
from tests.tasks.samples import SIZES, VOCABULARY

TEXTS = ["a good film", "bad", "the film is not bad is it a film"]
WORDS = [text.split() for text in TEXTS]
QUESTIONS = (["is it good", "film", "a film"], TEXTS)
ANSWERS = [[{"text": word, "answer_start": place}] for word, place in (("good", 2), ("bad", 0), ("film", 4))]
CLASSES = {"labels": ["neg", "pos"]}
CASES = {
    "classifier": (TextClassifier, CLASSES, TEXTS, ["pos", "neg", "pos"]),
    "mean": (TextClassifier, CLASSES | {"pooling": "mean", "num_layers": 2}, TEXTS, ["pos", "neg", "pos"]),
    "labels": (TextClassifier, CLASSES | {"problem_type": "multi_label_classification"}, TEXTS, [["pos"], [], ["neg"]]),
    "scores": (TextClassifier, {"problem_type": "regression"}, TEXTS, [0.5, 1.0, -2.0]),
    "tagger": (TextTagger, {"labels": ["O", "B-X"]}, WORDS, [["O"] * len(words) for words in WORDS]),
    "answers": (QuestionAnswerer, {}, QUESTIONS, ANSWERS),
    "choices": (MultipleChoice, {}, (TEXTS, [["good", "bad a film"]] * 3), [0, 1, 0]),
    "pairs": (TextEmbedder, {"objective": "similarity"}, (TEXTS, TEXTS[::-1]), [0.1, 1.0, 0.5]),
    "albert": (TextClassifier, CLASSES | {"encoder": "albert", "embedding_size": 8, "num_layers": 2}, TEXTS, [0, 1, 1]),
    "electra": (TextClassifier, CLASSES | {"encoder": "electra", "embedding_size": 8}, TEXTS, [0, 1, 1]),
    "roberta": (TextClassifier, CLASSES | {"encoder": "roberta"}, TEXTS, [0, 1, 1]),
    "distilbert": (TextClassifier, CLASSES | {"encoder": "distilbert"}, TEXTS, [0, 1, 1]),
    "modernbert": (TextClassifier, CLASSES | {"encoder": "modernbert"}, TEXTS, [0, 1, 1]),
}


def make(task, settings, texts, targets):
    keras.utils.set_random_seed(0)
    settings = SIZES | {"initializer_range": 0.3, "max_length": 16} | settings
    settings = {name: value for name, value in settings.items() if value is not None}
    model = task(Tokenizer(VOCABULARY), **settings)
    model.compile(keras.optimizers.SGD(0.1))
    for weight in model.trainable_weights:  # no gamma of 1 and no bias of 0
        weight.assign(weight + 0.1 * np.random.default_rng(0).normal(size=weight.shape))
    return model, next(iter(model.dataset(texts, targets, 3)))


@pytest.mark.parametrize("name", CASES)
def test_norms_are_those_of_the_gradients_of_each_example(name, eagerly):
    model, (x, y, *more) = make(*CASES[name])
    weights = weights_of(model, y, *more)
    ghosts, norms = GhostNorms(model), []
    with tf.GradientTape() as tape:
        with ghosts.recording():
            outputs = model(x, training=True)
        losses = example_losses(model.loss, y, outputs, weights)
    found = ghosts.gradients(tape, losses, lambda of_examples: norms.append(of_examples) or tf.ones_like(of_examples))
    totals = {}
    for i in range(3):
        one = keras.tree.map_structure(lambda rows, i=i: rows[i : i + 1], (x, y, weights))
        with tf.GradientTape() as tape:
            loss = example_losses(model.loss, one[1], model(one[0], training=True), one[2])
        squares = 0.0
        for number, gradient in enumerate(tape.gradient(loss, model.trainable_weights)):
            if gradient is not None:
                gradient = tf.convert_to_tensor(gradient).numpy()
                squares += np.square(gradient).sum()
                totals[number] = totals.get(number, 0) + gradient
        assert float(norms[0][i]) == pytest.approx(np.sqrt(squares), rel=1e-4)
    assert found.keys() == totals.keys()
    for number, total in totals.items():
        np.testing.assert_allclose(found[number], total, atol=1e-4, err_msg=model.trainable_weights[number].path)


def test_the_same_dropout_is_applied(eagerly):
    dropout = {"hidden_dropout": 0.3, "attention_dropout": 0.3}
    model, (x, *_) = make(TextClassifier, CLASSES | dropout, TEXTS, [0, 1, 1])
    states = [variable for variable in model.variables if "seed_generator" in variable.path]
    before = [state.numpy() for state in states]
    plain = model(x, training=True)
    assert np.abs(plain - model(x, training=False)).max() > 1e-2
    for state, value in zip(states, before, strict=True):
        state.assign(value)
    with GhostNorms(model).recording():
        np.testing.assert_allclose(model(x, training=True), plain, atol=1e-5)


def test_weights_whose_norms_are_not_known_are_refused():
    model, _ = make(TextClassifier, CLASSES | {"encoder": "bilstm", "intermediate_size": None}, TEXTS, [0, 1, 1])
    with pytest.raises(ConfigError, match="lstm.*in a layer of another kind than dense, embedding and layer norm"):
        GhostNorms(model)
    model.encoder.trainable = False
    assert len(GhostNorms(model).uses) == 1  # of the head
    pairs, _ = make(TextEmbedder, {"objective": "contrastive"}, (TEXTS, TEXTS), None)
    with pytest.raises(ConfigError, match="privacy with the loss multiple_negatives_ranking_loss. It compares"):
        PrivateGradients(pairs, 3, 1.0, 1.0, 0)


def test_a_tied_output_matrix_is_refused(eagerly):
    model, batch = make(TextGenerator, {"max_target_length": 8}, TEXTS, TEXTS)
    for layer in model._flatten_layers():
        if type(layer).__name__ == "MaskedLMHead":  # its bias is part of no layer of a known kind
            layer.trainable = False
    with pytest.raises(ConfigError, match="token/embeddings outside of its layer too"):
        PrivateGradients(model, 3, 1.0, 1.0, 0).check(model, *batch)
