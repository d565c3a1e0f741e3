"""Finds the versions of a model in its base path: folders whose name is a number, as in TF Serving."""

import os
import pathlib
import stat

from bert_tf.core.errors import InputError
from bert_tf.core.saved_model_folders import numbered

_MODEL_FILES = ("config.json", "bert_config.json")  # of ours and of other projects


def find_versions(base_path: str | os.PathLike) -> tuple[dict[int, pathlib.Path], dict[pathlib.Path, str]]:
    """({version: path} of the folders in `base_path`, {path: reason} of those that must not be served)."""
    base_path = pathlib.Path(base_path)
    found, refused = {}, {}
    for version, path in numbered(sorted(base_path.iterdir())):
        if not path.is_dir():
            continue
        if problem := _problem(path, base_path.resolve()):
            refused[path] = f"{problem}; version {path.name} is not served."
        else:
            found[version] = path
    return found, refused


def check_base_path(base_path: str | os.PathLike) -> None:
    """Raises `InputError` for a base path that cannot hold versions of a model."""
    path = pathlib.Path(base_path)
    if not path.is_dir():
        raise InputError(f"No such folder: {path}. Give the folder that contains the versions 1, 2, ... of the model.")
    if (path / "saved_model.pb").exists():
        raise InputError(f"{path} is itself a version. Give the folder above it: --model_base_path={path.parent}")
    if any(find_versions(path)):
        return
    for folder in (path, path / "model"):  # a run has its model there
        if any((folder / name).exists() for name in _MODEL_FILES):
            raise InputError(
                f"{path} is a model, not an export of it. First: bert-tf export --model {folder} "
                f"--output saved_models/NAME. Then: bert-tf serve --model_name=NAME --model_base_path=saved_models/NAME"
            )
    # No version may be there yet. But a folder of models is a mistake: no version would ever appear.
    for child in sorted(path.iterdir()):
        if child.is_dir() and any(find_versions(child)):
            raise InputError(f"{path} holds models, not versions of one. Give one of them: --model_base_path={child}")


def fingerprint(path: pathlib.Path) -> list[tuple[str, int, int]]:
    """(name, size, time of change) of all files of a version: differs when a file has changed."""
    files = []
    for file in sorted(path.rglob("*")):
        stat = file.lstat()  # of a link itself, which may lead nowhere
        files.append((str(file), stat.st_size, stat.st_mtime_ns))
    return files


def _problem(path: pathlib.Path, base_path: pathlib.Path) -> str | None:
    """The first file at or below `path` that must not be opened, or None.

    A link may lead to any file below `base_path`; a pipe or device would stop the server until someone writes to it.
    """
    for file in (path, *path.rglob("*")):
        if file.is_symlink() and not file.resolve().is_relative_to(base_path):
            return f"{file} is a link to a place outside {base_path}"
        if file.exists() and not stat.S_ISREG(mode := file.stat().st_mode) and not stat.S_ISDIR(mode):
            return f"{file} is no regular file"
    return None
