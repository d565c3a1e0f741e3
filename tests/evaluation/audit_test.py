"""The audit of a model: what it measures for each kind of task, its report, and what it refuses."""

import json
import types

import keras
import pytest

from bert_tf.cli.audit import audit as run
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig
from bert_tf.evaluation import attack
from bert_tf.evaluation.audit import audit
from bert_tf.evaluation.audit_config import AuditConfig
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, TEXTS, VOCABULARY


def save(folder, task=TextClassifier, **settings):
    keras.utils.set_random_seed(0)
    if task in (TextClassifier, TextTagger):
        settings.setdefault("labels", ["neg", "pos"])
    task(Tokenizer(VOCABULARY), **SIZES | {"initializer_range": 0.5}, **settings).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return save(tmp_path_factory.mktemp("audit") / "model")


@pytest.fixture
def rows(tmp_path):
    """Texts, half of which name a person, with a group."""
    path = tmp_path / "rows.tsv"
    lines = [f"{['neg', 'pos'][i % 2]}\t{'ab'[i % 3 > 0]}\tJames is {text}" for i, text in enumerate(TEXTS)]
    path.write_text("label\twho\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_report_of_a_classifier(classifier, rows, tmp_path):
    config, settings = FileConfig(columns=("text",)), AuditConfig(attacked_texts=12, substituted=1.0)
    found = audit(classifier, rows, tmp_path / "report", config, "who", [0.5, 1.0], members=rows, settings=settings)
    assert {(one.name, one.dose) for one in found.noise} >= {("typos", 0.5), ("typos", 1.0), ("homoglyphs", 1.0)}
    assert not [one for one in found.noise if one.name in ("sound_alike", "look_alike")]  # no Chinese in it
    typos = next(one for one in found.noise if one.name == "typos" and one.dose == 1.0)
    assert typos.rows == len(TEXTS)
    assert 0 < typos.changed <= 1  # all words become [UNK]
    assert typos.interval[0] <= typos.score <= typos.interval[1]
    swaps = {one.name: one for one in found.swaps}
    assert swaps["names"].changed == 0  # one unknown word for another
    assert swaps["negation"].score is None
    assert "gender" not in swaps
    assert [(part.name, part.rows) for part in found.groups] == [("a", 11), ("b", 21)]
    assert found.calibration.temperature > 0
    report = (tmp_path / "report/README.md").read_text()
    assert "## Groups by who" in report
    assert found.attack.rows == 12
    assert found.attack.attacked[0] <= found.attack.accuracy[0]
    assert "No masked LM was asked" in report
    assert found.notes == [
        "Noise that reaches too few examples, and is left out: look alike, punctuation, sound alike.",
        "Swapped words that too few examples have, and are left out: gender. The lists of words are English and "
        "Chinese.",
    ]
    assert [(attack.name, attack.auc) for attack in found.leakage.attacks][0] == ("loss", 0.5)  # the same examples
    for name in ("calibration", "noise", "groups", "leakage"):
        assert f"({name}.png)" in report
        assert (tmp_path / f"report/{name}.png").stat().st_size > 1000
    assert json.loads((tmp_path / "report/audit.json").read_text())["rows"] == len(TEXTS)


def test_words_of_a_tagger_stay_as_many(tmp_path):
    folder = save(tmp_path / "tagger", TextTagger, labels=["O", "B-X"])
    (tmp_path / "rows.conll").write_text("".join("good B-X\nfilm O\n\n" for _ in range(8)))
    found = audit(folder, tmp_path / "rows.conll", tmp_path / "report", doses=[1.0])
    assert "typos" in {one.name for one in found.noise}
    assert "spaces" not in {one.name for one in found.noise}
    assert not found.swaps
    assert found.attack is None  # its answers are no classes of texts
    assert not [note for note in found.notes if "Swapped" in note]


def test_an_interrupted_attack_is_reported_until_there(classifier, rows, tmp_path, monkeypatch):
    def interrupted(*arguments):
        yield from list(attack.attack(*arguments))[:3]
        raise KeyboardInterrupt

    monkeypatch.setattr("bert_tf.evaluation.audit.attack", interrupted)
    for name in ("measure_noise", "measure_counterfactuals"):
        monkeypatch.setattr(f"bert_tf.evaluation.audit.{name}", lambda *arguments: [])
    found = audit(classifier, rows, tmp_path / "report", FileConfig(columns=("text",)))
    assert found.attack.rows == 3
    assert "The attack was interrupted after 3 of 32 examples." in (tmp_path / "report/README.md").read_text()


def test_of_an_answer_only_the_question_is_changed(tmp_path):
    folder = save(tmp_path / "answerer", QuestionAnswerer)
    answers = [{"text": "bad", "answer_start": 12}]
    questions = [{"id": f"{i}", "question": "is the film", "answers": answers} for i in range(4)]
    data = {"data": [{"paragraphs": [{"context": "the film is bad", "qas": questions}]}]}
    (tmp_path / "rows.json").write_text(json.dumps(data))
    found = audit(folder, tmp_path / "rows.json", tmp_path / "report", doses=[1.0])
    assert {one.rows for one in found.noise} == {4}


def test_what_is_refused(classifier, rows, tmp_path):
    config = FileConfig(columns=("text",))
    with pytest.raises(InputError, match="no column 'where' besides texts and targets. Columns: who."):
        audit(classifier, rows, tmp_path / "report", config, "where")
    rows.write_text("label\twho\ttext\nneg\ta\tgood\npos\ta\tbad\n")
    with pytest.raises(InputError, match="All examples have the group 'a'"):
        audit(classifier, rows, tmp_path / "report", config, "who")
    pairs = save(tmp_path / "pairs", TextEmbedder, objective="contrastive")
    rows.write_text("text\ttext_pair\n" + "good\tfilm\nbad\tfilm\n" * 4)
    with pytest.raises(ConfigError, match="no parts to compare"):
        audit(pairs, rows, tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("doses", ["", "0", "2", "some"])
def test_doses_are_shares(doses):
    with pytest.raises(ConfigError, match="Give shares above 0 and up to 1"):
        run(types.SimpleNamespace(doses=doses), [])
