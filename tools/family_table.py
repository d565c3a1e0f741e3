"""Writes the table of encoder families into docs/WEIGHTS.md: python tools/family_table.py [FOLDER]

For every family it opens the golden folders beside the checkout, packs rows, pretrains for a step, exports the
classifier as SavedModel and as int8 .tflite, and serves it; FOLDER (default: runs/families) takes what it makes. A cell
is the largest difference of a number: of encoder and heads from the reference, of the others from the Keras model.
It takes five minutes on two cores.
"""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
from family_models import GOLDEN, differences, expected_in, folders, inputs_of, outputs_of, task_model
from settings_tables import DOCS, END

import bert_tf
from bert_tf.core.config import TextConfig
from bert_tf.core.features import CLS_POSITIONS, EXAMPLE_IDS, INPUT_MASK, POSITION_IDS
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.modeling.families import FAMILIES
from bert_tf.text.tokenizers import byte_bpe_file, sentencepiece_model
from bert_tf.text.tokenizers.vocabulary import read_vocabulary
from bert_tf.training.config import ModelConfig, PhaseConfig, PretrainConfig, TrainingConfig
from bert_tf.training.recipes.pretrain import pretrain
from bert_tf.training.recipes.pretraining_objectives import OBJECTIVES
from bert_tf.weights import read_model

MARK = "<!-- families -->\n"
SHARED = GOLDEN.parent
TEXTS = ["The cat sat on the mat.", "A good film, naïve and long!", "bad", "It is what it is, so they say."]
LENGTH = 32
# Columns of heads, by how the names of their folders end.
HEADS = {
    "masked LM": ("masked_lm", "generator"),
    "pairs of sentences": ("pretraining",),
    "replaced token": ("discriminator",),
    "classification": ("sequence_classification",),
    "tagging": ("token_classification",),
    "question answering": ("question_answering",),
}
COLUMNS = ("encoder", *HEADS, "packed", "SavedModel", "server", "int8 TFLite", "pretraining")
# Where a family learns more than masked LM; and settings by which a small model of it can be made.
OWN_OBJECTIVES = {"bert": "next_sentence", "albert": "sentence_order", "electra": "replaced_token"}
SETTINGS = {"albert": {"embedding_size": 16}, "electra": {"embedding_size": 16}}


def main():
    """Measures every family and writes the page."""
    work = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "runs/families")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    sources = {}
    for folder in [*sorted(SHARED.glob("hf_*")), *folders()]:
        sources.setdefault(read_model(folder).family, []).append(folder)
    table, answers = {}, {}
    for family in [name for name in FAMILIES if name in sources]:
        table[family] = dict.fromkeys(COLUMNS, "—") | compared(sources[family]) | {"packed": packed(sources[family][0])}
        model = classifier(next(path for path in sources[family] if "sequence_class" in path.name))
        answers[family] = [list(answer["probabilities"].values()) for answer in model.predict_text(TEXTS)]
        table[family] |= exported(model, work / family)
        table[family]["pretraining"] = pretrained(family, work)
        print(family, table[family], flush=True)
    for family, difference in served(answers, work).items():
        table[family]["server"] = difference
    page = DOCS / "WEIGHTS.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(MARK)
    page.write_text(f"{before}{MARK}\n{as_markdown(table)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def compared(sources):
    """The cells of the encoder and of the heads: differences from the reference."""
    cells = {"encoder": 0.0}
    for folder in sources:
        expected = expected_in(folder)
        found = differences(outputs_of(folder, expected), expected)
        cells["encoder"] = max(cells["encoder"], found.pop("last_hidden_state"))
        if "prediction_logits" in found:
            cells["masked LM"] = found.pop("prediction_logits")
            cells["pairs of sentences"] = max(found.values())
            continue
        kind = next(column for column, endings in HEADS.items() if folder.name.endswith(endings))
        cells[kind] = max(found.values())
    return cells


def packed(folder):
    """The largest difference of vectors of two examples in one row from those that they have alone."""
    encoder, inputs = bert_tf.Encoder.from_pretrained(folder), inputs_of(expected_in(folder))
    alone = encoder(inputs)
    lengths = inputs[INPUT_MASK].sum(1)
    rows = np.argsort(lengths)[:2]  # two that fit one row
    row = {name: [value[n, : lengths[n]] for n in rows] for name, value in inputs.items()}
    row[POSITION_IDS] = [np.arange(lengths[n]) for n in rows]
    row[EXAMPLE_IDS] = [np.full(lengths[n], number) for number, n in enumerate(rows, 1)]
    together = {name: np.concatenate(parts)[np.newaxis].astype("int32") for name, parts in row.items()}
    together[CLS_POSITIONS] = np.array([[0, lengths[rows[0]]]], "int32")
    outputs = encoder(together)
    expected = np.concatenate([np.asarray(alone["sequence_output"])[n, : lengths[n]] for n in rows])
    vectors = np.abs(np.asarray(outputs["sequence_output"])[0] - expected).max()
    pooled = np.abs(np.asarray(outputs["pooled_output"])[0] - np.asarray(alone["pooled_output"])[rows]).max()
    return float(max(vectors, pooled))


def classifier(folder):
    """The golden classifier with a real vocabulary of the family's kind, for which its embedding is repeated."""
    checkpoint = read_model(folder)
    vocabulary, text = vocabulary_of(checkpoint.family)
    name = "encoder/embeddings/token/embeddings"
    table = checkpoint.weights[name]
    weights = checkpoint.weights | {name: np.resize(table, (len(vocabulary), table.shape[1]))}
    changes = {"vocab_size": len(vocabulary)}
    if checkpoint.family == "modernbert":
        changes["padding_id"] = vocabulary.index("<pad>")
    encoder = dataclasses.replace(checkpoint.encoder, **changes)
    task = checkpoint.task | {"max_length": LENGTH}
    checkpoint = dataclasses.replace(
        checkpoint, encoder=encoder, weights=weights, vocabulary=vocabulary, text=text, task=task
    )
    return task_model(checkpoint)


def vocabulary_of(family):
    """A published or golden vocabulary of the kind that the family has, and its `TextConfig`."""
    place = FAMILIES[family].tokenizer_place
    if "wordpiece" in place:
        return read_vocabulary(SHARED / "vocab_uncased.txt"), TextConfig()
    text = TextConfig(lower_case=False)
    if "byte_bpe" in place:
        return byte_bpe_file.read_pair(SHARED / "byte_bpe/vocab.json", SHARED / "byte_bpe/merges.txt"), text
    name = sentencepiece_model.XLM_ROBERTA_NAME if family == "xlm_roberta" else sentencepiece_model.NAME
    return sentencepiece_model.read_model(SHARED / "unigram_cased/spiece.model", name), text


def exported(model, folder):
    """The cells of SavedModel (difference of probabilities) and of the .tflite (their relative error)."""
    _, difference = export_saved_model(model, folder / "saved_model", TEXTS)
    report = export_tflite(model, folder / "model.tflite", [LENGTH], TEXTS, "int8")
    return {"SavedModel": difference, "int8 TFLite": max(report["error"].values())}


def pretrained(family, work):
    """The loss at one step of pretraining with the family's objective, and on the same records after it."""
    objective = OWN_OBJECTIVES.get(family, "masked_lm")
    if objective not in OBJECTIVES:
        objective = "masked_lm"
    pairs = objective if objective in ("next_sentence", "sentence_order") else "none"
    records = work / f"records_{pairs}"
    if not records.exists():
        config = RecordsConfig(max_length=LENGTH, max_predictions=5, dupe_factor=1, num_processes=1, objective=pairs)
        corpus = work / "corpus.txt"
        paragraphs = [" ".join(TEXTS[i:] + TEXTS[:i]).replace(". ", ".\n") for i in range(len(TEXTS))]
        corpus.write_text("\n\n".join(paragraphs * 8), encoding="utf-8")
        write_records(str(corpus), SHARED / "vocab_uncased.txt", records, config)
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "max_positions": 64, "intermediate_size": 64}
    config = PretrainConfig(
        output=str(work / family / "pretrained"),
        model=ModelConfig(encoder=family, **sizes, **SETTINGS.get(family, {})),
        data=PhaseConfig(records=str(records), heldout=str(records), batch_size=8),
        training=TrainingConfig(
            steps=1, learning_rate=1e-2, warmup=0.0, precision="float32", log_every=1, evaluate_every=1
        ),
        objective=objective,
    )
    pretrain(config)
    lines = (work / family / "pretrained/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = {name: value for line in lines for name, value in json.loads(line).items()}
    return f"{losses['loss']:.2f}, {losses['heldout_loss']:.2f} ({objective.replace('_', ' ')})"


def served(expected, work):
    """{family: difference of a server's probabilities from those of Keras, [text][label]}; one process serves all."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    entries = [
        f'config {{ name: "{name}" base_path: "{(work / name / "saved_model").resolve()}" }}' for name in expected
    ]
    (work / "models.config").write_text(f"model_config_list {{ {' '.join(entries)} }}", encoding="utf-8")
    flags = [f"--model_config_file={work / 'models.config'}", f"--rest_api_port={port}", "--port=0"]
    with terminated(subprocess.Popen([sys.executable, "-m", "bert_tf", "serve", *flags])):
        found = {}
        for name, probabilities in expected.items():
            answers = ask(f"http://127.0.0.1:{port}/v1/models/{name}:predict", {"instances": TEXTS})
            actual = np.array([answer["probabilities"] for answer in answers["predictions"]])
            found[name] = float(np.abs(actual - np.array(probabilities)).max())
        return found


@contextlib.contextmanager
def terminated(process):
    """A block in which a process runs."""
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def ask(url, body, seconds=120):
    """The answer to a request, sent again until the server has the model."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())) as answer:
                return json.load(answer)
        except urllib.error.URLError:  # also of a model that is not loaded yet
            if time.monotonic() > end:
                raise
            time.sleep(1)


def as_markdown(table):
    """The table, one row for each family."""
    lines = ["| family | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (len(COLUMNS) + 1)]
    for family, cells in table.items():
        shown = [cells[column] if isinstance(cells[column], str) else f"{cells[column]:.1e}" for column in COLUMNS]
        lines.append(f"| `{family}` | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
