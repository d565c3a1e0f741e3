"""Training steps for tf.distribute: losses averaged over the global batch, gradient accumulation, several workers.

Together with ops/xla.py the only place in this folder that knows TensorFlow; on other backends Keras's own steps run.
"""

import contextlib
import functools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
from keras import ops, tree

from bert_tf.core.errors import ConfigError

# B batch of a replica


@keras.saving.register_keras_serializable("bert_tf")
class GlobalMean(keras.losses.Loss):
    """The mean of another loss, weighted by the sample weights.

    Called by itself it is the mean of the batch it is given. A model with `DistributedSteps` makes it the mean over
    the global batch, that of all replicas together.
    """

    def __init__(self, loss: keras.losses.Loss, name: str | None = None):
        super().__init__(name=name or loss.name, reduction="mean_with_sample_weight", dtype=loss.dtype)
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The other loss's values, before any mean."""
        return self.loss.call(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"name": self.name, "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GlobalMean":
        """The loss that `get_config` describes."""
        return cls(keras.saving.deserialize_keras_object(config["loss"]), config["name"])


@contextlib.contextmanager
def _as_sums(losses: Iterable[GlobalMean]) -> Iterator[None]:
    """A context in which the losses are sums: a step divides the weights by their global sum instead."""
    for loss in losses:
        loss.reduction = "sum"
    try:
        yield
    finally:
        for loss in losses:
            loss.reduction = "mean_with_sample_weight"


class GradientRule:
    """How a step finds the gradients from a part of its batch: those of the loss; subclasses find other ones.

    A model has it as its `gradient_rule`.
    """

    static_rows = True  # whether batches that are cut into parts must have a static number of rows
    metrics: Sequence[keras.metrics.Metric] = ()  # its own, which its `gradients` updates

    def gradients(self, model: Any, x: Any, y: Any, sample_weight: Any, shares: Any) -> dict[int, Any]:
        """Gradients as {index of the trainable weight: dense gradient}; updates the metrics.

        Their mean over the parts is the gradient of the batch. `shares` are as for `DistributedSteps.loss_of_shares`.
        """
        import tensorflow as tf

        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = model.loss_of_shares(x, y, y_pred, shares)
            scaled = model.optimizer.scale_loss(loss)
        model.track_part(loss, x, y, y_pred, sample_weight)
        return by_index(tape.gradient(scaled, model.trainable_weights))

    def finish(self, model: Any, gradients: dict[int, Any]) -> dict[int, Any]:
        """The gradients of a step from the means over all parts of its batch."""
        del model
        return gradients


def by_index(gradients: Iterable[Any]) -> dict[int, Any]:
    """Gradients of a model's weights as {index of the weight: dense gradient}, without those that are None."""
    import tensorflow as tf

    found = {}
    for i, gradient in enumerate(gradients):
        if gradient is not None:
            found[i] = tf.convert_to_tensor(gradient)  # that of an embedding is sparse
    return found


class DistributedSteps:
    """Mixed into a `keras.Model`: a batch gives the same step, however replicas and accumulation split it.

    `GlobalMean` losses are averaged over the real targets of the global batch. With
    `compile(accumulation_steps=K)` a batch goes through the model in K parts, whose gradients are summed and applied
    once; memory holds one part and the sum. Clipping has to come after the sum over replicas, as in
    `bert_tf.training.optimizers.layerwise.LayerwiseOptimizer`; Keras's optimizers clip each replica's gradients.
    """

    accumulation_steps = 1
    gradient_rule: GradientRule | None = None  # None: that of the class

    def compile(self, *args: Any, accumulation_steps: int = 1, jit_compile: bool = False, **kwargs: Any) -> None:
        """As Keras's, with `accumulation_steps`; XLA is off by default, because it makes bfloat16 slow on CPUs."""
        if not isinstance(accumulation_steps, int) or accumulation_steps < 1:
            raise ConfigError(f"Received: accumulation_steps={accumulation_steps!r}. It is a whole number, at least 1.")
        self.accumulation_steps = accumulation_steps
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """As Keras's, with `accumulation_steps`."""
        config = super().get_compile_config()
        if config:
            config["accumulation_steps"] = self.accumulation_steps
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model with the arguments that `get_compile_config` returned, and makes the optimizer's state."""
        # Keras's does not call a `compile` that a subclass overrides.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """As Keras's, a float32 scalar; `GlobalMean` losses are this replica's share of the mean."""
        return self.loss_of_shares(x, y, y_pred, self._normalized_weights(y, sample_weight), training)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """As Keras's, with those of the `gradient_rule`."""
        if self.gradient_rule is None:
            return super().metrics
        return [*super().metrics, *self.gradient_rule.metrics]

    def default_weights(self, targets: Any) -> Any:
        """The weights of targets in a batch that has none: 1 for each row, [B]."""
        return ops.ones(ops.shape(targets)[:1])

    def loss_of_shares(self, x: Any, y: Any, y_pred: Any, shares: Any, training: bool = True) -> Any:
        """The loss, a float32 scalar, for the share that each target has in the loss of the global batch."""
        with _as_sums(self._global_means()):
            return super().compute_loss(x, y, y_pred, shares, training)

    def _global_means(self):
        """The losses, if all of them are `GlobalMean`; else none."""
        losses = tree.flatten(self.loss)
        return losses if all(isinstance(loss, GlobalMean) for loss in losses) else []

    def _normalized_weights(self, y, sample_weight, parts=1):
        """Each target's share in the loss of the global batch, if all losses are `GlobalMean`."""
        if not self._global_means():
            return sample_weight
        if sample_weight is None:
            sample_weight = tree.map_structure(self.default_weights, y)

        def normalize(weight):
            weight = ops.cast(weight, "float32")
            return weight * (parts / ops.maximum(_global_sum(ops.sum(weight)), 1e-9))

        return tree.map_structure(normalize, sample_weight)

    if keras.backend.backend() == "tensorflow":

        def train_step(self, data: Any) -> dict[str, Any]:
            """One update from the batch `data` of each replica; returns the metrics so far."""
            if self.accumulation_steps > 1 or self.gradient_rule:
                logs = self._accumulated_step(*keras.utils.unpack_x_y_sample_weight(data))
            elif self._shares_losses():
                logs = self._shared_train_step(*keras.utils.unpack_x_y_sample_weight(data))
            else:
                logs = super().train_step(data)
            return self._for_reduction(logs)

        def test_step(self, data: Any) -> dict[str, Any]:
            """The metrics so far, with the batch `data` of each replica."""
            if self._shares_losses():
                return self._for_reduction(self._shared_test_step(*keras.utils.unpack_x_y_sample_weight(data)))
            return self._for_reduction(super().test_step(data))

        def _shares_losses(self):
            """Whether the loss of a batch is the sum of what several replicas compute."""
            return self.distribute_strategy.num_replicas_in_sync > 1 and bool(self._global_means())

        def _shared_train_step(self, x, y, sample_weight):
            """Keras's `train_step`, but for the metric "loss"."""
            import tensorflow as tf

            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                share = self.compute_loss(x, y, y_pred, sample_weight, training=True)
                scaled = self.optimizer.scale_loss(share)
            self._track_share(share, x)
            gradients = tape.gradient(scaled, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            return self.compute_metrics(x, y, y_pred, sample_weight)

        def _shared_test_step(self, x, y, sample_weight):
            """Keras's `test_step`, but for the metric "loss"."""
            y_pred = self(x, training=False)
            self._track_share(self.compute_loss(x, y, y_pred, sample_weight, training=False), x)
            return self.compute_metrics(x, y, y_pred, sample_weight)

        def _track_share(self, share, x):
            """Updates the metric "loss", a mean over rows, by this replica's share of the loss of the global batch.

            Keras weights it by the replica's rows, which is wrong where replicas have different numbers of them.
            """
            replicas = self.distribute_strategy.num_replicas_in_sync
            rows = ops.cast(ops.shape(next(value for value in tree.flatten(x) if value is not None))[0], "float32")
            metric = next(metric for metric in self.metrics if metric.name == "loss")
            metric.update_state(share * replicas, sample_weight=_global_sum(rows) / replicas)

        def make_train_function(self, force: bool = False) -> None:
            """As Keras's; a step that is one graph is called without looking the graph up (`_CachedGraphStep`)."""
            made = self.train_function is None or force
            super().make_train_function(force)
            if made and self._is_single_graph():
                self.train_function = _CachedGraphStep(self, self.train_function)

        def _is_single_graph(self):
            """Whether a step is one call of one graph on one device."""
            import tensorflow as tf

            replicas = self.distribute_strategy.num_replicas_in_sync
            eager = self.run_eagerly or tf.config.functions_run_eagerly()
            return replicas == self.steps_per_execution == 1 and not (eager or self.jit_compile)

        def _accumulated_step(self, x, y, sample_weight):
            """`train_step` in parts, by one graph that is called for each: copies of it would take more memory.

            A loop inside the graph is not possible, because a replica cannot update variables in it.
            """
            import tensorflow as tf

            parts, rule = self.accumulation_steps, self.gradient_rule or GradientRule()
            data = (x, y, sample_weight, self._normalized_weights(y, sample_weight, parts))
            gradients_of = tf.function(
                lambda *part: rule.gradients(self, *part),
                autograph=False,
                experimental_attributes={"_noinline": True},
            )
            totals = {}
            for part in range(parts):
                # Each part waits for the sum so far; otherwise TensorFlow keeps the gradients of all parts in memory.
                with tf.control_dependencies(list(totals.values())):
                    cut = functools.partial(_slice_part, part=part, parts=parts, static=rule.static_rows)
                    gradients = gradients_of(*tree.map_structure(cut, data))
                if totals:
                    gradients = {i: totals[i] + gradient for i, gradient in gradients.items()}
                totals = gradients
            means = rule.finish(self, {i: total / parts for i, total in totals.items()})
            self.optimizer.apply(list(means.values()), [self.trainable_weights[i] for i in means])
            return self.get_metrics_result()

        def track_part(self, loss: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
            """Updates the metrics by one part of a batch; `loss` is its share of the mean over the batch."""
            import tensorflow as tf

            # Keras takes the mean of this metric over replicas, and `loss` is a share of the global mean.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            next(metric for metric in self.metrics if metric.name == "loss").update_state(loss * replicas)
            self.compute_metrics(x, y, y_pred, sample_weight)

        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            # Keras 3.15 averages the batches of all replicas to learn their shapes, which fails with several workers,
            # and where the replicas get different numbers of rows.
            if iterator is not None and self.distribute_strategy.num_replicas_in_sync > 1:
                _, _, batches = next(iter(iterator))
                local = self.distribute_strategy.experimental_local_results
                data_batch = tree.map_structure(lambda values: local(values)[0], next(batches))
                iterator = None
            super()._maybe_symbolic_build(iterator, data_batch)

        def _for_reduction(self, logs):
            """Adds an axis to metrics under several workers: Keras 3.15 averages over axis 0 there."""
            if not self._has_several_workers():
                return logs
            return {name: value[None] for name, value in logs.items()}

        def _has_several_workers(self):
            import tensorflow as tf

            strategy = self.distribute_strategy
            if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
                return False
            resolver = strategy.cluster_resolver
            return resolver is not None and len(resolver.cluster_spec().as_dict()) > 0


class _CachedGraphStep:
    """Keras's train function, which looks up the graph of a step once per `fit`.

    `tf.function` does so in every step, by all the variables of the model: a tenth of the time of a small step.
    """

    def __init__(self, model, function):
        import tensorflow as tf

        self.model = model
        self.step = tf.function(lambda batches: model.train_step(next(batches)), autograph=False)
        self.function = function
        self.batches, self.graph = (lambda: None), None  # as a weak reference whose object is gone

    def __call__(self, batches):
        import tensorflow as tf

        if not isinstance(batches, tf.data.Iterator):  # a batch of `train_on_batch`
            return self.function(batches)
        if batches is not self.batches():
            # Creates the optimizer's and the metrics' variables now: a graph that creates variables is traced twice.
            self.model._symbolic_build(data_batch=batches.element_spec)
            self.batches, self.graph = weakref.ref(batches), self.step.get_concrete_function(batches)
        return self.graph(batches)


def _slice_part(rows, part, parts, static=True):
    """Part number `part` of a batch that is cut into `parts` equal ones; `ConfigError` if it cannot be.

    With `static` the number of rows must be known when the graph is made; else its data promise a multiple of `parts`.
    """
    if rows is None or parts == 1:
        return rows
    if not static:
        size = ops.shape(rows)[0] // parts
        return rows[part * size : (part + 1) * size]
    size, rest = divmod(rows.shape[0] or 0, parts)
    if rest or not size:
        raise ConfigError(
            f"Received: batches of {rows.shape[0]} examples per replica, accumulation_steps={parts}. "
            "All batches must have the same size, a multiple of accumulation_steps."
        )
    return rows[part * size : (part + 1) * size]


def _global_sum(value):
    """The sum of a tensor over all replicas; outside of `strategy.run` the tensor itself."""
    if not (replica := _replica_context()):
        return value
    import tensorflow as tf

    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def replica_seed(seed: Any) -> Any:
    """Derives this replica's seed (uint32 [2]) from the shared seed; replica 0 keeps it unchanged."""
    if not (replica := _replica_context()):
        return seed
    return seed + ops.cast(ops.stack([replica.replica_id_in_sync_group, 0]), seed.dtype)


def _replica_context():
    """TensorFlow's replica context under a strategy with several replicas, else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
