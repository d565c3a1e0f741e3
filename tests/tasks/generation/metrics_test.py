"""ROUGE and BLEU against the libraries' own functions, and values worked by hand."""

import numpy as np
import pytest
import sacrebleu

from bert_tf.tasks.generation.metrics import describe, score_texts

ENGLISH = (
    ["the cat sat on the mat, quietly.", "a dog", "", "one two three four five six"],
    ["The cat sat on a mat quietly.", "A dog barks", "no", "one two three four five six seven"],
)
CHINESE = (["你懂了吗？", "我迷失了。", "Tom走了"], ["你懂吗？", "我迷路了。", "汤姆走了"])


@pytest.mark.parametrize(
    ("texts", "tokenize", "lowercase"),
    [(ENGLISH, "13a", False), (ENGLISH, "13a", True), (ENGLISH, "intl", False), (CHINESE, "zh", False)],
)
def test_bleu_is_sacrebleus(texts, tokenize, lowercase):
    found = score_texts(*texts, tokenize, lowercase)
    for rows in (slice(None), [0, 2, 2]):
        answers, references = (np.array(column)[rows].tolist() for column in texts)
        expected = sacrebleu.corpus_bleu(answers, [references], tokenize=tokenize, lowercase=lowercase)
        assert found.of("bleu", rows) == pytest.approx(expected.score)


def test_rouge_by_hand():
    """Of "a dog", both words are among the three of "A dog barks", and so is the only pair among two."""
    found = score_texts(["a dog"], ["A dog barks"], "13a", False).all()
    assert found["rouge1"] == found["rougeL"] == pytest.approx(2 * (1 * 2 / 3) / (1 + 2 / 3))
    assert found["rouge2"] == pytest.approx(2 * (1 * 1 / 2) / (1 + 1 / 2))


def test_rouge_of_chinese_counts_characters():
    """4 of 5 characters are those of the reference; rouge-score's own tokenizer would find none at all."""
    found = score_texts(["你懂了吗？"], ["你懂吗？"], "zh", False).all()
    assert found["rouge1"] == pytest.approx(2 * (4 / 5 * 4 / 4) / (4 / 5 + 4 / 4))
    assert found["rouge2"] == pytest.approx(2 * (2 / 4 * 2 / 3) / (2 / 4 + 2 / 3))


def test_the_signature_names_tokenizer_case_and_version():
    bleu, rouge = describe("zh", True)
    assert bleu == f"BLEU: nrefs:1|case:lc|eff:no|tok:zh|smooth:exp|version:{sacrebleu.__version__}"
    assert rouge.startswith("ROUGE: F1 of sacrebleu's words, rouge-score ")
