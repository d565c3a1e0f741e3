"""Every setting of the optimizer reaches it."""

from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import TrainingConfig

OTHERS = {"weight_decay": 0.3, "bias_correction": False, "layer_decay": 0.9}


def test_settings_reach_the_optimizer():
    model = BertPretrainer(
        vocab_size=11, hidden_size=8, num_layers=1, num_heads=2, intermediate_size=8, max_positions=4
    )
    training = TrainingConfig(
        steps=10, optimizer="lamb", clip_norm=2.0, accumulation_steps=2, remat=True, xla=True, **OTHERS
    )
    compile_model(model, training)
    wrapper, inner = model.optimizer.get_config(), model.optimizer.inner.get_config()
    assert (inner["name"], inner["weight_decay"], inner["bias_correction"]) == ("lamb", 0.3, False)
    assert (wrapper["clip_norm"], wrapper["layer_decay"], wrapper["weight_decay"]) == (2.0, 0.9, None)
    assert (model.accumulation_steps, model.encoder.remat, model.jit_compile) == (2, True, True)
