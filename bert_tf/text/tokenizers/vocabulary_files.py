"""The vocabulary files of a folder, whichever kind of tokenizer they are for."""

import os
import pathlib
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.files import atomic_file, read_json
from bert_tf.text.tokenizers import byte_bpe_file, sentencepiece_model
from bert_tf.text.tokenizers.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

_WORDPIECE = "vocab.txt"
_KINDS = ("WordPiece", "BPE", "Unigram")


def read_folder(folder: pathlib.Path) -> list[str] | None:
    """The vocabulary in a folder of this package, None where it has none. `InputError` for broken files."""
    if (folder / _WORDPIECE).exists():
        return read_vocabulary(folder / _WORDPIECE)
    for name in (sentencepiece_model.NAME, sentencepiece_model.XLM_ROBERTA_NAME):
        if (folder / name).exists():
            return sentencepiece_model.read_model(folder / name, name)
    if (folder / byte_bpe_file.NAME).exists():
        return byte_bpe_file.read_tokenizer_json(folder / byte_bpe_file.NAME)
    return None


def write_folder(folder: pathlib.Path, vocabulary: list[str] | None) -> None:
    """Writes the file of a vocabulary into a folder; nothing without a vocabulary."""
    if isinstance(vocabulary, Vocabulary):
        with atomic_file(folder / vocabulary.file_name) as file:
            file.write_bytes(vocabulary.content)
    elif vocabulary:
        write_vocabulary(folder / _WORDPIECE, vocabulary)


def read_huggingface(folder: str | os.PathLike) -> tuple[dict[str, Any], Vocabulary] | None:
    """Settings of `TextConfig` and the vocabulary of a Hugging Face folder; None where it is of WordPiece or missing.

    Raises `InputError` for a tokenizer.json of a kind that is not known, and for files that are broken.
    """
    folder = pathlib.Path(folder)
    if (folder / _WORDPIECE).exists():
        return None
    for name in (sentencepiece_model.XLM_ROBERTA_NAME, sentencepiece_model.NAME):
        if (folder / name).exists():
            return _unigram_settings(folder), sentencepiece_model.read_model(folder / name, name)
    path = folder / byte_bpe_file.NAME
    if path.exists():
        content = read_json(path)
        model = content.get("model") if isinstance(content, dict) else None
        kind = model.get("type") if isinstance(model, dict) else None
        if kind == "Unigram":
            vocabulary, settings = sentencepiece_model.of_tokenizer_json(content, path)
            return settings, vocabulary
        if kind == "BPE":
            return {"lower_case": False}, byte_bpe_file.read_tokenizer_json(path)
        if kind is not None and kind not in _KINDS:
            raise InputError(f"{path} holds a {kind} tokenizer. Those of the kinds {', '.join(_KINDS)} can be read.")
        return None
    if (folder / byte_bpe_file.VOCABULARY).exists():
        # The tokenizer of a model, in transformers, leaves blanks before words out of offsets; by itself it does not.
        is_model = (folder / "config.json").exists()
        files = folder / byte_bpe_file.VOCABULARY, folder / byte_bpe_file.MERGES
        pair = byte_bpe_file.read_pair(*files, trim_offsets=is_model)
        return {"lower_case": False}, pair
    return None


def _unigram_settings(folder):
    """What ALBERT's tokenizer does to texts before SentencePiece; nothing for other models."""
    settings, config = (_optional(folder / name) for name in ("tokenizer_config.json", "config.json"))
    is_albert = config.get("model_type") == "albert" or "Albert" in str(settings.get("tokenizer_class"))
    lower_case = settings.get("do_lower_case", is_albert)
    return {"lower_case": lower_case is True, "strip_accents": not settings.get("keep_accents", not is_albert)}


def _optional(path):
    content = read_json(path) if path.exists() else {}
    return content if isinstance(content, dict) else {}
