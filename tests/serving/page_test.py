"""The page in headless Chromium: widgets for each type of answer, on wide and narrow screens."""

import base64
import json
import shutil

import pytest
import tensorflow as tf

from bert_tf.media.images import example_image
from bert_tf.serving.models import ModelConfig
from tests.serving.conftest import running

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

LONG = "household goods and_everything_else/kitchen appliances"
ANSWERS = {
    "tagger": {
        "types": [["PER", "LOC", ""]],
        "starts": [[0, 18, 0]],
        "ends": [[3, 24, 0]],
        "texts": [["Ada", "London", ""]],
        "scores": [[0.9, 0.8, 0.0]],
    },
    "masks": {"pieces": [["cat", "dog"]], "scores": [[0.7, 0.2]]},
    "topics": {"labels": [["b", ""]], "probabilities": [[0.1, 0.9, 0.3]]},
    "vectors": {"embedding": [[0.5, -0.5, 1.0, 0.0]]},
    "stars": {"score": [4.25]},
    "other": {"<b>odd</b>": [["<script>x</script>", "y"]], "size": [[1, 2]]},
    "reader": {"answer": ["né 🙂 Ada"], "start": [3], "end": [11], "score": [0.9]},
    "endings": {"choice": [1], "probability": [0.7], "probabilities": [[0.2, 0.7, 0.1]]},
    "best": {"label": ["b"], "probability": [0.75], "probabilities": [[0.25, 0.75]]},
    "pictures": {
        "label": ["red"],
        "probability": [0.75],
        "classes": [["blue", "red"]],
        "probabilities": [[0.25, 0.75]],
    },
    "goods": {"classes": [[LONG, "a"]], "probabilities": [[0.25, 0.75]]},
}
CARD = {"summary": "Finds names.", "example": {"text": "Ada met no one.", "endings": ["one", "two"]}}
PICTURE = base64.b64encode(example_image()).decode()
INPUTS = {  # their ranks; of other models "text"
    "reader": {"question": 1, "context": 1},
    "endings": {"endings": 2, "context": 1},
    "best": {"candidates": 2},
    "pictures": {"text": 1, "image": 1},
}
# Attention for the shorter text of a batch: the last token is padding.
TOKENS = ["[CLS]", "good", "##ly", "[SEP]", ""]
TEXTS = ["[CLS]", "good", "ly", "[SEP]", ""]
WORDS = [-1, 0, 0, -1, -1]
ATTENTION = [
    [0.1, 0.1, 0.2, 0.6, 0.0],
    [0.5, 0.1, 0.4, 0.0, 0.0],
    [0.1, 0.3, 0.2, 0.4, 0.0],
    [1.0, *[0.0] * 4],
    [0.0] * 5,
]
UNIFORM = [[0.25, 0.25, 0.25, 0.25, 0.0]] * 4 + [[0.0] * 5]


class Fixed(tf.Module):
    """Gives one answer to every request."""

    def __init__(self, answer, inputs=None):
        self.serve = tf.function(
            lambda *texts: {name: tf.constant(value) for name, value in answer.items()},
            input_signature=[
                tf.TensorSpec([None] * rank, tf.string, name=name) for name, rank in (inputs or {"text": 1}).items()
            ],
        )


@pytest.fixture(scope="module")
def page_client(base_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = [ModelConfig("parity", base_path)]
    for name, answer in ANSWERS.items():
        module = Fixed(answer, INPUTS.get(name))
        signatures = {"serving_default": module.serve}
        if name == "topics":
            module.attention = Fixed(
                {"pieces": [TOKENS], "texts": [TEXTS], "words": [WORDS], "attention": [[UNIFORM, ATTENTION]]}
            )
            signatures["attention"] = module.attention.serve
        tf.saved_model.save(module, str(folder / name / "1"), signatures)
        if name in ("tagger", "endings", "pictures"):
            card = dict(CARD)
            if name == "pictures":
                card["example"] = {"text": "what color?", "image": {"b64": PICTURE}}
            (folder / name / "1/assets.extra").mkdir()
            (folder / name / "1/assets.extra/bert_tf.json").write_text(json.dumps(card), encoding="utf-8")
        models.append(ModelConfig(name, folder / name))
    with running(None, tuple(models)) as client:
        yield client


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, page_client):
    page = browser.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(page_client.url)
    page.wait_for_selector("textarea")
    yield page
    page.close()


def choose(page, model):
    page.select_option("#model", model)
    page.wait_for_function(
        "name => performance.getEntriesByType('resource').some(e => e.name.includes(`/${name}/`))", arg=model
    )
    page.wait_for_selector("textarea")


def answer(page, **texts):
    for name, text in texts.items():
        page.fill(f"textarea[name={name}]", text)
    page.click("form > button")
    page.wait_for_selector("#answer details")
    return page.inner_text("#answer")


def test_labels_as_bars(page, page_client):
    shown = answer(page, text="abc")
    assert page.inner_text(".head") == "odd"
    bars = [page.inner_text(f".bar:nth-child({n})").split() for n in (1, 2)]
    assert bars == [["odd", "75.0", "%"], ["even", "25.0", "%"]]
    widths = page.eval_on_selector_all(".fill", "fills => fills.map(f => f.style.width)")
    assert widths == ["75%", "25%"]
    assert "The answer as JSON" in shown
    assert page.problems == []
    assert all(url.startswith(page_client.url) or url.startswith("data:") for url in page.asked)


def test_a_pair_of_texts_and_a_table(page):
    page.select_option("#signature", "pair")
    assert page.eval_on_selector_all("textarea", "areas => areas.map(a => a.name)") == ["text", "text_pair"]
    answer(page, text="a", text_pair="b")
    assert page.inner_text("#answer td") == "ab"


def test_a_picture_is_sent_as_base64(page, tmp_path):
    sent = []
    page.on("request", lambda request: sent.append(request.post_data_json) if request.method == "POST" else None)
    choose(page, "pictures")
    assert page.eval_on_selector("img.chosen", "img => img.src") == f"data:image/png;base64,{PICTURE}"
    answer(page, text="what color is it?")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff" + bytes(range(30)))
    page.set_input_files("input[name=image]", tmp_path / "a.jpg")
    page.wait_for_selector("img.chosen[src^='data:image/jpeg']", state="attached")
    answer(page, text="what color is it?")
    page.set_input_files("input[name=image]", [])
    assert "red" in answer(page, text="what color is it?")
    chosen = base64.b64encode((tmp_path / "a.jpg").read_bytes()).decode()
    assert [request["inputs"]["image"] for request in sent] == [[{"b64": PICTURE}], [{"b64": chosen}], [""]]
    assert {request["inputs"]["text"][0] for request in sent} == {"what color is it?"}


def test_entities_are_coloured(page):
    choose(page, "tagger")
    answer(page, text="Ada met no one in London. 🙂")
    marks = page.eval_on_selector_all("mark", "marks => marks.map(m => [m.firstChild.data, m.dataset.type, m.title])")
    assert marks == [["Ada", "PER", "90.0 %"], ["London", "LOC", "80.0 %"]]
    colours = page.eval_on_selector_all("mark", "marks => marks.map(m => getComputedStyle(m).backgroundColor)")
    assert len(set(colours)) == 2


def test_the_answer_is_highlighted_in_the_context_by_characters(page):
    choose(page, "reader")
    assert page.eval_on_selector_all("textarea", "areas => areas.map(a => a.name)") == ["question", "context"]
    answer(page, question="Who?", context="🙂 .né 🙂 Ada.")
    assert page.inner_text("mark") == "né 🙂 Ada"
    assert page.inner_text(".head") == "né 🙂 Ada"


def test_masks_are_filled(page):
    choose(page, "masks")
    answer(page, text="The [MASK] sat.")
    assert page.inner_text("#answer .text") == "The cat sat."
    assert page.eval_on_selector_all(".bar", "bars => bars.map(b => b.firstChild.textContent)") == ["cat", "dog"]


def test_words_are_left_out_one_by_one(page):
    choose(page, "parity")
    answer(page, text="ab cd <i> 很")  # 13 bytes: odd
    with page.expect_request("**/parity/versions/1:predict") as asked:
        page.click("text=Which words matter?")
    page.wait_for_selector("mark.for")
    assert asked.value.post_data_json["inputs"]["text"] == [" cd <i> 很", "ab <i> 很", "ab cd <> 很", "ab cd <i>"]
    shown = "marks => marks.map(m => [m.textContent, m.title, m.className, m.style.getPropertyValue('--share')])"
    assert page.eval_on_selector_all("#answer mark", shown) == [
        ["ab", "+0.0 %", "for", "0.000"],
        ["cd", "+50.0 %", "for", "0.600"],
        ["i", "+50.0 %", "for", "0.600"],
        ["很", "+0.0 %", "for", "0.000"],
    ]
    assert page.inner_text("#answer .text") == "ab cd <i> 很"
    assert "How far the probability of odd falls without a word" in page.inner_text("#answer")
    assert "no gradients" in page.inner_text("#answer")
    assert page.is_hidden("text=Which words matter?")
    choose(page, "tagger")
    answer(page, text="Ada met London")
    assert page.is_hidden("text=Which words matter?")  # an answer without a number
    assert page.problems == []


def test_attention_follows_the_chosen_word(page):
    choose(page, "topics")
    answer(page, text="good")
    assert page.inner_text(".head") == "b"
    page.wait_for_selector(".word")
    shown = "words => words.map(w => [w.textContent, w.title, w.ariaPressed, w.style.getPropertyValue('--share')])"
    assert page.eval_on_selector_all(".word", shown) == [
        ["[CLS]", "10.0 %", "true", "0.167"],
        ["goodly", "30.0 %", "false", "0.500"],
        ["[SEP]", "60.0 %", "false", "0.500"],  # does not make the words paler
    ]
    page.click(".word:nth-child(2)")  # the mean over its two tokens of their attention to both
    assert page.eval_on_selector_all(".word", shown) == [
        ["[CLS]", "30.0 %", "false", "0.300"],
        ["goodly", "50.0 %", "true", "0.500"],
        ["[SEP]", "20.0 %", "false", "0.200"],
    ]
    assert "goodly attends to goodly 50.0 %, [CLS] 30.0 %, [SEP] 20.0 %" in page.inner_text("#answer")
    assert page.eval_on_selector_all("#answer option", "options => options.map(o => o.label)") == ["layer 1", "layer 2"]
    page.select_option("#answer select", "0")
    assert "goodly attends to goodly 50.0 %, [CLS] 25.0 %, [SEP] 25.0 %" in page.inner_text("#answer")
    assert page.problems == []


def test_a_choice_among_given_texts(page):
    choose(page, "endings")
    assert page.eval_on_selector_all("textarea", "areas => areas.map(a => a.name)") == ["context", "endings"]
    assert page.inner_text("label:has(textarea[name=endings])") == "endings, one per line"
    assert page.is_hidden("#asks")  # one signature: nothing to choose
    with page.expect_request("**/endings/versions/1:predict") as asked:
        answer(page, context="She sat", endings="down.\n\n on a chair. \nup.")
    assert asked.value.post_data_json["inputs"] == {
        "context": ["She sat"],
        "endings": [["down.", "on a chair.", "up."]],
    }
    assert page.inner_text(".head") == "on a chair."
    assert page.eval_on_selector_all(".bar", "bars => bars.map(b => b.innerText.split('\\n'))") == [
        ["on a chair.", "70.0 %"],
        ["down.", "20.0 %"],
        ["up.", "10.0 %"],
    ]
    assert page.problems == []


def test_labels_that_are_given_texts(page):
    choose(page, "best")
    answer(page, candidates="a\nb")
    assert page.inner_text(".head") == "b"
    assert page.eval_on_selector_all(".bar", "bars => bars.map(b => b.firstChild.textContent)") == ["b", "a"]


def test_numbers_vectors_and_anything_else(page):
    choose(page, "stars")
    answer(page, text="x")
    assert page.inner_text(".head") == "4.25"
    choose(page, "vectors")
    assert "4 numbers, from 0.500, -0.500, 1.000, 0.000" in answer(page, text="x")
    choose(page, "other")
    answer(page, text="x")
    cells = page.eval_on_selector_all("#answer th, #answer td", "cells => cells.map(c => c.textContent)")
    assert cells == ["<b>odd</b>", '["<script>x</script>","y"]', "size", "[1,2]"]  # as text, not as markup
    assert page.problems == []


def test_the_page_opens_with_an_example_and_says_what_the_model_does(page):
    assert page.inner_text("#about") == "Returns label, probabilities, version. Labels: even, odd."
    choose(page, "tagger")
    assert page.inner_text("#about") == "Finds names."
    assert page.input_value("textarea") == "Ada met no one."
    choose(page, "masks")  # whose text has the same name
    assert page.input_value("textarea") == ""
    page.fill("textarea", "typed")
    choose(page, "tagger")
    assert page.input_value("textarea") == "typed"
    choose(page, "endings")
    assert page.input_value("textarea[name=endings]") == "one\ntwo"


def test_long_labels_wrap_at_word_ends_on_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    choose(page, "goods")
    answer(page, text="x")
    assert [page.inner_text(f".bar:nth-child({n}) > :first-child") for n in (1, 2)] == ["a", LONG]
    lines = page.eval_on_selector(
        ".bar:nth-child(2) > :first-child",
        """name => {
          const range = document.createRange(), lines = {};
          for (const node of name.childNodes) for (let i = 0; i < (node.data ?? "").length; i++) {
            range.setStart(node, i);
            range.setEnd(node, i + 1);
            const top = Math.round(range.getBoundingClientRect().top);
            lines[top] = (lines[top] ?? "") + node.data[i];
          }
          return Object.values(lines).map((line) => line.trim());
        }""",
    )
    assert len(lines) > 1
    assert all(line[-1] in "_/" or f"{line} " in f"{LONG} " for line in lines), lines
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 900, "height": 740})


def test_errors_are_shown(page):
    page.fill("textarea", "fail")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".error")
    assert "a text that fails" in page.inner_text(".error")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_scrolling_sideways(page, scheme):
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    answer(page, text="unbreakable" * 40)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (ground, ink) == {
        "light": ("rgb(246, 247, 249)", "rgb(26, 32, 48)"),
        "dark": ("rgb(20, 23, 28)", "rgb(230, 233, 239)"),
    }[scheme]
