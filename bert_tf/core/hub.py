"""Model folders by name, hf://OWNER/NAME[@REVISION] or kaggle://..., downloaded into the cache of their library."""

import os
import pathlib
import re
from typing import Any

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.known_models import suggestion

# `pathlib` makes one slash of two.
_NAME = re.compile(r"(?P<hub>hf|kaggle):/{1,2}(?P<path>.*)", re.DOTALL)
_HUGGINGFACE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+(/[\w.-]+)*))?", re.ASCII)
_KAGGLE = re.compile(r"[\w.-]+(/[\w.-]+){3}(/\d+)?", re.ASCII)
_SMALL = (
    *("config.json", "data.json", "metadata.json", "preprocessor.json", "task.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "assets/tokenizer/*"),
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json"),
)
_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
_KERAS = ("model.weights.h5", "task.weights.h5")  # of this package and of keras-hub


def is_name(name_or_folder: str | os.PathLike) -> bool:
    """Whether this is the name of a model on a hub rather than a path."""
    return _NAME.fullmatch(os.fspath(name_or_folder)) is not None


def resolve_folder(name_or_folder: str | os.PathLike, weights: bool = True) -> pathlib.Path:
    """The folder of a model: a path as it is; a name on a hub is downloaded, or found in the cache of an earlier time.

    Names are hf://OWNER/NAME, with @REVISION after it for a branch, tag or commit, and
    kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]. Caches, tokens, mirrors and progress are those of the libraries
    `huggingface_hub` and `kagglehub`, with their environment variables. From Hugging Face come the configs, the
    tokenizer's files and the weights in safetensors, or in Keras's format where there are no others.

    Args:
        name_or_folder: the name or path.
        weights: whether the weights are needed too.

    Raises:
        InputError: the hub has no such model, does not answer, or refuses the token; the download broke off; or the
            weights are in a format that is not read.
        ConfigError: the name is none, or the library is not installed.
    """
    name = os.fspath(name_or_folder)
    found = _NAME.fullmatch(name)
    if not found:
        return pathlib.Path(name)
    name = f"{found['hub']}://{found['path']}"
    if found["hub"] == "kaggle":
        return _from_kaggle(name, found["path"])
    return _from_huggingface(name, found["path"], weights)


def _from_huggingface(name: str, path: str, weights: bool) -> pathlib.Path:
    parts = _HUGGINGFACE.fullmatch(path)
    if not parts or ".." in path:
        raise ConfigError(f"Received: {name}. Names are hf://OWNER/NAME[@REVISION]. {suggestion(path)}")
    try:
        import huggingface_hub
    except ImportError as error:
        raise _not_installed(name, error) from None

    def fetch(*patterns: str) -> pathlib.Path:
        try:
            return pathlib.Path(
                huggingface_hub.snapshot_download(
                    parts["repository"], revision=parts["revision"], allow_patterns=[*_SMALL, *patterns]
                )
            )
        except Exception as error:  # of several libraries, by what it downloads with
            raise InputError(f"{name} cannot be opened: {_why(error, parts)}") from error

    if not weights:
        return fetch()
    folder = fetch(*_SAFETENSORS)
    if any(folder.glob("*.safetensors")):
        return folder
    folder = fetch(*_KERAS)
    if any((folder / file).exists() for file in _KERAS):
        return folder
    raise InputError(f"{name} has no weights in model.safetensors{_other_weights(parts)}")


def _other_weights(parts: re.Match) -> str:
    """The end of a message on a repository without weights that can be read."""
    import huggingface_hub

    try:
        files = huggingface_hub.list_repo_files(parts["repository"], revision=parts["revision"])
    except Exception:  # without a network; the message is complete without their names
        files = []
    pickled = [file for file in files if re.fullmatch(r"pytorch_model[\w-]*\.bin", file)]
    if not pickled:
        return ". Give a repository or revision that has. `bert-tf models` lists known names."
    return (
        f", only {pickled[0]}, a pickled file that can run any code when it is opened; it is not read. Give a revision "
        "that has it, or convert it where you trust it: transformers.AutoModel.from_pretrained"
        f"('{parts['repository']}').save_pretrained(FOLDER), and the same with AutoTokenizer."
    )


def _why(error: Exception, parts: re.Match) -> str:
    """The reason and the remedy for an error of `huggingface_hub`, in one line."""
    from huggingface_hub import constants, errors, get_token

    hub, repository, revision = constants.ENDPOINT, parts["repository"], parts["revision"]
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None  # why the cache was asked
    status = getattr(getattr(cause or error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return f"access must be granted. Accept its conditions on {hub}/{repository}, and set HF_TOKEN."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {revision or 'main'!r}. Give a branch, tag or commit of it."
    if status in (401, 403) and get_token():
        return f"{hub} refused the token ({status}). Correct HF_TOKEN, or unset it: public models need none."
    if status in (401, 403, 404):  # without a token 401 means any of the two
        what = "model or revision" if revision else "model"
        return f"{hub} has no such {what}, or it is private and needs HF_TOKEN. {suggestion(repository)}"
    if isinstance(error, errors.LocalEntryNotFoundError):
        if constants.HF_HUB_OFFLINE:
            return "the cache lacks it, or some of its files, and HF_HUB_OFFLINE is set. Unset it to download them."
        return (
            f"{hub} was not reached ({_first_line(cause or error)}), and the cache lacks it, or some of its "
            "files. Check the network, set HF_ENDPOINT to a mirror, or give a folder: one copied here, or the small "
            "model that `bert-tf quickstart` pretrains."
        )
    return f"{_first_line(error)}. Nothing incomplete is used; the same command resumes the download."


def _from_kaggle(name: str, handle: str) -> pathlib.Path:
    if not _KAGGLE.fullmatch(handle):
        raise ConfigError(
            f"Received: {name}. Names are kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]. {suggestion(handle)}"
        )
    try:
        import kagglehub
        import requests
    except ImportError as error:
        raise _not_installed(name, error) from None
    try:
        return pathlib.Path(kagglehub.model_download(handle))
    except Exception as error:  # of several libraries, by what it downloads with
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 404:
            reason = f"Kaggle has no such model. {suggestion(handle)}"
        elif status in (401, 403):
            reason = f"Kaggle refused access ({status}). Set KAGGLE_API_TOKEN, and accept the model's conditions there."
        elif isinstance(error, requests.exceptions.ConnectionError):
            reason = "Kaggle was not reached. Check the network; with /VERSION a name in the cache opens without it."
        else:
            reason = f"{_first_line(error)}."
        raise InputError(f"{name} cannot be opened: {reason}") from error


def _first_line(error: Any) -> str:
    """The class and first line of an error, without its last full stop."""
    text = str(error).strip().partition("\n")[0].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _not_installed(name: str, error: ImportError) -> ConfigError:
    return ConfigError(f"{name} needs {error.name}: pip install 'bert_tf[hub]', or give a folder on this machine.")
