"""Pretraining on real text, in tokens per second without padding: packed rows in bert_tf, padded ones in the peers."""

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
_ANY_LENGTH = (
    "keras_hub",
    "zeromodels",
    "transformers",
)  # contenders that also take batches padded to their longest row


def races(options):
    """One race per corpus, all in bfloat16."""
    layers, hidden = options.sizes[0]
    size = {"layers": layers, "hidden": hidden, "length": LENGTH, "dtype": "bfloat16"}
    size |= {"rows": 8, "steps": 2} if options.quick else {"rows": 32, "steps": 4}
    names = options.contenders(contenders.CONTENDERS)
    # Model Garden's step would be traced again for each length.
    rows = [(name, {}) for name in names] + [(name, {"longest": True}) for name in names if name in _ANY_LENGTH]
    return [
        Race([Case("text", name, {"corpus": corpus, **size, **how}) for name, how in rows], options.rounds)
        for corpus in CORPORA
    ]


def prepare(settings, paths):
    """Writes records of both corpora, and padded batches of each for the peers.

    Examples of WikiText-2 are pairs of segments; those of SST-2 are single sentences.
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
    """The folder of the records of a corpus."""
    return pathlib.Path(paths["output"]) / "records" / corpus


def _padded(folder):
    return folder.with_name(f"{folder.name}-padded.npz")


def _text_of(corpus, paths):
    """The file of a corpus for `write_records`; that of SST-2 is made."""
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
    """Writes the first batches of an epoch, one example per row, and the mean length of all examples."""
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
    """bert_tf's pretraining from records, with several examples per row."""
    from bert_tf.data.pipeline.pretraining_dataset import make_dataset

    data = make_dataset(records_of(settings["corpus"], paths), settings["rows"], pack_length=LENGTH)
    real = np.mean([x["input_mask"].numpy().sum() for x, _, _ in data.take(BATCHES)])
    model = contenders.make_bert_tf(settings, meter, next_sentence=CORPORA[settings["corpus"]] == "next_sentence")
    step, batches = contenders.step_of(model), iter(data)
    again = contenders.cycle([next(batches)], step)

    def run_next(steps):
        return float(np.mean([step(next(batches)) for _ in range(steps)]))

    return checked(model.count_params(), again, settings, float(real), run_next)


def padded(name, settings, paths, meter):
    """A peer on rows made in advance, one example each, padded to `LENGTH` tokens or to the longest of the batch."""
    arrays = dict(np.load(_padded(records_of(settings["corpus"], paths))))
    real = float(arrays.pop("mean")) * settings["rows"]
    batches = [{name: value[i][: settings["rows"]] for name, value in arrays.items()} for i in range(settings["steps"])]
    if settings.get("longest"):
        batches = list(map(_cut, batches))
    found, run = contenders.CONTENDERS[name](settings, batches, meter)
    return checked(found, run, settings, real)


def _cut(batch):
    """A batch without the columns that are padding in all its rows."""
    length = int(batch["mask"].sum(1).max())
    return batch | {name: batch[name][:, :length] for name in ("ids", "mask", "segments")}


CONTENDERS = {
    name: lambda settings, paths, meter, name=name: padded(name, settings, paths, meter)
    for name in contenders.CONTENDERS
} | {"bert_tf": packed}


def describe(store):
    """A table for each corpus."""
    text = []
    for corpus in CORPORA:
        measured = [found for found in store.of("text") if found.settings["corpus"] == corpus]
        if measured:
            layers, hidden = measured[0].settings["layers"], measured[0].settings["hidden"]
            text.append(f"### {corpus}; {layers} layers, {hidden} wide, bfloat16\n")
            text.append(comparison(measured, "real tokens", _label, more={"of a row": _filled}))
    return "\n".join(text)


def _label(found):
    return found.contender + (", padded to the longest of a batch" if found.settings.get("longest") else "")


def _filled(found):
    """The share of the computed tokens that are not padding; "" where the length of rows differs."""
    if found.settings.get("longest"):
        return ""
    computed = found.rounds[0]["steps"] * found.settings["rows"] * found.settings["length"]
    return f"{found.rounds[0]['units'] / computed:.0%} real"
