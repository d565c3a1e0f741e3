"""What every task promises: batches that begin anywhere, learning, folders, answers in one graph, clear errors."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.media.images import example_image
from bert_tf.tasks import (
    TASKS,
    MultimodalClassifier,
    MultimodalEmbedder,
    MultipleChoice,
    QuestionAnswerer,
    TextClassifier,
    TextEmbedder,
    TextGenerator,
    TextTagger,
)
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY


@dataclasses.dataclass(frozen=True)
class Case:
    """A task with settings, something it can learn by heart, and targets of which row 1 is wrong."""

    task: type
    settings: dict
    texts: list | tuple
    targets: list
    wrong: list

    @property
    def requests(self):
        """What is asked: a column for each of the task's texts, whose length differs from row to row."""
        columns = self.texts if isinstance(self.texts, tuple) else (self.texts,)
        return tuple(list(column) for column in columns[: len(self.task.SPEC.texts)])


MODELS = [spec.load("model") for spec in TASKS.values()]
WORDS = [text.split() for text in TEXTS]
CASES = {
    "classification": Case(TextClassifier, {"labels": ["neg", "pos"]}, TEXTS, LABELS, ["pos", "good"]),
    "multimodal_classification": Case(
        MultimodalClassifier,
        {"labels": ["neg", "pos"], "image_size": 8, "image_patch": 4},
        (TEXTS, [example_image()] * 32),
        LABELS,
        ["pos", "good"],
    ),
    "pairs": Case(TextClassifier, {"labels": ["neg", "pos"]}, (TEXTS, ["", "a film"] * 16), LABELS, ["pos", 2]),
    "multi_label": Case(
        TextClassifier,
        {"labels": ["film", "long"], "problem_type": "multi_label_classification"},
        TEXTS,
        [["film"], ["film", "long"], [], ["film", "long"]] * 8,
        [[], "film"],
    ),
    "regression": Case(
        TextClassifier,
        {"problem_type": "regression", "pooling": "mean"},
        TEXTS,
        [1.0, -1.0, 1.0, -1.0] * 8,
        [1, float("nan")],
    ),
    "embedding": Case(TextEmbedder, {}, (TEXTS, TEXTS[1:] + TEXTS[:1]), [0.0, 0.5, 1.0, 0.2] * 8, [1, "high"]),
    "tagging": Case(
        TextTagger,
        {"labels": ["THING", "WORD"], "scheme": None},
        WORDS,
        [["THING" if word in ("film", "good") else "WORD" for word in words] for words in WORDS],
        [["WORD"] * 3, ["WORD", "WORD", "WORD", "VERB"]],
    ),
    "question_answering": Case(
        QuestionAnswerer,
        {"null_threshold": 0.0},
        (["film", "film", "good", "is"] * 8, TEXTS),
        [[{"text": "good", "answer_start": text.index("good")}] if "good" in text else [] for text in TEXTS],
        [[], [{"text": "worse", "answer_start": 3}]],
    ),
    "multiple_choice": Case(
        MultipleChoice,
        {},
        (TEXTS, [["is good", "is bad"], ["a bad bad film", "good"]] * 16),
        [0, 1] * 16,
        [0, 2],
    ),
    "generation": Case(
        TextGenerator, {"max_target_length": 6}, TEXTS, ["good film", "the film is not good"] * 16, ["good", ""]
    ),
    "prefix": Case(
        TextGenerator,
        {"architecture": "prefix", "max_target_length": 4},
        TEXTS,
        ["good film", "a bad film"] * 16,
        ["good", ""],
    ),
}


def make(case, dtype=None):
    keras.utils.set_random_seed(1)
    return case.task(Tokenizer(VOCABULARY), **case.settings, max_length=12, dtype=dtype, **SIZES)


def first_rows(case, count):
    columns = case.texts if isinstance(case.texts, tuple) else (case.texts,)
    columns = tuple(column[:count] for column in columns)
    return columns if isinstance(case.texts, tuple) else columns[0]


# "pairs" is the model of "classification" with the texts of "embedding".
LEARNED = [pytest.param(name, marks=pytest.mark.soak if name == "pairs" else ()) for name in CASES]


@pytest.fixture(scope="module", params=LEARNED)
def learned(request):
    """The case, its model trained on it, and the losses."""
    case = CASES[request.param]
    model = make(case)
    model.compile(keras.optimizers.Adam(1e-2))
    return case, model, model.fit(case.texts, case.targets, epochs=8, batch_size=8, verbose=0, seed=0).history["loss"]


def test_every_task_that_learns_is_here():
    without_targets = {MultimodalEmbedder}  # see its own tests
    assert {case.task for case in CASES.values()} | without_targets == {model for model in MODELS if model.SCORE}


def test_learns(learned):
    case, model, losses = learned
    assert losses[-1] < 0.7 * losses[0]
    scores = model.score(case.texts, case.targets)
    assert scores[model.SCORE] > 0.5
    assert all(isinstance(value, float) for value in scores.values())


# Those with a head of their own; scores of the whole vocabulary are computed as in pretraining.
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.task.WRITES_TEXT])
def test_logits_are_not_rounded_to_16_bits(name):
    case = CASES[name]
    model = make(case, dtype="mixed_bfloat16")
    inputs = model.preprocessor(model.preprocessor.encode_texts(case.requests), 12)
    logits = keras.tree.flatten(model({name: inputs[name] for name in model.INPUTS}))[0]
    assert logits.dtype == tf.float32
    assert np.any(tf.cast(tf.cast(logits, tf.bfloat16), tf.float32) != logits)


def test_folder_gives_the_same_answers(learned, tmp_path):
    case, model, _ = learned
    model.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert type(loaded) is case.task
    assert loaded.task_settings() == model.task_settings()
    assert loaded.predict_text(case.requests) == model.predict_text(case.requests)


def test_answers_of_one_graph_are_those_of_predict_text(learned):
    case, model, _ = learned
    specs = list(model.text_specs().values())[: len(case.requests)]
    asked = tuple(_strings(column, spec) for column, spec in zip(case.requests, specs, strict=True))
    answers = tf.function(model.serve, input_signature=specs, autograph=False)(*asked)
    rows = [{name: value[i].numpy() for name, value in answers.items()} for i in range(len(TEXTS))]
    expected = model.predict_text(asked)
    for row, answer in zip(rows, expected, strict=True):
        assert_same(model.to_python(_as_arrays(row)), answer)


def test_batches_of_answers_change_nothing(learned):
    case, model, _ = learned
    for small, large in zip(
        model.predict_text(case.requests, batch_size=3), model.predict_text(case.requests), strict=True
    ):
        assert_same(small, large)


@pytest.mark.parametrize("name", sorted(TASKS.keys() & CASES.keys()))
def test_the_batch_at_a_position_depends_on_the_seed_alone(name):
    case = CASES[name]
    model = make(case)

    def batches(**settings):
        data = model.dataset(case.texts, case.targets, batch_size=6, shuffle=True, repeat=2, **settings)
        return [tf.nest.map_structure(lambda x: x.numpy(), batch) for batch in data]

    whole = batches(seed=7)
    for batch, again in zip(whole[9:], batches(seed=7, start=9), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, batch, again)
    ids = [batch[0]["input_ids"] for batch in whole]
    assert not _equal(ids, [batch[0]["input_ids"] for batch in batches(seed=8)])
    epoch = len(ids) // 2
    assert not _equal(ids[:epoch], ids[epoch:])
    rows = [sorted(row[row > 0].tolist() for part in half for row in part) for half in (ids[:epoch], ids[epoch:])]
    assert rows[0] == rows[1]  # every row comes once an epoch


@pytest.mark.parametrize("name", CASES)
def test_bad_rows_are_named(name):
    case = CASES[name]
    model = make(case)
    with pytest.raises(InputError, match=r"[Rr]ow 1\b"):
        model.dataset(first_rows(case, 2), case.wrong)
    with pytest.raises(InputError, match="3 texts and 2 targets"):
        model.dataset(first_rows(case, 3), case.targets[:2])
    with pytest.raises(InputError, match=r"[Rr]ow 0\b.*None"):
        model.predict_text(tuple([None] for _ in case.requests))


def assert_same(one, other):
    """Equal, but for the last digits of numbers and for what Python alone adds to an answer."""
    if isinstance(one, dict):
        assert one.keys() <= other.keys()
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    else:
        assert one == (pytest.approx(other, abs=1e-5) if isinstance(other, float) else other)


def _equal(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def _strings(column, spec):
    """A column as a tensor; of lists of words, which a request has no place for, the texts that they make."""
    if spec.shape.rank == 1:
        column = [" ".join(text) if isinstance(text, list) else text for text in column]
    return tf.constant(column)


def _as_arrays(row):
    return {name: value if isinstance(value, bytes) else np.asarray(value)[()] for name, value in row.items()}


@pytest.mark.parametrize("task", MODELS, ids=lambda task: task.__name__)
def test_methods_of_keras_stay_methods(task):
    for name in dir(keras.Model):
        if not name.startswith("_") and callable(getattr(keras.Model, name)):
            assert callable(getattr(task, name)), name
