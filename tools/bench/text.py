"""Pretraining on real text, in real pieces a second: bert_tf's packed rows, and the peers' padded ones."""

import gzip
import pathlib

import numpy as np

from bench import contenders
from bench.figures import comparison
from bench.runner import Case, Race
from bench.step import checked

TITLE = "Pretraining on real text"
NEEDS = ("tensorflow",)
FOLDERS = ("data", "init")
LENGTH, BATCHES = 128, 16
CORPORA = {"wikitext2": "next_sentence", "sst2": "none"}


def races(options):
    """One for each corpus; everybody in bfloat16."""
    layers, hidden = options.sizes[0]
    size = {"layers": layers, "hidden": hidden, "length": LENGTH, "dtype": "bfloat16"}
    size |= {"rows": 8, "steps": 2} if options.quick else {"rows": 32, "steps": 4}
    names = options.contenders(contenders.CONTENDERS)
    return [
        Race([Case("text", name, {"corpus": corpus, **size}) for name in names], options.rounds) for corpus in CORPORA
    ]


def prepare(settings, paths):
    """Records of both corpora, and of each some padded batches for the peers.

    WikiText-2 becomes pairs of segments; a sentence of SST-2, which has no next one, stands alone.
    """
    from bert_tf.data.pretraining.make_records import RecordsConfig, write_records

    for corpus, objective in CORPORA.items():
        folder = records_of(corpus, paths)
        config = RecordsConfig(
            max_length=LENGTH, objective=objective, static_masking=False, split_sentences=corpus != "sst2"
        )
        write_records([_text_of(corpus, paths)], pathlib.Path(paths["init"]) / "vocab.txt", folder, config)
        if not _padded(folder).exists():
            _write_padded(folder)


def records_of(corpus, paths):
    return pathlib.Path(paths["output"]) / "records" / corpus


def _padded(folder):
    return folder.with_name(f"{folder.name}-padded.npz")


def _text_of(corpus, paths):
    """A file with the corpus as `write_records` reads it."""
    data = pathlib.Path(paths["data"])
    if corpus == "wikitext2":
        return data / "wikitext2" / "valid.txt"
    path = pathlib.Path(paths["output"]) / "sst2.txt"
    if not path.exists():
        with gzip.open(data / "sst2" / "train.tsv.gz", "rt", encoding="utf-8") as file:
            sentences = [line.rstrip("\n").split("\t")[1] for line in file][1:]
        path.write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
    return path


def _write_padded(folder):
    """The first batches of an epoch, one example a row, and the mean length of all examples."""
    from bert_tf.data.pipeline.pretraining_dataset import make_dataset
    from bert_tf.data.pipeline.record_reader import Records

    records = Records(folder)
    found = {}
    for x, y, weights in make_dataset(records, 32).take(BATCHES):
        batch = {
            "ids": x["input_ids"],
            "mask": x["input_mask"],
            "segments": x["segment_ids"],
            "positions": x["masked_lm_positions"],
            "labels": y["masked_lm_logits"],
            "weights": weights["masked_lm_logits"],
            "next": y["next_sentence_logits"][:, 0] if "next_sentence_logits" in y else np.zeros(32, "int32"),
        }
        for name, value in batch.items():
            found.setdefault(name, []).append(np.asarray(value))
    lengths = records.measure()[0]
    np.savez(_padded(folder), mean=lengths.mean(), **found)


def packed(settings, paths, meter):
    """bert_tf as it pretrains: from the records, several examples a row."""
    from bert_tf.data.pipeline.pretraining_dataset import make_dataset

    data = make_dataset(records_of(settings["corpus"], paths), settings["rows"], pack_length=LENGTH)
    real = np.mean([x["input_mask"].numpy().sum() for x, _, _ in data.take(BATCHES)])
    model = contenders.make_bert_tf(settings, meter, next_sentence=CORPORA[settings["corpus"]] == "next_sentence")
    step, batches = contenders.step_of(model), iter(data)
    again = contenders.cycle([next(batches)], step)

    def go_on(steps):
        return float(np.mean([step(next(batches)) for _ in range(steps)]))

    return checked(model.count_params(), again, settings, float(real), go_on)


def padded(name, settings, paths, meter):
    """A peer on rows that are made beforehand, each an example padded to all pieces."""
    arrays = dict(np.load(_padded(records_of(settings["corpus"], paths))))
    real = float(arrays.pop("mean")) * settings["rows"]
    batches = [{name: value[i][: settings["rows"]] for name, value in arrays.items()} for i in range(settings["steps"])]
    found, run = contenders.CONTENDERS[name](settings, batches, meter)
    return checked(found, run, settings, real)


CONTENDERS = {
    name: lambda settings, paths, meter, name=name: padded(name, settings, paths, meter)
    for name in contenders.CONTENDERS
} | {"bert_tf": packed}


def describe(store):
    text = []
    for corpus in CORPORA:
        measured = [found for found in store.of("text") if found.settings["corpus"] == corpus]
        if measured:
            layers, hidden = measured[0].settings["layers"], measured[0].settings["hidden"]
            text.append(f"### {corpus}; {layers} layers, {hidden} wide, bfloat16\n")
            text.append(comparison(measured, "real pieces", lambda found: found.contender, more={"of a row": _filled}))
    return "\n".join(text)


def _filled(found):
    """The share of the computed pieces that are no padding."""
    computed = found.rounds[0]["steps"] * found.settings["rows"] * found.settings["length"]
    return f"{found.rounds[0]['units'] / computed:.0%} real"
