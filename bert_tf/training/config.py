"""Settings of a training run."""

import dataclasses
import sys
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import Settings, setting
from bert_tf.training.teacher_config import MAX_LAYERS, PretrainTeacherConfig

# This package's, then those of Keras.
OPTIMIZERS = (
    *("adamw", "lamb"),
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "lion", "muon", "rmsprop", "sgd"),
)
SCHEDULES = ("linear", "cosine", "constant")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")
OBJECTIVES = ("masked_lm", "next_sentence", "sentence_order", "replaced_token")
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
# Sizes beyond which a typing error is likelier than a machine that can hold them.
MAX_ROWS, MAX_POSITIONS, MAX_WIDTH = 2**20, 2**20, 2**16
_LARGEST_SEED = 2**32 - 1  # NumPy's
# Settings of `ModelConfig` that are not of the encoder.
_NOT_OF_THE_ENCODER = ("init", "vocabulary", "lower_case", "encoder", "generator_size")


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Settings):
    """How a model is trained, in pretraining and fine-tuning (Devlin et al. 2019, A.2 and A.3)."""

    steps: int | None = setting(None, "updates of the weights; set either these or minutes", least=1)
    minutes: float | None = setting(None, "a time, converted to steps by the measured speed", above=0, most=1_000_000)
    accumulation_steps: int = setting(1, "microbatches that a batch is cut into, to save memory", least=1)
    optimizer: str = setting("adamw", "name of the optimizer", choices=OPTIMIZERS)
    learning_rate: float = setting(1e-4, "the greatest rate, after the warm-up", above=0)
    schedule: str = setting("linear", "how the rate falls after the warm-up", choices=SCHEDULES)
    warmup: float = setting(0.1, "share of the steps in which the rate rises", least=0, most=1)
    cooldown: float = setting(0.0, "share of the steps at the end in which a constant rate falls", least=0, most=1)
    weight_decay: float = setting(0.01, "decoupled decay of the weights, in learning rates", least=0)
    clip_norm: float | None = setting(1.0, "largest norm of the gradients; none: not clipped", above=0)
    bias_correction: bool = setting(True, "of the moments of adamw and lamb; false as in google-research/bert")
    layer_decay: float | None = setting(
        None, "factor of the learning rate from a layer to the one below", above=0, most=1
    )
    ema_momentum: float | None = setting(
        None,
        "momentum of an average of the weights, which is evaluated and saved; none: not averaged",
        above=0,
        below=1,
    )
    seed: int = setting(0, "random seed of weights, order, masks and dropout", least=0, most=_LARGEST_SEED)
    precision: str = setting(
        "auto", "dtype policy; auto: mixed_bfloat16 where it is measured to be faster", choices=("auto", *POLICIES)
    )
    xla: bool = setting(False, "compile whole steps with XLA: on one GPU, for batches of one shape or few")
    remat: bool = setting(False, "compute blocks again in the backward pass, to save memory")
    strategy: str = setting("auto", "devices; auto: the workers of TF_CONFIG, all GPUs, or one", choices=STRATEGIES)
    log_every: int = setting(50, "steps between two lines of metrics.jsonl", least=1)
    evaluate_every: int = setting(500, "steps between two evaluations", least=1)
    evaluate_batches: int = setting(50, "held-out batches per evaluation, at most", least=1, most=sys.maxsize)
    early_stopping: int | None = setting(
        None, "end the run after this many evaluations without a better score", least=1
    )
    checkpoint_every: int = setting(500, "steps between two checkpoints", least=1)
    keep_checkpoints: int = setting(3, "how many of the newest checkpoints are kept, in addition to the best", least=1)
    blow_up: float = setting(2.0, "the run ends if the loss exceeds this many times its lowest, plus 1", above=0)
    skip_records: int = setting(100, "damaged records to skip before the run ends", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bias_correction and self.optimizer not in ("adamw", "lamb"):
            raise ConfigError(
                f"Received: bias_correction=false, optimizer={self.optimizer!r}. Only adamw and lamb have this setting."
            )
        if self.warmup + self.cooldown > 1:
            raise ConfigError(
                f"Received: warmup={self.warmup}, cooldown={self.cooldown}. They are shares of the steps, from 0 to 1 "
                "together."
            )

    def describe_optimizer(self) -> str:
        """The optimizer, its rate and what becomes of the weights, in words."""
        average = f", average of the weights with momentum {self.ema_momentum:g}" if self.ema_momentum else ""
        return f"{self.optimizer}, {self.learning_rate:g}, {self.schedule}{average}"


@dataclasses.dataclass(frozen=True)
class PhaseConfig(Settings):
    """A phase of a pretraining run: its records and batches; `batch_size` counts the rows of all workers together."""

    records: str = setting("", "records to train on: a folder, files or a glob")
    batch_size: int = setting(32, "rows of a step, of all workers together", least=1, most=MAX_ROWS)
    share: float = setting(1.0, "share of the steps that are done on these records", above=0, most=1)
    pack_length: int | None = setting(
        None, "pack several examples into rows of this many tokens", least=1, most=MAX_POSITIONS
    )
    buckets: tuple[int, ...] = setting(
        (), "or batch examples of similar length, padded to one of these", least=1, most=MAX_POSITIONS
    )
    heldout: str | None = setting(None, "records to evaluate on")


@dataclasses.dataclass(frozen=True)
class ModelConfig(Settings):
    """The model to pretrain: one from a folder, or a new one of these sizes with the vocabulary of the records."""

    init: str | None = setting(None, "folder or hub name of a model to start from; its sizes replace those below")
    vocabulary: str | None = setting(None, "vocabulary file of records that another program wrote")
    lower_case: bool = setting(True, "whether that vocabulary is uncased")
    encoder: str | None = setting(None, "family of the encoder; none: bert, or that of init")
    hidden_size: int = setting(256, "width of the encoder", least=1, most=MAX_WIDTH)
    num_layers: int = setting(4, "number of blocks", least=1, most=MAX_LAYERS)
    num_heads: int = setting(4, "attention heads of a block; they divide hidden_size", least=1, most=MAX_WIDTH)
    intermediate_size: int | None = setting(
        None, "width of the feed-forward networks; none: 4 * hidden_size", least=1, most=8 * MAX_WIDTH
    )
    max_positions: int = setting(512, "longest row, in tokens", least=1, most=MAX_POSITIONS)
    activation: str = setting("gelu", "activation of the feed-forward networks")
    hidden_dropout: float = setting(0.1, "dropout after each sublayer", least=0, below=1)
    attention_dropout: float = setting(0.1, "dropout of the attention weights", least=0, below=1)
    # Of some families only; none: the family's default.
    embedding_size: int | None = setting(
        None, "width of the embedding tables (albert, electra)", least=1, most=MAX_WIDTH
    )
    num_groups: int | None = setting(None, "blocks with weights of their own (albert)", least=1, most=MAX_LAYERS)
    local_window: int | None = setting(None, "tokens seen by local layers (modernbert)", least=2, most=MAX_POSITIONS)
    global_every: int | None = setting(
        None, "every so many layers sees all tokens (modernbert)", least=1, most=MAX_LAYERS
    )

    generator_size: float | None = setting(
        None,
        "objective replaced_token: width of the generator, as a share of the encoder's; none: 1/4, or that of init",
        above=0,
        most=1,
    )

    def encoder_settings(self) -> dict[str, Any]:
        """The settings of a new encoder that are set."""
        settings = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and field.name not in _NOT_OF_THE_ENCODER:
                settings[field.name] = value
        return settings | {"intermediate_size": self.intermediate_size or 4 * self.hidden_size}


@dataclasses.dataclass(frozen=True)
class PretrainConfig(Settings):
    """A pretraining run on `data`, or on `phases` one after the other, into the folder `output`."""

    output: str = setting("runs/pretrain", "the run's folder")
    model: ModelConfig = ModelConfig()
    data: PhaseConfig = PhaseConfig()
    phases: tuple[PhaseConfig, ...] = setting((), "several tables like data, trained on one after the other")
    objective: str | None = setting(
        None,
        "what is learned; none: masked LM, and next sentence or sentence order where the records have pairs",
        choices=OBJECTIVES,
    )
    teacher: PretrainTeacherConfig = PretrainTeacherConfig()
    training: TrainingConfig = TrainingConfig()

    def check(self) -> None:
        """Raises `ConfigError` unless the run has records and an end, and a teacher that can teach it."""
        self.teacher.check()
        if self.teacher.model and self.objective == "replaced_token":
            raise ConfigError("Received: a teacher with objective=replaced_token. It teaches masked LM: set another.")
        if self.teacher.relation_weight and any(phase.pack_length for phase in self.all_phases):
            raise ConfigError(
                "Received: teacher.relation_weight with pack_length. Relations are those of all tokens of a row, and "
                "packed rows hold several texts: set either."
            )
        for phase in self.all_phases:
            if not phase.records:
                raise ConfigError("No records to train on: set data.records=FOLDER, as bert-tf records wrote it.")
        shares = [phase.share for phase in self.all_phases]
        if abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(f"Received: phases with the shares {', '.join(map(str, shares))}. They must add up to 1.")
        if (self.training.steps is None) == (self.training.minutes is None):
            raise ConfigError(
                f"Received: training.steps={self.training.steps}, training.minutes={self.training.minutes}. Set either "
                "training.steps or training.minutes, and the other one to none."
            )

    @property
    def all_phases(self) -> tuple[PhaseConfig, ...]:
        """`phases`, or `data` as the only one."""
        return self.phases or (self.data,)
