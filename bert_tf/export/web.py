"""Exports a static web page that runs a task's model in the browser: .tflite, tokenizer and LiteRT.js in one folder."""

import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from bert_tf.core import features, files
from bert_tf.core.errors import ConfigError, already_exists
from bert_tf.export.signatures import example_request
from bert_tf.export.tflite import export_tflite
from bert_tf.export.tflite_metadata import INPUT_NAMES
from bert_tf.export.tflite_outputs import outputs_of
from bert_tf.tasks.base.task import Task
from bert_tf.text.tokenizers import unicode_tables
from bert_tf.text.tokenizers.wordpiece import WordPieceTokenizer

_PAGE = pathlib.Path(__file__).parent / "web_page"
_PACKAGE = "@litertjs"
# Of the npm packages: what the page imports, and the runtime with and without the newer instructions of browsers.
_RUNTIME = {
    "core": ("package.json", "dist/index.js", "wasm/litert_wasm_internal.*", "wasm/litert_wasm_compat_internal.*"),
    "wasm-utils": ("package.json", "dist/index.js"),
}


def export_web(
    model: Task,
    folder: str | os.PathLike,
    length: int,
    check_texts: Any,
    runtime: str | os.PathLike,
    quantize: str = "int8",
    accuracy_data: tuple[Any, Any] | None = None,
    max_drop: float = 0.5,
) -> dict[str, Any]:
    """Writes FOLDER: index.html with its scripts, model.tflite, vocab.txt, model.json, and LiteRT.js in litert/.

    Any server of static files serves it; it loads nothing from elsewhere.

    Args:
        length: tokens of a row; longer texts are cut.
        runtime: the node_modules in which `npm install @litertjs/core` has put that package; its files are copied.
        check_texts, quantize, accuracy_data, max_drop: see `export_tflite`, which makes the file.

    Returns:
        The report of the file, which model.report.json has too.

    Raises:
        ConfigError: the model has no page, or `runtime` lacks a package.
        InputError: as `export_tflite`, or the folder exists; then nothing is kept.
    """
    folder, runtime = pathlib.Path(folder), pathlib.Path(runtime)
    _check_model(model)
    _check_runtime(runtime)
    if folder.exists():
        raise already_exists(folder)
    with files.temporary_folder(folder) as work:
        temporary = work / folder.name
        temporary.mkdir()
        report = export_tflite(
            *(model, temporary / "model.tflite", [length], check_texts, quantize, None, accuracy_data, max_drop)
        )
        # The page describes the model in a file of this name.
        (temporary / "model.json").rename(temporary / "model.report.json")
        text = json.dumps(_description(model, length), ensure_ascii=False)
        (temporary / "model.json").write_text(text + "\n", encoding="utf-8")
        model.tokenizer.save(temporary / "vocab.txt")
        for path in _PAGE.iterdir():
            shutil.copyfile(path, temporary / path.name)
        _copy_runtime(runtime, temporary / "litert")
        if not files.publish(temporary, folder, replace=False):
            raise already_exists(folder)
    return report


def _check_model(model: Task) -> None:
    outputs_of(model)  # raises where a .tflite cannot hold the task
    takes_lists = any(spec.shape.rank > 1 for spec in model.text_specs().values())
    if model.WRITES_TEXT or takes_lists or model.SPEC.files:
        raise ConfigError(f"Received: --format=web for the task {model.TASK}, whose answers the page cannot show.")
    if not isinstance(model.tokenizer, WordPieceTokenizer):
        raise ConfigError("Received: --format=web for a model whose tokenizer is not WordPiece. A page has no other.")
    config = model.tokenizer.config
    if config.special_tokens or config.added_tokens or config.added_any_case:
        raise ConfigError("Received: --format=web for a tokenizer that finds special or added tokens. A page does not.")


def _check_runtime(runtime: pathlib.Path) -> None:
    for package, names in _RUNTIME.items():
        for name in names:
            if not any((runtime / _PACKAGE / package).glob(name)):
                raise ConfigError(
                    f"Received: --runtime={runtime}, where {_PACKAGE}/{package}/{name} is missing. Run npm install "
                    f"{_PACKAGE}/core, and give its node_modules."
                )


def _copy_runtime(runtime: pathlib.Path, target: pathlib.Path) -> None:
    for package, names in _RUNTIME.items():
        for name in names:
            for path in (runtime / _PACKAGE / package).glob(name):
                copy = target / package / path.relative_to(runtime / _PACKAGE / package)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


def _description(model: Task, length: int) -> dict[str, Any]:
    """The description of the model that the page reads."""
    texts = [{"name": name, "optional": name in model.OPTIONAL_TEXTS} for name in model.TEXTS]
    return {
        "title": model.TASK.replace("_", " "),
        "summary": model.purpose,
        "texts": texts,
        "example": example_request(model),
        "length": length,
        "inputs": [INPUT_NAMES[name] for name in features.ENCODER_INPUTS],
        "labels": list(getattr(model, "labels", None) or ()),
        "per_token": outputs_of(model).per_token,
        "tokenizer": tokenizer_description(model.tokenizer),
    }


def tokenizer_description(tokenizer: WordPieceTokenizer) -> dict[str, Any]:
    """The settings and tables of wordpiece.js, without the vocabulary; runs are [first row, number of rows, value]."""
    config = tokenizer.config
    shift, properties = unicode_tables.tables(config.lower_case, config.strips_accents, config.split_cjk, False)
    return {
        **{"cls": tokenizer.cls_id, "sep": tokenizer.sep_id, "pad": tokenizer.pad_id, "unknown": tokenizer.unk_id},
        "maxWordChars": config.max_word_chars,
        "lowerCase": config.lower_case,
        "stripAccents": config.strips_accents,
        "composedLater": unicode_tables.COMPOSED_LATER,
        "planesEnd": unicode_tables.PLANES_END,
        "tags": unicode_tables.TAGS,
        "size": unicode_tables.TABLE_SIZE,
        "shift": _runs(shift),
        "properties": _runs(properties),
    }


def _runs(table: np.ndarray) -> list[list[int]]:
    """The stretches of equal values above or below 0."""
    begins = np.flatnonzero(np.diff(table.astype("int64"), prepend=-(2**40)))
    counts = np.diff(begins, append=len(table))
    return [
        [first, count, int(table[first])]
        for first, count in zip(begins.tolist(), counts.tolist(), strict=True)
        if table[first]
    ]
