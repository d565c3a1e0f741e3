"""The arguments of Keras's methods with raw texts: every form of data, weights, validation, single batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.contract_test import CASES, first_rows, make
from tests.tasks.samples import SIZES, VOCABULARY

TEXTS = ["a good film", "the film is bad", "good", "is a bad bad film"]
LABELS = ["pos", "neg", "pos", "neg"]
NUMBERS = np.array([1, 0, 1, 0])
WEIGHTS = [1.0, 0.0, 2.0, 0.0]


def classifier(**settings):
    keras.utils.set_random_seed(1)
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES | settings)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def loss(model):
    """The loss of each text, [4]."""
    return keras.losses.sparse_categorical_crossentropy(NUMBERS, model(TEXTS), from_logits=True).numpy()


class Batches(keras.utils.PyDataset):
    def __init__(self, *columns):
        super().__init__()
        self.columns = columns

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return tuple(column[2 * i : 2 * i + 2] for column in self.columns)


def tf_data(*columns):
    return tf.data.Dataset.from_tensor_slices(tuple(columns)).batch(2)


def generator(*columns):
    for i in range(2):
        yield [column[2 * i : 2 * i + 2] for column in columns]


def pandas_of(name):
    return getattr(pytest.importorskip("pandas"), name)


FORMS = {
    "array of objects": lambda: np.array(TEXTS, object),
    "array of strings": lambda: np.array(TEXTS),
    "array of bytes": lambda: np.array(TEXTS, "S"),
    "array of one column": lambda: np.array(TEXTS)[:, None],
    "tensor": lambda: tf.constant(TEXTS),
    "tensor of one column": lambda: tf.constant(TEXTS)[:, None],
    "dict": lambda: {"text": TEXTS},
    "series": lambda: pandas_of("Series")(TEXTS, index=[7, 5, 3, 1]),
    "table": lambda: pandas_of("DataFrame")({"words": TEXTS}),
    "arrow": lambda: pytest.importorskip("pyarrow").array(TEXTS),
}
TARGETS = {
    "names": lambda: LABELS,
    "array of names": lambda: np.array(LABELS),
    "tensor of names": lambda: tf.constant(LABELS),
    "numbers": lambda: NUMBERS,
    "floats": lambda: NUMBERS.astype("float32"),
    "one column": lambda: NUMBERS[:, None],
    "truth values": lambda: NUMBERS.astype(bool),
    "one-hot": lambda: np.eye(2)[NUMBERS],
    "list of one-hot": lambda: np.eye(2)[NUMBERS].astype(bool).tolist(),
    "series": lambda: pandas_of("Series")(LABELS, index=[7, 5, 3, 1], dtype="category"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_texts(model, form):
    texts = FORMS[form]()
    np.testing.assert_allclose(model.predict(texts, verbose=0), model.predict(TEXTS, verbose=0), atol=1e-5)
    np.testing.assert_allclose(model(texts), model.predict_on_batch(texts), atol=1e-5)
    np.testing.assert_array_equal(
        model.preprocessor.encode(texts, LABELS).texts[0], model.preprocessor.encode(TEXTS).texts[0]
    )


@pytest.mark.parametrize("form", TARGETS)
def test_every_form_of_targets(model, form):
    np.testing.assert_array_equal(model.preprocessor.encode(TEXTS, TARGETS[form]()).targets, NUMBERS)


@pytest.mark.parametrize("batches", [tf_data, Batches, generator])
def test_batches_of_texts(model, loss, batches):
    weighted = model.evaluate(batches(TEXTS, np.array(LABELS), np.array(WEIGHTS)), verbose=0)[0]
    # Keras's mean over batches counts each batch by its number of texts.
    assert weighted == pytest.approx((loss[0] + loss[2]) / 2, abs=1e-5)
    np.testing.assert_allclose(model.predict(batches(TEXTS), verbose=0), model.predict(TEXTS, verbose=0), atol=1e-5)


@pytest.mark.parametrize("batches", [tf_data, Batches, generator])
def test_training_on_batches_of_texts_is_training_on_texts(batches):
    expected, found = classifier(), classifier()
    expected.fit(TEXTS, LABELS, batch_size=2, shuffle=False, verbose=0)
    found.fit(batches(TEXTS, np.array(LABELS)), shuffle=False, class_weight={"pos": 1}, verbose=0)
    np.testing.assert_allclose(found.predict(TEXTS, verbose=0), expected.predict(TEXTS, verbose=0), atol=1e-5)


def test_single_batches(loss):
    model = classifier()
    assert model.test_on_batch(TEXTS, LABELS)[0] == pytest.approx(loss.mean(), abs=1e-5)
    weighted = np.sum(loss * WEIGHTS) / np.sum(WEIGHTS)
    assert model.test_on_batch(TEXTS, LABELS, WEIGHTS)[0] == pytest.approx(weighted, abs=1e-5)
    by_class = (loss[0] + loss[2] + 3 * loss[1] + 3 * loss[3]) / 8
    assert model.train_on_batch(TEXTS, LABELS, class_weight={"neg": 3})[0] == pytest.approx(by_class, abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_weight_of_0_leaves_an_example_of_any_task_out(name):
    case = CASES[name]
    model = make(case)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    pair, targets = first_rows(case, 2), case.targets[:2]
    alone = model.train_on_batch(first_rows(case, 1), targets[:1], return_dict=True)["loss"]
    found = model.train_on_batch(pair, targets, sample_weight=[1.0, 0.0], return_dict=True)["loss"]
    assert found == pytest.approx(alone, abs=1e-5)
    history = model.fit(pair, targets, sample_weight=np.array([[1.0], [0.0]]), shuffle=False, verbose=0).history
    assert history["loss"] == [pytest.approx(alone, abs=1e-5)]


def test_validation_data_in_every_form(loss):
    model = classifier()
    model.optimizer.learning_rate.assign(0.0)
    expected = pytest.approx(loss[2:].mean(), abs=1e-5)
    texts, labels = TEXTS[2:], LABELS[2:]
    forms = [(texts, labels), [texts, labels], (texts, labels, [1, 1]), tf_data(TEXTS[2:], LABELS[2:])]
    for form in forms:
        history = model.fit(TEXTS, LABELS, epochs=2, validation_data=form, verbose=0).history
        assert history["val_loss"] == [expected] * 2
    history = model.fit(TEXTS, LABELS, validation_data=(texts, labels, [0, 1]), verbose=0).history
    assert history["val_loss"] == [pytest.approx(loss[3], abs=1e-5)]
    weights = [1.0, 0.0, 3.0, 1.0]
    history = model.fit(TEXTS, LABELS, validation_split=0.5, sample_weight=weights, verbose=0).history
    assert history["loss"] == [pytest.approx(loss[0], abs=1e-5)]
    assert history["val_loss"] == [pytest.approx((3 * loss[2] + loss[3]) / 4, abs=1e-5)]


def test_weights_of_classes_and_of_texts_multiply(loss):
    model = classifier()
    model.optimizer.learning_rate.assign(0.0)
    history = model.fit(TEXTS, LABELS, class_weight={"neg": 2}, sample_weight=[1, 1, 0, 0], verbose=0).history
    assert history["loss"] == [pytest.approx((loss[0] + 2 * loss[1]) / 3, abs=1e-5)]


@pytest.mark.parametrize("batches", [tf.data.Dataset, Batches, generator])
def test_weights_of_tags_in_batches(batches):
    case = CASES["tagging"]
    model = make(case)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    words, tags = case.texts[:4], case.targets[:4]
    weights = {"THING": 3.0}
    expected = model.fit(words, tags, batch_size=2, shuffle=False, class_weight=weights, verbose=0).history["loss"]
    if batches is tf.data.Dataset:
        data = batches.from_tensor_slices((tf.ragged.constant(words), tf.ragged.constant(tags))).batch(2)
    else:
        data = batches(words, tags)
    found = model.fit(data, shuffle=False, class_weight=weights, verbose=0).history["loss"]
    assert found == [pytest.approx(expected[0], abs=1e-5)]
    assert found[0] != pytest.approx(model.evaluate(words, tags, verbose=0)[0], abs=1e-3)


def test_no_sentences_are_refused():
    tagger = make(CASES["tagging"])
    tagger.compile()
    for call in (tagger.fit, tagger.evaluate, tagger.score, tagger.test_on_batch):
        with pytest.raises(InputError, match="Received no sentences"):
            call([], [])


def test_arrays_of_tags_without_weights_count_alike():
    model = make(CASES["tagging"])
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    inputs, tags = model.text_inputs([["a", "good", "film"]] * 3), np.array([[0, 1, 0, 1, 1]] * 3)
    losses = keras.losses.sparse_categorical_crossentropy(tags, model(inputs), from_logits=True)
    arrays = {name: value.numpy() for name, value in inputs.items()}
    assert model.evaluate(arrays, tags, verbose=0)[0] == pytest.approx(np.mean(losses), abs=1e-5)


def test_lists_of_words_from_a_table():
    pandas = pytest.importorskip("pandas")
    case = CASES["tagging"]
    model = make(case)
    model.compile(run_eagerly=True)
    words, tags = case.texts[:4], case.targets[:4]
    expected = pytest.approx(model.test_on_batch(words, tags), abs=1e-5)
    table = pandas.DataFrame({"words": [np.array(row, object) for row in words], "tags": tags})
    arrow = pytest.importorskip("pyarrow").array(words)
    for texts in (table["words"], table["words"].to_numpy(), table[["words"]], tf.ragged.constant(words), arrow):
        assert model.test_on_batch(texts, table["tags"]) == expected
    assert model.test_on_batch(words, tf.ragged.constant(tags)) == expected
    assert model.score(arrow, table["tags"]) == model.score(words, tags)


def test_columns_of_pairs_are_found_by_name():
    pandas = pytest.importorskip("pandas")
    model = make(CASES["pairs"])
    expected = model.predict((["a film"], ["is bad"]), verbose=0)
    for texts in (
        {"text_pair": ["is bad"], "text": ["a film"]},
        pandas.DataFrame({"text_pair": ["is bad"], "text": ["a film"]}),
        pandas.DataFrame({"first": ["a film"], "second": ["is bad"]}),
        (np.array(["a film"]), tf.constant([["is bad"]])),
    ):
        np.testing.assert_allclose(model.predict(texts, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "Received no texts. Give a list of strings"),
        (([None], [0]), "Row 0: the text is None"),
        ((["a", 3], [0, 1]), "Row 1: the text is 3"),
        (("a film", ["pos"]), "Received one string as text: 'a film'. Give a list"),
        ((("a film", "is bad"), ["pos"]), "Received one string as text"),
        (([("a film", "is bad")], ["pos"]), r"texts of shape \(1, 2\). .*pairs"),
        ((np.array([["a", "b"], ["c", "d"]]), [0, 1]), r"texts of shape \(2, 2\)"),
        ((TEXTS,), "texts without targets. Give one for each text: fit"),
        ((TEXTS, LABELS[:3]), "4 texts and 3 targets"),
        ((TEXTS, 1), "the targets 1. Give a list"),
        (({"txt": TEXTS}, LABELS), "texts called 'txt'. Their names are text, text_pair"),
        ((tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)),), "single texts. Give batches"),
        ((tf_data(TEXTS, ["pos", "neg", "pos", "good"]),), "Row 1 has the label 'good'"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_refused_with_an_example(model, arguments, message):
    with pytest.raises(InputError, match=message):
        model.fit(*arguments, verbose=0)
    if not isinstance(arguments[0], tf.data.Dataset):
        with pytest.raises(InputError, match=message):
            model.test_on_batch(*arguments)


def test_wrong_weights_and_splits_are_refused(model):
    for weights, message in (
        ([1, 2], "4 texts and 2 sample weights"),
        ([1, 1, None, 1], "Row 2 has the sample weight"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(TEXTS, LABELS, sample_weight=weights)
    with pytest.raises(InputError, match="validation_split=0.9 for 4 texts"):
        model.fit(TEXTS, LABELS, validation_split=0.9)
    with pytest.raises(ConfigError, match="class_weight='good'"):
        model.fit(TEXTS, LABELS, class_weight="good")
    for weight in (float("nan"), -1, "a", None):
        with pytest.raises(ConfigError, match="Weights are finite numbers"):
            model.fit(TEXTS, LABELS, class_weight={"pos": weight})
    for size in (2.0, -1, "2"):
        with pytest.raises(ConfigError, match="a whole number, at least 1"):
            model.fit(TEXTS, LABELS, batch_size=size)
    for data in (TEXTS, (TEXTS, LABELS, None, None)):
        with pytest.raises(InputError, match=r"validation_data of 4 items. Give \(texts, targets\)"):
            model.fit(TEXTS, LABELS, validation_data=data)
    assert model.fit(TEXTS, LABELS, epochs=0, verbose=0).history == {}
    with pytest.raises(InputError, match="Received no texts"):
        model.predict([])
    with pytest.raises(InputError, match="Received one string"):
        model.predict("a film")


def test_sizes_and_texts_that_cannot_be_are_refused_everywhere(model):
    for size in (0, -1, 2.0):
        for call in (model.predict_text, model.predict):
            with pytest.raises(ConfigError, match="a whole number, at least 1"):
                call(TEXTS, batch_size=size)
        for call in (model.fit, model.evaluate, model.score):
            with pytest.raises(ConfigError, match="a whole number, at least 1"):
                call(TEXTS, LABELS, batch_size=size)
    for half in ("a \ud800", "\ud83d\ude00"):
        for call in (lambda texts: model.fit(texts, LABELS[:2]), model.predict_text, model.predict, model):
            with pytest.raises(InputError, match=r"Row 1: the text has .*, half of a surrogate pair"):
                call(["good", half])
    for texts, labels in ((TEXTS, LABELS[:3]), ([], [])):
        with pytest.raises(InputError, match=f"Received {len(texts)} texts and {len(labels)} targets"):
            model.score(texts, labels)


def test_numbers_that_float32_cannot_hold_are_refused(model):
    scores = make(CASES["regression"])
    scores.compile(run_eagerly=True)
    for number in (1e300, 10**400, 10**5000, float("inf")):
        with pytest.raises(InputError, match="Row 1 has the score .* not a finite number"):
            scores.fit(TEXTS[:2], [1, number])
        with pytest.raises(InputError, match="Row 1 has the label"):
            model.score(TEXTS[:2], ["pos", number])
        with pytest.raises(InputError, match="Row 1 has the sample weight"):
            model.fit(TEXTS[:2], LABELS[:2], sample_weight=[1, number])
        with pytest.raises(ConfigError, match="Weights are finite numbers"):
            model.fit(TEXTS[:2], LABELS[:2], class_weight={"pos": number})


def test_places_that_int32_cannot_hold_are_refused():
    answers = [[{"text": "good", "answer_start": 10**400}]]
    with pytest.raises(
        InputError, match="Row 0: the answer 'good' has answer_start .an integer of more than 30 digits"
    ):
        make(CASES["question_answering"]).preprocessor.encode_examples((["film"], ["a good film"]), answers)
    for place in (10**400, 2.0**40, float("nan")):
        with pytest.raises(InputError, match="Row 0 has the target .* place of an ending"):
            make(CASES["multiple_choice"]).preprocessor.encode_targets([place])


def test_batches_of_texts_alone_may_be_lists(model):
    expected = model.predict(TEXTS, verbose=0)
    for size in (1, 2, 3):
        batches = (TEXTS[first : first + size] for first in range(0, 4, size))
        np.testing.assert_allclose(model.predict(batches, verbose=0), expected, atol=1e-5)


def test_a_model_that_is_not_trained_says_so():
    from bert_tf.tasks import FillMask

    with pytest.raises(InputError, match="fill_mask is not trained"):
        FillMask(Tokenizer(VOCABULARY), **SIZES).fit(TEXTS, LABELS)
