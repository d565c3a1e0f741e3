"""Settings of a quick start."""

import dataclasses

from bert_tf.core.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class QuickstartConfig(Settings):
    """Sizes and training settings; every field can be overridden on the command line as `key=value`.

    The defaults train in minutes on two cores, and clearly beat the baselines of the report.
    """

    vocab_size: int = setting(
        8000, "tokens of the vocabulary, at most; a small corpus gets fewer", least=100, most=2**20
    )
    num_layers: int = setting(2, "number of blocks of the encoder", least=1, most=1024)
    hidden_size: int = setting(128, "width of the encoder", least=1, most=2**16)
    num_heads: int = setting(2, "attention heads of a block", least=1, most=2**16)
    max_length: int = setting(64, "tokens of a pretraining example", least=8, most=2**20)
    max_predictions: int = setting(10, "masked tokens of a pretraining example", least=1)
    batch_size: int = setting(64, "examples of a pretraining step", least=1, most=2**20)
    pretrain_steps: int = setting(2400, "steps of pretraining", least=1)
    pretrain_learning_rate: float = setting(2e-3, "learning rate of pretraining", above=0)
    finetune_length: int = setting(96, "tokens of a paragraph", least=8, most=2**20)
    finetune_epochs: int = setting(4, "epochs of fine-tuning", least=1)
    finetune_batch_size: int = setting(32, "examples of a fine-tuning step", least=1, most=2**20)
    finetune_learning_rate: float = setting(2e-3, "learning rate of fine-tuning", above=0)
    finetune_dropout: float = setting(0.1, "dropout of fine-tuning", least=0, below=1)
    max_labels: int = setting(6, "labels found in the user's own text, at most", least=2)
    paragraphs_a_label: int = setting(
        1000, "training paragraphs per label, at most; a tenth as many are held out", least=10
    )
