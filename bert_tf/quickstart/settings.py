"""Settings of a quick start."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class QuickstartConfig:
    """Sizes and training settings; every field can be overridden on the command line as `key=value`.

    The defaults train in minutes on two cores, and clearly beat the baselines of the report.
    """

    vocab_size: int = 8000  # at most; a small corpus gets fewer
    num_layers: int = 2
    hidden_size: int = 128
    num_heads: int = 2
    max_length: int = 64  # tokens of a pretraining example
    max_predictions: int = 10  # masked tokens of a pretraining example
    batch_size: int = 64
    pretrain_steps: int = 2400
    pretrain_learning_rate: float = 2e-3
    finetune_length: int = 96  # tokens of a paragraph
    finetune_epochs: int = 4
    finetune_batch_size: int = 32
    finetune_learning_rate: float = 2e-3
    finetune_dropout: float = 0.1
    max_labels: int = 6  # of the user's own text
    paragraphs_a_label: int = 1000  # training paragraphs per label, at most; a tenth as many are held out
