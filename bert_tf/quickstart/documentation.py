"""English that every Python installation carries: the documentation inside its own source files."""

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

from bert_tf.quickstart.documents import MAX_CHARACTERS, Document

# What bert_tf installs, so that the text is the same whatever else is installed beside it.
PACKAGES = (
    *("tensorflow", "keras", "keras_hub", "numpy", "matplotlib", "huggingface_hub", "pip", "fontTools", "tensorboard"),
    *("tensorflow_text", "werkzeug", "PIL", "fsspec", "grpc", "click", "optree", "absl", "google", "packaging"),
)
STANDARD_LIBRARY = "python"
# What the classifier tells apart: packages with much text of their own. Keras and keras_hub share theirs with
# tensorflow, and the standard library is about everything.
LABELS = ("fontTools", "huggingface_hub", "matplotlib", "pip", "tensorflow")
_SKIPPED = {"test", "tests", "testing", "idlelib", "site-packages", "__pycache__"}
_CODE = re.compile(r">>>|```|^\s*[@#$<|+{}\[*]|={3,}|-{4,}|[{};]\s*$", re.MULTILINE)
_MIN_CHARACTERS = 100  # shorter paragraphs are mostly headings and names of arguments


def collect_documents():
    """The documentation of the standard library and of bert_tf's packages: a `Document` a module, no text twice."""
    labels_and_files = sorted(_source_files(), key=lambda item: (item[0], str(item[1])))
    documents, seen, characters = _topics(), set(), 0
    with concurrent.futures.ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C is for the process that waits for them
    ) as pool:
        texts = pool.map(read_documentation, [file for _, file in labels_and_files], chunksize=64)
        documents += [Document(label, text) for (label, _), text in zip(labels_and_files, texts, strict=True)]
    unique = []
    for document in documents:
        new = [text for text in dict.fromkeys(document.paragraphs) if text not in seen]
        seen.update(new)
        characters += sum(map(len, new))
        if new and characters <= MAX_CHARACTERS:
            unique.append(Document(document.label, new))
    return unique


def read_documentation(file):
    """Paragraphs of prose from the docstrings of one source file; [] where Python cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in other people's strings
            tree = ast.parse(pathlib.Path(file).read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return []
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [text for docstring in docstrings if docstring for text in prose(docstring)]


def prose(text):
    """The paragraphs of `text` that are written for people, each on one line."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        line = " ".join(paragraph.split())
        letters = sum(character.isalpha() or character.isspace() for character in line)
        if len(line) >= _MIN_CHARACTERS and letters > 0.85 * len(line) and not _CODE.search(paragraph):
            paragraphs.append(line)
    return paragraphs


def _topics():
    return [Document(STANDARD_LIBRARY, prose(text)) for _, text in sorted(pydoc_data.topics.topics.items())]


def _source_files():
    """(label, file) of every module that is read."""
    roots = [(STANDARD_LIBRARY, sysconfig.get_path("stdlib"))]
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        roots += [(package, root) for root in (spec.submodule_search_locations or [] if spec else [])]
    for label, root in roots:
        for file in pathlib.Path(root).rglob("*.py"):
            if not _SKIPPED & set(file.relative_to(root).parts):
                yield label, file
