"""Architectures that write a target text for a source text, by name; one file each.

Importing this module imports neither Keras nor TensorFlow.
"""

from bert_tf.core.registry import Registry

DECODERS = Registry(
    "architecture",
    {
        "encoder_decoder": "bert_tf.modeling.decoders.encoder_decoder:CrossDecoder",
        "prefix": "bert_tf.modeling.decoders.prefix:PrefixDecoder",
    },
)
