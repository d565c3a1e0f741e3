"""A task's model: raw strings into `fit`, `evaluate` and `predict`, decoded answers out, and model folders."""

import inspect
import pathlib
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.pretrained import Pretrained, unique_name
from bert_tf.tasks.base.batching import select
from bert_tf.tasks.base.logit_losses import check_metrics, loss_of_logits
from bert_tf.tasks.base.microbatch import call_in_microbatches
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.raw_inputs import count
from bert_tf.tasks.base.raw_text_methods import RawTextMethods
from bert_tf.tasks.base.saved_tokenizer import MissingTokenizer, describe_tokenizer, find_tokenizer
from bert_tf.tasks.spec import TaskSpec
from bert_tf.weights import read_model


class Task(RawTextMethods, Pretrained, keras.Model):
    """An encoder with a head, between a preprocessor and a postprocessor.

    A subclass names its `SPEC` and adds `call` from the encoder's inputs to float32 logits, `default_loss`,
    `default_metrics` and `task_settings`; its constructor sets `preprocessor` (texts and targets to inputs) and
    `postprocessor` (logits to answers and metrics). Texts are a list or array of strings [N], or a tuple of columns.

    Args:
        tokenizer: a `Tokenizer`.
        max_length: most tokens of a row; None: `LENGTH`, or all positions of a smaller encoder.
        encoder: name of the encoder's family, which is made from `settings`; or the encoder of another task, which the
            two then share.
        settings: fields of the family's config.

    Raises:
        InputError: the encoder has fewer positions than `max_length`.
        ConfigError: the special tokens alone would fill a row.
    """

    SPEC: TaskSpec
    LOSSES: tuple[str, ...] | None = ("sparse_categorical_crossentropy",)  # by Keras's names; None: all of numbers
    SCORE: str | None = None  # key of `score`; the best model has the highest value
    SCORE_MAX = 1.0  # of the best answers
    LENGTH: int | None = 128  # default of `max_length`; None: all positions
    INPUTS: tuple[str, ...] = features.ENCODER_INPUTS  # names of the inputs of `call`
    LOGITS: Any = tf.float32  # dtype of the outputs of `call`, in their structure
    WRITES_TEXT = False  # whether answers are texts that the model writes token by token
    PER_TOKEN = False  # whether these outputs are [N, S, ...]
    reads_pooler = True  # whether the head learns through the pooler of the encoder
    _predict_variables: tuple[int, ...] = ()  # identities of the variables that the graph of inference was traced with
    cls_only = False  # whether the head reads the vector of [CLS] alone, pooled or not

    preprocessor: Preprocessor
    postprocessor: Postprocessor

    def __init__(
        self,
        tokenizer: Any,
        max_length: int | None,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        encoder: Any = "bert",
        **settings: Any,
    ):
        super().__init__(name=name or unique_name(self.TASK), dtype=dtype, trainable=trainable)
        self.encoder = self.make_encoder(encoder, settings)
        self.config = self.encoder.config
        self.tokenizer = tokenizer
        if max_length is None:
            max_length = min(self.LENGTH or self.config.max_positions, self.config.max_positions)
        if not isinstance(max_length, Integral):
            raise ConfigError(f"Received: max_length={max_length!r}. It must be a whole number of tokens.")
        self.max_length = int(max_length)
        if self.max_length > self.config.max_positions:
            raise InputError(
                f"Received: max_length={max_length}. This encoder has {self.config.max_positions} positions: give at "
                "most as many."
            )
        if self.max_length <= (added := tokenizer.num_added(self.num_segments)):
            raise ConfigError(
                f"Received: max_length={max_length}. The {added} special tokens alone would fill the rows."
            )
        self.reset_predict_graph()

    def reset_predict_graph(self) -> None:
        """Traces inference again on its next call; needed after a change of a setting that the graph depends on."""
        self._predict_graph = tf.function(self.predict_inputs, autograph=False)
        self._call_graph = tf.function(lambda inputs: self(inputs, training=False), autograph=False)

    def refresh_predict_graph(self) -> None:
        """As `reset_predict_graph`, if the model has other variables than at the last call."""
        variables = tuple(map(id, self.variables))
        if variables != self._predict_variables:  # adapters or quantized kernels, which the graph does not know
            self.reset_predict_graph()
            self._predict_variables = variables

    @property
    def TASK(self) -> str:
        """The task's name in config.json."""
        return self.SPEC.name

    @property
    def TEXTS(self) -> tuple[str, ...]:
        """Names of the texts of a request, in order."""
        return self.SPEC.texts

    @property
    def OPTIONAL_TEXTS(self) -> tuple[str, ...]:
        """Those of `TEXTS` that may be left out, or be ""."""
        return self.SPEC.optional_texts

    @property
    def num_segments(self) -> int:
        """Most texts of a row of tokens: `TEXTS` without files."""
        return len(self.TEXTS) - len(self.SPEC.files)

    @property
    def purpose(self) -> str:
        """The purpose of the model, in one line for users."""
        return self.SPEC.summary

    @classmethod
    def from_pretrained(cls, folder: Any, dtype: Any = None, **settings: Any) -> "Task":
        """Opens the model in `folder`, of any known format; `settings` of the task or encoder replace the saved ones.

        A head that the folder lacks, or has for other labels than those in `settings`, is initialized. A head whose
        task the folder does not name, as those of google-research/bert, is taken if its shapes fit.

        Raises:
            InputError: the folder has no vocabulary, or its files cannot be read.
        """
        return cls.from_checkpoint(read_model(folder), folder, dtype, **settings)

    @classmethod
    def from_checkpoint(cls, checkpoint: Any, source: Any, dtype: Any = None, **settings: Any) -> "Task":
        """As `from_pretrained`, from a `Checkpoint`; `source` names it in messages."""
        tokenizer = cls.tokenizer_of(checkpoint, source)
        saved = {}
        if checkpoint.task.get("name") == cls.SPEC.name:
            saved = cls.saved_settings(checkpoint.task, source)
        try:
            model = cls(tokenizer, dtype=dtype, **(cls.settings_of(checkpoint) | saved | settings))
        except ConfigError as error:
            outputs = checkpoint.weights.get(f"{cls.SPEC.head}/bias")
            takes_labels = "labels" in inspect.signature(cls.__init__).parameters
            if outputs is None or not takes_labels or saved.get("labels") or settings.get("labels"):
                raise
            raise InputError(
                f"{source} has a head of {len(outputs)} outputs and no names for them: give labels=[...], in the order "
                f"of its training. ({error})"
            ) from None
        model.assign(model.weights_taken_from(checkpoint, source, settings))
        return model

    @classmethod
    def tokenizer_of(cls, checkpoint: Any, source: Any) -> Any:
        """The tokenizer of a `Checkpoint`; `InputError` without one. `source` is named in messages."""
        if checkpoint.vocabulary is None:
            raise InputError(f"{source} has no vocabulary: a task model needs one to read text.")
        return FAMILIES[checkpoint.family].make_tokenizer(checkpoint.vocabulary, checkpoint.text)

    def weights_taken_from(self, checkpoint: Any, source: Any, settings: dict) -> dict[str, np.ndarray]:
        """The weights in a `Checkpoint` of this model: those of the encoder, and of a head like this model's.

        A head that is not like it is left out, which one logged line says, if it is of another task or if `settings`,
        which the caller gave, ask for another; else it raises `InputError`. `source` is named in messages.
        """
        task, head = checkpoint.task.get("name"), self.SPEC.head
        found = {name: array for name, array in checkpoint.weights.items() if head and name.startswith(f"{head}/")}
        if task is None:  # files of other projects do not name the task of a head: its shapes have to do
            taken = all(tuple(self.named_weights[name].shape) == array.shape for name, array in found.items())
        else:
            taken = self.has_head_of(checkpoint.task)
        if taken:
            return checkpoint.weights
        if found:
            outputs = len(found[f"{head}/bias"])
            line = f"{source} has a head {head} of {outputs} outputs for the task {task or 'that it does not name'}"
            if task in (None, self.TASK) and not settings:
                raise InputError(
                    f"{line}, which does not fit its own settings. Give the settings that it was trained with."
                )
            logging.warning("%s, which is not taken: this model's has other outputs.", line)
        return {name: array for name, array in checkpoint.weights.items() if name.startswith("encoder/")}

    def make_head(self, units: int, name: str) -> keras.layers.Layer:
        """A dense layer for logits; it computes in the dtype of its weights, because 16 bits are too few for logits."""
        return dense(units, self.config.initializer_range, dtype=self.dtype_policy.variable_dtype, name=name)

    def flat_rows(self, inputs: dict) -> dict:
        """The encoder's inputs [..., S], of one or several rows per example, as rows [N, S] for the encoder."""
        length = keras.ops.shape(inputs[features.INPUT_MASK])[-1]
        return {name: keras.ops.reshape(inputs[name], (-1, length)) for name in features.ENCODER_INPUTS}

    def leave_pooler(self) -> None:
        """Freezes the pooler, for a head that reads token vectors, if no gradient would reach it."""
        self.reads_pooler = self.encoder.has_token_head
        self.encoder.read_pooler(self.reads_pooler)

    def default_loss(self) -> Any:
        """The loss that `compile` takes by default."""
        raise NotImplementedError

    def default_metrics(self) -> Any:
        """The metrics that `compile` takes by default."""
        raise NotImplementedError

    def compile(self, optimizer: Any = None, loss: Any = None, metrics: Any = None, **kwargs: Any) -> None:
        """As Keras's; by default AdamW at 5e-5, the task's loss and metrics, and no XLA.

        A loss by name is that of logits. A name that does not fit the task, and losses of probabilities, raise
        `ConfigError`.
        """
        optimizer = optimizer or keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0)
        loss = loss_of_logits(loss, self.LOSSES) if loss else self.default_loss()
        if metrics is None:  # [] means no metrics
            metrics = self.default_metrics()
        if self.LOSSES is not None:  # else the outputs are numbers, no logits
            check_metrics((metrics, kwargs.get("weighted_metrics")))
        super().compile(optimizer, loss=loss, metrics=metrics, **kwargs)

    # Decoded answers: TensorFlow ops only.

    def serve(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decoded answers to string tensors [N], one for each of `TEXTS`."""
        return self.predict_in_graph(self.inference_inputs(texts))

    def inference_inputs(self, texts: tuple) -> dict[str, tf.Tensor]:
        """Encoded texts, string tensors [N], to the inputs for inference."""
        return self.preprocessor.inference_inputs(texts)

    def predict_inputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decoded answers {name: [N, ...]} from the inputs of N texts."""
        inputs = self.preprocessor.complete(inputs)
        return self.postprocess(self.forward_batched(inputs), inputs)

    def forward_batched(self, inputs: dict[str, tf.Tensor]) -> Any:
        """The outputs of `call` for any number of rows, in bounded memory."""
        inputs = {name: inputs[name] for name in self.INPUTS}
        if keras.backend.backend() != "tensorflow":
            arrays = {name: value.numpy() for name, value in inputs.items()}
            return tf.nest.map_structure(tf.constant, self.predict_on_batch(arrays))
        return call_in_microbatches(self.call_in_graph, inputs, dtypes=self.LOGITS, per_token=self.PER_TOKEN)

    def call_in_graph(self, inputs: dict[str, tf.Tensor]) -> Any:
        """The outputs of `call` at inference, by one graph for all batch sizes and lengths, inside of other graphs."""
        any_size = {name: tf.TensorSpec([None, None, *x.shape[2:]], x.dtype) for name, x in inputs.items()}
        return self._call_graph.get_concrete_function(any_size)(inputs)

    def outputs_to_teach(self, outputs: Any, inputs: dict[str, tf.Tensor]) -> Any:
        """The outputs of `call` for training examples as a student learns them, the same in training and inference."""
        del inputs
        return outputs

    def postprocess(self, outputs: Any, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decoded answers {name: [N, ...]} from the outputs of `call` for `inputs`."""
        return self.postprocessor(outputs, inputs)

    # Answers and metrics in Python.

    def predict_text(self, texts: Any, batch_size: int = 32) -> list[dict]:
        """Decoded answers to N texts: one dict per text, ready to be written as JSON.

        Raises:
            InputError: a text is not a string, or the number of columns is wrong; names the row.
        """
        return self.predict_prepared(self.preprocessor.prepare_inference(texts), batch_size)

    def predict_prepared(self, prepared: Any, batch_size: int = 32, **how: Any) -> list[dict]:
        """As `predict_text`, for texts that `preprocessor.prepare_inference` tokenized.

        `how` are further arguments of `predict_inputs`, of a task that has such: one graph is made for each choice.
        """
        answers: list[Any] = [None] * len(prepared)
        for numbers, batch in self._predict_batches(prepared, batch_size, **how):
            for place, number in enumerate(numbers):
                answers[number] = self.to_python({name: value[place] for name, value in batch.items()})
        if prepared.texts is None:
            return answers
        return self.postprocessor.quote(answers, prepared.texts)

    def _predict_batches(
        self, prepared: PreparedExamples, batch_size: int, **how: Any
    ) -> Iterator[tuple[np.ndarray, dict]]:
        """Streams batches: numbers of examples, int [B], and their decoded answers {name: array [B, ...]}."""
        self.refresh_predict_graph()
        for numbers in prepared.batches_by_length(batch_size):
            inputs = prepared.batch(numbers)
            yield numbers, {name: value.numpy() for name, value in self.predict_in_graph(inputs, **how).items()}

    def predict_in_graph(self, inputs: dict[str, tf.Tensor], **how: Any) -> dict[str, tf.Tensor]:
        """As `predict_inputs`, by one graph for all batch sizes and lengths, also inside of other graphs.

        The signatures of a SavedModel share it: it is traced once, and its file has it once.
        """
        if keras.backend.backend() != "tensorflow":  # the model is no part of a graph of TensorFlow
            return self.predict_inputs(inputs, **how)
        any_size = {name: tf.TensorSpec([None] * x.shape.rank, x.dtype) for name, x in inputs.items()}
        return self._predict_graph.get_concrete_function(any_size, **how)(inputs, **how)

    def to_python(self, answer: dict[str, Any]) -> dict:
        """One decoded answer, {name: numpy value}, as Python strings, numbers and lists of them."""
        return self.postprocessor.to_python(answer)

    def score(self, texts: Any, targets: Any, batch_size: int = 64) -> dict[str, float]:
        """The task's metrics of the decoded answers to N texts; a bad target raises `InputError` with its row."""
        prepared = self.preprocessor.prepare_inference(texts)
        given = len(prepared) if targets is None else count(targets)
        if not len(prepared) or given != len(prepared):
            raise InputError(f"Received {len(prepared)} texts and {given} targets. Give one for each text.")
        return self.score_prepared(prepared, targets, batch_size)

    def score_prepared(self, prepared: Any, targets: Any, batch_size: int = 64) -> dict[str, float]:
        """As `score`, for texts that `preprocessor.prepare_inference` tokenized."""
        return self.postprocessor.compute_metrics(self.predict_prepared(prepared, batch_size), targets)

    # Signatures of a SavedModel.

    def text_specs(self) -> dict[str, tf.TensorSpec]:
        """{name: spec} of the texts of a request, in the order of `TEXTS`: string [N], or [N, T] for lists of texts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in self.TEXTS}

    def token_specs(self) -> dict[str, tf.TensorSpec]:
        """{name: spec} of the inputs of a request made of tokens: int32 [N, S] each."""
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in features.ENCODER_INPUTS}

    def example_files(self) -> dict[str, bytes]:
        """{name: contents} of a file that people may try, for each of the files among `TEXTS`."""
        return {}

    def example_outputs(self, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decoded answers in the form that TF Serving's Classify and Regress read, where the task is one of these two.

        Classify reads "classes", string [N, C], and "scores", float [N, C]; Regress reads "outputs", float [N, 1].
        """
        return answers

    # Keras's files and copies.

    def example_inputs(self) -> dict[str, keras.KerasTensor]:
        """As `Pretrained.example_inputs`, for all of `INPUTS`."""
        rows = self.token_specs()[features.INPUT_IDS].shape
        shapes = {name: tuple(rows) if name in features.ENCODER_INPUTS else (None, None) for name in self.INPUTS}
        return {name: keras.KerasTensor(shape, "int32", name=name) for name, shape in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        """As `Pretrained.get_config`, with the task's settings; the vocabulary is an asset (`save_assets`)."""
        settings = self.task_settings()
        del settings["name"]  # of the task; that of the model is another one
        for name in self.head_settings:
            settings[name] = getattr(self, name)
        return super().get_config() | settings | {"tokenizer": describe_tokenizer(self.tokenizer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """As `Pretrained.from_config`; in another process texts cannot be read before `load_assets`."""
        if isinstance(config["tokenizer"], dict):
            config = config | {"tokenizer": find_tokenizer(config["tokenizer"])}
        return super().from_config(config)

    def save_assets(self, folder: str) -> None:
        """Writes the vocabulary file; called by `keras.Model.save`."""
        self.tokenizer.save(pathlib.Path(folder) / self.tokenizer.FILE_NAME)

    def load_assets(self, folder: str) -> None:
        """Reads the vocabulary file into a model that `from_config` made; called by `keras.saving.load_model`."""
        if not isinstance(self.tokenizer, MissingTokenizer):
            return
        config = self.get_config() | {"tokenizer": self.tokenizer.read(folder), "encoder": self.encoder}
        config.pop("layers", None)
        reads_pooler = self.encoder.reads_pooler
        twin = self.from_config(config)  # its constructor makes what depends on the vocabulary
        self.encoder.read_pooler(reads_pooler)
        self.tokenizer, self.preprocessor, self.postprocessor = twin.tokenizer, twin.preprocessor, twin.postprocessor
        self.reset_predict_graph()

    # Folders.

    def save_pretrained(self, folder: Any, overwrite: bool = False) -> None:
        """Writes the model folder: config.json, vocabulary and model.weights.h5."""
        super().save_pretrained(folder, self.tokenizer, task=self.task_settings(), overwrite=overwrite)

    def task_settings(self) -> dict:
        """The settings that `from_pretrained` needs in addition to the encoder's, as config.json keeps them."""
        return {"name": self.TASK, "max_length": self.max_length}

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """Arguments of the constructor from the saved `task` settings; unusable ones raise `InputError`."""
        del source  # named in messages of subclasses
        return select(task, ("max_length",))

    def has_head_of(self, task: dict) -> bool:
        """Whether the saved `task` settings describe a head like this model's, so that its weights fit."""
        return task.get("name") == self.TASK
