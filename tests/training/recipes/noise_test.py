"""Noisy copies of training examples: as many as asked for, with the targets of the originals."""

import keras
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import Examples
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.recipes.finetune_config import DataConfig, make_config
from bert_tf.training.recipes.finetune_data import with_noisy_copies
from tests.tasks.samples import SIZES, VOCABULARY

NOISE = {"typos": 1.0, "spaces": 0.5}


def copies(task, texts, targets, count=2, seed=0, **settings):
    keras.utils.set_random_seed(0)
    model = task(Tokenizer(VOCABULARY), **SIZES, **settings)
    places = [f"line {i}" for i in range(len(targets))]
    examples = Examples("rows.tsv", texts, targets, places, BadRows("rows.tsv", False))
    return with_noisy_copies(examples, model, DataConfig(noise=NOISE, noise_copies=count), seed)


def test_copies_of_texts():
    texts = (["a good film", "bad acting"],)
    found = copies(TextClassifier, texts, ["pos", "neg"], labels=["neg", "pos"])
    assert found.targets == ["pos", "neg"] * 3
    assert found.places == ["line 0", "line 1"] * 3
    (column,) = found.texts
    assert column[:2] == texts[0] == ["a good film", "bad acting"]  # the originals, which stay as they are
    assert len({*column}) == 6
    assert copies(TextClassifier, texts, ["pos", "neg"], labels=["neg", "pos"]).texts == found.texts
    assert copies(TextClassifier, texts, ["pos", "neg"], seed=1, labels=["neg", "pos"]).texts != found.texts


def test_copies_of_words_and_of_questions():
    found = copies(TextTagger, ([["good", "film"]],), [["O", "B-X"]], 1, labels=["O", "B-X"])
    assert [len(words) for words in found.texts[0]] == [2, 2]
    assert found.texts[0][0] != found.texts[0][1]
    answer = [{"text": "good", "answer_start": 0}]
    found = copies(QuestionAnswerer, (["which film"], ["good film"]), [answer], 1)
    assert found.texts[0][0] != found.texts[0][1]
    assert found.texts[1] == ["good film"] * 2


@pytest.mark.parametrize(("noise", "message"), [({"typo": 0.2}, "Did you mean 'typos'"), ({"typos": 2.0}, "at most 1")])
def test_noise_that_cannot_be(noise, message):
    with pytest.raises(ConfigError, match=message):
        values = {"model": {"init": "x"}, "data": {"train": "a.tsv", "heldout": "b.tsv", "noise": noise}}
        make_config(values).check()
