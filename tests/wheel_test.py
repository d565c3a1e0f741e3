"""The wheel has everything that an installed package needs; no network is used to build it."""

import email
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.import_direction_test import imported_modules

ROOT = pathlib.Path(__file__).parent.parent
# Required packages by the names of their modules, where these differ.
MODULES = {
    "absl-py": "absl",
    "protobuf": "google",
    "scikit-learn": "sklearn",
    "tensorflow-serving-api": "tensorflow_serving",
}
NEVER_IMPORTED = {"keras-nlp"}  # setup.cfg says why


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("bert_tf", "configs"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, source]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = target.glob("bert_tf-*.whl")
    return path


def metadata(wheel):
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(opened.read(name))


def test_files(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("bert_tf", "configs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".toml", ".html", ".typed"):
                inside = path.relative_to(ROOT if folder == "bert_tf" else ROOT / "configs")
                assert str(inside if folder == "bert_tf" else f"bert_tf/configs/{inside}") in names
    assert any(re.fullmatch(r"bert_tf-[\d.]+\.dist-info/(licenses/)?LICENSE", name) for name in names)
    assert not any(name.startswith(("tests", "tools", "configs")) for name in names)


def test_verbs_work_from_an_unpacked_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; sys.path.insert(0, 'site'); from bert_tf.cli.main import main; main()"

    def run(*arguments):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)

    assert run("--version").stdout == f"bert-tf {metadata(wheel)['Version']}\n"
    assert "\nsst2  " in run("configs").stdout
    assert run("finetune", "--help").returncode == 0
    done = run("finetune", "--config", "sst2", "--output", "out")
    assert done.returncode == 2
    assert "--init" in done.stderr  # the config was found: what it lacks is a model to start from


def test_each_requirement_is_imported(wheel):
    imported = set()
    for path in (ROOT / "bert_tf").rglob("*.py"):
        imported |= {name.partition(".")[0] for name in imported_modules(path)}
    required = [re.match(r"[\w-]+", line)[0] for line in metadata(wheel).get_all("Requires-Dist") if ";" not in line]
    assert len(set(required)) == len(required)
    modules = {name: MODULES.get(name, name.replace("-", "_")) for name in required}
    assert {name for name, module in modules.items() if module not in imported} == NEVER_IMPORTED
