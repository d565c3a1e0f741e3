"""What every task model shares: raw strings into `fit`, `evaluate` and `predict`, and a folder to open and save."""

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.batch_samplers import BatchPlan
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.pretrained import Pretrained
from bert_tf.tasks.base.batching import as_rows, is_text, make_batches, measure, take
from bert_tf.tasks.base.microbatch import call_in_microbatches
from bert_tf.text.input_packing import pack
from bert_tf.weights import read_model


class Task(Pretrained, keras.Model):
    """An encoder with a head, and the tokenizer that feeds it.

    A subclass names its `TASK` and adds the head, `call` from the encoder's inputs to float32 logits, `encode_targets`
    from Python to tensors, `postprocess` from logits to decoded answers in the graph, `default_loss` and
    `default_metrics` for `compile`, `score_answers`, and `task_settings`. Texts are a list or array of strings [N],
    or a tuple of two of them for pairs.

    `encoder` names the family of the encoder, which is made of the fields of that family's config; or it is the
    encoder of another task, which is then shared with it.
    """

    TASK = None  # its name in config.json
    TEXTS = ("text",)  # names of a request's strings, in order
    OPTIONAL_TEXTS = ()  # those of them that may be left out, or be ""
    SCORE = None  # the key of `score` that the best model has the highest value of
    LENGTH = 128  # pieces a row where no `max_length` is given; None: all positions
    INPUTS = features.ENCODER_INPUTS  # of `call`
    LOGITS = tf.float32  # the dtypes of what `call` returns
    PER_PIECE = False  # whether that is [N, S, ...]
    reads_pooler = True  # whether the head learns through the pooler of the encoder
    cls_only = False  # whether the head reads no vector but that of [CLS], pooled or not

    def __init__(self, tokenizer, max_length, name=None, dtype=None, trainable=True, encoder="bert", **settings):
        super().__init__(name=name or self.TASK, dtype=dtype, trainable=trainable)
        if not isinstance(encoder, Pretrained):
            encoder = FAMILIES[encoder].encoder(dtype=self.dtype_policy, **settings)
        self.encoder = encoder
        self.config = self.encoder.config
        self.tokenizer = tokenizer
        self.max_length = max_length or min(self.LENGTH or self.config.max_positions, self.config.max_positions)
        if self.max_length > self.config.max_positions:
            raise InputError(
                f"Received: max_length={max_length}. This encoder has {self.config.max_positions} positions."
            )
        if self.max_length <= (added := tokenizer.num_added(len(self.TEXTS))):
            raise ConfigError(
                f"Received: max_length={max_length}. The {added} special tokens alone would fill the rows."
            )
        self._predict_graph = tf.function(self.predict_inputs)

    @classmethod
    def from_pretrained(cls, folder, dtype=None, **settings):
        """The model in `folder`, with `settings` of the task or encoder (dropout, say) in place of the saved ones.

        An encoder's folder of any format will do; a head that the folder lacks, or has for other labels, starts fresh.
        """
        return cls.from_checkpoint(read_model(folder), folder, dtype, **settings)

    @classmethod
    def from_checkpoint(cls, checkpoint, source, dtype=None, **settings):
        """As `from_pretrained`, from a `Checkpoint`; `source` names it in messages."""
        if checkpoint.vocabulary is None:
            raise InputError(f"{source} has no vocabulary: a task model needs one to read text.")
        saved = cls.saved_settings(checkpoint.task, source) if checkpoint.task.get("name") == cls.TASK else {}
        tokenizer = FAMILIES[checkpoint.family].tokenizer(checkpoint.vocabulary, checkpoint.text)
        model = cls(tokenizer, dtype=dtype, **(cls.settings_of(checkpoint) | saved | settings))
        weights = checkpoint.weights
        if not model.has_head_of(checkpoint.task):
            weights = {name: value for name, value in weights.items() if name.startswith("encoder/")}
        model.assign(weights)
        return model

    def make_head(self, units, name):
        """A dense layer for logits, which 16 bits would round: it computes in the dtype of its weights."""
        return dense(units, self.config.initializer_range, dtype=self.dtype_policy.variable_dtype, name=name)

    def leave_pooler(self):
        """For a head that reads the vectors of pieces: what no gradient reaches is not trained."""
        self.reads_pooler = False
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler.trainable = False

    # From texts to batches.

    def encode_texts(self, texts, training=False):
        """Texts as a tuple of string tensors [N]; one that is no string, or in training empty, raises with its row."""
        texts = texts if isinstance(texts, tuple) else (texts,)
        if not len(self.TEXTS) - len(self.OPTIONAL_TEXTS) <= len(texts) <= len(self.TEXTS):
            raise InputError(f"Received a tuple of {len(texts)} texts. {self.TASK} reads {', '.join(self.TEXTS)}.")
        return as_rows(texts, self.TEXTS, set() if not training else set(self.TEXTS) - set(self.OPTIONAL_TEXTS))

    def encode_pairs(self, texts, targets):
        """Texts and their targets as tensors of N rows; bad ones raise `InputError` with the row."""
        texts = self.encode_texts(texts, training=True)
        if len(targets) != texts[0].shape[0]:
            raise InputError(f"Received {texts[0].shape[0]} texts and {len(targets)} targets.")
        return texts, self.encode_targets(targets)

    def preprocess(self, texts, length=None):
        """Texts to the encoder's inputs, each int32 [N, length or the longest row]; TensorFlow ops only."""
        texts = texts if isinstance(texts, tuple) else (texts,)
        optional = self.TEXTS[len(texts) - 1] in self.OPTIONAL_TEXTS
        return pack(self.tokenizer, texts, self.max_length, length, optional)

    def to_batch(self, texts, targets):
        """What Keras trains on, `(x, y)` or `(x, y, sample_weight)`, of encoded texts and targets of B rows.

        TensorFlow ops only; a task whose targets depend on how the text falls into pieces says here how.
        """
        return self.preprocess(texts), targets

    def dataset(
        self,
        texts,
        targets=None,
        batch_size=32,
        shuffle=False,
        seed=0,
        start=0,
        shard=(0, 1),
        drop_remainder=False,
        repeat=1,
    ):
        """Batches of inputs, and of targets if given, as `tf.data`; batch k is a function of seed and k alone.

        Args:
            texts, targets: as `fit` takes them; without targets the batches are inputs alone.
            shuffle: whether rows come in a random order, a new one each epoch, with rows of about one length together.
            seed: of the order.
            start: the position of the first batch, counted over epochs; it is gone to at once.
            shard: `(worker, workers)`: the workers' batches at one position hold different rows. Several workers
                leave out the rows of an epoch that do not fill a batch for each.
            drop_remainder: whether the last batch of an epoch is left out when it is not full.
            repeat: how many epochs; None never ends.
        """
        if targets is None:
            texts = self.encode_texts(texts)
        else:
            texts, targets = self.encode_pairs(texts, targets)
        return make_batches(
            self, texts, targets, BatchPlan(batch_size, seed, shuffle, *shard, drop_remainder), start, repeat
        )

    # Keras's own verbs, on texts too.

    def compile(self, optimizer=None, loss=None, metrics=None, **kwargs):
        """As Keras's; by default AdamW at 5e-5, the task's loss and metrics, and no XLA."""
        super().compile(
            optimizer or keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0),
            loss=loss or self.default_loss(),
            metrics=self.default_metrics() if metrics is None else metrics,
            **kwargs,
        )

    def fit(self, x=None, y=None, batch_size=32, epochs=1, *, shuffle=True, validation_data=None, seed=None, **kwargs):
        """Keras's `fit`; x may be raw texts with targets y, or whatever Keras takes.

        `seed` of the order of texts; None draws one as `keras.utils.set_random_seed` has it.
        """
        if is_text(x):
            seed = int(np.random.randint(2**31)) if seed is None else seed
            steps = kwargs.get("steps_per_epoch")
            data = self.dataset(x, y, batch_size, shuffle, seed, repeat=None if steps else epochs)
            steps = kwargs["steps_per_epoch"] = steps or int(data.cardinality()) // epochs
            if start := steps * kwargs.get("initial_epoch", 0):
                data = self.dataset(x, y, batch_size, shuffle, seed, start, repeat=None)
            x, y, batch_size, shuffle = data, None, None, False
        if isinstance(validation_data, tuple) and is_text(validation_data[0]):
            validation_data = self.dataset(*validation_data)
        return super().fit(x, y, batch_size, epochs, shuffle=shuffle, validation_data=validation_data, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=32, **kwargs):
        """Keras's `evaluate`: loss and metrics; x may be raw texts with targets y."""
        if is_text(x):
            x, y, batch_size = self.dataset(x, y, batch_size), None, None
        return super().evaluate(x, y, batch_size, **kwargs)

    def predict(self, x, batch_size=32, **kwargs):
        """Keras's `predict`: logits; x may be raw texts."""
        if is_text(x):
            x, batch_size = self.dataset(x, batch_size=batch_size), None
        return super().predict(x, batch_size, **kwargs)

    # Decoded answers.

    def serve(self, *texts):
        """Decoded answers to string tensors [N], one for each of `TEXTS`; TensorFlow ops only."""
        return self.predict_inputs(self.inference_inputs(texts))

    def inference_inputs(self, texts):
        """The inputs that texts are answered from; those that are learned from, unless a task reads more of them."""
        return self.preprocess(texts)

    def predict_inputs(self, inputs):
        """Decoded answers to rows of pieces, {name: [N, ...]}; TensorFlow ops only."""
        return self.postprocess(self.forward_batched(inputs), inputs)

    def forward_batched(self, inputs):
        """What `call` returns for any number of rows, in bounded memory."""
        inputs = {name: inputs[name] for name in self.INPUTS}
        return call_in_microbatches(
            lambda part: self(part, training=False),
            inputs,
            self.max_length,
            dtypes=self.LOGITS,
            per_piece=self.PER_PIECE,
        )

    def predict_text(self, texts, batch_size=32):
        """Decoded answers: a list of dicts, one a text, ready to be written as JSON."""
        texts = self.encode_texts(texts)
        rows = [None] * texts[0].shape[0]
        for numbers, answers in self._predict_batches(texts, batch_size):
            for place, number in enumerate(numbers):
                rows[number] = self.to_python({name: value[place] for name, value in answers.items()})
        return rows

    def _predict_batches(self, texts, batch_size):
        """Of encoded texts: (the numbers of some of them, int [B], their decoded answers, {name: array [B, ...]})."""
        for numbers in self._batch_by_length(texts, batch_size):
            inputs = self.inference_inputs(take(texts, numbers))
            any_size = {name: tf.TensorSpec([None] * x.shape.rank, x.dtype) for name, x in inputs.items()}
            answers = self._predict_graph.get_concrete_function(any_size)(inputs)
            yield numbers, {name: value.numpy() for name, value in answers.items()}

    def _batch_by_length(self, texts, batch_size):
        """Cuts the numbers of encoded texts into batches: texts of about one length together, the longest first."""
        order = np.arange(texts[0].shape[0])
        if len(order) > batch_size:
            order = np.argsort(-measure(self, texts), kind="stable")
        return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]

    def to_python(self, answer):
        """One text's decoded answer, {name: numpy value}, as Python strings, numbers and lists of them."""
        return {name: _as_python(value) for name, value in answer.items()}

    def score(self, texts, targets, batch_size=64):
        """The task's metrics on decoded answers, {name: float}."""
        return self.score_answers(self.predict_text(texts, batch_size), targets)

    # Signatures of a SavedModel.

    def text_specs(self) -> dict[str, tf.TensorSpec]:
        """{name: spec} of the texts of a request, in the order of `TEXTS`: string [N], or [N, T] for lists of texts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in self.TEXTS}

    def token_specs(self) -> dict[str, tf.TensorSpec]:
        """{name: spec} of the encoder's inputs of a request that is tokenized already: int32 [N, S]."""
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in features.ENCODER_INPUTS}

    def example_outputs(self, answers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decoded answers as TF Serving's Classify and Regress read them, where the task is one of these two.

        Classify reads "classes" string [N, C] and "scores" float [N, C], Regress "outputs" float [N, 1].
        """
        return answers

    # Folders.

    def save_pretrained(self, folder, overwrite=False):
        """Writes the model folder: config.json, vocab.txt, model.weights.h5."""
        super().save_pretrained(folder, self.tokenizer, task=self.task_settings(), overwrite=overwrite)

    def task_settings(self):
        """What `from_pretrained` needs beside the encoder, as the folder's config.json keeps it."""
        return {"name": self.TASK, "max_length": self.max_length}

    @classmethod
    def saved_settings(cls, task, source):
        """Arguments of the constructor from the saved `task` settings; what they cannot say raises `InputError`."""
        del source
        return {key: task[key] for key in ("max_length",) if key in task}

    def has_head_of(self, task):
        """Whether the saved `task` settings describe this very head."""
        return task.get("name") == self.TASK


def _as_python(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_as_python(item) for item in value]
    return value.tolist()
