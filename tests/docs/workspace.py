"""A folder in which the commands of the documentation run: tiny data sets, corpora and models under the names used."""

import dataclasses
import gzip
import json
import pathlib
import shutil

from bert_tf.core.config import load_toml
from bert_tf.data.pretraining.make_records import write_records
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.media.images import example_image
from bert_tf.media.sounds import example_sound
from bert_tf.text.tokenizers.train_vocabulary import learn_from_files
from bert_tf.training.config import PretrainConfig

ROOT = pathlib.Path(__file__).parents[2]
ENGLISH = ["a warm film", "dull jokes", "the film is good", "bad , dull and bad"]
CHINESE = ["房间干净，服务周到", "电池很差", "书的内容很充实", "服务态度不好"]
CONTEXT = "The library opens at nine. It is closed on Monday."
CHINESE_CONTEXT = "图书馆九点开门，星期一闭馆。"

# Models by the place where a page expects them; other places under runs/ are what the page's own commands write.
MODELS = {
    "runs/quickstart/pretrained": "pretrained",
    "runs/quickstart/classifier": "classifier",
    "runs/sst2/model": "classifier",
    "runs/sst2/pruned": "classifier",
    "runs/noise/model": "classifier",
    "runs/noise-long/model": "classifier",
    "runs/noise-after/model": "classifier",
    "runs/sst2-pruned/model": "classifier",
    "runs/large/model": "classifier",
    "runs/sentiment": "classifier",
    "runs/chnsenticorp/model": "classifier",
    "runs/chnsenticorp/pruned": "classifier",
    "runs/embedder": "embedder",
    "runs/dialogsum/model": "generator",
    "DATA/easy_vqa/encoder": "pretrained",
    "DATA/spoken_digits/encoder": "pretrained",
    "DATA/openmoji/encoder": "pretrained",
    "bert-base-uncased": "deep",
    "bert-base-chinese": "pretrained",
    "chinese_L-12_H-768_A-12": "google",
    "MODEL": "pretrained",
    "FOLDER": "pretrained",
}


def write_workspace(folder: pathlib.Path) -> None:
    """Writes corpora, data sets as the configs name them (in DATA), and the data of the guides."""
    for name, page in (("text", "README.md"), ("corpus", "README.md"), ("语料", "README.zh-CN.md")):
        _write(folder / name / "part.txt", (ROOT / page).read_text(encoding="utf-8"))
    data = folder / "DATA"
    _tables(data, folder / "tickets")
    _tags(data)
    _questions(data)
    pairs = "sent_more,sent_less\nthe film is good,the jokes are good\n"
    _write(data / "crows_pairs/crows_pairs_anonymized.csv", pairs)
    _pictures(folder)
    shutil.copytree(data, folder / "data")
    _write(folder / "dev.tsv", _rows("sentence", ENGLISH))
    _write(folder / "corpus.txt", "\n".join(ENGLISH))
    shutil.copytree(data / "tatoeba_en_zh", folder / "tatoeba_en_zh")
    shutil.copytree(data / "sst2", folder / "sst2")
    _write(folder / "sst2/more.tsv", _rows("sentence", ENGLISH))
    with gzip.open(folder / "sst2/train.tsv.gz") as packed:
        (folder / "sst2/train.tsv").write_bytes(packed.read())


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode("utf-8")))
    else:
        path.write_text(text, encoding="utf-8")


def _rows(column: str, texts: list[str], labels: tuple[str, ...] = ("positive", "negative")) -> str:
    """A table with the text in a column of the data set and in the usual one, which models without a config read."""
    rows = [f"{text}\t{text}\t{labels[i % 2]}" for i, text in enumerate(texts * 5)]  # membership takes 20
    return "\n".join([f"{column}\ttext\tlabel", *rows]) + "\n"


def _pictures(folder: pathlib.Path) -> None:
    """Pictures and sounds, and tables of them."""
    data = folder / "DATA"
    for path in ("a.png", "b.png", "c.png", "pictures/0.png", "DATA/openmoji/pictures/1F34E.png"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(example_image())
    for name, parts in (
        ("shapes", "train test"),
        ("DATA/easy_vqa", "train test train_shapes test_shapes train_even test_even"),
        ("DATA/spoken_digits", "train dev"),
    ):
        kind, file = ("audio", "0.wav") if "digits" in name else ("image", "0.png")
        (folder / name).mkdir()
        (folder / name / file).write_bytes(example_sound(8000) if kind == "audio" else example_image())
        rows = [f"is there a square?\t{file}\tyes", f"is there a circle?\t{file}\tno"] * 4
        for part in parts.split():
            _write(folder / name / f"{part}.tsv", "\n".join([f"text\t{kind}\tlabel", *rows]) + "\n")
    for part in ("train", "test", "test_en", "test_zh"):
        rows = [f"{text}\tpictures/1F34E.png" for text in ENGLISH * 2]
        _write(data / "openmoji" / f"{part}.tsv", "\n".join(["text\timage", *rows]) + "\n")


# Vocabularies and objectives of records that are not WordPiece and pairs of sentences, by the encoder's family.
_VOCABULARIES = {
    "roberta": ("bpe", "tokenizer.json"),
    "modernbert": ("bpe", "tokenizer.json"),
    "albert": ("unigram", "spiece.model"),
}
_OBJECTIVES = {"masked_lm": "full_sentences", "replaced_token": "full_sentences", "sentence_order": "sentence_order"}


def write_records_of(name: str) -> None:
    """Writes records where a config of pretraining expects them, of the workspace's text, with a small vocabulary."""
    config = load_toml(PretrainConfig, name)
    kind, file = _VOCABULARIES.get(config.model.encoder, ("wordpiece", "vocab.txt"))
    vocabulary = pathlib.Path(config.output).parent / file
    size = {"bpe": 300, "unigram": 100, "wordpiece": 300}[kind]
    learn_from_files("text/*.txt", vocabulary, size, kind=kind, overwrite=True)
    settings = RecordsConfig(max_length=32, dupe_factor=1, num_processes=1)
    if config.objective:
        settings = dataclasses.replace(settings, objective=_OBJECTIVES[config.objective], static_masking=False)
    for phase in config.all_phases:
        for folder in (phase.records, phase.heldout):
            if folder and not pathlib.Path(folder).exists():
                write_records("text/*.txt", vocabulary, folder, settings)


def _tables(data: pathlib.Path, tickets: pathlib.Path) -> None:
    for name, column, texts in (("sst2", "sentence", ENGLISH), ("chnsenticorp", "text_a", CHINESE)):
        for part in ("train.tsv.gz", "dev.tsv"):
            _write(data / name / part, _rows(column, texts))
    pairs = "\n".join(f"{i % 2}\t{text}\t{text}" for i, text in enumerate(ENGLISH * 2))
    for part in ("train.tsv", "dev.tsv"):
        _write(data / "mrpc" / part, f"Quality\t#1 String\t#2 String\n{pairs}\n")
        _write(data / "stsb" / part, f"score\tsentence1\tsentence2\n{pairs}\n")
    translations = ["en\tzh", *map("\t".join, zip(ENGLISH, CHINESE, strict=True))]
    for part in ("train.tsv", "valid.tsv", "dev.tsv"):
        _write(data / "tatoeba_en_zh" / part, "\n".join(translations))
    dialogues = [{"dialogue": text, "summary": "a film"} for text in ENGLISH]
    for part in ("train.jsonl.gz", "dev.jsonl"):
        _write(data / "dialogsum" / part, "\n".join(map(json.dumps, dialogues)) + "\n")
    _write(data / "books/one.txt", "\n".join(["The film is good and the jokes are dull. " * 30] * 50))
    rows = [f'{i},"{text}",{("billing", "accounts")[i % 2]}' for i, text in enumerate(ENGLISH * 4)]
    chinese = [f'{i},"{text}",{("账单", "账号")[i % 2]}' for i, text in enumerate(CHINESE * 4)]
    for part in ("train.csv", "test.csv"):
        _write(tickets / part, "\n".join(["id,message,team", *rows]))
        _write(tickets.with_name("tickets-zh") / part, "\n".join(["编号,内容,类别", *chinese]))


def _tags(data: pathlib.Path) -> None:
    english = "Anna B-PER\nlives O\nin O\nRome B-LOC\n\nNobody O\nworks O\n\n"
    chinese = "张\tB-PER\n三\tI-PER\n在\tO\n北\tB-LOC\n京\tI-LOC\n\n书\tO\n好\tO\n\n"
    for part in ("train.txt.gz", "valid.txt"):
        _write(data / "conll2003" / part, english * 4)
    for part in ("train.bio.gz", "dev.bio"):
        _write(data / "msra_ner" / part, chinese * 4)


def _questions(data: pathlib.Path) -> None:
    for name, context, answer, parts in (
        ("squad", CONTEXT, "Monday", ("train_subset.json.gz", "dev.json.gz")),
        ("cmrc2018", CHINESE_CONTEXT, "星期一", ("trial.json", "dev.json")),
    ):
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        questions = [{"id": str(i), "question": "When?", "answers": answers} for i in range(4)]
        document = {"data": [{"title": "", "paragraphs": [{"context": context, "qas": questions}]}]}
        for part in parts:
            _write(data / name / part, json.dumps(document, ensure_ascii=False))
