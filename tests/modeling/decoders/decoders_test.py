"""Both architectures: the mask, steps against the whole target, packed rows, shared weights, refused settings."""

import numpy as np
import pytest
from keras import ops

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.decoders.model import Seq2Seq

SIZES = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_layers": 2,
    "num_heads": 3,
    "intermediate_size": 32,
    "max_positions": 30,
}
KINDS = {
    "encoder_decoder": {"decoder": {"num_layers": 3}},
    "shared": {"share_weights": True},
    "prefix": {"architecture": "prefix"},
    "roberta": {"encoder": "roberta"},
    "roberta_prefix": {"encoder": "roberta", "architecture": "prefix"},
    "albert": {"encoder": "albert", "embedding_size": 8},
}


def make(kind, **settings):
    return Seq2Seq(**SIZES, **{"initializer_range": 0.3} | KINDS[kind] | settings)


@pytest.fixture(scope="module")
def models():
    return {kind: make(kind) for kind in KINDS}


def batch(seed=0, source=7, target=5):
    """Two sources, of which the second is shorter, and their targets."""
    random = np.random.default_rng(seed)
    mask = np.ones((2, source), "int32")
    mask[1, source - 3 :] = 0
    ids = random.integers(5, 50, (2, source)) * mask + (1 - mask)  # 1 is the padding of RoBERTa
    return {
        "input_ids": ids.astype("int32"),
        "input_mask": mask,
        "target_ids": random.integers(5, 50, (2, target)).astype("int32"),
    }


def assert_close(actual, expected, tolerance=2e-5):
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected, rtol=0, atol=tolerance)


def greedy_steps(model, inputs, split=3):
    """Logits [B, T, V] from one step per target token; the cache is split after `split` tokens."""
    source, cache = model.start({**inputs, "segment_ids": np.zeros_like(inputs["input_ids"])})
    caches, logits = [cache], []
    for i in range(inputs["target_ids"].shape[1]):
        if i == split:
            _, empty = model.start({**inputs, "segment_ids": np.zeros_like(inputs["input_ids"])})
            caches = [*caches, empty]
        visible = np.ones((2, 1, i + 1), bool)
        step, caches[-1] = model.step(inputs["target_ids"][:, i : i + 1], i, visible, source, caches)
        logits.append(ops.convert_to_numpy(step))
    return np.concatenate(logits, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_give_the_logits_of_the_whole_target(models, kind):
    inputs = batch()
    assert_close(models[kind](inputs), greedy_steps(models[kind], inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_depends_on_the_source_and_its_past_alone(models, kind):
    inputs = batch()
    before = ops.convert_to_numpy(models[kind](inputs))
    later = inputs | {"target_ids": inputs["target_ids"].copy()}
    later["target_ids"][:, 3] = 7
    after = ops.convert_to_numpy(models[kind](later))
    assert_close(after[:, :3], before[:, :3], 1e-6)
    assert (np.abs(after - before)[:, 3:].max((1, 2)) > 1e-3).all()
    other = inputs | {"input_ids": inputs["input_ids"].copy()}
    other["input_ids"][:, 0] = 9
    assert (np.abs(ops.convert_to_numpy(models[kind](other)) - before).max((1, 2)) > 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(models, kind):
    inputs = batch()
    short = {"input_ids": inputs["input_ids"][1:, :4], "input_mask": np.ones((1, 4), "int32")}
    alone = models[kind](short | {"target_ids": inputs["target_ids"][1:]})
    assert_close(models[kind](inputs)[1:], ops.convert_to_numpy(alone))


@pytest.mark.parametrize("kind", KINDS)
def test_packed_pairs_have_the_logits_of_each_alone(models, kind):
    inputs = batch()
    lengths, targets = (7, 4), (5, 5)

    def row(values, counts):
        return np.concatenate([value[:count] for value, count in zip(values, counts, strict=True)])[None]

    packed = {
        "input_ids": row(inputs["input_ids"], lengths),
        "input_mask": np.ones((1, 11), "int32"),
        "example_ids": np.repeat([[1, 2]], lengths, 1),
        "position_ids": row([np.arange(7)] * 2, lengths),
        "target_ids": row(inputs["target_ids"], targets),
        "target_example_ids": np.repeat([[1, 2]], targets, 1),
        "target_position_ids": row([np.arange(5)] * 2, targets),
    }
    expected = ops.convert_to_numpy(models[kind](inputs))
    assert_close(models[kind](packed)[0], np.concatenate(list(expected)))


@pytest.mark.parametrize("kind", KINDS)
def test_beams_share_the_caches(models, kind):
    """Beam 1 continues from beam 0: each sees the tokens of its own past only."""
    model, inputs = models[kind], batch()
    paths = np.array([[[5, 6, 7], [5, 8, 9]]] * 2)  # [B, K, T]; at the first step both beams are in row 0
    source, cache = model.start({**inputs, "segment_ids": np.zeros_like(inputs["input_ids"])})
    owners = np.array([[0, 0, 0], [0, 1, 1]])  # which beam wrote the token that a beam has at a step
    for i in range(3):
        visible = (owners[:, : i + 1, None] == np.arange(2)).reshape(1, 2, -1).repeat(2, 0)
        visible[:, :, -2:] = np.eye(2, dtype=bool)
        logits, cache = model.step(paths[:, :, i].astype("int32"), i, visible, source, [cache])
    for beam in (0, 1):
        expected = model(inputs | {"target_ids": paths[:, beam].astype("int32")})[:, -1]
        assert_close(logits[:, beam], ops.convert_to_numpy(expected))


def test_sharing_adds_the_cross_attention_alone(models):
    names = set(models["shared"].named_weights)
    own = {name.split("/")[1] for name in names if name.startswith("decoder/")}
    assert own == {"cross_0", "cross_1"}
    assert not any(name.startswith("decoder/") for name in models["prefix"].named_weights)


def test_a_new_decoder_begins_with_the_weights_of_the_encoder(models):
    model = make("encoder_decoder")
    weights = models["encoder_decoder"].to_weights()
    model.assign({name: value for name, value in weights.items() if not name.startswith("decoder/")})
    named = model.to_weights()
    for name in ("embeddings/token/embeddings", "block_1/attention/query/kernel", "embeddings/position/embeddings"):
        np.testing.assert_array_equal(named[f"decoder/{name}"], weights[f"encoder/{name}"])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"decoder": {"hidden_size": 12}}, InputError, "12 numbers, the encoder of 24"),
        ({"decoder": {"width": 12}}, ConfigError, "decoder setting 'width'"),
        ({"architecture": "encoder"}, ConfigError, "architecture 'encoder'. Did you mean"),
        ({"encoder": "modernbert"}, InputError, "family 'modernbert'. Decoders are made of BERT's blocks"),
    ],
)
def test_refused(settings, error, message):
    with pytest.raises(error, match=message):
        Seq2Seq(**SIZES, **settings)
