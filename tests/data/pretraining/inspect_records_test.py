"""What `bert-tf inspect` prints."""

import io

import numpy as np
import rich.console

from bert_tf.data.pretraining.inspect_records import describe, show
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.tokenizers.base import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s", "cat", "ran"]


def test_an_example_by_hand():
    features = {
        "input_ids": np.array([2, 5, 4, 7, 3, 8, 9, 3, 0, 0]),
        "input_mask": np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
        "segment_ids": np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0]),
        "masked_lm_positions": np.array([2, 5, 6, 0]),
        "masked_lm_ids": np.array([6, 5, 9, 0]),
        "masked_lm_weights": np.array([1.0, 1.0, 1.0, 0.0]),
        "next_sentence_labels": np.array([1]),
    }
    heading, text = describe(features, Tokenizer(VOCABULARY), 7)
    assert heading.plain == "\nexample 7: 8 of 10 tokens (80% full), second segment: random or swapped, 3 predictions"
    assert text.plain == "[CLS] a [MASK]→dog ##s [SEP] cat→a ran→ran [SEP] "
    styles = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert len({styles["[MASK]→"], styles["cat→"], styles["ran→"], styles["dog"]}) == 4


def test_records_are_shown_with_their_own_vocabulary(corpus, tokenizer, tmp_path):
    config = RecordsConfig(max_length=32, dupe_factor=1, num_processes=1)
    report = write_records(corpus, tokenizer, tmp_path / "records", config)
    console = rich.console.Console(file=io.StringIO(), width=400)
    show(tmp_path / "records", count=2, console=console)
    printed = console.file.getvalue()
    assert f"{report['counts']['examples']:,} examples in 4 file(s)" in printed
    assert printed.count("[CLS]") == 2 and "example 1:" in printed and "[MASK]→w" in printed
