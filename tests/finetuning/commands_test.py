"""The verbs in processes of their own: fine-tune, evaluate and predict, and what predict prints."""

import json
import subprocess
import sys
import types

import pytest

from bert_tf.errors import InputError
from bert_tf.tasks import commands
from tests.finetuning.conftest import QUESTION


def bert_tf(*arguments, **kwargs):
    return subprocess.run([sys.executable, "-m", "bert_tf", *arguments], capture_output=True, text=True, **kwargs)


def test_from_a_file_to_a_judged_model(init, toys, tmp_path):
    config = tmp_path / "toy.toml"
    config.write_text(
        '[data]\ntrain = "classes.tsv"\nheldout = "bad.tsv"\n[training]\nlearning_rate = 0.01\nprecision = "float32"\n'
    )
    (tmp_path / "bad.tsv").write_text((toys / "classes.tsv").read_text() + "fine\tgood\n")
    arguments = ["--config", config, "--init", init, "--output", tmp_path / "run"]
    overrides = ["epochs=2", "batch_size=8", f"data.folder={tmp_path}", f"data.train={toys / 'classes.tsv'}"]
    done = bert_tf("finetune", *arguments, *overrides)
    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.tsv, line 34: has the label 'fine'. Labels: neg, pos. (--skip_bad_rows" in done.stderr
    done = bert_tf("finetune", *arguments, "--skip_bad_rows", *overrides)
    assert done.returncode == 0, done.stderr
    assert "1 bad rows of" in done.stderr
    assert "<- by which the best was kept" in done.stdout
    model = tmp_path / "run/model"
    done = bert_tf("evaluate", "--model", model, "--data", tmp_path / "bad.tsv", "--output", tmp_path / "report")
    assert done.returncode == 0, done.stderr  # skips as the config of the run does
    assert done.stdout.splitlines()[-1] == f"{tmp_path}/report/README.md is the report."
    assert (tmp_path / "report/README.md").exists()


@pytest.fixture
def predict(capsys):
    """Answers of the verb `predict`, as dicts."""

    def call(model, *overrides, **given):
        flags = dict.fromkeys(("text", "text_pair", "input", "field")) | given
        commands.predict(types.SimpleNamespace(model=str(model), **flags), list(overrides))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_predict_reads_lines_tables_and_standard_input(classifier, toys, tmp_path, predict, monkeypatch):
    model = classifier[0] / "model"
    assert predict(model, text="a good film")[0].keys() == {"text", "label", "probability", "probabilities"}
    answers = predict(model, input=str(toys / "classes.tsv"))
    assert len(answers) == 32
    assert answers[1]["text"] == "the film is bad"
    assert {answer["text"]: answer["label"] for answer in answers}["is a bad bad film"] == "neg"
    (tmp_path / "a.txt").write_text("a good film\n\nthe film is bad\n")
    assert [answer["label"] for answer in predict(model, input=str(tmp_path / "a.txt"))] == ["pos", "neg"]
    (tmp_path / "b.csv").write_text("other\na good film\n")
    assert predict(model, 'columns=["other"]', input=str(tmp_path / "b.csv"))[0]["label"] == "pos"
    monkeypatch.setattr("sys.stdin", iter(["good\n", '{"text": "a", "text_pair": "film"}\n', "the film is bad\n"]))
    assert [answer.get("text_pair") for answer in predict(model, input="-")] == [None, "film", None]


def test_predict_gives_characters_of_contexts(run, toys, predict, monkeypatch):
    folder, _ = run("questions.json", task="question_answering", model={"max_length": 12}, epochs=8)
    question, context = QUESTION["question"], QUESTION["context"]
    answer = predict(folder / "model", text=question, text_pair=context)[0]
    assert context[answer["start"] : answer["end"]] == answer["answer"] == "bad"
    answers = predict(folder / "model", input=str(toys / "questions.json"))
    assert len(answers) == 16
    assert answers[0] == answer
    monkeypatch.setattr("sys.stdin", iter([json.dumps({"context": context, "question": question}) + "\n", "no\n"]))
    with pytest.raises(InputError, match="line 2 is no JSON object with 'question' and 'context': 'no'"):
        predict(folder / "model", input="-")


def test_predict_gives_entities_of_words_and_of_text(run, toys, predict):
    folder, _ = run("tags.bio", task="tagging", epochs=8)
    words = predict(folder / "model", input=str(toys / "tags.bio"))[1]
    assert words["text"] == ["the", "film", "is", "bad"]
    assert [(e["type"], e["start"], e["end"]) for e in words["entities"]] == [("DOWN", 3, 4)]
    text = predict(folder / "model", text="the film is  bad")[0]
    assert [(e["text"], e["start"], e["end"]) for e in text["entities"]] == [("bad", 13, 16)]
