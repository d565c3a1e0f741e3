"""The verb `explain`."""

import dataclasses
import json
import pathlib
from typing import Any

from bert_tf.cli.flags import file_settings
from bert_tf.cli.predict import check_texts, columns_of, errors_at, rows_of
from bert_tf.core import files
from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError, already_exists
from bert_tf.core.progress import stages
from bert_tf.data.readers.examples import files_of
from bert_tf.evaluation.explain import Explanation, Faithfulness, check_methods, explain, faithfulness
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
    check_methods([flags.method])
    if flags.compare and not flags.output:
        raise ConfigError("Received: --compare without --output FOLDER, for its curves.")
    folder = flags.output and pathlib.Path(flags.output)
    if folder and folder.exists():
        raise already_exists(folder)
    config = override(files_of(flags.model), [*file_settings(flags), *overrides])
    model = load(flags.model)
    rows = list(rows_of(flags, config, model))
    if not rows:
        raise InputError(f"{flags.input} has no texts.")
    texts, measured = columns_of(rows), None
    explanations = []
    with stages() as progress, errors_at(rows):
        for number, explanation in enumerate(explain(model, texts, flags.method, flags.label)):
            progress("explaining", number, len(rows))
            explanations.append(explanation)
            if not folder:
                print(_line(explanation), flush=True)
    if flags.compare:
        with errors_at(rows):
            measured = faithfulness(model, texts, label=flags.label)
    if folder:
        _write(folder, model.purpose, explanations, measured)
        print(f"Explanations of {len(rows)} texts: {folder}/index.html and {folder}/explanations.jsonl")


def _line(explanation: Explanation) -> str:
    return json.dumps(dataclasses.asdict(explanation), ensure_ascii=False)


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
