"""Where the quick start's text comes from and how it is split."""

import pytest

from bert_tf.core.errors import InputError
from bert_tf.quickstart.documentation import prose, read_documentation
from bert_tf.quickstart.documents import (
    Document,
    hold_out,
    join,
    labelled_paragraphs,
    read_own_documents,
)
from bert_tf.quickstart.stages import masked_sentences

SENTENCE = "The committee met on Tuesday and talked about the harvest of the year before. "


def test_own_files_become_sections_labelled_by_file(tmp_path):
    for name in ("rye", "oats"):
        (tmp_path / f"{name}.txt").write_text((SENTENCE * 20 + "\n\n") * 120, encoding="utf-8")
    documents = read_own_documents(str(tmp_path / "*.txt"))
    assert {document.label for document in documents} == {"rye", "oats"}
    assert len(documents) > 40
    words = " ".join(p for d in documents if d.label == "rye" for p in d.paragraphs).split()
    assert words == (SENTENCE * 20 * 120).split()


def test_wrapped_lines_are_joined(tmp_path):
    text = "\n\n".join(["one two\nthree four five. " * 40] * 400)
    (tmp_path / "wrapped.txt").write_text(text, encoding="utf-8")
    documents = read_own_documents(tmp_path / "wrapped.txt")
    assert documents[0].paragraphs[0].startswith("one two three four five. one two")


def test_a_masked_word_and_a_masked_character():
    chinese = "两周后比赛在武汉重新开赛。 冠军不敌对手，以一比三失利。"
    paragraphs = [SENTENCE * 6, chinese * 20, (chinese + " ") * 20]
    english, joined, spaced = masked_sentences([Document("a", [text]) for text in paragraphs], "[MASK]")
    assert english == "The committee met on Tuesday and [MASK] about the harvest of the"
    # Spaces between sentences are no spaces between words.
    assert joined == spaced == "两周后比赛在武汉重新开赛[MASK] 冠军不敌对手，以一比"


def test_too_little_text(tmp_path):
    (tmp_path / "small.txt").write_text("Not much here.\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"14 characters of text in 1 files.*at least 150,000"):
        read_own_documents(tmp_path / "small.txt")


def test_join_keeps_every_word_and_reaches_the_length():
    parts = [f"part {number} " + "x" * (37 * number % 200) for number in range(60)]
    joined = list(join(parts))
    assert " ".join(joined).split() == " ".join(parts).split()
    assert all(len(paragraph) >= 400 for paragraph in joined[:-1])


def test_hold_out_is_whole_documents_by_seed():
    documents = [Document("x", [str(number)]) for number in range(100)]
    train, heldout = hold_out(documents, seed=3)
    assert len(heldout) == 8
    assert sorted(train + heldout, key=lambda d: int(d.paragraphs[0])) == documents
    assert hold_out(documents, seed=3) == (train, heldout)
    assert hold_out(documents, seed=4)[1] != heldout


def test_labelled_paragraphs_are_capped_a_label():
    documents = [
        Document("a", ["a" * 400] * 30),
        Document("b", ["b" * 400] * 5 + ["short"]),
        Document("c", ["c" * 400]),
    ]
    paragraphs, labels = labelled_paragraphs(documents, ["a", "b"], most=10, seed=0)
    assert (labels.count("a"), labels.count("b"), labels.count("c")) == (10, 5, 0)
    assert all(paragraph[0] == label for paragraph, label in zip(paragraphs, labels, strict=True))


def test_prose_leaves_code_out(tmp_path):
    wanted = "Returns the sum of the values along the given axis, and keeps the axis with length one if it is asked to."
    text = f"Short.\n\n{wanted}\n\n>>> f(1)\n" + "2" * 200 + "\n\n```\n" + "code " * 60 + "```"
    assert prose(text) == [wanted]
    (tmp_path / "module.py").write_text(f'"""{text}"""\n\ndef f():\n    """{wanted}"""\n', encoding="utf-8")
    assert read_documentation(tmp_path / "module.py") == [wanted, wanted]
    (tmp_path / "broken.py").write_text("def (", encoding="utf-8")
    assert read_documentation(tmp_path / "broken.py") == []
