"""Texts and pictures in one space: the loss by hand, learning, folders, search in both directions, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.signatures import check_request
from bert_tf.tasks import TASKS, MultimodalEmbedder
from bert_tf.tasks.base.metrics import ranking_metrics
from bert_tf.tasks.embedding.losses import SymmetricContrastiveLoss
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

WORDS = ["good", "bad", "film", "the", "is", "a", "not", "very"]
COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [0] * 3, [255] * 3]
)


def png(colour):
    return tf.io.encode_png(np.broadcast_to(colour.astype("uint8"), (8, 8, 3))).numpy()


PAIRS = (WORDS, [png(colour) for colour in COLOURS])


def make(**settings):
    keras.utils.set_random_seed(1)
    values = {"max_length": 8, "image_size": 8, "image_patch": 4, **SIZES, **settings}
    return MultimodalEmbedder(Tokenizer(VOCABULARY), **values)


@pytest.fixture(scope="module")
def learned():
    model = make()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(PAIRS, epochs=30, batch_size=8, verbose=0, seed=0)
    return model


def test_the_loss_is_the_mean_of_both_directions_without_copies():
    first, second = [[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
    logits = np.array(first) @ np.array(second).T
    # The first and the third example have the same picture: each is masked out of the other's row and column.
    logits[0, 2] = logits[2, 0] = -np.inf
    rows, columns = (np.log(np.exp(logits).sum(axis)) - np.diag(logits) for axis in (1, 0))
    found = SymmetricContrastiveLoss(reduction=None)(
        np.array([[0, 0], [1, 1], [2, 0]]), tf.constant(np.stack([first, second], 1), tf.float32)
    )
    np.testing.assert_allclose(found, (rows + columns) / 2, atol=1e-5)


def test_a_text_of_the_same_picture_is_no_wrong_answer():
    texts = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    query, truth = np.array([[1.0, 0.0]]), np.array([1])
    assert ranking_metrics(query, texts, truth)["mrr"] == 0.5
    assert ranking_metrics(query, texts, truth, groups=np.array([0, 0, 1]))["mrr"] == 1.0


def test_pictures_are_found_by_words_and_words_by_pictures(learned):
    scores = learned.score(PAIRS)
    assert scores["recall@1"] > 0.8
    assert scores["text_recall@1"] > 0.8
    assert learned.inverse_temperature.bias.numpy()[0] != pytest.approx(np.log(1 / 0.07), abs=1e-3)  # it learns
    pictures = learned.embed(([""] * len(WORDS), PAIRS[1]))
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), 1, atol=1e-5)
    assert learned.search(["film"], pictures, top_k=2)[0][0]["index"] == WORDS.index("film")
    assert learned.search(([""], [PAIRS[1][5]]), learned.embed(WORDS))[0][0]["index"] == 5


def test_a_pair_in_training_is_two_rows_of_inference(learned):
    batch, numbers = next(iter(learned.dataset(PAIRS, batch_size=8)))
    vectors = learned(batch).numpy()  # [N, 2, D]
    assert numbers.numpy().tolist() == [[i, i] for i in range(8)]
    scale = np.exp(learned.inverse_temperature.bias.numpy()[0] / 2)
    np.testing.assert_allclose(vectors[:, 0] / scale, learned.embed(WORDS), atol=1e-5)
    np.testing.assert_allclose(vectors[:, 1] / scale, learned.embed(([""] * 8, PAIRS[1])), atol=1e-5)


def test_a_folder_and_a_saved_model_give_the_same_vectors(learned, tmp_path):
    learned.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    asked = (["film", ""], ["", PAIRS[1][2]])
    np.testing.assert_allclose(loaded.embed(asked), learned.embed(asked), atol=1e-6)
    path, difference = export_saved_model(learned, tmp_path / "served", check_request(learned))
    assert difference <= 1e-4
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answers = serve(text=tf.constant(asked[0]), image=tf.constant([b"", PAIRS[1][2]]))
    np.testing.assert_allclose(answers["embedding"], learned.embed(asked), atol=1e-5)


def test_bad_rows_and_settings_are_named(tmp_path):
    with pytest.raises(ConfigError, match="pooling='sum'. Choose from cls, mean, max"):
        make(pooling="sum")
    model = make()
    with pytest.raises(InputError, match="Row 1: the image is empty"):
        model.dataset((["film", "bad"], [PAIRS[1][0], ""]))
    (tmp_path / "rows.tsv").write_text("text\timage\nfilm\tno.png\n")
    examples = read_examples(tmp_path / "rows.tsv", FileConfig(), TASKS["multimodal_embedding"])
    with pytest.raises(InputError, match=r"rows.tsv, line 2: .*no.png"):
        examples.checked(model)
