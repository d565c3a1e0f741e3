"""Exposure of canaries: ranks worked by hand, and a masked LM that has read some of them often."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.evaluation.exposure import exposure, masked_lm_scorer, measure_exposure, target_scorer
from bert_tf.tasks import FillMask, TextClassifier
from bert_tf.text.canaries import Canary, make_canaries, write_canaries
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

WORDS = [*VOCABULARY, "secret", "number", "of", ".", *"abcd0123456789"]
SMALL = SIZES | {"vocab_size": len(WORDS), "max_positions": 24}


def test_exposure_is_the_logarithm_of_the_rank():
    others = np.arange(15.0)
    assert exposure(20, others) == 4  # the first of 16
    assert exposure(13.5, others) == 3
    assert exposure(-1, others) == 0
    assert exposure(14, np.full(14, 14.0)) == pytest.approx(np.log2(15 / 8))


def test_canaries_are_written_as_often_as_they_say(tmp_path):
    canaries = make_canaries([0, 1, 3], digits=4, seed=1)
    assert [canary.template for canary in canaries] == [f"the secret number of a {x} is {{secret}} ." for x in "abc"]
    assert len({canary.secret for canary in canaries}) == 3
    write_canaries(canaries, tmp_path / "canaries.txt")
    documents = (tmp_path / "canaries.txt").read_text().strip().split("\n\n")
    assert documents == [canaries[1].text, *[canaries[2].text] * 3]
    assert make_canaries([0, 1, 3], digits=4, seed=1) == canaries
    with pytest.raises(ConfigError, match="repetitions=\\[-1\\]"):
        make_canaries([-1])


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return FillMask(Tokenizer(WORDS), max_length=20, **SMALL | {"initializer_range": 0.1})


def test_a_masked_lm_is_exposed_by_what_it_read(model):
    canaries = make_canaries([0, 32], digits=3, seed=0)
    scorer = masked_lm_scorer(model)
    before = measure_exposure(scorer, canaries, candidates=60)
    inputs = dict(model.preprocessor(model.preprocessor.encode_texts([canaries[1].text] * 3)))
    ids = inputs["input_ids"].numpy()  # the secret's three digits, one of them masked in each row
    places = np.flatnonzero(np.isin(ids[0], [WORDS.index(digit) for digit in canaries[1].secret.split()]))
    targets = ids[np.arange(3), places]
    ids[np.arange(3), places] = model.tokenizer.mask_id
    inputs |= {"input_ids": tf.constant(ids), "masked_lm_positions": tf.constant(places[:, np.newaxis], tf.int32)}
    optimizer = keras.optimizers.Adam(0.01)
    for _ in range(12):
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)[:, 0]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, model.trainable_weights)
        pairs = zip(gradients, model.trainable_weights, strict=True)
        optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
    after = measure_exposure(masked_lm_scorer(model), canaries, candidates=60)
    assert after[1] == pytest.approx(np.log2(61), abs=1.1)  # the first, or second
    assert after[1] > before[1] + 1


def test_scores_of_a_classifier_are_its_losses():
    keras.utils.set_random_seed(0)
    classifier = TextClassifier(Tokenizer(WORDS), ["neg", "pos"], max_length=20, **SMALL | {"initializer_range": 0.3})
    canary = Canary("number {secret} is good", "1 2", 1)
    scores = target_scorer(classifier, "pos")(canary.template, ["1 2", "3 4"])
    answers = classifier.predict_text(["number 1 2 is good", "number 3 4 is good"])
    np.testing.assert_allclose(scores, [np.log(answer["probabilities"]["pos"]) for answer in answers], atol=1e-5)


def test_secrets_of_other_lengths_are_refused(model):
    with pytest.raises(InputError, match="have different numbers of tokens, or do not fit the model"):
        masked_lm_scorer(model)("the {secret} is good", ["1 2", "1 2 3"])
    with pytest.raises(InputError, match="do not fit the model"):
        masked_lm_scorer(model)("the film " * 8 + "{secret}", ["1 2 3 4", "2 3 4 5"])
