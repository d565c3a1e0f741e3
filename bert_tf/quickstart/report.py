"""The report of a quick start: a table, metrics.json, and the training curves."""

import json
import pathlib
import shlex
import shutil
import sys
from collections.abc import Iterator

from rich import box
from rich.table import Table

from bert_tf.core import files
from bert_tf.quickstart.run import METRICS, Run
from bert_tf.training.plots import plot_curves

CURVES = "curves.png"


def write_report(run: Run, results: dict, seconds: float) -> None:
    """Writes metrics.json and curves.png to the run's folder; prints the table of results and commands to try next.

    Args:
        run: the quick start.
        results: {stage: its result}.
        seconds: that all stages took.
    """
    pretrained, classifier = results["pretrain"], results["fine-tune"]
    curves = {"pretraining": pretrained.get("curves", {})}
    if "skipped" not in classifier:
        curves["classifier"] = classifier.get("curves", {})
    plot_curves(curves, run.folder / CURVES)
    run.console.print(_table(results, seconds))
    run.say(_next_steps(run, results))
    # Without the texts of the held-out paragraphs.
    metrics = {"settings": run.settings, "seconds": seconds, **results}
    metrics["fine-tune"] = {key: value for key, value in classifier.items() if key != "heldout"}
    # Written last: metrics.json marks a run as finished.
    files.write_text(run.folder / METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")


def _table(results: dict, seconds: float) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=f"Quick start, {seconds / 60:.1f} minutes", title_justify="left")
    table.add_column("On held-out text")
    table.add_column("result", justify="right")
    table.add_column("to compare with")
    for row in _rows(results):
        table.add_row(*row)
    return table


def _rows(results: dict) -> Iterator[tuple[str, str, str]]:
    """Rows of the table: (metric, result, baseline)."""
    pretrained, classifier = results["pretrain"], results["fine-tune"]
    yield (
        "masked LM accuracy",
        f"{pretrained['masked_lm_accuracy']:.1%}",
        f"{pretrained['masked_lm_commonest_piece']:.1%}, always the most common token",
    )
    chance = f"{pretrained['next_sentence_chance']:.1%}, chance"
    yield "next sentence accuracy", f"{pretrained['next_sentence_accuracy']:.1%}", chance
    if "skipped" in classifier:
        yield "classifier", "skipped", classifier["skipped"]
        return
    answers, exported = results["ask"], results["export"]
    labels = len(classifier["labels"])
    yield (
        f"classifier accuracy, {labels} labels",
        f"{classifier['accuracy']:.1%}",
        f"{classifier['majority_class']:.1%}, always the most common label",
    )
    yield (
        "SavedModel accuracy",
        f"{answers['saved_model_accuracy']:.1%}",
        f"probabilities within {answers['saved_model_difference']:.0e} of Keras, {exported['saved_model_mib']:.1f} MiB",
    )
    yield (
        "int8 TFLite accuracy",
        f"{answers['tflite_accuracy']:.1%}",
        f"Keras's label on {answers['tflite_agreement']:.1%}, {exported['tflite_mib']:.1f} MiB",
    )


def _next_steps(run: Run, results: dict) -> str:
    """Text with the files of the run and commands to try."""
    folder = run.folder
    lines = [
        f"Results are in {folder}:",
        "  vocab.txt, records/, pretrained/     vocabulary, pretraining examples, the pretrained model",
        f"  {METRICS}, {CURVES}             the results above, training curves",
        "  pretraining/, finetuning/            the two training runs, with settings, metrics and TensorBoard logs",
    ]
    command = _command()
    tries = [f"{command} inspect {folder}/records/train --count 3", f"{command} quickstart --corpus 'my/*.txt'"]
    if "skipped" not in results["fine-tune"]:
        text = '"Returns a tensor of zeros."'
        if run.settings["corpus"]:
            text = shlex.quote(results["ask"]["example"]["text"][:40])
        exported = "  classifier/, saved_models/, tflite/  the fine-tuned model, as folder, SavedModel, int8 TFLite"
        lines.insert(2, exported)
        tries.insert(0, f"{command} predict --model {folder}/classifier --text {text}")
    else:
        tries.append(f"{pathlib.Path(command).with_name('tensorboard')} --logdir {folder}")
    return "\n".join([*lines, "Try next:", *(f"  {line}" for line in tries)])


def _command() -> str:
    """The command of this program: its path if the shell would not find it, as with a virtual environment's path."""
    called = sys.argv[0]
    if pathlib.Path(called).name == "bert-tf" and not shutil.which("bert-tf"):
        return called
    return "bert-tf"
