"""A MkDocs hook: links that work in the repository are made to work on the site."""

import pathlib
import posixpath
import re

from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parent.parent
# Files at the top of the repository, and the pages of docs/ that stand for them; the first two are links there.
PAGES = {
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh.md",
}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
# The end of a line inside of a Chinese sentence, where a browser would show a blank.
_CHINESE_LINES = re.compile(r"([\u3000-\u303f\u4e00-\u9fff\uff00-\uffef”])\n *(?=[\u4e00-\u9fff（“《])")


def on_page_markdown(markdown: str, page: Page, config, files: Files) -> str:
    """Points links to files of the repository to the site's pages; links to other files become their text."""
    source = page.file.src_uri  # of CONTRIBUTING.md the link in docs/, whose own links are relative to the top
    folder = "" if source in PAGES else posixpath.join("docs", posixpath.dirname(source))

    def on_site(link: re.Match) -> str:
        path = posixpath.normpath(posixpath.join(folder, link["target"]))
        if not (ROOT / path).exists():
            return link[0]  # MkDocs warns of it
        if path not in PAGES and not path.startswith("docs/"):
            return link["text"]
        target = PAGES.get(path) or path.removeprefix("docs/")
        relative = posixpath.relpath(target, posixpath.dirname(source) or ".")
        if source.endswith(".zh.md") and (ROOT / "docs" / target).with_suffix(".zh.md").exists():
            # The i18n plugin would take NAME.md for NAME.zh.md; its Chinese pages are in zh/.
            english = f"{'../' * (source.count('/') + 1)}{target.removesuffix('.md')}.html"
            return f'<a href="{english}{link["anchor"] or ""}" hreflang="en">{link["text"]}</a>'
        return f"[{link['text']}]({relative}{link['anchor'] or ''})"

    markdown = _LINK.sub(on_site, markdown)
    return _CHINESE_LINES.sub(r"\1", markdown) if source.endswith(".zh.md") else markdown
