"""Files are read within limits; files and folders appear whole or not at all."""

import json
import multiprocessing
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading

import pytest

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.core.files import atomic_file, atomic_files, atomic_folder, locked_folder, write_text


def test_file_appears_at_the_end(tmp_path):
    with atomic_file(tmp_path / "new/a.txt") as temporary:
        temporary.write_text("x")
        assert not (tmp_path / "new/a.txt").exists()
    assert (tmp_path / "new/a.txt").read_text() == "x"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_an_error_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_several_files_appear_together(tmp_path):
    with atomic_files([tmp_path / "a", tmp_path / "b"]) as (first, second):
        first.write_text("1")
        second.write_text("2")
        assert not (tmp_path / "a").exists()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "1", "b": "2"}


def test_without_replacing_the_first_name_must_be_free(tmp_path):
    names = [tmp_path / "a", tmp_path / "b"]
    refused = pytest.raises(InputError, match="a exists and is not replaced")
    with refused, atomic_files(names, replace=False) as temporary:
        for path in temporary:
            path.write_text("mine")
        names[0].write_text("another process")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "another process")]


def test_folder_is_replaced_whole(tmp_path):
    for text in ("one", "two"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / text).write_text(text)
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["two"]
    with pytest.raises(ValueError, match="stop"), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "three").write_text("")
        raise ValueError("stop")
    assert [path.name for path in tmp_path.rglob("*")] == ["f", "two"]


def test_a_folder_stands_under_its_name_at_every_moment(tmp_path):
    folder = tmp_path / "f"
    with atomic_folder(folder) as temporary:
        (temporary / "a").write_text("0")
    done, missing = threading.Event(), []

    def watch():
        while not done.is_set():
            try:
                (folder / "a").read_text()
            except FileNotFoundError:
                missing.append(True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for i in range(200):
        with atomic_folder(folder) as temporary:
            (temporary / "a").write_text(str(i))
    done.set()
    watcher.join()
    assert not missing
    assert (folder / "a").read_text() == "199"


def test_replacing_without_renameat2_restores_the_old_folder_on_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(files.ctypes, "CDLL", lambda *args, **kwargs: object())
    for text in ("one", "two"):
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / text).write_text(text)
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["two"]
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "f") as temporary:
        temporary.rmdir()
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["two"]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
@pytest.mark.parametrize("kind", ["pipe", "device", "the other"])
def test_only_its_own_kind_is_replaced(tmp_path, atomic, kind):
    target = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "device":
        target.symlink_to("/dev/null")
    elif atomic is atomic_file:
        target.mkdir()
    else:
        target.write_text("kept")
    before = target.stat()
    with pytest.raises(InputError, match="is not replaced"), atomic(target):
        pass
    assert (target.stat().st_ino, target.stat().st_mode) == (before.st_ino, before.st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_link_to_a_file_is_written_through(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to("a")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_text() == "new"


def test_private_files_get_the_permissions_of_new_ones(tmp_path):
    (tmp_path / "new").write_text("")
    expected = stat.S_IMODE((tmp_path / "new").stat().st_mode)
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "a").touch(mode=0o600)
    with atomic_file(tmp_path / "b") as temporary:
        temporary.touch(mode=0o600)
    assert stat.S_IMODE((tmp_path / "f/a").stat().st_mode) == expected
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == expected


def test_leftovers_of_killed_processes_are_removed_and_those_of_others_kept(tmp_path):
    code = (
        "import sys, time; from bert_tf.core.files import atomic_folder\n"
        "with atomic_folder(sys.argv[1]):\n    print('ready', flush=True); time.sleep(60)"
    )

    def writer():
        process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "f"], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        return process

    killed = writer()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 1
    alive = writer()
    try:
        with atomic_folder(tmp_path / "f") as temporary:
            (temporary / "a").touch()
        assert sorted(path.name == "f" for path in tmp_path.iterdir()) == [False, True]
    finally:
        alive.kill()
        alive.wait()


def test_publish_takes_a_free_name_only(tmp_path):
    with files.temporary_folder(tmp_path / "1") as work:
        for name in ("first", "second"):
            (work / name).mkdir()
            (work / name / name).touch()
        assert files.publish(work / "first", tmp_path / "1", replace=False)
        assert not files.publish(work / "second", tmp_path / "1", replace=False)
        assert files.publish(work / "second", tmp_path / "2", replace=False)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "1", "1/first", "2", "2/second",
    ]  # fmt: skip


def _hold(folder, ready, release):
    with locked_folder(folder):
        ready.set()
        release.wait(60)


def test_one_process_holds_a_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "run", ready, release))
    process.start()
    assert ready.wait(60)
    with pytest.raises(InputError, match=rf"in use by another process \(id {process.pid}\)"):
        locked_folder(tmp_path / "run").__enter__()
    release.set()
    process.join()
    with locked_folder(tmp_path / "run") as folder:
        assert folder == tmp_path / "run"


@pytest.mark.parametrize("read", [files.read_text, files.read_json, files.check_regular])
def test_only_regular_files_are_read(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "named pipe"),
        (tmp_path, "a folder"),
        ("/dev/zero", "a device"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(InputError, match=message):
            read(path)


def test_text_is_read_within_limits(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a\nb\nc\xff\n")
    with pytest.raises(InputError, match=r"line 3 is not UTF-8 \(byte 0xff\)"):
        files.read_text(path)
    with path.open("wb") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(InputError, match="larger than 1 MiB"):
        files.read_text(path, 1 << 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ', "x.json: not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ("1" * 5_000, "4300 digits"),
        (r'{"a": "\ud800"}', r"\\ud800 is half of a surrogate pair"),
        (r'{"\uDFFF": 1}', r"\\udfff is half"),
    ],
)
def test_json_that_cannot_be_held_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        files.parse_json(text, "x.json")


def test_json_is_parsed():
    value = {"a": ["中", "\U0001f600", 1.5, None]}
    assert files.parse_json(json.dumps(value), "x") == value


def test_a_leftover_may_go_while_it_is_looked_at(tmp_path, monkeypatch):
    (tmp_path / ".a.12.tmp").mkdir()
    monkeypatch.setattr(pathlib.Path, "exists", lambda path: True)  # the lock was there a moment ago
    files.remove_leftovers(tmp_path)
    assert (tmp_path / ".a.12.tmp").is_dir()
