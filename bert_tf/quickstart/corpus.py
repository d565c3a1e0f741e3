"""First stages: from documents to a vocabulary and to pretraining records."""

import json

from bert_tf.core import files
from bert_tf.core.progress import stages
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.quickstart import documents as texts
from bert_tf.quickstart.documentation import collect_documents
from bert_tf.quickstart.run import Run
from bert_tf.quickstart.settings import QuickstartConfig
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.train_vocabulary import learn, write_vocabulary

PARTS = ("train", "heldout")
CHARACTERS_PER_TOKEN = 50


def collect(run: Run, corpus: str | None, seed: int) -> dict:
    """Writes the training and held-out documents to `corpus/`; returns how much there is of each."""
    documents = texts.read_own_documents(corpus) if corpus else collect_documents()
    sizes = {}
    for part, chosen in zip(PARTS, texts.hold_out(documents, seed), strict=True):
        files.write_text(run.folder / f"corpus/{part}.txt", "\n".join("\n".join(d.paragraphs) + "\n" for d in chosen))
        rows = [{"label": document.label, "paragraphs": document.paragraphs} for document in chosen]
        files.write_text(run.folder / f"corpus/{part}.json", json.dumps(rows, ensure_ascii=False))
        sizes[part] = {"documents": len(chosen), "characters": sum(len(p) for d in chosen for p in d.paragraphs)}
    return sizes


def read_documents(run: Run, part: str) -> list[texts.Document]:
    """The documents that `collect` wrote."""
    rows = json.loads((run.folder / f"corpus/{part}.json").read_text(encoding="utf-8"))
    return [texts.Document(row["label"], row["paragraphs"]) for row in rows]


def learn_vocabulary(run: Run, config: QuickstartConfig) -> dict:
    """Learns the WordPiece tokens of the training documents; a small corpus gets fewer than asked for."""
    lines = [line for document in read_documents(run, "train") for line in document.paragraphs]
    size = min(config.vocab_size, sum(map(len, lines)) // CHARACTERS_PER_TOKEN)
    with stages() as progress:
        pieces, report = learn(lines, size, progress=progress)
    write_vocabulary(run.folder / "vocab.txt", pieces)
    return report


def write_all_records(run: Run, config: QuickstartConfig, seed: int) -> dict[str, int]:
    """Writes masked LM and next sentence examples of both parts."""
    tokenizer = Tokenizer.from_file(run.folder / "vocab.txt")
    counts = {}
    for part, passes in zip(PARTS, (10, 4), strict=True):
        settings = RecordsConfig(
            max_length=config.max_length, max_predictions=config.max_predictions, dupe_factor=passes, seed=seed
        )
        source, output = run.folder / f"corpus/{part}.txt", run.folder / f"records/{part}"
        with stages() as progress:
            report = write_records(source, tokenizer, output, settings, progress)
        counts[part] = report["counts"]["examples"]
    return counts
