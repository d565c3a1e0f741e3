"""The site: pages and languages, and, where MkDocs is installed, what `make docs` builds."""

import html
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest

from bert_tf.core.known_models import KNOWN_MODELS

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
MOST_BYTES = 1 << 20  # of a page
_ADDRESS = re.compile(r'<(\w+)\b[^>]*?\b(?:href|src)="([^"]*)"')
_NAME = re.compile(r'\b(?:id|name)="([^"]+)"')


def english_pages():
    return {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if not path.name.endswith(".zh.md")}


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert sorted(re.findall(r"- (\S+\.md)$", navigation, re.M)) == sorted(english_pages())


def test_start_tutorials_and_guides_are_in_chinese():
    english_only = {"ARCHITECTURE", "PERFORMANCE", "RESULTS", "FAULTS", "CONTRIBUTING", "CHANGELOG"}
    pages = {page.removesuffix(".md") for page in english_pages() if not page.startswith("api/")}
    chinese = {str(path.relative_to(DOCS)).removesuffix(".zh.md") for path in DOCS.rglob("*.zh.md")}
    assert chinese == pages - english_only


def test_the_table_of_chinese_models_is_that_of_the_code():
    rows = (DOCS / "WEIGHTS.zh.md").read_text(encoding="utf-8").splitlines()
    listed = {row.split("|")[1].strip(" `"): row for row in rows if re.match(r"\| `(hf|kaggle)://", row)}
    known = {model.name: model for model in KNOWN_MODELS if model.language == "Chinese"}
    assert set(listed) == set(known)
    for name, model in known.items():
        cells = [cell.strip() for cell in listed[name].split("|")]
        assert cells[2:5] == [model.family, str(model.millions), model.licence]
        assert ("先转换" in cells[5]) == model.pickled


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for module in ("mkdocs", "material", "mkdocs_static_i18n", "mkdocstrings_handlers.python"):
        pytest.importorskip(module, reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def addresses(page):
    """(tag, address) of all links and resources of a page."""
    return [(tag, html.unescape(address)) for tag, address in _ADDRESS.findall(page.read_text(encoding="utf-8"))]


def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(site):
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    names = {page: set(_NAME.findall(page.read_text(encoding="utf-8"))) for page in pages}
    assert len(pages) > 60
    for page in pages:
        for tag, address in addresses(page):
            if urllib.parse.urlsplit(address).scheme:
                assert tag == "a" or address.startswith("data:"), f"{page}: {address}"
                continue
            path, _, anchor = urllib.parse.unquote(address).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page}: {address}"
            if anchor and target in names and not anchor.startswith("__"):
                assert anchor in names[target], f"{page}: {address}"


def test_no_page_is_large(site):
    assert max(page.stat().st_size for page in site.rglob("*.html")) <= MOST_BYTES


def test_pages_in_both_languages_lead_to_each_other(site):
    for english, chinese in (("START.html", "zh/START.html"), ("tutorials/search.html", "zh/tutorials/search.html")):
        for one, other in ((english, chinese), (chinese, english)):
            page = site / one
            targets = {(page.parent / address).resolve() for tag, address in addresses(page) if tag == "a"}
            assert (site / other).resolve() in targets
