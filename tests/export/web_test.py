"""The static web page: its tokenizer, its rows, and the whole page with LiteRT.js in headless Chromium."""

import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import numpy as np
import pytest

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError
from bert_tf.export import web
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import at_length, on_device
from bert_tf.export.signatures import check_request
from bert_tf.tasks import MultipleChoice, TextClassifier
from bert_tf.text.input_packing import pack
from bert_tf.text.tokenizers.wordpiece import Tokenizer, WordPieceTokenizer
from tests.export.conftest import ENCODER, VOCABULARY
from tests.text.tokenizers.byte_bpe_test import small

NODE, NPM = shutil.which("node"), shutil.which("npm")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LITERT = "@litertjs/core@2.5.3"
RUN = """
import {readFileSync} from "node:fs";
const {WordPiece, layOut} = await import(process.argv[1]);
const {tokenizer, vocabulary, texts, rows, length} = JSON.parse(readFileSync(0, "utf8"));
const wordpiece = new WordPiece({...tokenizer, vocabulary});
const tokens = texts.map((text) => wordpiece.tokenize(text));
const laid = rows.map((row) => layOut(row.map((text) => wordpiece.tokenize(text)), {length, tokenizer}));
console.log(JSON.stringify({tokens, laid}));
"""
LETTERS = [*"abcdefinorstuxyz0123456789我們σςοδαλ,.!'-", "가", "ᄀ", "ᅡ"]
PARTS = [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
WORDS = list(dict.fromkeys([*VOCABULARY, "istanbul", "οδος", *PARTS]))
TEXTS = [
    "A good Café, goodly  bad!",
    "Cafe\u0301 CAFE\u0301\u0327s nai\u0308ve",
    "İstanbul istanbul",
    "ΟΔΟΣ ΣΑΣ Σ ΑΣ' Σ.Α",
    "我們good我 们",
    "\t zero\u200bwidth \u00a0 nul\u0000l \ufffd soft\u00adhyphen",
    "가각 \U0001f642 \U00020000x",
    "a" * 200 + " " + "b" * 201,
    "[MASK] ##ly don't",
    "\u0301a \u1e9b\u0323 ﬁ Ⅷ \U0001d165a",
    "",
]


def in_node(*values):
    """What the page's scripts compute, in Node.js."""
    if not NODE:
        pytest.skip("needs Node.js")
    names = ("tokenizer", "vocabulary", "texts", "rows", "length")
    script = pathlib.Path(web.__file__).parent / "web_page/wordpiece.js"
    command = [NODE, "--input-type=module", "--eval", RUN, script.as_uri()]
    text = json.dumps(dict(zip(names, values, strict=True)))
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("settings", [{}, {"lower_case": False}, {"strip_accents": False, "split_cjk": False}])
def test_the_pages_tokens_are_those_of_the_tokenizer(settings):
    tokenizer = WordPieceTokenizer(WORDS, TextConfig(**settings))
    found = in_node(web.tokenizer_description(tokenizer), WORDS, TEXTS, [], 8)["tokens"]
    ids, starts, ends = (column.to_list() for column in tokenizer.with_offsets(TEXTS))
    for i, (text, tokens) in enumerate(zip(TEXTS, found, strict=True)):
        assert [token["id"] for token in tokens] == ids[i], text
        # Places in JavaScript count UTF-16 units.
        units = [len(text[:place].encode("utf-16-le")) // 2 for place in range(len(text) + 1)]
        assert [token["start"] for token in tokens] == [units[place] for place in starts[i]], text
        assert [token["end"] for token in tokens] == [units[place] for place in ends[i]], text


def test_the_pages_rows_are_those_of_the_model():
    tokenizer = WordPieceTokenizer(WORDS)
    firsts, seconds = ["good bad good", "good", "good bad good", "good bad"], ["bad", "bad good bad good", "a b c", "a"]
    pairs = [list(pair) for pair in zip(firsts, seconds, strict=True)]
    found = in_node(web.tokenizer_description(tokenizer), WORDS, [], [*pairs, ["good bad good bad good bad a"]], 7)
    expected = pack(tokenizer, [firsts, seconds], 7)
    for row, ids, mask, segments in zip(found["laid"], *(expected[name].numpy() for name in expected), strict=False):
        count = mask.sum()
        assert [token["id"] for token in row["tokens"]] == ids[:count].tolist()
        assert [token["segment"] for token in row["tokens"]] == segments[:count].tolist()
    assert [row["cut"] for row in found["laid"]] == [False, True, True, False, True]
    assert len(found["laid"][-1]["tokens"]) == 7


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A node_modules with LiteRT.js, from npm."""
    folder = tmp_path_factory.mktemp("npm")
    command = [str(NPM), "install", "--prefix", str(folder), "--no-audit", "--no-fund", LITERT]
    if not NPM or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs npm and its registry")
    return folder / "node_modules"


@pytest.fixture
def browser():
    """A page of headless Chromium that records what it asks for and what it complains of."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")
    if not CHROMIUM:
        pytest.skip("needs Chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda message: is_error(message) and page.errors.append(message.text))
        yield page
        chromium.close()


def is_error(message):
    """Whether a message of the console is an error; LiteRT.js writes what it says as one, too."""
    return message.type == "error" and not message.text.startswith(("INFO:", "WARNING:"))


@pytest.fixture
def serve():
    """A function of a folder to the address that serves it."""
    servers = []

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_the_page_answers_in_a_browser(model, runtime, browser, serve, tmp_path):
    folder = tmp_path / "page"
    report = web.export_web(model, folder, 16, check_request(model), runtime)
    assert report["mib"] == json.loads((folder / "model.report.json").read_text())["mib"]
    address = serve(folder)
    browser.goto(address)
    browser.wait_for_selector("button:enabled", timeout=120_000)
    text = "A good Café 我 " + "goodly " * 20
    browser.fill("textarea[name=text]", text)
    browser.fill("textarea[name=text_pair]", "")  # that of the example
    browser.click("button")
    browser.wait_for_selector("output div")
    rows = browser.query_selector_all("output div")
    found = {row.get_attribute("data-label"): float(row.query_selector("meter").get_attribute("value")) for row in rows}
    expected = on_device(at_length(model, 16), LiteRTModel(folder / "model.tflite")).predict_text([text])[0]
    assert list(found) == sorted(expected["probabilities"], key=expected["probabilities"].get, reverse=True)
    assert found == pytest.approx(expected["probabilities"], abs=0.02)  # other kernels of the same 8-bit numbers
    assert "Only the first 16 tokens were read." in browser.text_content("#note")
    assert all(url.startswith((address, "data:", "blob:")) for url in browser.asked)
    assert browser.errors == []


def test_what_has_no_page(model, tmp_path):
    sizes = {name: value for name, value in ENCODER.items() if name != "vocab_size"}
    refused = {
        "npm install @litertjs/core": model,
        "whose tokenizer is not WordPiece": TextClassifier(small(), ["x", "y"], **sizes | {"max_length": 16}),
        "cannot hold the task multiple_choice": MultipleChoice(Tokenizer(VOCABULARY), max_length=16, **ENCODER),
    }
    for message, refused_model in refused.items():
        with pytest.raises(ConfigError, match=message):
            web.export_web(refused_model, tmp_path / "page", 16, check_request(refused_model), tmp_path)
    assert not list(tmp_path.iterdir())


def test_runs_of_a_table():
    assert web._runs(np.array([0, 3, 3, 0, -1, 5])) == [[1, 2, 3], [4, 1, -1], [5, 1, 5]]
