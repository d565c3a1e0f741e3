"""One small model of every kind, with inputs, targets and, for tasks, texts."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np

from bert_tf import BertEncoder, BertPretrainer, ReplacedTokenPretrainer
from bert_tf.modeling.families import FAMILIES
from bert_tf.tasks import FillMask, MultiTask, NextSentence, TextClassifier, TextTagger
from bert_tf.text.tokenizers.base import Tokenizer
from tests.tasks.contract_test import CASES
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

TOKENIZER = Tokenizer(VOCABULARY)
IDS = np.array([[2, 5, 7, 3], [2, 6, 3, 0]], "int32")
INPUTS = {"input_ids": IDS, "input_mask": np.array(IDS > 0, "int32"), "segment_ids": np.zeros_like(IDS)}


@dataclasses.dataclass
class Sample:
    """A model, its inputs as arrays, and, for a task, the texts that they come from."""

    model: keras.Model
    inputs: Any
    requests: Any = None

    def outputs(self, model: Any = None) -> list[np.ndarray]:
        """What `model`, by default its own, computes from the inputs."""
        outputs = (model or self.model)(self.inputs, training=False)
        return [np.asarray(keras.ops.convert_to_numpy(x), "float32") for x in keras.tree.flatten(outputs)]

    @functools.cached_property
    def answers(self) -> tuple[list[np.ndarray], Any]:
        """What its own model computes from the inputs, and its decoded answers to the texts, at the first call."""
        return self.outputs(), None if self.requests is None else self.model.predict_text(self.requests)

    def assert_same_answers(self, model: Any, atol: float = 1e-6) -> None:
        """Compares the outputs of `model` with those of its own, and the decoded answers to the texts."""
        outputs, decoded = self.answers
        for found, wanted in zip(self.outputs(model), outputs, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=atol)
        if self.requests is not None:
            assert str(model.predict_text(self.requests))[:80] == str(decoded)[:80]


def encoder(**settings: Any) -> BertEncoder:
    return BertEncoder(**(SIZES | settings))


def bilstm() -> keras.Model:
    return FAMILIES["bilstm"].encoder(vocab_size=12, hidden_size=8, num_layers=1, num_heads=2)


def around(inner: Any, names: Any = INPUTS) -> keras.Model:
    """A functional model: two logits on the encoder's pooled output."""
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(inner(inputs)["pooled_output"]))


def classifier(**settings: Any) -> TextClassifier:
    return TextClassifier(TOKENIZER, ["neg", "pos"], max_length=12, **(SIZES | settings))


def of_task(name: str) -> Sample:
    if name in ("fill_mask", "next_sentence"):
        kind = {"fill_mask": FillMask, "next_sentence": NextSentence}[name]
        model = kind(TOKENIZER, max_length=12, **SIZES)
        texts = (["a film", "good"], ["is good", "bad"]) if name == "next_sentence" else (["a [MASK] film", "[MASK]"],)
        requests = None
    else:
        case = CASES[name]
        model = case.task(TOKENIZER, **case.settings, max_length=12, **SIZES)
        texts = requests = tuple(column[:2] for column in case.requests)
    inputs = model.preprocessor(model.preprocessor.encode_texts(texts), 12)
    if name == "fill_mask":
        inputs["masked_lm_positions"] = np.array([[2], [1]], "int32")
    return Sample(model, {name: np.asarray(inputs[name]) for name in model.INPUTS}, requests)


def multi_task() -> MultiTask:
    first = classifier()
    second = TextTagger(TOKENIZER, ["A", "B"], scheme=None, max_length=12, encoder=first.encoder)
    return MultiTask({"sentiment": first, "words": second}, {"sentiment": 8, "words": 4})


BUILDERS = {
    "encoder": lambda: Sample(encoder(), INPUTS),
    "bilstm": lambda: Sample(
        FAMILIES["bilstm"].encoder(vocab_size=12, hidden_size=8, num_layers=1, num_heads=2), INPUTS
    ),
    "functional": lambda: Sample(around(encoder()), INPUTS),
    "pretrainer": lambda: Sample(
        BertPretrainer(masked_lm_activation="relu", **SIZES), INPUTS | {"masked_lm_positions": np.array([[1], [1]])}
    ),
    "replaced_token_pretrainer": lambda: Sample(
        ReplacedTokenPretrainer(embedding_size=4, generator_size=0.5, **SIZES),
        INPUTS | {"masked_lm_positions": np.array([[1], [1]])},
    ),
    "multi_task": lambda: Sample(multi_task(), {"sentiment": INPUTS, "words": INPUTS}),
    **{name: lambda name=name: of_task(name) for name in (*CASES, "fill_mask", "next_sentence")},
}

# Between them they have every class of model, form of inputs and form of outputs.
DIFFERENT = {
    *("encoder", "bilstm", "functional", "pretrainer", "replaced_token_pretrainer", "multi_task"),
    *("classification", "question_answering", "multiple_choice", "generation"),
}

__all__ = [
    "BUILDERS",
    "DIFFERENT",
    "INPUTS",
    "LABELS",
    "SIZES",
    "TEXTS",
    "TOKENIZER",
    "IDS",
    "Sample",
    "around",
    "classifier",
    "encoder",
    "keras",
    "of_task",
]
