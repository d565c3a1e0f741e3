"""Questions answered from contexts: targets in windows, decoding against all spans, folders, bad input."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.question_answering.task import END, START, QuestionAnswerer
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model

WORDS = ["who", "where", "anna", "bo", "paris", "rome", "is", "in", "and", ".", "lives", "##s", "x"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 32,
    "max_positions": 32,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "initializer_range": 0.1,
}


def make(**settings):
    return QuestionAnswerer(Tokenizer(VOCABULARY), **{"max_length": 16, "stride": 4, **SIZES, **settings})


def at(context, text):
    return [{"text": text, "answer_start": context.index(text)}] if text else []


PEOPLE, PLACES = ["Anna", "Bo"], ["Paris", "Rome"]
CONTEXTS = [f"{one} lives in {place} ." for one in PEOPLE for place in PLACES]
QUESTIONS = ["Who ?"] * 4 + ["Where ?"] * 4
ANSWERS = [at(c, c.split()[0]) for c in CONTEXTS] + [at(c, c.split()[3]) for c in CONTEXTS]
TEXTS = (QUESTIONS * 6, CONTEXTS * 12)
TARGETS = ANSWERS * 6


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(TEXTS, TARGETS, epochs=12, batch_size=16, verbose=0)
    return model


def test_learns_from_squad_answers(trained):
    assert trained.score(TEXTS, TARGETS) == {"exact_match": 1.0, "f1": 1.0}
    scores = trained.evaluate(TEXTS, TARGETS, verbose=0, return_dict=True)
    assert scores["start_logits_accuracy"] == scores["end_logits_accuracy"] == 1.0


def test_answers_are_places_in_the_context(trained):
    (answer,) = trained.predict_text((["where ?"], ["  Anna lives\tin ROME."]))
    assert (answer["answer"], answer["start"], answer["end"]) == ("ROME", 16, 20)
    best, second, *_ = answer["candidates"]
    assert {name: answer[name] for name in best} == best
    assert 1 >= answer["score"] > second["score"] > 0
    assert sum(candidate["score"] for candidate in answer["candidates"]) == pytest.approx(1)


def test_targets_in_windows():
    """Worked by hand: 3 pieces of the question leave 10 for the context, windows begin every 4 pieces."""
    model = make()
    context = "x x x x x x x x Romes and x x x x"  # the answer is pieces 8 to 10; 15 in all
    batch = next(iter(model.dataset((["who is x"], [context]), [at(context, "Romes and")])))
    ids, targets = batch[0]["input_ids"].numpy(), batch[1]
    assert batch[0]["segment_ids"].numpy()[0].tolist() == [0] * 5 + [1] * 11
    assert ids.shape == (3, 16)
    assert targets[START].numpy().tolist() == [0, 9, 5]  # the first window ends inside the answer
    assert targets[END].numpy().tolist() == [0, 11, 7]
    assert [ids[1][place] for place in (9, 10, 11)] == [VOCABULARY.index(p) for p in ("rome", "##s", "and")]


def test_no_answer_is_learned_at_cls():
    batch = next(iter(make().dataset((["who"], ["Anna lives"]), [[]])))
    assert (batch[1][START].numpy().tolist(), batch[1][END].numpy().tolist()) == ([0], [0])


def test_training_tells_apart_cls_and_the_context_alone():
    model = make()
    inputs, targets = model.preprocessor.to_batch(
        *model.preprocessor.encode_examples((["Who ?", "Where is x ?"], CONTEXTS[:2]), ANSWERS[:2])
    )
    inputs = {name: tf.pad(value, [[0, 0], [0, 3]]) for name, value in inputs.items()}
    learned, answered = model(inputs, training=True), model(inputs, training=False)
    rivals = inputs["segment_ids"].numpy() == 1
    rivals[:, 0] = True
    assert not rivals[:, -3:].any()
    for name in (START, END):
        np.testing.assert_array_equal(learned[name] == -1e9, ~rivals)
        np.testing.assert_allclose(learned[name][rivals], answered[name][rivals], rtol=1e-5, atol=1e-6)
        assert rivals[[0, 1], targets[name]].all()


@pytest.mark.parametrize("threshold", [None, 0.0, 1.5])
def test_decoding_against_all_spans(threshold):
    """Brute force over every window: spans within a window that begin where the window is asked, none too long."""
    model = make(max_answer_length=3, n_best=4, null_threshold=threshold)
    random = np.random.default_rng(0)
    contexts = ["x " * 23, "anna", "", "x " * 12, "paris is in x"]
    inputs = model.preprocessor((tf.constant(["who is x"] * 5), tf.constant(contexts)))
    outputs = {name: random.normal(size=inputs["input_ids"].shape).astype("float32") * 2 for name in (START, END)}
    answers = {name: value.numpy() for name, value in model.postprocess(outputs, inputs).items()}
    inputs = {name: value.numpy() for name, value in inputs.items()}
    for number in range(5):
        rows = np.flatnonzero(inputs["window_texts"] == number)
        spans = [
            (
                outputs[START][row, i] + outputs[END][row, j],
                inputs["context_starts"][row, i],
                inputs["context_ends"][row, j],
            )
            for row in rows
            for i in range(16)
            for j in range(i, min(i + 3, inputs["input_ids"].shape[1]))
            if inputs["may_begin"][row, i] and inputs["context_ends"][row, j]
        ]
        spans = sorted(spans, reverse=True)[:4]
        null = min(outputs[START][row, 0] + outputs[END][row, 0] for row in rows)
        found = [answers[f"candidate_{name}"][number].tolist() for name in ("starts", "ends")]
        expected = [[span[k] for span in spans] + [0] * (len(found[0]) - len(spans)) for k in (1, 2)]
        assert found == expected
        refused = not spans or (threshold is not None and null - spans[0][0] > threshold)
        assert (answers["start"][number], answers["end"][number]) == ((0, 0) if refused else spans[0][1:])
        rivals = np.array([span[0] for span in spans] + ([null] if threshold is not None else []))
        if spans:
            assert answers["null_difference"][number] == pytest.approx(null - spans[0][0], abs=1e-5)
            share = np.exp(rivals) / np.exp(rivals).sum()
            assert answers["score"][number] == pytest.approx(share[-1 if refused else 0], abs=1e-5)


def test_every_piece_of_a_long_context_may_begin_an_answer_once():
    inputs = make().preprocessor((tf.constant(["who"]), tf.constant(["Anna is in Paris . " * 9])))
    asked = inputs["may_begin"].numpy() > 0
    assert sorted(inputs["context_starts"].numpy()[asked]) == [19 * i + k for i in range(9) for k in (0, 5, 8, 11, 17)]


def test_an_answer_far_into_a_long_context(trained):
    context = "x " * 70 + "Anna lives in Rome ." + " x" * 70
    texts = (["Where ?", "Where ?"], [context, CONTEXTS[0]])
    alone = [trained.predict_text(([q], [c]))[0] for q, c in zip(*texts, strict=True)]
    together = trained.predict_text(texts)
    assert together[0]["candidates"][0]["start"] == alone[0]["start"]
    assert [answer["answer"] for answer in together] == [answer["answer"] for answer in alone]
    for answer in together:
        assert context[answer["start"] : answer["end"]] == answer["answer"] or answer["answer"] == "Paris"


def test_a_million_characters(trained):
    (answer,) = trained.predict_text((["Where ?"], ["x " * 500_000 + CONTEXTS[1]]))
    assert answer["end"] <= 1_000_000 + len(CONTEXTS[1])


def test_questions_are_cut_and_contexts_are_not():
    model = make(max_question_length=5)
    inputs = model.preprocessor((tf.constant(["who " * 9]), tf.constant(["x " * 20])))
    segments = inputs["segment_ids"].numpy()
    assert (segments[0] == 0).sum() == 7
    assert (inputs["may_begin"].numpy()).sum() == 20


def test_folder_gives_the_same_answers(trained, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.task_settings() == trained.task_settings()
    assert loaded.predict_text((["Who ?"], [CONTEXTS[1]])) == trained.predict_text((["Who ?"], [CONTEXTS[1]]))
    again = QuestionAnswerer.from_pretrained(tmp_path / "model", null_threshold=-1e6)
    answer = again.predict_text((["Who ?"], [CONTEXTS[1]]))[0]
    assert (answer["answer"], answer["start"], answer["end"]) == ("", 0, 0)


def test_settings_can_change_after_construction(trained, tmp_path):
    """They take effect even after a prediction, which traces a graph with the old values, and are saved."""
    trained.save_pretrained(tmp_path / "before")
    model = bert_tf.load(tmp_path / "before")
    texts = (["Who ?"], [CONTEXTS[1]])
    answer = model.predict_text(texts)[0]
    assert answer["answer"] == "Anna"
    assert len(answer["candidates"]) > 2
    model.null_threshold, model.n_best, model.max_answer_length, model.max_question_length = -1e6, 2, 1, 1
    answer = model.predict_text(texts)[0]
    assert (answer["answer"], len(answer["candidates"])) == ("", 2)
    candidates = [candidate["answer"].split() for candidate in answer["candidates"]]
    assert [len(words) for words in candidates] == [1, 1]
    model.save_pretrained(tmp_path / "after")
    settings = bert_tf.load(tmp_path / "after").task_settings()
    expected = {"null_threshold": -1e6, "n_best": 2, "max_answer_length": 1, "max_question_length": 1}
    assert {name: settings[name] for name in expected} == expected


def test_one_graph_from_strings_to_answers(trained):
    spec = tf.TensorSpec([None], tf.string)
    graph = tf.function(trained.serve, input_signature=[spec, spec], autograph=False)
    questions, contexts = ["Who ?", "Where ?", "Where ?"], [CONTEXTS[0], "x " * 40 + CONTEXTS[3], ""]
    answers = graph(tf.constant(questions), tf.constant(contexts))
    expected = trained.predict_text((questions, contexts))
    assert [text.decode() for text in answers["answer"].numpy()] == [answer["answer"] for answer in expected]
    np.testing.assert_allclose(answers["score"], [answer["score"] for answer in expected], atol=1e-5)
    assert expected[2]["answer"] == ""
    assert expected[2]["candidates"] == []


def test_rows_of_pieces_alone(trained):
    inputs = trained.preprocessor((tf.constant(["Who ?"]), tf.constant([CONTEXTS[0]])))
    answers = trained.predict_inputs({name: inputs[name] for name in ("input_ids", "input_mask", "segment_ids")})
    assert (answers["start"].numpy(), answers["end"].numpy()) == (4, 5)  # [CLS] who [UNK] [SEP] anna


def test_golden_logits(golden):
    checkpoint = read_model(golden / "hf_question_answering")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(checkpoint.encoder.vocab_size - 4))]
    model = QuestionAnswerer.from_checkpoint(dataclasses.replace(checkpoint, vocabulary=pieces), "golden")
    expected = np.load(golden / "hf_question_answering" / "expected.npz")
    theirs = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    logits = model({ours: expected[name].astype("int32") for ours, name in theirs.items()})
    for name in (START, END):
        np.testing.assert_allclose(logits[name], expected[name], atol=1e-4)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"text": "Anna", "answer_start": 3}], "Row 1: at 3 the context has 'a li', not the answer 'Anna'; .*at 0"),
        ([{"text": "Rome", "answer_start": 18}], "Row 1: the answer 'Rome' at 18 ends after its context of 20 char"),
        ([{"text": "Rome", "answer_start": -4}], "Row 1: the answer 'Rome' has answer_start -4"),
        ([{"text": "", "answer_start": 0}], "Row 1: the answer .* has no text"),
        ({"text": ["Anna"], "answer_start": []}, "Row 1 has 1 answer texts and 0 starts"),
        ("Anna", "Row 1: the answers are 'Anna'"),
    ],
)
def test_bad_answers_are_named(trained, answers, message):
    with pytest.raises(InputError, match=message):
        trained.dataset((QUESTIONS[:2], CONTEXTS[:2]), [ANSWERS[0], answers])


def test_bad_texts_and_settings(trained):
    with pytest.raises(InputError, match="question, context"):
        trained.predict_text(["who"])
    with pytest.raises(InputError, match="Row 0: the context is empty"):
        trained.dataset((["who"], [" "]), [[]])
    with pytest.raises(ConfigError, match="n_best=0"):
        make(n_best=0)
    with pytest.raises(ConfigError, match="metric='bleu'. Metrics: squad, cmrc"):
        make(metric="bleu")
