"""Fine-tuning from files: every kind of task, what a run leaves, resuming, stopping, freezing, seeds."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.progress import Progress
from bert_tf.text.tokenizers.wordpiece import WordPieceTokenizer
from bert_tf.training.callbacks.metrics_logger import read_metrics
from bert_tf.training.callbacks.run_callbacks import TerminateOnDivergence
from bert_tf.training.recipes.finetune import UnfreezeByEpoch, make_job, summarize
from bert_tf.training.recipes.finetune_config import load_config, make_config, override_config
from bert_tf.training.recipes.finetune_data import check_rows, read_rows
from bert_tf.weights import read_model
from tests.tasks.samples import LABELS, TEXTS
from tests.training.recipes.conftest import TOYS


def weights(folder):
    return read_model(folder / "model").weights


def test_a_run_leaves_the_best_model_and_how_it_came_about(toy):
    folder, results = toy("classes")
    assert results["scores"]["accuracy"] == 1.0
    assert sorted(path.name for path in folder.iterdir() if path.name != "logs") == [
        "curves.png",
        "metrics.json",
        "metrics.jsonl",
        "model",
        "settings.json",
    ]
    heldout = [
        line["heldout_accuracy"] for line in read_metrics(folder / "metrics.jsonl") if "heldout_accuracy" in line
    ]
    assert len(heldout) == 8
    assert results["best_step"] == 4 * (1 + heldout.index(1.0))  # the first of the best
    model = bert_tf.load(folder / "model")
    assert model.labels == ["neg", "pos"]
    assert [answer["label"] for answer in model.predict_text(["good", "the film is bad"])] == ["pos", "neg"]
    card = (folder / "model/README.md").read_text()
    assert "classes.tsv (32 rows, 0 bad ones left out)" in card
    assert "| accuracy | 1 |" in card


def test_a_finished_run_is_left_as_it_is(toy, run, monkeypatch):
    folder, results = toy("classes")
    monkeypatch.setattr(TerminateOnDivergence, "on_train_batch_end", None)  # would be called
    assert run("classes.tsv", output=folder, epochs=8)[1] == results
    with pytest.raises(ConfigError, match="a run with other settings: epochs"):
        run("classes.tsv", output=folder, epochs=9)


def test_a_killed_run_goes_on_to_the_same_weights(run, tmp_path, killed_at_step_5):
    settings = {"epochs": 2, "training": {"checkpoint_every": 3, "keep_checkpoints": 9}}
    run("classes.tsv", tmp_path / "whole", **settings)
    with killed_at_step_5():
        run("classes.tsv", tmp_path / "killed", **settings)
    assert not (tmp_path / "killed/model").exists()
    run("classes.tsv", tmp_path / "killed", **settings)
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert whole.keys() == killed.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, killed[name], err_msg=name)


def test_averages_of_the_weights_are_evaluated_and_saved(run, tmp_path, killed_at_step_5):
    plain = {"checkpoint_every": 3, "keep_checkpoints": 9, "schedule": "constant"}
    settings = {"epochs": 2, "training": plain | {"ema_momentum": 0.5}}
    _, results = run("classes.tsv", tmp_path / "whole", **settings)
    with killed_at_step_5():
        run("classes.tsv", tmp_path / "killed", **settings)
    run("classes.tsv", tmp_path / "killed", **settings)
    run("classes.tsv", tmp_path / "plain", epochs=2, training=plain)
    whole, killed, plain = (weights(tmp_path / name) for name in ("whole", "killed", "plain"))
    for name, value in whole.items():
        np.testing.assert_array_equal(value, killed[name], err_msg=name)
    assert any(np.abs(value - plain[name]).max() > 1e-4 for name, value in whole.items())
    model = bert_tf.load(tmp_path / "whole/model")
    assert "constant, average of the weights with momentum 0.5 |" in (tmp_path / "whole/model/README.md").read_text()
    assert model.score(TEXTS, LABELS)["accuracy"] == pytest.approx(results["scores"]["accuracy"])


@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        pytest.param("labels", "micro_f1", 0.9, marks=pytest.mark.soak),  # learned in tests/tasks/contract_test.py
        ("scores", "spearman", 0.7),
        ("tags", "f1", 0.9),
        ("questions", "f1", 1.0),
        ("pairs", "mrr", 0.9),
        pytest.param("choices", "accuracy", 0.9, marks=pytest.mark.soak),
        ("pictures", "accuracy", 0.9),
        ("texts", "rougeL", 0.9),
    ],
)
def test_every_kind_of_task_learns_its_toy(name, metric, least, toy):
    folder, results = toy(name)
    assert results["metric"] == metric
    assert results["scores"][metric] >= least
    assert results["task"] == bert_tf.load(folder / "model").TASK


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("classes", 3 * 32),
        pytest.param("tags", 3 * sum(len(text.split()) for text in TEXTS), marks=pytest.mark.soak),
        ("questions", 3 * 2 * 16),
    ],
)
def test_texts_are_tokenized_once_a_run(name, texts, run, monkeypatch):
    counts = []
    for method in ("__call__", "with_offsets"):
        original = getattr(WordPieceTokenizer, method)

        def count(tokenizer, batch, original=original):
            assert tf.executing_eagerly(), "tokenized in a graph: again for each batch"
            counts.append(int(tf.size(batch)))
            return original(tokenizer, batch)

        monkeypatch.setattr(WordPieceTokenizer, method, count)
    run(**TOYS[name] | {"epochs": 2})
    # Training examples once, held-out ones once for answers and once with their targets for the loss: none per epoch.
    assert sum(counts) == texts


def test_gradients_are_accumulated(run):
    folder, results = run("classes.tsv", epochs=8, training={"accumulation_steps": 2})
    assert results["scores"]["accuracy"] == 1.0


def test_a_baseline_takes_the_vocabulary_alone(run):
    model = {"encoder": "bilstm", "fresh": True, "num_layers": 1, "num_heads": 2, "hidden_size": 32}
    folder, _ = run("classes.tsv", model=model, epochs=1)
    assert bert_tf.load(folder / "model").encoder.lstms[0].forward_layer.units == 16
    with pytest.raises(ConfigError, match=r"model.hidden_size=32; the encoder in .* has 16. Set model.fresh=true"):
        run("classes.tsv", model={"hidden_size": 32})


def test_frozen_layers_stay_as_they_are(run, init):
    before = read_model(init).weights
    folder, _ = run("classes.tsv", freeze_layers=1, epochs=1)
    after = weights(folder)
    changed = {name for name, value in before.items() if not np.array_equal(value, after[name])}
    assert changed == {"encoder/pooler/kernel", "encoder/pooler/bias"}


def test_layers_are_set_free_one_epoch_after_the_other(run, monkeypatch):
    free = []
    begin = UnfreezeByEpoch.on_train_batch_begin

    def look(callback, batch, logs=None):
        begin(callback, batch, logs)
        free.append((callback.model.optimizer.layer_rates.numpy() > 0).tolist())

    monkeypatch.setattr(UnfreezeByEpoch, "on_train_batch_begin", look)
    run("classes.tsv", gradual_unfreezing=True, epochs=3)
    head, block, everything = [False, False, True], [False, True, True], [True] * 3
    assert free == [head] * 4 + [block] * 4 + [everything] * 4


def test_a_run_that_gets_no_better_stops_early(run):
    training = {"learning_rate": 1e-12, "early_stopping": 2}
    folder, results = run("classes.tsv", epochs=9, training=training)
    assert (results["steps"], results["best_step"]) == (12, 4)
    assert (folder / "model").exists()


def test_an_evaluation_is_shown_as_a_stage(run, monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "__call__", lambda self, *report, **more: shown.append(report))
    run("classes.tsv", epochs=2)
    assert [report[1:] for report in shown if report[0] == "evaluating"] == [(0, 2), (1, 2), (1, 2), (2, 2)]
    assert shown[-1] == ("training", 8, 8)


def test_several_seeds_give_a_mean_and_a_deviation(run):
    folder, results = run("classes.tsv", epochs=1, seeds=2, training={"seed": 3})
    runs = [json.loads((folder / f"seed-{seed}/metrics.json").read_text()) for seed in (3, 4)]
    assert results == summarize(runs) == json.loads((folder / "metrics.json").read_text())
    a, b = (result["scores"]["accuracy"] for result in runs)
    assert results["seeds"] == [3, 4]
    assert results["scores"]["accuracy"] == pytest.approx((a + b) / 2)
    assert results["deviations"]["accuracy"] == pytest.approx(abs(a - b) / 2**0.5)


@pytest.mark.parametrize("name", ["classes", "tags", "questions"])
def test_the_loss_on_held_out_examples_is_logged(toy, toys, name):
    folder, results = toy(name)
    lines = {line["step"]: line for line in read_metrics(folder / "metrics.jsonl") if "heldout_loss" in line}
    assert "loss" not in results["scores"]
    model = bert_tf.load(folder / "model")
    config = make_config({}, [f"task={model.TASK}", f"data.folder={str(toys)!r}", "data.heldout_share=0.5"])
    config = override_config(config, [f"data.train={TOYS[name]['file']}", f"data.heldout={TOYS[name]['file']}"])
    examples, _ = check_rows(*read_rows(config), model, ",")
    model.compile()
    expected = model.evaluate(examples.texts, examples.targets, batch_size=4, verbose=0, return_dict=True)["loss"]
    assert lines[results["best_step"]]["heldout_loss"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("name", "weights"), [("classes", {"pos": 3.0}), ("tags", "balanced")])
def test_class_weights_of_a_config(init, toys, name, weights):
    toy = dict(TOYS[name])
    file = toy.pop("file")
    data = {"folder": str(toys), "train": file, "heldout": file}
    config = make_config(toy | {"data": data, "model": {"init": str(init), "class_weights": weights}})
    job = make_job(config)
    model = job.make_model(dataclasses.replace(config.training, precision="float32"))
    job.prepare()
    expected = [1.0, 3.0]
    if weights == "balanced":
        tags = [tag for sentence in job.learned.targets for tag in sentence]
        expected = [len(tags) / (len(model.labels) * max(1, tags.count(label))) for label in model.labels]
        assert len(set(expected)) > 1
    _, targets, found = next(iter(job.batches(8)))
    targets, found = targets.numpy(), found.numpy()
    counted = found > 0  # tokens without a tag weigh nothing
    assert counted.sum() >= 8
    np.testing.assert_allclose(found[counted], np.array(expected)[targets[counted]], rtol=1e-6)


def test_impossible_class_weights_are_refused(init, toys):
    data = {"folder": str(toys), "train": "classes.tsv", "heldout": "classes.tsv"}
    for weights, message in (
        ({"pos": -1.0}, "class_weights=-1.0. class_weights must be at least 0"),
        ("even", "class_weights='even'. class_weights must be one of balanced"),
        (3, "model.class_weights must be of type table or str"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_config({"data": data, "model": {"class_weights": weights}})
    config = make_config({"data": data, "model": {"init": str(init), "class_weights": {"fine": 2.0}}})
    job = make_job(config)
    job.make_model(dataclasses.replace(config.training, precision="float32"))
    with pytest.raises(ConfigError, match="for 'fine'. Labels: neg, pos"):
        job.prepare()


def test_a_model_that_learned_nothing_is_named(run, toy, caplog):
    toy("classes")
    assert "learned nothing" not in caplog.text
    run("classes.tsv", epochs=1, training={"learning_rate": 1e-12})
    assert "has learned nothing that helps on the 32 held-out examples: its accuracy is 0.500" in caplog.text
    assert "one answer to all of them would get 0.500" in caplog.text


def test_several_seeds_do_not_go_into_the_folder_of_one(toy, run):
    folder, _ = toy("classes")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ConfigError, match="holds a single run. Set output to another folder"):
        run(**TOYS["classes"], output=folder, seeds=2)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_run_that_was_killed_at_its_end_is_cleared(run):
    folder, results = run("classes.tsv", epochs=1)
    (folder / "checkpoints/step-00000004").mkdir(parents=True)
    (folder / ".model.4711.tmp").mkdir()
    assert run("classes.tsv", epochs=1, output=folder)[1] == results
    assert not (folder / "checkpoints").exists() and not (folder / ".model.4711.tmp").exists()
    (folder / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="metrics.json: not JSON"):
        run("classes.tsv", epochs=1, output=folder)


def test_damaged_lines_of_metrics_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "loss": 2.0}\n{"st\n[3]\n{"loss": 1.0}\n\xff\n{"step": "x"}\n{"step": 2}\n')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}, {"step": 2}]


def test_held_out_rows_may_be_a_share(toys):
    config = make_config({}, [f"data.folder={str(toys)!r}", "data.train=classes.tsv", "data.heldout_share=0.25"])
    train, heldout = read_rows(config)
    assert (len(train), len(heldout)) == (24, 8)
    assert set(train.places).isdisjoint(heldout.places)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["task=clasification"], "Received: task 'clasification'. Did you mean 'classification'"),
        (["data.train=''"], "set data.train=FILE"),
        (["data.heldout=none"], "Set either data.heldout=FILE or data.heldout_share"),
        (["model.init=none"], "set --init to a model's folder"),
        (["epochs=0"], "epochs must be above 0"),
        (["training.minutes=3"], "Received: training.minutes=3.0. Set epochs"),
        (["training.evaluate_batches=3"], "All held-out examples are scored"),
        (["model.scheme=IOB1"], "model.scheme='IOB1'. classification has no such setting"),
        (["model.max_lenght=3"], "classification has no such setting. Did you mean 'max_length'"),
        (["model.max_length=long"], "model.max_length must be of type int"),
        (["trainning.seed=1"], "Unknown key 'trainning'. Did you mean 'training'"),
        (["model=3"], "model is a section"),
        (["gradual_unfreezing=true", "freeze_layers=1"], "freeze_layers and gradual_unfreezing=true. Set either"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_config({}, ["data.train=a.tsv", "data.heldout=b.tsv", "model.init=nowhere", *settings]).check()


def test_a_mistake_is_reported_without_importing_tensorflow():
    script = """
import sys
from bert_tf.training.recipes.finetune_config import make_config
config = make_config({"task": "tagging", "model": {"scheme": "BIO", "init": "x"}, "data": {"train": "a"}})
assert config.model.scheme == "BIO" and config.model.settings() == {"scheme": "BIO"}
assert not {"tensorflow", "keras"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_settings_of_another_task_can_be_unset():
    values = {"model": {"problem_type": "regression", "max_length": 8}}
    config = make_config(values, ["task=embedding", "model.max_score=5", "model.problem_type=none"])
    assert config.model.settings() == {"max_length": 8, "max_score": 5.0}


def test_all_configs_can_be_read(request):
    configs = request.config.rootpath / "configs"
    for name in sorted(path.stem for path in configs.glob("*.toml")):
        if name == "quickstart" or name.startswith("pretrain"):
            continue
        config = load_config(configs / f"{name}.toml", ["model.init=x"])
        config.check()
        head = (configs / f"{name}.toml").read_text().splitlines()[2]
        assert (
            head == f"# bert-tf finetune --config configs/{name}.toml --init FOLDER --data FOLDER --output runs/{name}"
        )
