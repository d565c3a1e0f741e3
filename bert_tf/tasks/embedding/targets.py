"""Scores of pairs of texts in data files."""

from bert_tf.tasks.base.targets import Targets


class EmbeddingTargets(Targets):
    """Scores for the objective "similarity"; the others learn from texts alone."""

    @property
    def needed(self) -> bool:
        return self.settings["objective"] == "similarity"
