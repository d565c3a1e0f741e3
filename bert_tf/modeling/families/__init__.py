"""The encoder families, by name; a family is one file here and one line below.

Importing this module imports neither Keras nor TensorFlow: a family is imported when it is first asked for.
"""

from bert_tf.core.registry import Registry

FAMILIES = Registry(
    "encoder family",
    {
        "bert": "bert_tf.modeling.families.bert:FAMILY",
        "bilstm": "bert_tf.modeling.families.bilstm:FAMILY",
        "albert": "bert_tf.modeling.families.albert:FAMILY",
        "distilbert": "bert_tf.modeling.families.distilbert:FAMILY",
        "electra": "bert_tf.modeling.families.electra:FAMILY",
        "modernbert": "bert_tf.modeling.families.modernbert:FAMILY",
        "roberta": "bert_tf.modeling.families.roberta:FAMILY",
        "xlm_roberta": "bert_tf.modeling.families.xlm_roberta:FAMILY",
    },
)
