"""A run: what it leaves, that it goes on exactly, and what it refuses before it begins."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS
from bert_tf.training.callbacks.metrics_logger import read_metrics
from bert_tf.training.callbacks.run_callbacks import TerminateOnDivergence
from bert_tf.training.compile_model import compile_model
from bert_tf.training.recipes.pretrain import PretrainJob, pretrain
from bert_tf.training.recipes.pretraining_data import RecordsSource
from tests.training.conftest import TINY, changed


def weights(folder, model="model"):
    """All arrays of a model's folder, by name."""
    arrays = {}
    with h5py.File(pathlib.Path(folder) / model / "model.weights.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def assert_equal_weights(one, other, model="model"):
    one, other = weights(one, model), weights(other, model)
    assert one.keys() == other.keys() and len(one) > 20
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], name)


def stop_at(step, monkeypatch):
    """Sends SIGTERM after a step, as a scheduler does that wants the machine."""
    check = TerminateOnDivergence.on_train_batch_end

    def stop(self, batch, logs=None):
        check(self, batch, logs)
        if self.trainer.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(TerminateOnDivergence, "on_train_batch_end", stop)


def test_what_a_run_leaves(trained):
    config, scores = trained
    folder = pathlib.Path(config.output)
    assert {"settings.json", "metrics.jsonl", "curves.png", "checkpoints", "logs", "model"} == {
        path.name for path in folder.iterdir()
    }
    lines = read_metrics(folder / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == [3, 6, 9, 12]
    assert [line["step"] for line in lines if "heldout_loss" in line] == [6, 12]
    assert lines[-1]["heldout_masked_lm_loss"] == scores["masked_lm_loss"]
    assert scores["masked_lm_perplexity"] == pytest.approx(np.exp(scores["masked_lm_loss"]))
    first = lines[0]
    assert first["learning_rate"] > 0 and 0 < first["gradient_norm"] < 100 and first["tokens_per_second"] > 0
    assert sorted(path.name for path in (folder / "checkpoints").iterdir())[-1] == "step-00000012"
    assert json.loads((folder / "settings.json").read_text())["settled"] == {"steps": 12, "precision": "float32"}
    assert "| steps | 12 |" in (folder / "model/README.md").read_text()
    BertPretrainer.from_pretrained(folder / "model")


@pytest.mark.parametrize("pack_length", [None, 64])
def test_records_without_next_sentences(config, records, pack_length):
    alone = str(records / "single")
    config = changed(
        config, data={"records": alone, "heldout": alone, "pack_length": pack_length}, training={"steps": 3}
    )
    scores = pretrain(config)
    assert scores.keys() == {"step", "loss", "accuracy", "masked_lm_loss", "masked_lm_perplexity"}
    assert scores["masked_lm_loss"] == scores["loss"]
    assert 4 < scores["loss"] < 8
    with pytest.raises(ConfigError, match="short.* has next sentence labels, .*single.* has none"):
        pretrain(changed(config, data={"heldout": str(records / "short")}))


FAMILIES = {
    "albert": {"embedding_size": 8, "num_groups": 2},
    "distilbert": {},
    "electra": {"embedding_size": 8},
    "modernbert": {"local_window": 16, "global_every": 2},
    "roberta": {"padding_id": 0},
    "xlm_roberta": {},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_any_family_and_of_its_folder(config, records, tmp_path, family):
    wanted = FAMILIES[family]
    settings = {name: value for name, value in wanted.items() if name != "padding_id"}  # that of the vocabulary
    config = changed(config, model={"encoder": family, "num_layers": 2} | settings, objective="masked_lm")
    model = PretrainJob(config).make_model(config.training)
    assert model.family == family
    assert vars(model.config) | wanted == vars(model.config)
    assert vars(model.config).items() >= {"hidden_size": 16, "num_layers": 2, "vocab_size": 408}.items()
    assert {name.split("/")[0] for name in model.named_weights} == {"encoder", "masked_lm"}
    model.save_pretrained(tmp_path / "init", PretrainJob(config).tokenizer)
    again = changed(config, model={"encoder": None, "init": str(tmp_path / "init")} | dict.fromkeys(settings))
    opened = PretrainJob(again).make_model(config.training)
    assert opened.config == model.config
    for name, array in model.to_weights().items():
        np.testing.assert_array_equal(opened.to_weights()[name], array)


def test_masked_lm_alone_on_records_of_pairs(config):
    config = changed(config, model={"encoder": "roberta"}, objective="masked_lm", training={"steps": 3})
    scores = pretrain(config)
    assert scores.keys() == {"step", "loss", "accuracy", "masked_lm_loss", "masked_lm_perplexity"}
    card = (pathlib.Path(config.output) / "model/README.md").read_text()
    assert card.startswith("# RoBERTa, pretrained\n") and "| objective | masked lm |" in card


@pytest.fixture(scope="module")
def stopped(trained, tmp_path_factory):
    """The folder of the run `trained`, stopped after step 7; tests resume copies of it."""
    config = changed(trained[0], output=str(tmp_path_factory.mktemp("stopped") / "run"))
    with pytest.MonkeyPatch.context() as patch:
        run_to_step_7(config, patch)
    return config.output


def run_to_step_7(config, patch):
    """Stops between two checkpoints."""
    stop_at(7, patch)
    with pytest.raises(InputError, match="Stopped by SIGTERM after step 7 of 12, which is saved"):
        pretrain(config)


def assert_same_run(whole, resumed):
    assert_equal_weights(whole, resumed)
    steps = [line["step"] for line in read_metrics(pathlib.Path(resumed) / "metrics.jsonl") if "loss" in line]
    assert steps == sorted(set(steps)) and steps[-1] == 12


def test_a_stopped_run_goes_on_exactly(trained, stopped, tmp_path):
    config, _ = trained
    folder = shutil.copytree(stopped, tmp_path / "stopped")
    pretrain(changed(config, output=str(folder)))
    assert_same_run(config.output, folder)


KINDS = ["packed and taught", "two phases and accumulated", "albert", "electra", "sgd", "adafactor"]


def killed_after_step_8(whole, folder):
    """Copies a run as it was before its last checkpoint and its model were written, in the second of two phases."""
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "checkpoints/step-00000012")
    shutil.rmtree(folder / "model")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.soak if kind == "sgd" else ()) for kind in KINDS]
)
def test_a_killed_run_of_another_kind_goes_on_exactly(config, records, trained, tmp_path, kind):
    resumed_training = {}
    if kind != "electra":
        config = changed(config, data={"heldout": None})
    if "packed" in kind:  # masked in training; the teacher is wider
        data = {"records": str(records / "dynamic"), "pack_length": 64}
        teacher = {"model": f"{trained[0].output}/model", "hidden_weight": 1.0}
        config = changed(config, data=data, model={"hidden_size": 8}, teacher=teacher)
    elif "phases" in kind:
        short = dataclasses.replace(config.data, share=0.5)
        phases = (short, dataclasses.replace(short, records=str(records / "long"), batch_size=4))
        config = changed(config, phases=phases, training={"accumulation_steps": 2})
    elif kind == "albert":
        model = {"encoder": kind, "embedding_size": 8}
        config = changed(config, data={"records": str(records / "order")}, model=model, objective="sentence_order")
    elif kind == "electra":
        model = {"encoder": kind, "embedding_size": 8, "generator_size": 0.5}
        data = {"records": str(records / "dynamic"), "pack_length": 64}
        config = changed(config, model=model, data=data, objective="replaced_token")
        resumed_training = {"evaluate_every": 3}  # evaluations change nothing
    else:
        config = changed(config, training={"optimizer": kind, "learning_rate": 0.1})
    pretrain(config)
    killed_after_step_8(config.output, tmp_path / "killed")
    killed = changed(config, output=str(tmp_path / "killed"), training=resumed_training)
    pretrain(killed)
    assert_same_run(config.output, killed.output)
    if kind == "electra":
        assert_equal_weights(config.output, killed.output, "model/generator")


def test_a_damaged_checkpoint_costs_only_its_steps(trained, stopped, tmp_path, caplog):
    config, _ = trained
    folder = shutil.copytree(stopped, tmp_path / "stopped")
    state = folder / "checkpoints/step-00000007/state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    pretrain(changed(config, output=str(folder)))
    assert "step-00000007 is damaged" in caplog.text and "Resuming from step 6" in caplog.text
    assert_equal_weights(config.output, folder)


def test_fit_of_a_script_gives_the_same(trained):
    config, _ = trained
    training = config.training
    keras.utils.set_random_seed(training.seed)
    sizes = TINY | {"intermediate_size": 64}
    source = RecordsSource(config.data, training)
    model = BertPretrainer(vocab_size=source.records.report["vocabulary"]["size"], **sizes)
    compile_model(model, training)
    model.fit(source.batches(8), steps_per_epoch=12, verbose=0, shuffle=False)
    trained = BertPretrainer.from_pretrained(pathlib.Path(config.output) / "model").to_weights()
    for name, array in model.to_weights().items():
        np.testing.assert_array_equal(array, trained[name], name)


def test_minutes_become_steps(config):
    timed = changed(config, data={"heldout": None}, training={"steps": None, "minutes": 0.005})
    pretrain(timed)
    settled = json.loads((pathlib.Path(config.output) / "settings.json").read_text())["settled"]
    assert read_metrics(pathlib.Path(config.output) / "metrics.jsonl")[-1]["step"] == settled["steps"] >= 1


@pytest.mark.parametrize("settings", [{"learning_rate": 1e9, "warmup": 0.0, "clip_norm": None}, {"blow_up": 1e-3}])
def test_a_run_that_goes_wrong_stops(config, settings):
    config = changed(config, training={"steps": 50, "checkpoint_every": 1} | settings)
    if "blow_up" in settings:
        config = changed(config, training={"learning_rate": 3.0, "warmup": 0.0, "clip_norm": None})
    with pytest.raises(InputError, match="Step .*the loss .*Its batch is in") as error:
        pretrain(config)
    step = int(str(error.value).split(":")[0].removeprefix("Step "))
    with np.load(pathlib.Path(config.output) / f"bad_batch_{step}.npz") as batch:
        assert batch["0/input_ids"].shape == (8, 32)
    assert not (pathlib.Path(config.output) / f"checkpoints/step-{step:08d}").exists()


def test_precisions_remat_and_xla_train(trained, config, tmp_path):
    losses = {"float32": trained[1]["loss"]}
    for name, settings in {
        "mixed_bfloat16": {},
        "mixed_float16": {},
        "remat": {"precision": "float32", "remat": True},
        "xla": {"precision": "float32", "xla": True},
    }.items():
        settings = {"precision": name} | settings
        losses[name] = pretrain(changed(config, output=str(tmp_path / name), training=settings))["loss"]
    assert losses["remat"] == pytest.approx(losses["float32"], abs=1e-4)
    assert losses["xla"] == pytest.approx(losses["float32"], abs=1e-4)
    assert losses["mixed_bfloat16"] == pytest.approx(losses["float32"], abs=0.05)
    assert losses["mixed_float16"] == pytest.approx(losses["float32"], abs=0.05)


def other_vocabulary(records, tmp_path):
    """A model whose vocabulary has the size of the records', and other pieces."""
    size = json.loads((records / "short/records.json").read_text())["vocabulary"]["size"]
    model = BertPretrainer(vocab_size=size, hidden_size=8, num_layers=1, num_heads=1, intermediate_size=8)
    from bert_tf.text.tokenizers.wordpiece import Tokenizer

    model.save_pretrained(tmp_path / "other", Tokenizer([*SPECIAL_TOKENS, *(f"v{n}" for n in range(size - 5))]))
    return str(tmp_path / "other")


BAD = {
    "nothing to train on": (lambda c, r, t: changed(c, data={"records": ""}), "data.records=FOLDER"),
    "no end": (lambda c, r, t: changed(c, training={"steps": None}), "either training.steps or training.minutes"),
    "too long": (lambda c, r, t: changed(c, model={"max_positions": 16}), "32 tokens; the model has 16 positions"),
    "too long packed": (lambda c, r, t: changed(c, data={"pack_length": 80}), "pack_length=80.*64 positions"),
    "batch": (lambda c, r, t: changed(c, training={"accumulation_steps": 3}), "batch must be a multiple of 3"),
    "vocabulary": (
        lambda c, r, t: changed(c, model={"init": other_vocabulary(r, t)}),
        "made with another vocabulary",
    ),
    "sizes": (lambda c, r, t: changed(c, model={"num_heads": 3}), "hidden_size must be a multiple of num_heads"),
    "activation": (lambda c, r, t: changed(c, model={"activation": "swash"}), "Known activations"),
    "shares": (lambda c, r, t: changed(c, phases=(dataclasses.replace(c.data, share=0.4),)), "add up to 1"),
    "family": (
        lambda c, r, t: changed(c, model={"encoder": "bilstm"}),
        "family 'bilstm'. Pretraining is for bert, albe",
    ),
    "setting": (
        lambda c, r, t: changed(c, model={"num_groups": 2}),
        "num_groups=2. The encoder family 'bert' has no such",
    ),
    "family of init": (
        lambda c, r, t: changed(c, model={"encoder": "albert", "init": other_vocabulary(r, t)}),
        "model.encoder='albert'. .*other holds a 'bert' encoder",
    ),
    "objective": (
        lambda c, r, t: changed(c, objective="sentence_order"),
        "objective='sentence_order'. .*short.* was made with objective=next_sentence",
    ),
    "family of the objective": (
        lambda c, r, t: changed(c, model={"encoder": "roberta"}, objective="replaced_token"),
        "family 'roberta'. The objective replaced_token is for albert, electra",
    ),
    "objective of pairs": (
        lambda c, r, t: changed(c, objective="next_sentence", data={"records": str(r / "single"), "heldout": None}),
        "objective='next_sentence'. .*single.* was made with objective=none",
    ),
    "teacher": (
        lambda c, r, t: changed(c, teacher={"model": other_vocabulary(r, t)}),
        "teacher.model=.*other, which has another vocabulary or tokenizer than the records or the student",
    ),
    "relations of packed rows": (
        lambda c, r, t: changed(c, teacher={"model": "a", "relation_weight": 1.0}, data={"pack_length": 64}),
        "teacher.relation_weight with pack_length",
    ),
    "teacher of replaced tokens": (
        lambda c, r, t: changed(c, teacher={"model": "a"}, objective="replaced_token"),
        "a teacher with objective=replaced_token",
    ),
    "strategy": (lambda c, r, t: changed(c, training={"strategy": "multi_worker"}), "needs TF_CONFIG"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_at_once(config, records, tmp_path, case):
    change, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        pretrain(change(config, records, tmp_path))
    assert not pathlib.Path(config.output).exists()


def test_a_folder_of_another_run_is_refused(config, tmp_path):
    pretrain(changed(config, training={"steps": 2}))
    with pytest.raises(ConfigError, match=r"other settings: model.hidden_size, training.steps"):
        pretrain(changed(config, model={"hidden_size": 8}))
    pretrain(changed(config, training={"steps": 2, "log_every": 1}))  # which changes no weight
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    with pytest.raises(ConfigError, match="something else than a run"):
        pretrain(changed(config, output=str(tmp_path / "full")))


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}'],
)  # fmt: skip
def test_a_cluster_that_names_nobody_is_refused(config, monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match="TF_CONFIG.*must name the workers"):
        pretrain(config)


def test_damaged_records_are_skipped_up_to_a_limit(config, records, tmp_path, caplog):
    whole = [
        message.numpy() for message in tf.data.TFRecordDataset(sorted(map(str, (records / "short").glob("*.tf*"))))
    ]
    for number in (3, 40):
        whole[number] = b"garbage"
    with tf.io.TFRecordWriter(str(tmp_path / "damaged.tfrecord")) as writer:
        for message in whole:
            writer.write(message)
    damaged = changed(
        config,
        model={"vocabulary": str(records / "short/vocab.txt")},
        data={"records": str(tmp_path / "damaged.tfrecord"), "heldout": None},
        training={"steps": len(whole) // 8},
    )
    pretrain(damaged)
    assert caplog.text.count("cannot be parsed; it is skipped") == 2
    with pytest.raises(InputError, match="cannot be parsed. 2 damaged"):
        pretrain(changed(damaged, output=str(tmp_path / "strict"), training={"skip_records": 1}))
