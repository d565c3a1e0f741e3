"""Explanations as a web page: words coloured by what they add, and curves of the methods; no scripts, one file."""

import base64
import html
import pathlib
from collections.abc import Iterable, Sequence

from bert_tf.core import files
from bert_tf.evaluation.explain import Explanation, Faithfulness

_STYLE = """
:root { color-scheme: light dark; --more: 25, 110, 200; --less: 205, 95, 20; }
body { font: 16px/1.7 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
p.text { border-top: 1px solid #8884; margin: 0; overflow-wrap: anywhere; padding: .8rem 0; }
span.word { border-radius: .2rem; padding: .1rem .05rem; }
small, caption { color: #888; }
table { border-collapse: collapse; }
caption { text-align: left; padding: .5rem 0; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums; }
img { background: white; max-width: 100%; }
div.picture { display: inline-grid; margin: .5rem 1rem .5rem 0; width: 16rem; aspect-ratio: 1; }
div.picture > img, div.picture > div { grid-area: 1 / 1; width: 100%; height: 100%; }
div.picture > div { display: grid; }
div.picture.alone { aspect-ratio: auto; height: 1.5rem; }
"""


def write_page(
    path: pathlib.Path,
    title: str,
    explanations: Iterable[Explanation],
    measured: Faithfulness | None = None,
    pictures: Sequence[pathlib.Path] = (),
) -> None:
    """Writes the page for explanations by one method, and for what `faithfulness` measured, with its pictures."""
    files.write_text(path, "\n".join(_page(title, explanations, measured, pictures)) + "\n")


def _page(title, explanations, measured, pictures):
    yield '<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    yield f"<h1>{html.escape(title)}</h1>"
    yield (
        "<p>Words that speak for the answer are "
        f"{_word('blue', 1, 1)}, those that speak against it {_word('orange', -1, 1)}; the stronger, the darker. "
        "The number of a word, which is shown when the pointer rests on it, is in units of what is explained: "
        "a logit, or of a SavedModel a probability."
    )
    for explanation in explanations:
        yield _text(explanation)
    if measured:
        yield from _tables(measured)
        for picture in pictures:
            data = base64.b64encode(picture.read_bytes()).decode("ascii")
            yield f'<p><img alt="{html.escape(picture.stem)}" src="data:image/png;base64,{data}">'


def _text(explanation):
    """A paragraph: what is explained, and each text with its words coloured."""
    strongest = max((abs(word["attribution"]) for word in explanation.words), default=0) or 1
    parts = []
    for column, text in enumerate(explanation.texts):
        shown, end = [], 0
        for word in explanation.words:
            if word["text"] == column:
                shown.append(html.escape(text[end : word["start"]]))
                shown.append(_word(word["word"], word["attribution"], strongest))
                end = word["end"]
        parts.append("".join(shown) + html.escape(text[end:]))
    scores = f"{explanation.score:.2f}; {explanation.baseline:.2f} without its words"
    pictures = "".join(_picture(explanation, name) for name in explanation.files)
    return (
        f'<p class="text">{" <b>|</b> ".join(parts)}<br>'
        f"<small><b>{html.escape(explanation.explained)}</b> ({scores}), by {explanation.method}</small></p>{pictures}"
    )


def _picture(explanation, name):
    """A picture under a grid of its patches, coloured as words are; of a sound the grid alone, time to the right."""
    rows, content = explanation.files[name], explanation.pictures.get(name, b"")
    if len(rows[0]) == 1:  # one axis: time
        rows = [[value for row in rows for value in row]]
    strongest = max(abs(value) for row in rows for value in row) or 1
    patches = "".join(_patch(value, strongest) for row in rows for value in row)
    kind = {b"\x89P": "png", b"\xff\xd8": "jpeg"}.get(content[:2])
    data = base64.b64encode(content).decode("ascii")
    image = f'<img alt="{html.escape(name)}" src="data:image/{kind};base64,{data}">' if kind else ""
    return (
        f'<div class="picture{"" if kind else " alone"}">{image}'
        f'<div style="grid-template-columns: repeat({len(rows[0])}, 1fr)">{patches}</div></div>'
    )


def _patch(attribution, strongest):
    return f'<div style="{_background(attribution, strongest)}" title="{attribution:+.3f}"></div>'


def _word(text, attribution, strongest):
    return (
        f'<span class="word" style="{_background(attribution, strongest)}" '
        f'title="{attribution:+.3f}">{html.escape(text)}</span>'
    )


def _background(attribution, strongest):
    color = "--more" if attribution > 0 else "--less"
    return f"background: rgba(var({color}), {0.6 * abs(attribution) / strongest:.2f})"


def _tables(measured):
    """A table for deletion and one for insertion."""
    meanings = {
        "deletion": "how much the logit falls when a method's words are masked first",
        "insertion": "how much it rises when they are shown first",
    }
    for name, rows in measured.areas().items():
        yield f"<table><caption>{name.capitalize()}: {meanings[name]}; mean area under the curve</caption>"
        yield "<tr><th>method<th>area<th>95 % interval"
        for method, (mean, low, high) in rows.items():
            yield f"<tr><td>{method}<td>{mean:.3f}<td>{low:.3f} to {high:.3f}"
        yield "</table>"
