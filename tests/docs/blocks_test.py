"""Every Python and shell block of the README and of docs/ runs, on tiny models and data; what cannot is listed."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import numpy as np
import pytest

from bert_tf.cli.flags import VERBS
from bert_tf.core import hub
from bert_tf.core.config import load_toml, override
from bert_tf.serving.models import ModelConfig
from bert_tf.tasks import load
from bert_tf.training.config import PretrainConfig
from bert_tf.training.recipes.finetune_config import load_config
from tests.cli.conftest import bert_tf_command  # noqa: F401
from tests.docs.blocks import OURS, PAGES, ROOT, Block, blocks_of
from tests.docs.tiny_models import write_all
from tests.docs.workspace import CHINESE, ENGLISH, MODELS, write_records_of, write_workspace
from tests.serving.conftest import running

# Commands that are not run, by their first words.
NOT_RUN = {
    "make": "takes minutes, or installs; that the Makefile has the target is tested",
    "pip install": "installs from the network; tools/release.py installs the package",
    "npm install": "installs from the network",
    "cp -r node_modules/": "copies what npm installs",
    "bert-tf export --model runs/sst2/model --output page": "needs LiteRT.js from npm; tests/export/web_test.py",
    "bert-tf export --model runs/chnsenticorp/model --output page": "needs LiteRT.js; tests/export/web_test.py",
    "python3 -m venv": "makes an environment; tools/release.py makes one",
    "docker run": "needs a container engine",
    "docker build": "needs a container engine; tests/containerfile_test.py",
    "python3 -m http.server": "serves files until it is stopped",
    "python tools/multimodal_data.py": "needs data of other packages; the commands after it run on data of the test",
    "python tools/": "a measurement of minutes",
    "TF_CONFIG=": "needs several machines; tests/training/distribution/",
    "bert-tf quickstart": "ten minutes; tests/quickstart/",
    "bert-tf compress": "many runs; tests/cli/compress_test.py",
    "bert-tf convert --input FOLDER --output FOLDER": "two folders of one name",
}
# Blocks that are not run, by words in them.
NOT_RUN_BLOCKS = {"AutoModelForMaskedLM": "needs PyTorch: tests/docs/peers_test.py"}
# Blocks that need a process of their own, by words in them.
ALONE = ("MultiWorkerMirroredStrategy",)
SHORT = {  # flags and settings that are added, so that a verb takes seconds
    "vocab": ["--size=300"],
    "records": ["--num_processes=1", "--dupe_factor=1"],
    "pretrain": ["model.num_layers=1", "training.steps=2", "training.minutes=none", "training.precision=float32"],
    "finetune": ["epochs=1", "batch_size=4", "training.precision=float32"],
}
WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]
QUICK = ("docs/START.md",)  # the others are soaked


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_all(folder)
    return folder


@pytest.fixture
def workspace(models, tmp_path, monkeypatch):
    """The current folder, with data; models by name are tiny ones."""
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("_from_huggingface", "_from_kaggle"):
        monkeypatch.setattr(hub, name, lambda *rest: models / "pretrained")
    return tmp_path


class Servers(contextlib.ExitStack):
    """Servers in this process, which `bert-tf serve` starts, by the name of their model."""

    def __init__(self):
        super().__init__()
        self.clients = {}

    def start(self, name, base_path):
        self.clients[name] = self.enter_context(running(None, (ModelConfig(name, base_path),)))

    def send(self, url, body):
        """Sends a request; a model that was exported again gets time to be loaded."""
        url = urllib.parse.urlsplit(url)
        assert url.netloc == "127.0.0.1:8501"
        name = re.fullmatch(r"/v1/models/(\w+):(predict|classify|regress)", url.path)[1]
        for _ in range(60):
            status, answer = self.clients[name].post(url.path, body.encode())
            if status == 200:
                return
            time.sleep(0.5)
        raise AssertionError(answer)


@pytest.fixture
def servers():
    with Servers() as found:
        yield found


def reason(block: Block) -> str | None:
    """Why a block, with each of its commands, is not run."""
    if block.project != OURS:
        return f"code of {block.project}: tests/docs/peers_test.py"
    if block.language == "shell":
        reasons = [not_run(words) for words in block.commands()]
        return reasons[0] if all(reasons) else None
    return next((why for words, why in NOT_RUN_BLOCKS.items() if words in block.code), None)


def not_run(words: list[str]) -> str | None:
    """Why a command is not run."""
    command = " ".join(words)
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=() if page in QUICK else pytest.mark.soak) for page in WITH_BLOCKS]
)
def test_the_blocks_of_a_page_run(page, workspace, models, servers, bert_tf_command):  # noqa: F811
    blocks = blocks_of(page)
    write_configs(page, workspace)
    names = namespace() | {"model": load(models / "classifier")}
    run = 0
    for block in blocks:
        if reason(block):
            continue
        stand_in(block, workspace, models)
        if any(words in block.code for words in ALONE):
            run_alone(block)
        elif block.language == "python":
            # A second block may write to the same place.
            code = re.sub(r'(save_pretrained\(|write_model\(.*, )("[^"]*")\)', r"\1\2, overwrite=True)", block.code)
            for client in servers.clients.values():
                code = code.replace("127.0.0.1:8500", client.grpc)
            exec(compile("\n" * (block.line - 1) + code, ROOT / page, "exec"), names)
        else:
            for words in block.commands():
                run_command(words, block, servers, bert_tf_command)
        run += 1
    print(f"{page}: {run} of {len(blocks)} blocks run")
    assert run + sum(bool(reason(block)) for block in blocks) == len(blocks)


def run_alone(block):
    code = block.code.replace("steps_per_epoch=1000", "steps_per_epoch=2")
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


def run_command(words, block, servers, bert_tf_command):  # noqa: F811
    if not_run(words):
        return
    if words[0] == "curl":
        servers.send(words[-1], words[words.index("-d") + 1])
        return
    command = " ".join(words)
    assert words[0] == "bert-tf", command
    verb = words[1]
    if verb == "serve":
        flags = parsed(words)
        servers.start(flags["model_name"], flags["model_base_path"])
        return
    if verb == "pretrain" and not any(word.startswith("data.records=") for word in words):
        write_records_of(words[words.index("--config") + 1])
    done = bert_tf_command(*words[1:], *SHORT.get(verb, []))
    assert done.returncode == 0, f"{block.page}:{block.line}: {command}\n{done.stderr}"


def parsed(words):
    """{flag: value} of a command, all of them known to its verb."""
    verb, found = VERBS[words[1]], {}
    rest = iter(words[2:])
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        flag = next(flag for flag in verb.flags if flag.name == name)
        found[name] = value if equals else True if isinstance(flag.default, bool) else next(rest)
    return found


def stand_in(block, workspace, models):
    """Copies models to the places that a block names, where nothing has been written yet."""
    code = block.code
    for place, kind in MODELS.items():
        if place == "runs/sentiment" and block.page.endswith(".zh.md"):
            kind = "chinese classifier"
        target = workspace / place
        if re.search(rf"(?<![\w/-]){re.escape(place)}(?![\w-])", code) and not target.exists():
            written = re.escape(place.removesuffix("/model"))
            writes = re.search(rf"(--output|save_pretrained\()[ \"]*{written}[\s\"]", code)
            if not writes:
                shutil.copytree(models / kind, target)
    vocabulary = workspace / "runs/quickstart/vocab.txt"
    if "runs/quickstart/vocab.txt" in code and not vocabulary.exists():
        vocabulary.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(models / "pretrained/vocab.txt", vocabulary)


def write_configs(page, workspace):
    """The TOML blocks of a page as the files that its commands name."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for code in re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S):
        name = "student.toml" if "[teacher]" in code and "task =" in code else None
        for known in ("tickets", "shapes"):
            name = name or (f"{known}.toml" if known in code else None)
        if name:
            if "内容" in code:
                code = code.replace('folder = "tickets"', 'folder = "tickets-zh"')
            (workspace / name).write_text(code, encoding="utf-8")
    if "内容" in text:
        shutil.copy(workspace / "tickets-zh/test.csv", workspace / "tickets/test.csv")


def namespace():
    """Names that pages use without a definition."""
    ids = np.array([[2, 5, 6, 3]], "int32")
    texts = {"texts": ENGLISH, "labels": ["positive", "negative"] * 2, "more_texts": ENGLISH}
    tokens = {"ids": ids, "mask": np.ones_like(ids), "segments": np.zeros_like(ids)}
    pairs = {"dialogues": ENGLISH, "summaries": ENGLISH, "sources": ENGLISH, "targets": CHINESE}
    return {"MODEL": "MODEL", "np": np} | texts | tokens | pairs


def test_blocks_that_are_not_run_are_few(capsys):
    blocks = [block for page in PAGES for block in blocks_of(page)]
    left = [block for block in blocks if reason(block)]
    with capsys.disabled():
        print(f"\n{len(blocks) - len(left)} of {len(blocks)} blocks run; the others:")
        for block in left:
            print(f"  {block.page}:{block.line}: {reason(block)}")
    assert len(blocks) > 100
    assert len(left) < len(blocks) / 4
    assert {words for words in NOT_RUN_BLOCKS if any(words in block.code for block in blocks)} == set(NOT_RUN_BLOCKS)
    reasons = " ".join([*NOT_RUN.values(), *NOT_RUN_BLOCKS.values()])
    assert [path for path in re.findall(r"(?:tests|tools)/[\w/.]+", reasons) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_verbs_flags_and_configs_are_known(page):
    """Of every command, without running it."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    for block in blocks_of(page):
        if block.language != "shell" or block.project != OURS:
            continue
        for words in block.commands():
            if words[0] == "make":
                assert words[1] in targets, words
            if words[0] == "bert-tf":
                flags = [word for word in words[2:] if word.startswith("--")]
                known = {flag.name for flag in VERBS[words[1]].flags}
                assert {flag[2:].partition("=")[0] for flag in flags} <= known, f"{page}:{block.line}: {words}"
                if "--config" in words:
                    check_config(words[1], words[words.index("--config") + 1], words)


def check_config(verb, name, words):
    """The settings after the flags are known to the config."""
    settings = [word for word in words[2:] if re.match(r"[a-z_.]+=", word)]
    if name.endswith(".toml"):
        assert name in ("tickets.toml", "student.toml", "shapes.toml")  # a block of the page, see `write_configs`
    elif verb == "pretrain":
        override(load_toml(PretrainConfig, name), settings)
    elif verb == "finetune":
        load_config(name, settings)


@pytest.mark.parametrize("page", PAGES)
def test_toml_blocks_are_configs(page, tmp_path):
    text = (ROOT / page).read_text(encoding="utf-8")
    for number, code in enumerate(re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)):
        path = tmp_path / f"{number}.toml"
        path.write_text(code, encoding="utf-8")
        if "[[phases]]" in code:
            load_toml(PretrainConfig, path)
        else:
            load_config(path, [])
