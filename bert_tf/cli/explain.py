"""The verb `explain`."""

import dataclasses
import json
import pathlib
from typing import Any

from absl import logging

from bert_tf.cli.flags import file_settings
from bert_tf.cli.predict import check_texts, columns_of, errors_at, rows_of
from bert_tf.core import files
from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError, already_exists
from bert_tf.core.progress import stages
from bert_tf.data.readers.examples import files_of
from bert_tf.evaluation import saved_model_explanation as saved_models
from bert_tf.evaluation.explain import METHOD, Comparison, Explanation, Faithfulness, check_methods, explain
from bert_tf.evaluation.explanation_page import write_page
from bert_tf.evaluation.plots import draw_curves
from bert_tf.tasks import load

_ON_PAGE = 200  # texts, so that a browser opens the page at once


def explain_texts(flags: Any, overrides: list[str]) -> None:
    """Prints an explanation for each text, a JSON object a line; with --output, writes them and a page to a folder.

    Raises:
        ConfigError: the flags do not go together, or the method cannot explain the model.
        InputError: the model or a row cannot be used, or the folder exists.
    """
    check_texts(flags)
    check_methods([flags.method or METHOD])
    if flags.compare and not flags.output:
        raise ConfigError("Received: --compare without --output FOLDER, for its curves.")
    folder = flags.output and pathlib.Path(flags.output)
    if folder and folder.exists():
        raise already_exists(folder)
    saved_model = saved_models.find_saved_model(flags.model)
    if saved_model:
        _check_saved_model(flags)
    config = override(files_of(flags.model), [*file_settings(flags), *overrides])
    model: Any = saved_models.SavedModel(saved_model) if saved_model else load(flags.model)
    rows = list(rows_of(flags, config, model))
    if not rows:
        raise InputError(f"{flags.input} has no texts.")
    comparison = Comparison(model) if flags.compare else None
    if saved_model:
        found = saved_models.explain_saved_model(model, columns_of(rows), flags.label)
    else:
        found = explain(model, columns_of(rows), flags.method or METHOD, flags.label, comparison)
    explanations = []
    with stages() as progress, errors_at(rows):
        for number, explanation in enumerate(found):
            progress("explaining", number, len(rows))
            explanations.append(explanation)
            if not folder:
                print(_line(explanation), flush=True)
    if folder:
        _write(folder, model.purpose, explanations, comparison.result() if comparison else None)
        print(f"Explanations of {len(rows)} texts: {folder}/index.html and {folder}/explanations.jsonl")


def _check_saved_model(flags: Any) -> None:
    """Says how a SavedModel is explained; raises `ConfigError` for flags that need its gradients or layers."""
    alone = f"A SavedModel has answers and no gradients: it is explained by {saved_models.METHOD} alone"
    if flags.compare or flags.method not in (None, saved_models.METHOD):
        given = "--compare" if flags.compare else f"--method={flags.method}"
        raise ConfigError(f"Received: {given} for {flags.model}. {alone}. Give the model folder that it was made from.")
    logging.warning("%s, word by word, of its probability.", alone)


def _line(explanation: Explanation) -> str:
    values = dataclasses.asdict(explanation)
    del values["pictures"]
    if not explanation.files:
        del values["files"]
    return json.dumps(values, ensure_ascii=False)


def _write(folder: pathlib.Path, title: str, explanations: list[Explanation], measured: Faithfulness | None) -> None:
    with files.temporary_folder(folder) as temporary:
        work = temporary / "page"
        work.mkdir()
        (work / "explanations.jsonl").write_text("".join(f"{_line(one)}\n" for one in explanations), encoding="utf-8")
        pictures = []
        if measured:
            for name, curves in (("deletion", measured.deletion), ("insertion", measured.insertion)):
                pictures.append(work / f"{name}.png")
                means = {method: values.mean(0) for method, values in curves.items()}
                draw_curves(means, f"{name.capitalize()} of words, {len(explanations)} texts", pictures[-1])
            (work / "faithfulness.json").write_text(json.dumps(measured.areas(), indent=2) + "\n", encoding="utf-8")
        write_page(work / "index.html", title, explanations[:_ON_PAGE], measured, pictures)
        if not files.publish(work, folder, replace=False):
            raise already_exists(folder)
