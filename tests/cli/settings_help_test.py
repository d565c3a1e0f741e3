"""`--help-settings` lists every setting with its meaning; choices are those that the models know."""

import dataclasses

import pytest

from bert_tf.cli import settings_help
from bert_tf.core.settings import setting_of
from bert_tf.tasks import TASKS
from tools.settings_tables import DOCS, PLACES, with_table


@pytest.mark.parametrize("verb", ["pretrain", "finetune", "quickstart"])
def test_every_setting_has_a_meaning(verb):
    rows = [row for section in getattr(settings_help, verb)() for row in section.rows]
    assert len(rows) > 15
    assert [row.key for row in rows if not row.meaning] == []


def test_the_settings_are_printed(bert_tf_command):
    done = bert_tf_command("finetune", "--help-settings")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 118
    assert (
        "  epochs=3.0                passes over the training examples (number, above 0 and at most 1,000,000)" in lines
    )
    assert "  training.learning_rate=5e-05    the greatest rate, after the warm-up (number, above 0)" in lines
    assert '[model], for task = "tagging"' in lines
    assert not any("training.steps" in line or "fill_mask" in line for line in lines)  # not of fine-tuning


def test_choices_are_those_of_the_models():
    from sacrebleu.metrics import BLEU

    from bert_tf.modeling.decoders import DECODERS
    from bert_tf.modeling.layers.pooling import POOLINGS
    from bert_tf.tasks.base.class_weights import BALANCED
    from bert_tf.tasks.base.modalities import NETWORKS
    from bert_tf.tasks.classification.problem_types import PROBLEM_TYPES
    from bert_tf.tasks.embedding.task import OBJECTIVES
    from bert_tf.tasks.generation.metrics import score_texts
    from bert_tf.tasks.question_answering.metrics import METRICS

    known = {
        "class_weights": [BALANCED],
        "pooling": POOLINGS,
        "problem_type": PROBLEM_TYPES,
        "objective": OBJECTIVES,
        "question_answering metric": METRICS,
        "generation metric": score_texts(["a"], ["a"], "13a", False).all(),
        "architecture": DECODERS,
        "image_network": NETWORKS,
    }
    found = set()
    for spec in TASKS.values():
        for field in dataclasses.fields(spec.settings):
            if choices := setting_of(field).choices:
                if field.name == "bleu_tokenize":
                    assert set(choices) < set(BLEU.TOKENIZERS)
                    continue
                name = field.name if field.name in known else f"{spec.name} {field.name}"
                assert set(choices) == set(known[name]), name
                found.add(name)
    assert found == set(known)


@pytest.mark.parametrize("page", PLACES)
def test_the_docs_have_the_lists_of_now(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert with_table(text, PLACES[page]) == text, "run python tools/settings_tables.py"
    assert text.count("| `training.learning_rate` |") == 1
