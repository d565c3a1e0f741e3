"""From text to a fine-tuned, exported model with each kind of tokenizer."""

import json

import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.export.saved_model import export_saved_model
from bert_tf.text.tokenizers.train_vocabulary import learn_from_files
from bert_tf.training.config import ModelConfig, PhaseConfig, PretrainConfig, TrainingConfig
from bert_tf.training.recipes.finetune import finetune
from bert_tf.training.recipes.finetune_config import make_config
from bert_tf.training.recipes.pretrain import pretrain
from tests.training.conftest import TINY

WORDS = ["the", "film", "is", "good", "and", "bad", "people", "were", "there", "café", "unbelievable", "中文", "they"]
FILES = {"bpe": "tokenizer.json", "unigram": "spiece.model"}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    sentences = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(3, 11)) + "." for i in range(160)]
    lines = [line for i, sentence in enumerate(sentences) for line in ([sentence, ""] if i % 8 == 7 else [sentence])]
    (folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = ["text\tlabel", *(f"{s}\t{'pos' if 'good' in s else 'neg'}" for s in sentences[:32])]
    (folder / "rows.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind, size", [("bpe", 300), ("unigram", 40)])
def test_vocabulary_records_pretraining_fine_tuning_and_export(kind, size, text, tmp_path):
    if kind == "unigram":
        pytest.importorskip("sentencepiece")
    vocabulary = tmp_path / FILES[kind]
    report = learn_from_files(str(text / "text.txt"), vocabulary, size, kind=kind)
    assert (report["size"], report["kind"], report["held_out"]["unknown_rate"]) == (size, kind, 0)
    config = RecordsConfig(max_length=32, max_predictions=5, num_processes=1, masking="whole_word")
    write_records(str(text / "text.txt"), bert_tf.Tokenizer.from_file(vocabulary), tmp_path / "records", config)
    tokenizer = Records(str(tmp_path / "records")).tokenizer()
    assert tokenizer.vocabulary == bert_tf.Tokenizer.from_file(vocabulary).vocabulary
    data = PhaseConfig(records=str(tmp_path / "records"), batch_size=4, pack_length=64)
    training = TrainingConfig(steps=2, precision="float32", log_every=1)
    pretrain(PretrainConfig(str(tmp_path / "run"), ModelConfig(**TINY), data, training=training))
    settings = [
        f"model.init={tmp_path}/run/model",
        f"data.folder={text}",
        "data.train=rows.tsv",
        "data.heldout=rows.tsv",
    ]
    settings += [f"output={tmp_path}/tuned", "epochs=1", "batch_size=8", "training.precision=float32"]
    finetune(make_config({}, settings))
    model = bert_tf.load(tmp_path / "tuned/model")
    assert type(model.tokenizer) is type(tokenizer) and model.tokenizer.vocabulary == tokenizer.vocabulary
    assert bert_tf.Tokenizer.from_pretrained(tmp_path / "tuned/model").config == model.tokenizer.config
    texts = ["the film is good", "café 中文"]
    folder, difference = export_saved_model(model, tmp_path / "exported", texts)
    assert difference < 1e-5
    served = tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant(texts))
    assert served["probabilities"].shape == (2, 2)


def test_what_a_vocabulary_cannot_be_learned_from(text, tmp_path):
    source = str(text / "text.txt")
    with pytest.raises(ConfigError, match="kind='bytes'. kind must be one of wordpiece, bpe, unigram"):
        learn_from_files(source, tmp_path / "v.json", 300, kind="bytes")
    with pytest.raises(ConfigError, match="A bpe vocabulary is kept in a .json file"):
        learn_from_files(source, tmp_path / "vocab.txt", 300, kind="bpe")
    with pytest.raises(ConfigError, match="must be over 261, the special and unused tokens and the 256 bytes"):
        learn_from_files(source, tmp_path / "v.json", 200, kind="bpe")
    pytest.importorskip("sentencepiece")
    with pytest.raises(InputError, match="No unigram vocabulary of size=3000 can be learned") as error:
        learn_from_files(source, tmp_path / "v.model", 3000, kind="unigram")
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_the_report_of_a_json_vocabulary_has_a_name_of_its_own(text, tmp_path):
    learn_from_files(str(text / "text.txt"), tmp_path / "tokenizer.json", 300, kind="bpe")
    assert json.loads((tmp_path / "tokenizer.report.json").read_text())["size"] == 300
