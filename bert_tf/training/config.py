"""Settings of a training run."""

import dataclasses

from bert_tf.core.errors import ConfigError

# This package's, then those of Keras.
OPTIMIZERS = (
    *("adamw", "lamb"),
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "lion", "muon", "rmsprop", "sgd"),
)
SCHEDULES = ("linear", "cosine", "constant")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")

_CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "strategy": STRATEGIES,
    "precision": ("auto", *POLICIES),
}


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained, in pretraining and fine-tuning (Devlin et al. 2019, A.2 and A.3)."""

    steps: int | None = None  # updates of the weights; set either these
    minutes: float | None = None  # or a time, converted to steps by the measured speed
    accumulation_steps: int = 1  # microbatches that a batch is cut into, to save memory
    optimizer: str = "adamw"
    learning_rate: float = 1e-4
    schedule: str = "linear"
    warmup: float = 0.1  # share of the steps
    cooldown: float = 0.0  # share of the steps at the end in which a constant rate decays
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    bias_correction: bool = True  # of Adam's moments; False as in google-research/bert
    layer_decay: float | None = None  # factor of the learning rate from a layer to the one below
    seed: int = 0
    precision: str = "auto"  # mixed_bfloat16 where it is measured to be faster, else float32
    remat: bool = False  # recompute blocks in the backward pass, to save memory
    strategy: str = "auto"
    log_every: int = 50  # steps
    evaluate_every: int = 500
    evaluate_batches: int = 50  # held-out batches per evaluation, at most
    early_stopping: int | None = None  # end the run after this many evaluations without a better score
    checkpoint_every: int = 500
    keep_checkpoints: int = 3  # the newest, in addition to the best
    blow_up: float = 2.0  # the run ends if the loss exceeds this many times its lowest, plus 1
    skip_records: int = 100  # damaged records to skip before the run ends

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"Received: {name}={getattr(self, name)!r}. {name} is one of {', '.join(known)}.")
        for name in ("log_every", "evaluate_every", "evaluate_batches", "checkpoint_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be at least 1.")
        optional = ("steps", "minutes", "clip_norm", "early_stopping")
        for name in ("accumulation_steps", "learning_rate", "blow_up", *optional):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be above 0.")
        if not self.bias_correction and self.optimizer not in ("adamw", "lamb"):
            raise ConfigError(
                f"Received: bias_correction=false, optimizer={self.optimizer!r}. Only adamw and lamb have this setting."
            )
        if self.layer_decay is not None and not 0 < self.layer_decay <= 1:
            raise ConfigError(f"Received: layer_decay={self.layer_decay}. layer_decay must be in (0, 1].")
        if self.warmup < 0 or self.cooldown < 0 or self.warmup + self.cooldown > 1:
            raise ConfigError(
                f"Received: warmup={self.warmup}, cooldown={self.cooldown}. They are shares of the steps, from 0 to 1 "
                "together."
            )


@dataclasses.dataclass(frozen=True)
class PhaseConfig:
    """A phase of a pretraining run: its records and batches; `batch_size` counts the rows of all workers together."""

    records: str = ""  # folder, files or glob
    batch_size: int = 32
    share: float = 1.0  # of the steps
    pack_length: int | None = None  # pack several examples into rows of this length
    buckets: tuple[int, ...] = ()  # or batch examples of similar length, padded to one of these
    heldout: str | None = None  # records to evaluate on

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"Received: batch_size={self.batch_size}. It must be at least 1.")
        if not 0 < self.share <= 1:
            raise ConfigError(f"Received: share={self.share}. It is a share of the steps, in (0, 1].")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The model to pretrain: one from a folder, or a new one of these sizes with the vocabulary of the records."""

    init: str | None = None  # a model's folder
    vocabulary: str | None = None  # of records that another program wrote
    lower_case: bool = True  # whether that vocabulary is uncased
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    intermediate_size: int | None = None  # None: 4 * hidden_size
    max_positions: int = 512
    activation: str = "gelu"
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """A pretraining run on `data`, or on `phases` one after the other, into the folder `output`."""

    output: str = "runs/pretrain"
    model: ModelConfig = ModelConfig()
    data: PhaseConfig = PhaseConfig()
    phases: tuple[PhaseConfig, ...] = ()
    training: TrainingConfig = TrainingConfig()

    def check(self) -> None:
        """Raises `ConfigError` unless the run has records and an end."""
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
