"""English text from the docstrings of Python's standard library and installed packages."""

import ast
import concurrent.futures
import importlib.util
import inspect
import multiprocessing
import pathlib
import pydoc_data.topics
import re
import signal
import sysconfig
import warnings
from collections.abc import Iterator

from bert_tf.quickstart.documents import MAX_CHARACTERS, Document

# Dependencies of bert_tf, so that the text does not depend on the other packages that are installed.
PACKAGES = (
    *("tensorflow", "keras", "keras_hub", "numpy", "matplotlib", "huggingface_hub", "pip", "fontTools", "tensorboard"),
    *("tensorflow_text", "werkzeug", "PIL", "fsspec", "grpc", "click", "optree", "absl", "google", "packaging"),
)
STANDARD_LIBRARY = "python"
# Classes of the classifier: packages with much text of their own. Keras and keras_hub share theirs with tensorflow, and
# the standard library has no topic of its own.
LABELS = ("fontTools", "huggingface_hub", "matplotlib", "pip", "tensorflow")
_SKIPPED = {"test", "tests", "testing", "idlelib", "site-packages", "__pycache__"}
# Signs of code, tables and markup rather than prose.
_CODE = re.compile(r">>>|```|^\s*[@#$<|+{}\[*]|={3,}|-{4,}|[{};]\s*$", re.MULTILINE)
_MIN_CHARACTERS = 100  # shorter paragraphs are mostly headings and names of arguments
_LETTERS = 0.85  # share of letters and spaces in prose, at least


def collect_documents() -> list[Document]:
    """The documentation of the standard library and of bert_tf's packages: one `Document` per module, no text twice."""
    labels_and_files = sorted(_source_files(), key=lambda item: (item[0], str(item[1])))
    documents = _topics()
    with concurrent.futures.ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C is handled by this process alone
    ) as pool:
        texts = pool.map(read_documentation, [file for _, file in labels_and_files], chunksize=64)
        for (label, _), text in zip(labels_and_files, texts, strict=True):
            documents.append(Document(label, text))
    unique: list[Document] = []
    seen: set[str] = set()
    characters = 0
    for document in documents:
        new = [text for text in dict.fromkeys(document.paragraphs) if text not in seen]
        seen.update(new)
        characters += sum(map(len, new))
        if new and characters <= MAX_CHARACTERS:
            unique.append(Document(document.label, new))
    return unique


def read_documentation(file: pathlib.Path) -> list[str]:
    """Paragraphs of prose from the docstrings of one source file; [] where Python cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in other people's strings
            tree = ast.parse(pathlib.Path(file).read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    paragraphs = []
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            paragraphs += prose(ast.get_docstring(node) or "")
    return paragraphs


def prose(text: str) -> list[str]:
    """The paragraphs of `text` that are prose, each on one line; code, tables and headings are left out."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        line = " ".join(paragraph.split())
        letters = sum(character.isalpha() or character.isspace() for character in line)
        if len(line) >= _MIN_CHARACTERS and letters > _LETTERS * len(line) and not _CODE.search(paragraph):
            paragraphs.append(line)
    return paragraphs


def _topics() -> list[Document]:
    """The chapters of the language reference that `help()` shows."""
    return [Document(STANDARD_LIBRARY, prose(text)) for _, text in sorted(pydoc_data.topics.topics.items())]


def _source_files() -> Iterator[tuple[str, pathlib.Path]]:
    """(label, file) of every module that is read."""
    roots = [(STANDARD_LIBRARY, sysconfig.get_path("stdlib"))]
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec:  # optional dependencies may be missing
            for root in spec.submodule_search_locations or ():
                roots.append((package, root))
    for label, root in roots:
        for file in pathlib.Path(root).rglob("*.py"):
            if not _SKIPPED & set(file.relative_to(root).parts):
                yield label, file
