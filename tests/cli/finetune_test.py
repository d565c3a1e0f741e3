"""The verbs `finetune`, `evaluate` and `predict`, and what they print."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest

from bert_tf.cli import evaluate, finetune
from bert_tf.cli import predict as predicting
from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import InputError
from tests.training.recipes.conftest import QUESTION


def flags(**given):
    return types.SimpleNamespace(**dict.fromkeys(("output", "data", "skip_bad_rows", "encoding", "workers")) | given)


def test_from_a_file_to_a_judged_model(init, toys, tmp_path, capsys, caplog):
    config = tmp_path / "toy.toml"
    config.write_text(
        'batch_size = 8\n[data]\ntrain = "train.tsv"\nheldout = "bad.tsv"\n[training]\nprecision = "float32"\n'
    )
    rows = (toys / "classes.tsv").read_text()
    (tmp_path / "train.tsv").write_text(rows)
    (tmp_path / "bad.tsv").write_text(rows + "fine\tgood\n")
    given = {"config": config, "init": str(init), "data": str(tmp_path), "output": str(tmp_path / "run")}
    with pytest.raises(
        InputError, match=r"bad.tsv, line 34: has the label 'fine'. Labels: neg, pos. \(--skip_bad_rows"
    ):
        finetune.finetune(flags(**given), ["epochs=1"])
    assert not (tmp_path / "run").exists()
    finetune.finetune(flags(**given, skip_bad_rows=True), ["epochs=1"])
    assert "Left out 1 bad row of" in caplog.text
    assert "(used to select the best checkpoint)" in capsys.readouterr().out
    model = str(tmp_path / "run/model")
    # Skips bad rows as the config of the run did.
    evaluate.evaluate(flags(model=model, data=str(tmp_path / "bad.tsv"), output=str(tmp_path / "report")), [])
    assert capsys.readouterr().out.splitlines()[-1] == f"Report: {tmp_path}/report/README.md"
    assert json.loads((tmp_path / "report/metrics.json").read_text())["skipped_rows"] == 1


@pytest.mark.soak
def test_two_workers_learn_what_one_does(init, toys, tmp_path):
    (tmp_path / "toy.toml").write_text(
        """batch_size = 8
        epochs = 8
        [data]
        train = "classes.tsv"
        heldout = "classes.tsv"
        [model]
        hidden_dropout = 0.0
        attention_dropout = 0.0
        [training]
        precision = "float32"
        learning_rate = 0.01
        log_every = 1
        """
    )
    command = [sys.executable, "-m", "bert_tf", "finetune", f"--config={tmp_path}/toy.toml", f"--init={init}"]
    found = []
    for name, more in (("one", ["training.strategy=one"]), ("two", ["--workers=2"])):
        output = tmp_path / name
        done = subprocess.run([*command, f"--data={toys}", f"--output={output}", *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        found.append([row.get("loss", row.get("heldout_accuracy")) for row in rows])
    assert len(found[0]) == 40  # 32 steps, 8 evaluations
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-4)
    assert found[0][-2] < 0.4 < found[0][0]


@pytest.fixture
def predict(capsys):
    """Answers of the verb `predict`, as dicts."""

    def call(model, *overrides, **given):
        given = dict.fromkeys(flag.name for flag in VERBS["predict"].flags) | {"model": str(model)} | given
        predicting.predict(flags(**given), list(overrides))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_predict_reads_lines_tables_and_standard_input(toy, toys, tmp_path, predict, monkeypatch):
    model = toy("classes")[0] / "model"
    assert predict(model, text="a good film")[0].keys() == {"text", "label", "probability", "probabilities"}
    answers = predict(model, input=str(toys / "classes.tsv"))
    assert len(answers) == 32
    assert answers[1]["text"] == "the film is bad"
    assert {answer["text"]: answer["label"] for answer in answers}["is a bad bad film"] == "neg"
    (tmp_path / "a.txt").write_text("a good film\n\nthe film is bad\n")
    assert [answer["label"] for answer in predict(model, input=str(tmp_path / "a.txt"))] == ["pos", "neg"]
    (tmp_path / "b.csv").write_text("other\na good film\n")
    assert predict(model, 'columns=["other"]', input=str(tmp_path / "b.csv"))[0]["label"] == "pos"
    lines = b'\xef\xbb\xbfgood\n{"text": "a", "text_pair": "film"}\nthe film is bad\n'
    monkeypatch.setattr(predicting, "STDIN", write(tmp_path / "stdin", lines))
    assert [answer.get("text_pair") for answer in predict(model, input="-")] == [None, "film", None]


def write(path, data):
    path.write_bytes(data)
    return str(path)


def test_predict_gives_characters_of_contexts(toy, toys, predict, monkeypatch, tmp_path):
    folder, _ = toy("questions")
    question, context = QUESTION["question"], QUESTION["context"]
    answer = predict(folder / "model", text=question, text_pair=context)[0]
    assert context[answer["start"] : answer["end"]] == answer["answer"] == "bad"
    answers = predict(folder / "model", input=str(toys / "questions.json"))
    assert len(answers) == 16
    assert answers[0].pop("null_difference") == pytest.approx(answer.pop("null_difference"), rel=1e-5)
    for found, expected in zip(answers[0]["candidates"], answer["candidates"], strict=True):
        assert found.pop("score") == pytest.approx(expected.pop("score"), rel=1e-5)
    assert {name: answers[0][name] for name in answer} == answer
    assert answers[0].keys() - answer.keys() == {"id", "answers"}  # the other columns of the file
    lines = json.dumps({"context": context, "question": question}) + "\nno\n"
    monkeypatch.setattr(predicting, "STDIN", write(tmp_path / "stdin", lines.encode()))
    with pytest.raises(InputError, match="line 2: not JSON.*Give a JSON object with 'question' and 'context'"):
        predict(folder / "model", input="-")


def test_predict_gives_entities_of_words_and_of_text(toy, toys, predict):
    folder, _ = toy("tags")
    words = predict(folder / "model", input=str(toys / "tags.bio"))[1]
    assert words["text"] == ["the", "film", "is", "bad"]
    assert [(e["type"], e["start"], e["end"]) for e in words["entities"]] == [("DOWN", 3, 4)]
    text = predict(folder / "model", text="the film is  bad")[0]
    assert [(e["text"], e["start"], e["end"]) for e in text["entities"]] == [("bad", 13, 16)]
