"""Reading files within limits, and writing files and folders that appear under their name only when complete."""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, TextIO

from bert_tf.core.errors import InputError

MAX_TEXT_BYTES = 256 << 20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Flags of Linux's renameat2: fail if the target exists; swap the two names in one step.
_NO_REPLACE, _EXCHANGE = 1, 2
_LOCK = ".lock"


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Opens a regular file for reading; `InputError` for what is missing, unreadable, a folder, a pipe or a device.

    Never waits, as opening a named pipe would.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if problem := _not_regular(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path} is {problem}. A regular file is needed.")
    return os.fdopen(descriptor, "rb")


def check_regular(path: str | os.PathLike) -> None:
    """`InputError` unless `path` is a readable regular file: for libraries that open a file by its path."""
    open_regular(path).close()


def read_text(path: str | os.PathLike, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a regular UTF-8 file of at most `max_bytes`; `InputError` otherwise."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, max_bytes) + 1)  # `read` allocates as much as it is asked for
    if len(data) > max_bytes:
        raise InputError(f"{path} is larger than {max_bytes >> 20} MiB, the limit for files of its kind.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line} is not UTF-8 (byte {data[error.start]:#04x}).") from None


def read_json(path: str | os.PathLike, max_bytes: int = MAX_TEXT_BYTES) -> Any:
    """The value of a JSON file; `InputError` as `read_text` and `parse_json` raise it."""
    return parse_json(read_text(path, max_bytes), str(path))


def parse_json(text: str, source: str) -> Any:
    """The value of a JSON text; `InputError` that begins with `source` if it is none, or none that Python can hold.

    Refused beside malformed text: nesting too deep to parse, integers of thousands of digits, and escapes of half a
    surrogate pair, which no UTF-8 text can contain.
    """
    try:
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise InputError(f"{source}: JSON nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: not JSON: {error}.") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(f"{source}: \\u{ord(half):04x} is half of a surrogate pair; write both halves.") from None
    except ValueError as error:  # Python's limit on the digits of an integer.
        raise InputError(f"{source}: {error}.") from None
    return value


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path, of the same name; moves it to `path` if the block ends without an error.

    `InputError` if `path` exists and is no regular file: a device, a pipe or a folder is never replaced.
    """
    with atomic_files([path]) as (temporary,):
        yield temporary


@contextlib.contextmanager
def atomic_files(paths: Sequence[str | os.PathLike], replace: bool = True) -> Iterator[list[pathlib.Path]]:
    """Like `atomic_file` for several files of one folder; without `replace`, `InputError` if the first exists."""
    targets = [_check_target(path, stat.S_IFREG, "a regular file") for path in paths]
    with temporary_folder(targets[0]) as folder:
        temporary = [folder / target.name for target in targets]
        yield temporary
        for source in temporary:
            _readable(source, folder)
        moves = list(zip(temporary, targets, strict=True))
        if not replace:
            _take_name(*moves.pop(0))
        for source, target in moves:
            source.replace(target)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Like `atomic_file` for a folder; an existing folder of that name is replaced in one step."""
    target = _check_target(path, stat.S_IFDIR, "a folder")
    with temporary_folder(target) as folder:
        temporary = folder / target.name
        temporary.mkdir()
        yield temporary
        publish(temporary, target)


@contextlib.contextmanager
def temporary_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new folder next to `path`, to write it in; removes the folder when the block ends.

    Those that killed processes left for the same `path` are removed; a lock tells them from those in use.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    unlocked = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    folder = unlocked.with_suffix(".tmp")
    unlocked.mkdir()
    try:
        with (unlocked / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.rename(folder)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: str | os.PathLike, name: str = "") -> None:
    """Removes what killed processes left in `parent` for the target `name`, by default for all targets."""
    pattern = re.compile(rf"\.{re.escape(name) or '.+'}\.[0-9a-f]+\.tmp")
    for path in pathlib.Path(parent).glob(".*.tmp"):
        if not pattern.fullmatch(path.name):
            continue
        # Its process may remove it at any time.
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
            if (path / _LOCK).exists():
                lock = stack.enter_context((path / _LOCK).open("rb"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # A living process writes in it.
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def publish(source: pathlib.Path, target: pathlib.Path, replace: bool = True) -> bool:
    """Moves a complete folder to the name `target`, beside which a `temporary_folder` holds it.

    Args:
        source: a folder inside of a `temporary_folder`.
        target: its new name.
        replace: whether a folder of that name is replaced; at each moment one of the two stands under the name.

    Returns:
        False, with nothing moved, if `target` exists and `replace` is off.
    """
    for file in source.rglob("*"):
        _readable(file, source)
    try:
        _rename(source, target, _NO_REPLACE)
    except FileExistsError:
        if not replace:
            return False
        _rename(source, target, _EXCHANGE)  # `source` is now the old folder and goes with the temporary one.
    return True


@contextlib.contextmanager
def locked_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Holds a folder, made if it is missing, for this process; `InputError` if another process holds it."""
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    with _take_lock(path) as lock:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield path
        finally:
            (path / _LOCK).unlink(missing_ok=True)


def _take_lock(folder: pathlib.Path) -> TextIO:
    """The lock file of a folder, opened and locked; `InputError` if another process holds it."""
    path = folder / _LOCK
    while True:
        lock = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                owner = lock.read(20).strip() or "unknown"
            raise InputError(
                f"{folder} is in use by another process (id {owner}). Wait for its end, or choose another folder."
            ) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        lock.close()  # Its holder removed it after it was opened here.


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` as UTF-8 to `path`, completely or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _not_regular(mode: int) -> str | None:
    """The kind of a file that is not regular, in words."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "a special file")


def _check_target(path: str | os.PathLike, kind: int, wanted: str) -> pathlib.Path:
    """The path to write to, links followed; `InputError` if what is there is of another kind."""
    target = pathlib.Path(path)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
    if stat.S_IFMT(mode) != kind:
        found = _not_regular(mode) or "a file"
        raise InputError(f"{path} is {found}, not {wanted}, and is not replaced. Choose another output.")
    return target.resolve()


def _take_name(source: pathlib.Path, target: pathlib.Path) -> None:
    """Moves a file to a name that must be free."""
    try:
        _rename(source, target, _NO_REPLACE)
    except FileExistsError:
        raise InputError(f"{target} exists and is not replaced. Choose another output, or remove it.") from None


def _readable(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives a file the permissions that new files get here: some libraries write files for the owner alone."""
    if path.is_file():
        path.chmod(folder.stat().st_mode & 0o666)


def _rename(source: pathlib.Path, target: pathlib.Path, flag: int) -> None:
    """Renames a file or folder by Linux's renameat2; where a system or file system lacks it, by renames of its own."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function:
        at_working_folder = -100
        if not function(at_working_folder, os.fsencode(source), at_working_folder, os.fsencode(target), flag):
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(target))
    if flag == _EXCHANGE:
        aside = source.with_name(f"{source.name}.old")
        target.rename(aside)
        try:
            source.rename(target)
        except BaseException:
            aside.rename(target)
            raise
    elif target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    else:
        source.rename(target)
