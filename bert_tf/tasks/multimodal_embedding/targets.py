"""Targets of pairs of texts and files: there are none."""

from bert_tf.tasks.base.targets import Targets


class MultimodalEmbeddingTargets(Targets):
    """The task learns from pairs alone."""

    needed = False
