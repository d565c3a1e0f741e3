"""Students learn what their teacher gives, by each loss; texts without labels and copies count as they should."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import DistributedSteps
from bert_tf.tasks import MultipleChoice
from bert_tf.tasks.distillation.distiller import Distiller
from bert_tf.tasks.distillation.teacher import Teacher
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.distillation.conftest import KINDS, WIDE
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

if keras.backend.backend() != "tensorflow":
    pytest.skip("on TensorFlow alone", allow_module_level=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_learns_the_outputs_of_its_teacher(kind, make):
    _, _, texts, targets = KINDS[kind]
    distiller = Distiller(make(kind, seed=1), make(kind, **WIDE), weight=1.0)
    distiller.compile(keras.optimizers.Adam(0.02))
    found = distiller.fit(texts, targets, batch_size=8, epochs=12, verbose=0, seed=0).history["loss"]
    assert found[0] > 0.01
    assert found[-1] < 0.2 * found[0]


def test_any_family_learns_from_a_teacher_of_other_tokens(make):
    teacher = make("classes", vocabulary=[*VOCABULARY[:5], *reversed(VOCABULARY[5:])], labels=["pos", "neg"], **WIDE)
    student = make("classes", encoder="bilstm")
    distiller = Distiller(student, teacher, weight=1.0)
    examples = distiller.examples(TEXTS[:4], LABELS[:4])
    _, targets, _ = examples.whole()
    expected = keras.ops.softmax(teacher.predict(TEXTS[:4], verbose=0)[:, ::-1] / 2.0)
    np.testing.assert_allclose(targets["teacher"], expected, rtol=1e-4)
    distiller.compile(keras.optimizers.Adam(0.02))
    found = distiller.fit(TEXTS, LABELS, batch_size=8, epochs=12, verbose=0, seed=0).history["loss"]
    assert found[-1] < 0.2 * found[0]


@pytest.mark.parametrize("kind", ["classes", "tags"])
def test_inner_vectors_are_learned(kind, make):
    _, _, texts, targets = KINDS[kind]
    how = {"weight": 0.0, "hidden_weight": 1.0, "relation_weight": 1.0, "layers": [1, 3]}
    teacher = make(kind, **WIDE)
    distiller = Distiller(make(kind, num_layers=2), teacher, **how)
    kept = [weight.numpy() for weight in teacher.weights]
    distiller.compile(keras.optimizers.Adam(0.02))
    history = distiller.fit(texts, targets, batch_size=8, epochs=12, verbose=0, seed=0).history
    assert set(history) == {"loss", "labels_loss", "hidden_loss", "relations_loss"}
    for name in ("hidden_loss", "relations_loss"):
        assert history[name][-1] < 0.6 * history[name][0], name
    for weight, value in zip(teacher.weights, kept, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_nothing_but_the_student_is_kept(make, tmp_path):
    distiller = Distiller(make("classes"), make("classes", **WIDE), hidden_weight=1.0, relation_weight=1.0)
    assert distiller.projection.kernel.shape == (16, 24)
    assert len(distiller.trainable_variables) == len(distiller.student.trainable_variables) + 2
    alone = distiller.student.predict(TEXTS[:4], verbose=0)
    distiller.compile()
    distiller.fit(TEXTS[:8], LABELS[:8], verbose=0)
    distiller.student.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.named_weights.keys() == make("classes").named_weights.keys()
    found = loaded.predict(TEXTS[:4], verbose=0)
    np.testing.assert_allclose(found, distiller.student.predict(TEXTS[:4], verbose=0), atol=1e-5)
    assert not np.allclose(found, alone, atol=1e-4)


def test_a_narrow_student_begins_with_the_principal_components_of_the_embeddings(make):
    student, teacher = make("classes", encoder="bilstm"), make("classes", **WIDE)
    Teacher(teacher, student).lend_embeddings()
    theirs, ours = (model.encoder.token_embedding.embeddings.numpy() for model in (teacher, student))
    variances = np.zeros(16)  # fewer tokens than that have fewer directions
    found = np.linalg.svd(theirs - theirs.mean(0), compute_uv=False)[:16] ** 2
    variances[: len(found)] = found
    np.testing.assert_allclose(np.sum(ours**2, 0) / np.sum(ours**2), variances / variances.sum(), atol=1e-5)
    np.testing.assert_allclose(ours.std(), 1.0, rtol=1e-3)


def test_a_wide_student_begins_with_the_embeddings_and_some_of_its_own(make):
    student, teacher = make("classes", encoder="bilstm", hidden_size=32), make("classes", **WIDE)
    before = student.encoder.token_embedding.embeddings.numpy()
    Teacher(teacher, student).lend_embeddings()
    theirs, ours = (model.encoder.token_embedding.embeddings.numpy() for model in (teacher, student))
    centred = theirs - theirs.mean(0)
    np.testing.assert_allclose(ours[:, :24], centred / centred.std(), atol=1e-4)
    np.testing.assert_array_equal(ours[:, 24:], before[:, 24:])


def test_who_cannot_begin_with_the_teachers_embeddings(make):
    with pytest.raises(ConfigError, match="of the family bert, which adds positions"):
        Teacher(make("classes", **WIDE), make("classes")).lend_embeddings()
    others = make("classes", vocabulary=[*VOCABULARY[:5], *reversed(VOCABULARY[5:])], **WIDE)
    with pytest.raises(ConfigError, match="embeddings needs a teacher of the same tokens"):
        Teacher(others, make("classes", encoder="bilstm")).lend_embeddings()


def test_recording_changes_no_output_of_the_student(make):
    student = make("classes", num_layers=2)
    inputs = student.text_inputs(TEXTS[:4])
    plain = student(inputs)
    with student.encoder.recording() as recorded:
        recorded_outputs = student(inputs)
    np.testing.assert_allclose(recorded_outputs, plain, atol=1e-6)
    expected = student.encoder(inputs, all_outputs=True)["hidden_states"]
    for state, wanted in zip(recorded.states, expected, strict=True):
        np.testing.assert_allclose(state, wanted, atol=1e-6)


@pytest.mark.parametrize("kind", ["classes", "tags", "questions"])
def test_texts_without_labels_and_copies_count_for_the_teacher_alone(kind, make):
    _, _, texts, targets = KINDS[kind]
    distiller = Distiller(make(kind), make(kind, **WIDE))
    first = tuple(column[:2] for column in texts) if isinstance(texts, tuple) else texts[:2]
    labelled = distiller.examples(first, targets[:2])
    everything = distiller.examples(first, targets[:2], unlabelled=texts, augment=1)
    rows = len(texts[0]) if isinstance(texts, tuple) else len(texts)
    assert len(everything) == 2 * (2 + rows)
    inputs, learned, weights = everything.whole()
    ours, known, counts = labelled.whole()

    def total(weights):
        return [float(tf.reduce_sum(weight)) for weight in tf.nest.flatten(weights)]

    assert total(weights["labels"]) == total(counts["labels"])
    assert total(weights["teacher"]) > 2 * total(counts["teacher"])
    length = ours["input_ids"].shape[1]
    np.testing.assert_array_equal(inputs["input_ids"][:2, :length], ours["input_ids"])
    for values, wanted in zip(tf.nest.flatten(learned["labels"]), tf.nest.flatten(known["labels"]), strict=True):
        np.testing.assert_array_equal(values[:2, ..., :length] if values.ndim > 1 else values[:2], wanted)


def test_copies_differ_by_tokens_of_the_examples(make):
    distiller = Distiller(make("classes"), make("classes", **WIDE))
    labelled = distiller.student.preprocessor.prepare(["good bad film"] * 40, ["pos"] * 40)
    inputs, *_ = distiller.prepare(labelled, augment=1, share=0.4, seed=3).whole()
    ids = inputs["input_ids"].numpy()
    cls, sep = (distiller.student.tokenizer.id_of(token) for token in ("[CLS]", "[SEP]"))
    words = [distiller.student.tokenizer.id_of(token) for token in ("good", "bad", "film")]
    assert (ids[:, 0] == cls).all() and (ids[:, -1] == sep).all()
    assert (ids[:40] == [cls, *words, sep]).all()
    assert set(ids[40:, 1:-1].ravel()) == set(words)
    changed = (ids[40:, 1:-1] != words).mean()
    assert 0.1 < changed < 0.45  # 0.4, of which a third is replaced by itself
    again, *_ = distiller.prepare(labelled, augment=1, share=0.4, seed=3).whole()
    np.testing.assert_array_equal(again["input_ids"], ids)


def test_weights_of_examples_and_classes_count_in_both_losses(make):
    distiller = Distiller(make("classes"), make("classes", **WIDE))
    examples = distiller.examples(TEXTS[:2], ["pos", "neg"], [2.0, 3.0], {"pos": 5.0})
    _, _, weights = examples.whole()
    assert weights["labels"].numpy().tolist() == weights["teacher"].numpy().tolist() == [10.0, 3.0]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_step_is_the_same_however_the_batch_is_cut(parts, make):
    how = {"hidden_weight": 1.0, "relation_weight": 1.0}
    distiller = Distiller(make("classes"), make("classes", **WIDE), **how)
    distiller.compile(keras.optimizers.SGD(0.1), accumulation_steps=parts)
    examples = distiller.examples(TEXTS[:2], LABELS[:2], unlabelled=TEXTS[2:8])
    batch = examples.whole()
    with tf.GradientTape() as tape:
        outputs = distiller(batch[0], training=True)
        loss = distiller.compute_loss(batch[0], batch[1], outputs, batch[2])
    gradients = tape.gradient(loss, distiller.trainable_variables)
    expected = [
        v - 0.1 * tf.convert_to_tensor(g) for v, g in zip(distiller.trainable_variables, gradients, strict=True)
    ]
    distiller.train_on_batch(*batch)
    for variable, value in zip(distiller.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, atol=1e-5, err_msg=variable.path)


def test_the_losses_add_up_by_their_weights(make):
    distiller = Distiller(make("classes"), make("classes", **WIDE), weight=0.25, hidden_weight=2.0, relation_weight=3.0)
    assert isinstance(distiller, DistributedSteps)
    distiller.compile()
    _, _, texts, targets = KINDS["classes"]
    data = distiller.student.dataset(distiller.examples(texts, targets), batch_size=32)
    found = distiller.evaluate(data, verbose=0, return_dict=True)
    factors = {"labels_loss": 0.75, "teacher_loss": 0.25, "hidden_loss": 2.0, "relations_loss": 3.0}
    assert found["loss"] == pytest.approx(sum(found[name] * factor for name, factor in factors.items()), rel=1e-4)


OTHER_TOKENS = {"vocabulary": [*VOCABULARY, "dog"]}


@pytest.mark.parametrize(
    ("kind", "teacher", "how", "message"),
    [
        ("classes", {"labels": ["no", "yes"]}, {}, "a teacher with the labels no, yes, and a student with neg, pos"),
        ("labels", {"problem_type": "single_label_classification"}, {}, "a teacher for single_label_classification"),
        ("tags", OTHER_TOKENS, {}, "another vocabulary or tokenizer. tagging, a task on tokens"),
        ("questions", {"max_positions": 8, "max_length": 8}, {}, "with 8 positions for rows of up to 12 tokens"),
        ("classes", OTHER_TOKENS, {"hidden_weight": 1.0}, "hidden_weight .* of the same tokens"),
        ("classes", {"encoder": "bilstm"}, {"relation_weight": 1.0}, "family bilstm, which has no blocks"),
        ("classes", {}, {"hidden_weight": 1.0, "layers": [2]}, r"layers=\[2\]. Give a layer of the teacher, from 1"),
        ("classes", {}, {"weight": 1.5}, "weight=1.5, temperature=2.0, .* weight is in"),
        ("classes", {}, {"layers": [1]}, r"layers=\[1\] without hidden_weight or relation_weight"),
    ],
    ids=range(9),
)
def test_a_teacher_that_does_not_fit_is_refused(kind, teacher, how, message, make):
    with pytest.raises(ConfigError, match=message):
        Distiller(make(kind), make(kind, **teacher), **how)


def test_other_tasks_and_useless_texts_are_refused(make):
    with pytest.raises(ConfigError, match="a teacher for classification and a student for tagging"):
        Distiller(make("tags"), make("classes"))
    choices = MultipleChoice(Tokenizer(VOCABULARY), **SIZES)
    with pytest.raises(ConfigError, match="a student for multiple_choice, a task that cannot be distilled"):
        Distiller(choices, choices)
    distiller = Distiller(make("classes"), make("classes"), weight=0.0, hidden_weight=1.0)
    with pytest.raises(ConfigError, match="weight=0 with texts without labels"):
        distiller.examples(TEXTS, LABELS, unlabelled=TEXTS)
    other = Distiller(make("classes"), make("classes", **OTHER_TOKENS))
    with pytest.raises(ConfigError, match="augment needs a teacher of the same tokens"):
        other.examples(TEXTS, LABELS, augment=1)
