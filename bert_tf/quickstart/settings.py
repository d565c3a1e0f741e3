"""Settings of a quick start: small enough for minutes on two cores, large enough to learn something."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class QuickstartConfig:
    """Sizes and training settings; every field can be overridden on the command line as `key=value`."""

    vocab_size: int = 8000
    num_layers: int = 2
    hidden_size: int = 128
    num_heads: int = 2
    max_length: int = 64
    max_predictions: int = 10
    batch_size: int = 64
    pretrain_steps: int = 2400
    pretrain_learning_rate: float = 2e-3
    finetune_length: int = 96
    finetune_epochs: int = 4
    finetune_batch_size: int = 32
    finetune_learning_rate: float = 2e-3
    finetune_dropout: float = 0.1
    max_labels: int = 6
    paragraphs_a_label: int = 1000  # to train on; at most a tenth as many are held out
