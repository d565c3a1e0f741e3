"""Tags in data files."""

from collections.abc import Sequence
from typing import Any

from bert_tf.tasks.base.labels import LabelIndex, name_in_cell
from bert_tf.tasks.base.targets import Targets, require_classes
from bert_tf.tasks.tagging import schemes


class TaggingTargets(Targets):
    """A list of tags for each sentence, in any scheme; they may be numbers."""

    def find_labels(self, examples: Any) -> list[str] | None:
        """The tags for all entity types that occur, in the scheme of `settings` or else that of the tags found.

        Without a scheme the tags that occur.

        Raises:
            InputError: there are fewer than two tags.
        """
        sentences = []
        for tags in examples.targets:
            if isinstance(tags, list):  # other targets are bad rows
                sentences.append(set(map(name_in_cell, tags)) - {""})
        scheme = self.settings.get("scheme") or "auto"
        if scheme == "auto":
            scheme = schemes.scheme_of(set().union(*sentences))
        return require_classes(schemes.tag_set(sentences, scheme), examples.path)

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        """Names of tags; where the file has numbers and no tag is called by one, those at these places."""
        index = LabelIndex(self.settings["labels"])
        converted = []
        for tags in targets:
            if isinstance(tags, list):
                tags = [_name(index, tag) for tag in tags]
            converted.append(tags)
        return converted


def _name(index: LabelIndex, cell: Any) -> Any:
    """The tag that a cell means; one that the model does not have unchanged."""
    tag = index.of_cell(cell)
    return index.labels[tag] if isinstance(tag, int) and tag in index else tag
