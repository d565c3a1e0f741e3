"""Writes texts with a .tflite by LiteRT as a phone does: one source and one token at a time."""

import dataclasses
import functools
import json
import os
import pathlib
import tempfile
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.quiet_stderr import quiet_stderr
from bert_tf.export import step_signatures as steps
from bert_tf.export.litert_model import check_finite, median_ms
from bert_tf.export.tflite_metadata import INPUT_NAMES
from bert_tf.generation import GenerationConfig
from bert_tf.generation.generate import graph_arguments, token_inputs
from bert_tf.generation.stepwise import StepwiseSearch
from bert_tf.tasks.base.saved_tokenizer import MissingTokenizer, describe_tokenizer
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.generation import SPEC
from bert_tf.tasks.generation.postprocessor import decode_targets
from bert_tf.tasks.generation.preprocessor import GenerationPreprocessor

# N texts, S tokens of a source, T tokens of a target, V vocabulary

SETTINGS = "generator.json"  # in the file: the tokenizer's settings, the marks of a target, and a search


def asset_files(model: Task) -> dict[str, bytes]:
    """{name: content} of what `LiteRTGenerator` reads beside the network: `SETTINGS` and the vocabulary."""
    settings = {
        "tokenizer": describe_tokenizer(model.tokenizer),
        "start_id": model.start_id,
        "end_id": model.end_id,
        "pad_id": model.pad_id,
        "search": dataclasses.asdict(model.generation),
    }
    name = model.tokenizer.FILE_NAME
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        model.tokenizer.save(path)
        return {SETTINGS: json.dumps(settings, indent=2).encode(), name: path.read_bytes()}


class LiteRTGenerator:
    """A .tflite of a task model that writes text, with its tokenizer.

    Attributes:
        lengths: most tokens of a source of each pair of signatures, the longest first. A source is read by the shortest
            one that holds it.
        generation: the `GenerationConfig` of texts unless a call has other settings; its `max_length` is the most that
            the file's cache holds.

    Args:
        path: of the file.
        num_threads: of the interpreter; None leaves it to LiteRT.

    Raises:
        InputError: the file is of a model that writes no text.
    """

    def __init__(self, path: str | os.PathLike, num_threads: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        self.tokenizer, settings = _read_assets(path)
        self.generation = GenerationConfig(**settings["search"])
        self.start_id, self.end_id, self.pad_id = (settings[name] for name in ("start_id", "end_id", "pad_id"))
        self._encoders, self._decoders = {}, {}  # by length
        with quiet_stderr():
            interpreter = Interpreter(model_path=str(path), num_threads=num_threads)
            for name in interpreter.get_signature_list():
                if name.startswith(steps.ENCODE):
                    encode = interpreter.get_signature_runner(name)
                    decode = interpreter.get_signature_runner(name.replace(steps.ENCODE, steps.DECODE, 1))
                    length = int(encode.get_input_details()[INPUT_NAMES[features.INPUT_IDS]]["shape"][1])
                    self._encoders[length], self._decoders[length] = encode, decode
            self.lengths = sorted(self._encoders, reverse=True)
            for length in self.lengths:  # allocates the tensors, which prints to stderr
                self._step(length, self._any_source(length), self.start_id, 0, self._empty_cache(length))

    def generate(self, texts: Any, **settings: Any) -> list[str]:
        """A text for each of N source texts, as `TextGenerator.generate`; sources are cut to the longest of `lengths`.

        Args:
            texts: strings [N], or a tuple of two columns of them.
            settings: fields of `GenerationConfig` that replace the file's own. Texts are searched one at a time, so
                that draws with a `seed` are those of one text.

        Raises:
            ConfigError: a setting cannot be, or `max_length` is more than the file's cache holds.
            InputError: a text is no string, or is empty; names its row.
        """
        preprocessor = GenerationPreprocessor(
            SPEC, self.tokenizer, self.lengths[0], self.generation.max_length, self.start_id, self.end_id
        )
        rows = preprocessor.inference_inputs(preprocessor.encode_texts(texts, training=True))
        ids = self.write(rows, self._config(settings))
        return [text.decode() for text in decode_targets(self.tokenizer, ids, self.end_id).numpy().tolist()]

    def generate_tokens(self, input_ids: Any, input_mask: Any = None, **settings: Any) -> np.ndarray:
        """As `generate`, of token ids with their marks, int [N, S]; the mask is 1 for tokens that are no padding.

        Returns:
            int32 [N, T]: the start token, the text, the end token, and padding up to the longest text.
        """
        return self.write(token_inputs(input_ids, input_mask, self.pad_id), self._config(settings))

    def _config(self, settings: Mapping[str, Any]) -> GenerationConfig:
        config, most = self.generation.changed(settings), self.generation.max_length
        if config.max_length > most:
            raise ConfigError(
                f"Received: max_length={config.max_length}. The cache of {self.path} holds {most} tokens. "
                "Export a model with a larger max_target_length for longer texts."
            )
        graph_arguments(config)  # raises for a seed that cannot be
        return config

    def write(self, inputs: Mapping[str, Any], config: GenerationConfig) -> np.ndarray:
        """Token ids, int32 [N, T], for the encoder's inputs, int [N, S] each; a longer source raises `InputError`."""
        search = StepwiseSearch(config, self.start_id, self.end_id, self.pad_id)
        targets = []
        for i in range(len(inputs[features.INPUT_IDS])):
            length, source = self._encode(inputs, i)
            targets.append(search(functools.partial(self._step, length, source), self._empty_cache(length)))
        ids = np.full([len(targets), max(map(len, targets), default=0)], search.fill_id, "int32")
        for i, target in enumerate(targets):
            ids[i, : len(target)] = target
        return ids[:, : np.count_nonzero((ids != self.pad_id).any(0))]

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """{"logits": float32 [N, T, V]} of the token after each of `target_ids`, int [N, T], for the encoder's inputs.

        Raises:
            InputError: a logit is not finite.
        """
        rows = []
        for i, targets in enumerate(np.asarray(inputs[features.TARGET_IDS]).tolist()):
            length, source = self._encode(inputs, i)
            cache, row = self._empty_cache(length), []
            for index, token in enumerate(targets):
                logits, cache = self._step(length, source, token, index, cache)
                row.append(logits)
            rows.append(row)
        return check_finite({steps.LOGITS: np.array(rows)}, self.path)

    def latencies(self, length: int) -> dict[str, float]:
        """Milliseconds with sources of `length` tokens: "latency_ms" of the encoder, "step_ms" of a decoder's step."""
        row = {name: np.ones([1, length], "int32") for name in features.ENCODER_INPUTS}
        source, cache = self._any_source(length), self._empty_cache(length)
        return {
            "latency_ms": median_ms(lambda: self._encode(row, 0)),
            "step_ms": median_ms(lambda: self._step(length, source, self.start_id, 0, cache)),
        }

    # The signatures.

    def _encode(self, inputs: Mapping[str, Any], number: int) -> tuple[int, dict[str, np.ndarray]]:
        """The length of the signature for row `number` of the inputs, and what its steps read."""
        used = int(np.flatnonzero(np.asarray(inputs[features.INPUT_MASK][number])).max(initial=-1)) + 1
        if used > self.lengths[0]:
            raise InputError(f"Received: a source of {used} tokens. {self.path} reads at most {self.lengths[0]}.")
        length = min(length for length in self.lengths if length >= used)
        row = {}
        for name, theirs in INPUT_NAMES.items():
            padding = self.pad_id if name == features.INPUT_IDS else 0
            row[theirs] = np.full([1, length], padding, "int32")
            row[theirs][0, :used] = inputs[name][number, :used]
        return length, self._encoders[length](**row)

    def _step(
        self, length: int, source: Mapping[str, np.ndarray], token: int, index: int, cache: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits of the next token, float32 [V], and the grown cache."""
        new = {steps.TOKEN: np.array([[token]], "int32"), steps.INDEX: np.array([index], "int32")}
        outputs = self._decoders[length](**new, **source, **cache)
        return outputs.pop(steps.LOGITS)[0], outputs

    def _empty_cache(self, length: int) -> dict[str, np.ndarray]:
        return self._zeros(length, steps.TARGET)

    def _any_source(self, length: int) -> dict[str, np.ndarray]:
        return self._zeros(length, steps.SOURCE)

    def _zeros(self, length: int, side: str) -> dict[str, np.ndarray]:
        """Zeros for the inputs of `decode` whose names begin with `side`."""
        zeros = {}
        for name, detail in self._decoders[length].get_input_details().items():
            if name.startswith(f"{side}_"):
                zeros[name] = np.zeros(detail["shape"], detail["dtype"])
        return zeros


def _read_assets(path: str | os.PathLike) -> tuple[Any, dict[str, Any]]:
    """The tokenizer and the settings inside of a file."""
    if not pathlib.Path(path).is_file():
        raise InputError(f"No such file: {path}.")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            settings = json.loads(archive.read(SETTINGS))
            archive.extract(settings["tokenizer"]["file"], folder)
            return MissingTokenizer(settings["tokenizer"]).read(folder), settings
    except (zipfile.BadZipFile, KeyError):
        raise InputError(
            f"{path} has no {SETTINGS}: it is no .tflite of a model that writes text. bert-tf export writes one."
        ) from None
