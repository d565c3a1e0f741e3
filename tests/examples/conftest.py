"""Tiny models from which the scripts and notebooks start, and a corpus."""

import pytest

from tests.docs.tiny_models import write_classifier, write_pretrained


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_pretrained(folder / "pretrained")
    write_classifier(folder / "classifier")
    return folder


@pytest.fixture
def chinese_text(tmp_path):
    """A pattern for the files of a corpus."""
    sentences = ["房间很干净。", "服务周到，态度很好。", "电池用了一天。", "书的内容充实。"]
    text = "\n\n".join("\n".join(sentences[i % 4 :] + sentences[: i % 4]) for i in range(40))
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    return str(tmp_path / "*.txt")
