"""First stages: documents, vocabulary and pretraining records."""

import dataclasses
import json

from bert_tf.core import files
from bert_tf.core.progress import stages
from bert_tf.data.pretraining.make_records import write_records
from bert_tf.data.pretraining.records_config import RecordsConfig
from bert_tf.quickstart import documents as texts
from bert_tf.quickstart.documentation import collect_documents
from bert_tf.quickstart.run import Run
from bert_tf.quickstart.settings import QuickstartConfig
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.train_vocabulary import learn, write_vocabulary

PARTS = ("train", "heldout")
CHARACTERS_PER_TOKEN = 50  # of training text for each token of the vocabulary, at least


def collect(run: Run, corpus: str | None, seed: int) -> dict:
    """Writes the training and held-out documents to `corpus/`; returns the numbers of documents and characters."""
    documents = texts.read_own_documents(corpus) if corpus else collect_documents()
    sizes = {}
    for part, chosen in zip(PARTS, texts.hold_out(documents, seed), strict=True):
        lines, rows, characters = [], [], 0
        for document in chosen:
            lines += [*document.paragraphs, ""]  # an empty line ends a document
            rows.append(dataclasses.asdict(document))
            characters += sum(map(len, document.paragraphs))
        files.write_text(run.folder / f"corpus/{part}.txt", "\n".join(lines))
        files.write_text(run.folder / f"corpus/{part}.json", json.dumps(rows, ensure_ascii=False))
        sizes[part] = {"documents": len(chosen), "characters": characters}
    return sizes


def read_documents(run: Run, part: str) -> list[texts.Document]:
    """The documents that `collect` wrote; `part` is one of `PARTS`."""
    rows = json.loads((run.folder / f"corpus/{part}.json").read_text(encoding="utf-8"))
    return [texts.Document(**row) for row in rows]


def learn_vocabulary(run: Run, config: QuickstartConfig) -> dict:
    """Learns WordPiece tokens from the training documents; a small corpus gets fewer than `config.vocab_size`."""
    lines = []
    for document in read_documents(run, "train"):
        lines += document.paragraphs
    size = min(config.vocab_size, sum(map(len, lines)) // CHARACTERS_PER_TOKEN)
    with stages() as progress:
        tokens, report = learn(lines, size, progress=progress)
    write_vocabulary(run.folder / "vocab.txt", tokens)
    return report


def write_all_records(run: Run, config: QuickstartConfig, seed: int) -> dict[str, int]:
    """Writes masked LM and next sentence examples of both parts; returns how many of each."""
    tokenizer = Tokenizer.from_file(run.folder / "vocab.txt")
    counts = {}
    # Each pass over the text masks other words; held-out figures need fewer examples.
    for part, passes in zip(PARTS, (10, 4), strict=True):
        settings = RecordsConfig(
            max_length=config.max_length, max_predictions=config.max_predictions, dupe_factor=passes, seed=seed
        )
        source, output = run.folder / f"corpus/{part}.txt", run.folder / f"records/{part}"
        with stages() as progress:
            report = write_records(source, tokenizer, output, settings, progress)
        counts[part] = report["counts"]["examples"]
    return counts
