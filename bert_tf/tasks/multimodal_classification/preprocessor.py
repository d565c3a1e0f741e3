"""Texts with files, and classes, labels or scores, to batches for a classifier."""

from bert_tf.tasks.base.multimodal_preprocessor import MultimodalPreprocessor
from bert_tf.tasks.classification.preprocessor import ClassificationPreprocessor


class MultimodalClassificationPreprocessor(MultimodalPreprocessor, ClassificationPreprocessor):
    """Encodes targets as a classifier of texts, and files as every task with them."""
