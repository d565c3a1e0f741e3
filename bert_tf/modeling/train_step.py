"""What Keras's `fit` on TensorFlow lacks under tf.distribute: means over the global batch, and several workers.

With ops/xla.py the one place in this folder that knows TensorFlow; on other backends Keras's own steps run.
"""

import weakref

import keras
from keras import ops, tree

from bert_tf.core.errors import ConfigError

# B rows of a replica's batch


def global_mean(loss):
    """Marks a Keras loss: it is summed, and divided by its weights in the batch of all replicas together."""
    loss.reduction = "sum"
    loss.global_mean = True
    return loss


class DistributedSteps:
    """Mixed into a `keras.Model`: the same step from the same rows, however replicas and accumulation cut them up.

    Losses marked by `global_mean` are averaged over the real targets of the global batch. With
    `compile(accumulation_steps=K)` a batch goes through the model in K parts whose gradients are applied at once: what
    one part takes is in memory, and the sum of the gradients. They are to be clipped after those of all replicas are
    added up, as the optimizers of bert_tf.training do; Keras's own clip each replica's.
    """

    accumulation_steps = 1

    def compile(self, *args, accumulation_steps=1, jit_compile=False, **kwargs):
        """As Keras's, but for `accumulation_steps`; XLA is off unless asked for: it makes bfloat16 slow on CPUs."""
        self.accumulation_steps = accumulation_steps
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred, self._shares(y, sample_weight), training)

    def _shares(self, y, sample_weight, parts=1):
        """How much each target counts in the loss of the global batch, where the losses are marked for it."""
        if not all(getattr(loss, "global_mean", False) for loss in tree.flatten(self.loss)):
            return sample_weight
        if sample_weight is None:
            sample_weight = tree.map_structure(lambda targets: ops.ones(ops.shape(targets)[:1]), y)

        def share(weight):
            weight = ops.cast(weight, "float32")
            return weight * (parts / ops.maximum(_global_sum(ops.sum(weight)), 1e-9))

        return tree.map_structure(share, sample_weight)

    if keras.backend.backend() == "tensorflow":

        def train_step(self, data):
            """One update from the B rows of `data` on each replica; returns the metrics so far."""
            if self.accumulation_steps == 1:
                return self._for_reduction(super().train_step(data))
            return self._for_reduction(self._accumulated_step(*keras.utils.unpack_x_y_sample_weight(data)))

        def test_step(self, data):
            return self._for_reduction(super().test_step(data))

        def make_train_function(self, force=False):
            made = self.train_function is None or force
            super().make_train_function(force)
            if made and self._has_plain_steps():
                self.train_function = _PlainSteps(self.train_step, self.train_function)

        def _has_plain_steps(self):
            """Whether a step is one call of a graph on one device."""
            import tensorflow as tf

            replicas = self.distribute_strategy.num_replicas_in_sync
            eager = self.run_eagerly or tf.config.functions_run_eagerly()
            return replicas == self.steps_per_execution == 1 and not (eager or self.jit_compile)

        def _accumulated_step(self, x, y, sample_weight):
            """`train_step` part by part: one graph of a part, called for each, as copies of it would take more memory.

            A loop of the graph would do too, if a replica could update variables in it.
            """
            import tensorflow as tf

            parts = self.accumulation_steps
            data = (x, y, sample_weight, self._shares(y, sample_weight, parts))
            part_of = tf.function(self._gradients, autograph=False, experimental_attributes={"_noinline": True})
            totals = {}
            for part in range(parts):
                # A part waits for the sum so far, or TensorFlow would keep all gradients to add them up at once.
                with tf.control_dependencies(list(totals.values())):
                    gradients = part_of(*tree.map_structure(lambda rows, part=part: _cut(rows, part, parts), data))
                totals = {i: totals[i] + gradient if totals else gradient for i, gradient in gradients.items()}
            weights = [self.trainable_weights[i] for i in totals]
            self.optimizer.apply([total / parts for total in totals.values()], weights)
            return self.get_metrics_result()

        def _gradients(self, x, y, sample_weight, shares):
            """Gradients of the loss of some rows, dense, by the numbers of the weights; updates the metrics."""
            import tensorflow as tf

            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = super().compute_loss(x, y, y_pred, shares, True)
                scaled = self.optimizer.scale_loss(loss)
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            next(metric for metric in self.metrics if metric.name == "loss").update_state(loss * replicas)
            self.compute_metrics(x, y, y_pred, sample_weight)
            gradients = enumerate(tape.gradient(scaled, self.trainable_weights))
            return {i: tf.convert_to_tensor(gradient) for i, gradient in gradients if gradient is not None}

        def _maybe_symbolic_build(self, iterator=None, data_batch=None):
            # Keras 3.15 averages the replicas' batches to learn their shapes, which several workers cannot.
            if iterator is not None and self._has_several_workers():
                _, _, batches = next(iter(iterator))
                local = self.distribute_strategy.experimental_local_results
                data_batch = tree.map_structure(lambda values: local(values)[0], next(batches))
                iterator = None
            super()._maybe_symbolic_build(iterator, data_batch)

        def _for_reduction(self, logs):
            """Gives metrics an axis under several workers: Keras 3.15 takes the workers' mean over axis 0."""
            return {name: value[None] for name, value in logs.items()} if self._has_several_workers() else logs

        def _has_several_workers(self):
            import tensorflow as tf

            strategy = self.distribute_strategy
            return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and (
                strategy.cluster_resolver is not None and len(strategy.cluster_resolver.cluster_spec().as_dict()) > 0
            )


class _PlainSteps:
    """Keras's train function, but that `fit` finds the graph of its steps once.

    `tf.function` looks it up by all the model's variables in every step: a tenth of the time of a small one.
    """

    def __init__(self, train_step, function):
        import tensorflow as tf

        self.step = tf.function(lambda batches: train_step(next(batches)), autograph=False)
        self.function = function
        self.batches, self.graph = (lambda: None), None

    def __call__(self, batches):
        import tensorflow as tf

        if not isinstance(batches, tf.data.Iterator):  # a batch of `train_on_batch`
            return self.function(batches)
        if batches is not self.batches():
            self.batches, self.graph = weakref.ref(batches), self.step.get_concrete_function(batches)
        return self.graph(batches)


def _cut(rows, part, parts):
    """The rows of one of `parts` equal parts."""
    if rows is None:
        return None
    size, rest = divmod(rows.shape[0] or 0, parts)
    if rest or not size:
        raise ConfigError(
            f"Received: batches of {rows.shape[0]} rows a replica, accumulation_steps={parts}. "
            "The rows must be divisible by the steps, and of one number in all batches."
        )
    return rows[part * size : (part + 1) * size]


def _global_sum(value):
    """The sum of a tensor over all replicas in sync; outside of `strategy.run` the tensor itself."""
    if not (replica := _one_of_several()):
        return value
    import tensorflow as tf

    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def of_replica(seed):
    """The seed, uint32 [2], of the replica that this is computed for, from that of all; the first one has this one."""
    if not (replica := _one_of_several()):
        return seed
    return seed + ops.cast(ops.stack([replica.replica_id_in_sync_group, 0]), seed.dtype)


def _one_of_several():
    """TensorFlow's context of a replica under a strategy that has several; None of a single one."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None
