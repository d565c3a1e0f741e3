"""What a quick start ends with: one table, metrics.json, a picture of the curves."""

import json
import pathlib
import shutil
import sys

from rich import box
from rich.table import Table

from bert_tf.core import files
from bert_tf.quickstart.run import METRICS
from bert_tf.training.callbacks.metrics_logger import short_name
from bert_tf.training.plots import HELDOUT, plot_curves

CURVES = "curves.png"


def write_report(run, results, seconds):
    """Writes metrics.json and curves.png to the run's folder, and prints the table and what to try next."""
    pretrained, classifier = results["pretrain"], results["fine-tune"]
    curves = {"pretraining": _curves(pretrained)}
    if "skipped" not in classifier:
        curves["classifier"] = _curves(classifier)
    plot_curves(curves, run.folder / CURVES)
    run.console.print(_table(results, seconds))
    run.say(_places(run, classifier))
    metrics = {"settings": run.settings, "seconds": seconds, **results}
    metrics["fine-tune"] = {key: value for key, value in classifier.items() if key != "heldout"}
    files.write_text(run.folder / METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")


def _curves(result):
    names = {name: short_name(name.replace("val_", HELDOUT)) for name in result["history"]}
    return {names[name]: (result["steps"], values) for name, values in result["history"].items()}


def _table(results, seconds):
    table = Table(box=box.SIMPLE_HEAD, title=f"Quick start, {seconds / 60:.1f} minutes", title_justify="left")
    table.add_column("On held-out text")
    table.add_column("result", justify="right")
    table.add_column("to compare with")
    for row in _rows(results):
        table.add_row(*row)
    return table


def _rows(results):
    pretrained, classifier = results["pretrain"], results["fine-tune"]
    yield (
        "masked LM accuracy",
        f"{pretrained['masked_lm_accuracy']:.1%}",
        f"{pretrained['masked_lm_commonest_piece']:.1%}, always the commonest piece",
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
        f"{classifier['majority_class']:.1%}, always the commonest label",
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


def _places(run, classifier):
    folder = run.folder
    lines = [
        f"Everything lies in {folder}:",
        "  vocab.txt, records/, pretrained/     vocabulary, pretraining examples, the pretrained model",
        f"  {METRICS}, {CURVES}, logs/      the figures above, pictures, TensorBoard logs",
    ]
    command = _command()
    tries = [f"{command} inspect {folder}/records/train --count 3", f"{command} quickstart --corpus 'my/*.txt'"]
    if "skipped" not in classifier:
        lines.insert(
            2, "  classifier/, saved_models/, tflite/  the fine-tuned model, as folder, SavedModel, int8 TFLite"
        )
        tries.insert(0, f'{command} predict --model {folder}/classifier --text "Returns a tensor of zeros."')
    else:
        tries.append(f"{pathlib.Path(command).with_name('tensorboard')} --logdir {folder}/logs")
    return "\n".join([*lines, "Try next:", *(f"  {line}" for line in tries)])


def _command():
    """How this program is called: by its path where the shell would not find it, as in a fresh `.venv`."""
    called = sys.argv[0]
    return called if pathlib.Path(called).name == "bert-tf" and not shutil.which("bert-tf") else "bert-tf"
