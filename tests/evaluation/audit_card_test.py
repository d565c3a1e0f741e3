"""The section that an audit writes into a model's card."""

import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.evaluation.attack import Attack
from bert_tf.evaluation.audit import Audit, Calibration
from bert_tf.evaluation.audit_card import find_card, write_section
from bert_tf.evaluation.robustness import Reaction
from bert_tf.evaluation.slices import Part


def audit(score, **parts):
    reactions = [Reaction("typos", dose, 8, 0.1, score - dose, (0.0, 1.0)) for dose in (0.1, 0.2)]
    values = {
        "calibration": Calibration(0.035),
        "noise": reactions,
        "swaps": [Reaction("names", 0.0, 4, 0.25, score, None)],
        "group": "who",
        "groups": [Part("a|b", 5, 0.7, (0.5, 0.9))],
        "clusters": [Part("slow dull", 20, 0.4, (0.2, 0.6)), Part("good", 20, 0.9, (0.8, 1.0))],
        "attack": Attack(9, (0.9, 0.8, 1.0), (0.3, 0.2, 0.4), 50.0, 0.1, 100, 0.2, None, []),
        "notes": ["Left out: nothing."],
    }
    return Audit("model", "dev.tsv", "classification", "accuracy", 1200, score, (0.8, 0.9), **values | parts)


def test_a_later_audit_takes_the_place_of_the_earlier(tmp_path):
    card = find_card(tmp_path)
    card.write_text("# A model\n\nWritten by hand.\n")
    write_section(card, audit(0.85))
    text = card.read_text()
    assert text.startswith("# A model\n\nWritten by hand.\n\n<!-- audit -->\n## Audit\n\nOn 1,200 examples of dev.tsv")
    for line in (
        "| texts as they are | 0.8500 (0.8000 to 0.9000) |",
        "| noise, a slip of a key in a word, dose 20% | 0.6500 |",
        "| under 100 queries for substituted words | 0.3000 |",
        "| who: a\\|b | 0.7000 |",
        "| the worst of the clusters of texts: slow dull | 0.4000 |",
        "- Expected calibration error: 3.50%.",
        "- First names replaced by others: 25.0% of 4 answers change.",
        "- Left out: nothing.",
    ):
        assert line in text.splitlines()
    assert "dose 10%" not in text
    card.write_text(f"{text}\nMore by hand.\n")
    write_section(card, audit(0.75, attack=None, swaps=[]))
    text = card.read_text()
    assert text.count("## Audit") == 1
    assert "0.7500" in text and "0.8500" not in text and "substituted" not in text
    assert text.startswith("# A model\n\nWritten by hand.\n") and text.endswith("\nMore by hand.\n")


def test_a_model_without_a_card_and_one_elsewhere(tmp_path):
    write_section(find_card(tmp_path), audit(0.5))
    assert (tmp_path / "README.md").read_text().startswith(f"# {tmp_path.name}\n\n<!-- audit -->\n")
    with pytest.raises(ConfigError, match="--card for hf://a/b, which is no folder here"):
        find_card("hf://a/b")
