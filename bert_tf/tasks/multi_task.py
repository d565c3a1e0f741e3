"""Several tasks at once: one encoder that all of them train, a head for each (Liu et al. 2019)."""

import numbers
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.settings import shortened
from bert_tf.modeling.train_step import DistributedSteps
from bert_tf.tasks.base.batching import with_static_rows
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.raw_inputs import is_text


@keras.saving.register_keras_serializable("bert_tf")
class MultiTask(DistributedSteps, keras.Model):
    """Tasks that share an encoder, trained in one `fit`: {name: inputs} to {name: logits}.

    Every batch has examples of all tasks, in shares p ~ size^(1 / temperature), and each task's loss is weighted by its
    share. The gradient is the one that sampling tasks with probability p gives on average. Two tasks share an encoder
    when the second is made with that of the first: `first = TextClassifier.from_pretrained(folder, labels=...)` and
    `second = TextTagger(first.tokenizer, labels=..., encoder=first.encoder)`.

    Args:
        tasks: {name: task model}, all with the same encoder.
        sizes: {name: number of training examples}.
        temperature: 1 gives shares in proportion to the sizes; higher values make the shares more equal.

    Raises:
        ConfigError: the encoders differ, or a task has no size or one below 1, or the temperature is not above 0.
    """

    SCORE = "mean"

    def __init__(
        self, tasks: dict[str, Any], sizes: Mapping[str, int], temperature: float = 1.0, name: str = "multi_task"
    ):
        super().__init__(name=name)
        if len({id(task.encoder) for task in tasks.values()}) != 1:
            raise ConfigError("The tasks must share one encoder: give that of the first to the others as `encoder`.")
        if tasks.keys() != sizes.keys() or min(sizes.values()) < 1 or not temperature > 0:
            raise ConfigError(
                f"Received: sizes={sizes}, temperature={temperature}. Each task needs at least one example, "
                "and the temperature must be above 0."
            )
        self.tasks = tasks
        self.sizes, self.temperature = dict(sizes), temperature
        weights = np.array([sizes[name] for name in tasks], float) ** (1 / temperature)
        self.shares = dict(zip(tasks, (weights / weights.sum()).tolist(), strict=True))
        self.rows = sum(sizes.values())
        self.encoder = next(iter(tasks.values())).encoder
        self.config = self.encoder.config
        self.encoder.read_pooler(any(task.reads_pooler for task in tasks.values()))
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        tasks = {name: keras.saving.serialize_keras_object(task) for name, task in self.tasks.items()}
        return {"name": self.name, "tasks": tasks, "sizes": dict(self.sizes), "temperature": self.temperature}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiTask":
        """The model that `get_config` describes, with new weights; the tasks share the encoder of the first."""
        tasks: dict[str, Any] = {}
        for name, saved in config["tasks"].items():
            for first in list(tasks.values())[:1]:
                saved = saved | {"config": saved["config"] | {"encoder": first.encoder}}
            tasks[name] = keras.saving.deserialize_keras_object(saved)
        return cls(**(config | {"tasks": tasks}))

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """As `DistributedSteps.compile_from_config`; losses and their weights are those of the tasks."""
        super().compile_from_config({name: config[name] for name in config if not name.startswith("loss")})

    def call(self, inputs: dict, training: bool | None = None) -> dict:
        """{name: inputs of a task} to {name: what its `call` returns}."""
        outputs = {}
        for name, task in self.tasks.items():
            outputs[name] = task(inputs[name], training=training)
        return outputs

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """As Keras's; by default AdamW at 5e-5. Losses are the tasks' own, weighted by their shares."""
        losses, weights = {}, {}
        for name, task in self.tasks.items():
            losses[name] = task.default_loss()
            # A task with several losses has a dict of them; each gets the task's share.
            weights[name] = keras.tree.map_structure(lambda _, name=name: self.shares[name], losses[name])
        super().compile(
            optimizer or keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0),
            loss=losses,
            loss_weights=weights,
            **kwargs,
        )

    def dataset(
        self,
        data: dict[str, Any],
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        start: int = 0,
        shard: tuple[int, int] = (0, 1),
        drop_remainder: bool = False,
        repeat: int | None = 1,
    ) -> tf.data.Dataset:
        """Batches ({name: inputs}, {name: targets}, {name: weights}) of all tasks; arguments as for `Task.dataset`.

        An epoch has as many batches as all examples fill together. It repeats small tasks and leaves out part of large
        ones, according to their shares.

        Args:
            data: {name: (texts, targets)}, {name: (texts, targets, sample weights)} or {name: what
                `preprocessor.prepare` of the task gave}, for all tasks.
            drop_remainder: whether all batches of a task have the same, static number of rows.

        Raises:
            InputError: a task has no data, or data of another form; or as for `Task.dataset`.
        """
        prepared = self.prepare(data)
        how = {"shuffle": shuffle, "seed": seed, "start": start, "shard": shard, "drop_remainder": drop_remainder}
        parts = {}
        for (name, task), rows in zip(self.tasks.items(), self.rows_of(batch_size), strict=True):
            part = task.dataset(prepared[name], batch_size=rows, repeat=None, **how).map(_with_weight)
            if drop_remainder:
                part = with_static_rows(part, rows)
            parts[name] = part
        batches = tf.data.Dataset.zip(parts).map(_by_kind)
        if repeat is None:
            return batches
        steps = self.steps_of(batch_size * shard[1])
        return batches.take(max(0, repeat * steps - start))

    def prepare(self, data: dict[str, Any]) -> dict[str, PreparedExamples]:
        """{name: tokenized examples} of the data of all tasks; arguments and errors as for `dataset`."""
        if not isinstance(data, dict) or data.keys() != self.tasks.keys():
            names = list(data) if isinstance(data, dict) else data
            raise InputError(f"Received data for {shortened(names)}. {self._form()}")
        prepared = {}
        for name, task in self.tasks.items():
            examples = data[name]
            if not isinstance(examples, PreparedExamples):
                if not isinstance(examples, tuple | list) or len(examples) not in (2, 3):
                    raise InputError(f"Received for {name!r}: {shortened(examples)}. {self._form()}")
                examples = task.preprocessor.prepare(*examples)
            prepared[name] = examples
        return prepared

    def _form(self) -> str:
        return f"Give {{{', '.join(f'{name!r}: (texts, targets)' for name in self.tasks)}}}."

    def _each_once(self, data: Any, batch_size: int) -> Any:
        """`data` of raw texts as batches that have every example of every task once; other data unchanged.

        All batches have examples of all tasks, about `batch_size` together.
        """
        if not self._is_raw(data):
            return data
        prepared = self.prepare(data)
        sizes = list(map(len, prepared.values()))
        steps = min(*sizes, -(-sum(sizes) // batch_size))
        parts = {}
        for name, examples in prepared.items():
            ends = np.linspace(0, len(examples), steps + 1).astype(int)
            rows = tf.RaggedTensor.from_row_splits(np.arange(len(examples)), ends)
            parts[name] = tf.data.Dataset.from_tensor_slices(rows).map(examples.batch).map(_with_weight)
        return tf.data.Dataset.zip(parts).map(_by_kind)

    def _is_raw(self, data: Any) -> bool:
        """Whether `data` is for `dataset`, and not for Keras."""
        if not isinstance(data, dict):
            return is_text(data)
        return not all(isinstance(value, dict) for value in data.values())  # those are inputs of `call`

    def rows_of(self, batch_size: int) -> list[int]:
        """How many examples of a batch each task gets, in the order of the tasks: at least one, else by its share.

        Raises:
            ConfigError: the batch has fewer examples than there are tasks.
        """
        if batch_size < len(self.shares):
            raise ConfigError(
                f"Received: batch_size={batch_size}. Each of {len(self.shares)} tasks needs an example in every batch."
            )
        wanted = np.array(list(self.shares.values())) * batch_size
        rows = np.maximum(1, wanted.astype(int))
        # Rounding down leaves examples over, the minimum of one may take too many: give or take one at a time, where
        # the number is furthest from the share.
        while rows.sum() < batch_size:
            rows[np.argmax(wanted - rows)] += 1
        while rows.sum() > batch_size:
            rows[np.argmax(np.where(rows > 1, rows - wanted, -np.inf))] -= 1
        return rows.tolist()

    def steps_of(self, batch_size: int) -> int:
        """Number of batches in an epoch."""
        return -(-self.rows // batch_size)

    def fit(
        self,
        data: Any,
        batch_size: int = 32,
        epochs: int = 1,
        *,
        shuffle: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Keras's `fit`; data, and `validation_data`, may be as for `dataset`. `seed` as for `Task.fit`."""
        if not isinstance(batch_size, numbers.Integral):
            raise InputError(f"Received targets apart from the texts: {shortened(batch_size)}. {self._form()}")
        for name in ("validation_split", "class_weight", "sample_weight"):
            if kwargs.get(name) is not None and kwargs[name] != 0:
                raise ConfigError(
                    f"Received: {name} for several tasks. Give weights of examples in the data of a task, {{name: "
                    "(texts, targets, weights)}, and validation_data of the same form."
                )
        validation_size = kwargs.pop("validation_batch_size", None) or batch_size
        kwargs["validation_data"] = self._each_once(kwargs.get("validation_data"), validation_size)
        if not self._is_raw(data):
            return super().fit(data, epochs=epochs, **kwargs)
        if seed is None:
            seed = int(np.random.randint(2**31))
        steps = kwargs.setdefault("steps_per_epoch", self.steps_of(batch_size))
        start = kwargs.get("initial_epoch", 0) * steps
        data = self.dataset(data, batch_size, shuffle, seed, start, repeat=None)
        return super().fit(data, epochs=epochs, shuffle=False, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = 32, **kwargs: Any) -> Any:
        """Keras's `evaluate`; x may be {name: (texts, targets)}, every example of which counts once."""
        if not self._is_raw(x):
            return super().evaluate(x, y, batch_size, **kwargs)
        return super().evaluate(self._each_once(x, batch_size or 32), **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras's `predict`; of {name: texts}, the logits of each task for its own texts."""
        if not self._is_raw(x):
            return super().predict(x, *args, **kwargs)
        if not isinstance(x, dict) or not x.keys() <= self.tasks.keys():
            raise InputError(f"Received: {shortened(x)}. Give {{name: texts}} for {', '.join(self.tasks)}.")
        return {name: self.tasks[name].predict(texts, *args, **kwargs) for name, texts in x.items()}

    def score(self, data: dict[str, tuple], batch_size: int = 64) -> dict[str, float]:
        """{"name/metric": float} of {name: (texts, targets)}, and "mean": the mean of the tasks' main metrics."""
        scores = {}
        for name, examples in data.items():
            scores[name] = self.tasks[name].score(*examples, batch_size=batch_size)
        return self.combine_scores(scores)

    def combine_scores(self, scores: dict[str, dict[str, float]]) -> dict[str, float]:
        """{name: metrics of a task} as {"name/metric": float} and "mean": the mean of the tasks' main metrics."""
        combined: dict[str, float] = {}
        main = []
        for name, own in scores.items():
            combined |= {f"{name}/{metric}": value for metric, value in own.items()}
            main.append(own[self.tasks[name].SCORE])
        return combined | {"mean": float(np.mean(main))}

    def save_pretrained(self, folder: Any, overwrite: bool = False) -> None:
        """Writes each task to folder/name; `bert_tf.load` opens each of these folders alone."""
        for name, task in self.tasks.items():
            task.save_pretrained(pathlib.Path(folder) / name, overwrite=overwrite)


@tf.autograph.experimental.do_not_convert
def _with_weight(x: Any, y: Any, weight: Any = None) -> tuple:
    """(x, y, weight), so that the batches of all tasks have one structure; without weights every example counts 1."""
    if weight is None:
        weight = tf.nest.map_structure(lambda targets: tf.ones(tf.shape(targets)[:1]), y)
    return x, y, weight


@tf.autograph.experimental.do_not_convert
def _by_kind(batch: dict[str, tuple]) -> tuple[dict, dict, dict]:
    """{name: (x, y, weight)} to ({name: x}, {name: y}, {name: weight})."""
    inputs, targets, weights = {}, {}, {}
    for name, (x, y, weight) in batch.items():
        inputs[name], targets[name], weights[name] = x, y, weight
    return inputs, targets, weights
