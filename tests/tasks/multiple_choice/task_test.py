"""Multiple choice: learned, read from files, evaluated, exported and converted like any task."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.evaluation.evaluate import evaluate
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.signatures import sample_request
from bert_tf.export.tflite_outputs import outputs_of
from bert_tf.tasks import TASKS, MultipleChoice
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.weights import read_model, write_model
from tests.tasks.samples import SIZES, VOCABULARY

CONTEXTS = ["the film", "a film", "the", "a"] * 8
ENDINGS = [["is good", "is bad"], ["bad", "not", "good"], ["bad film", "good film"], ["good", "bad", "is"]] * 8
TARGETS = [0, 2, 1, 0] * 8  # the good one


def make(**settings):
    keras.utils.set_random_seed(1)
    return MultipleChoice(Tokenizer(VOCABULARY), max_length=12, **SIZES | settings)


@pytest.fixture(scope="module")
def learned():
    model = make()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit((CONTEXTS, ENDINGS), TARGETS, epochs=10, batch_size=8, verbose=0, seed=0)
    return model


def test_learns_which_ending_is_right(learned):
    assert learned.score((CONTEXTS, ENDINGS), TARGETS) == {"accuracy": 1.0}
    answers = learned.predict_text((["the film"], [["is not", "is good", "is bad", "bad film"]]))
    assert answers[0]["choice"] == 1
    assert answers[0]["ending"] == "is good"
    assert len(answers[0]["probabilities"]) == 4
    assert sum(answers[0]["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_inputs_are_a_row_for_each_ending():
    model = make()
    inputs = model.preprocessor(
        model.preprocessor.encode_texts((["the film"] * 2, [["good", "is bad"], ["a", "a", "a"]]))
    )
    assert inputs["input_ids"].shape == (2, 3, 7)
    # [CLS] the film [SEP] is bad [SEP], and padding alone where an ending is missing
    assert inputs["input_ids"][0, 1].numpy().tolist() == [2, 9, 7, 3, 10, 6, 3]
    assert inputs["segment_ids"][0, 0].numpy().tolist() == [0, 0, 0, 0, 1, 1, 0]
    assert not np.any(inputs["input_mask"][0, 2])
    assert not np.any(inputs["input_ids"][0, 2])


def test_a_missing_ending_changes_nothing_and_is_never_chosen(learned):
    alone = learned.predict_text((CONTEXTS[:1], ENDINGS[:1]))[0]
    beside = learned.predict_text((CONTEXTS[:2], ENDINGS[:2]))[0]
    assert beside["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)
    inputs = learned.preprocessor(learned.preprocessor.encode_texts((CONTEXTS[:2], ENDINGS[:2])))
    assert learned(inputs).numpy()[0, 2] == np.float32(-1e9)


def test_the_loss_is_the_cross_entropy_of_the_right_ending():
    model = make()
    model.compile()
    texts, targets = (CONTEXTS[:4], ENDINGS[:4]), TARGETS[:4]
    inputs = model.preprocessor(model.preprocessor.encode_texts(texts))
    logits = model(inputs).numpy()
    expected = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(4), targets])
    assert model.evaluate(texts, targets, verbose=0, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same examples as JSON lines, and as a table with a column for each ending."""
    folder = tmp_path_factory.mktemp("choice")
    rows = list(zip(CONTEXTS, ENDINGS, TARGETS, strict=True))
    lines = [json.dumps({"context": c, "endings": e, "label": t}) for c, e, t in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    table = ["sent,ending0,ending1,ending2,label"]
    table += [",".join([c, *e, *[""] * (3 - len(e)), str(t)]) for c, e, t in rows]
    (folder / "rows.csv").write_text("\n".join(table) + "\n")
    return folder


COLUMNS = ("sent", "ending0", "ending1", "ending2")


def test_both_kinds_of_file_are_the_same_examples(files):
    spec = TASKS["multiple_choice"]
    lists = read_examples(files / "rows.jsonl", FileConfig(), spec)
    table = read_examples(files / "rows.csv", FileConfig(columns=COLUMNS), spec)
    assert lists.texts == table.texts == (CONTEXTS, ENDINGS)
    targets = spec.load("targets")({})
    assert targets.convert(lists.targets) == targets.convert(table.targets) == TARGETS


def test_folder_report_and_formats(learned, files, tmp_path):
    learned.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.predict_text((CONTEXTS, ENDINGS)) == learned.predict_text((CONTEXTS, ENDINGS))
    results = evaluate(tmp_path / "model", files / "rows.jsonl", output=tmp_path / "report")
    assert results["scores"] == {"accuracy": 1.0}
    write_model(read_model(tmp_path / "model"), tmp_path / "huggingface", "huggingface")
    settings = json.loads((tmp_path / "huggingface/config.json").read_text())
    assert settings["architectures"] == ["BertForMultipleChoice"]
    again = bert_tf.load(tmp_path / "huggingface")
    assert again.score((CONTEXTS, ENDINGS), TARGETS) == {"accuracy": 1.0}


def test_exported_answers_are_the_models(learned, tmp_path):
    # As the verb checks it: with texts that may be empty, which are endings that are not there.
    request = sample_request(learned, ["", "is good", "bad film"])
    assert learned.predict_text(request)[0]["probabilities"] == [0.0, 1.0]
    path, difference = export_saved_model(learned, tmp_path / "choice", request)
    assert difference < 1e-6
    served = tf.saved_model.load(str(path)).signatures
    endings = tf.ragged.constant(ENDINGS[:4]).to_tensor("")
    answers = served["serving_default"](context=tf.constant(CONTEXTS[:4]), endings=endings)
    assert answers["choice"].numpy().tolist() == TARGETS[:4]
    with pytest.raises(ConfigError, match="cannot hold the task multiple_choice"):
        outputs_of(learned)


@pytest.mark.parametrize(
    ("texts", "targets", "message"),
    [
        (["the film"], [0], "without endings"),
        ((["the film"], ["good"]), [0], "Row 0: the endings are 'good'"),
        ((["a", "the"], [["good", "bad"], ["good"]]), [0, 0], r"Row 1 has 1 ending\(s\)"),
        ((["a"], [["good", ""]]), [0], "Row 0: the ending is ''"),
        ((["a"], [["good", 3]]), [0], "Row 0: the ending is 3"),
        (([""], [["good", "bad"]]), [0], "Row 0: the context is empty"),
        ((["a"], [["good", "bad"]] * 2), [0], "1 contexts and endings for 2"),
        ((["a"], [["good", "bad"]]), [2], "Row 0 has the target 2 and 2 endings"),
        ((["a"], [["good", "bad"]]), [-1], "Row 0 has the target -1"),
        ((["a"], [["good", "bad"]]), ["good"], "Row 0 has the target 'good'"),
    ],
)
def test_bad_examples_are_named(texts, targets, message):
    with pytest.raises(InputError, match=message):
        make().dataset(texts, targets)
