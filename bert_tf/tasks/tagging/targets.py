"""Tags in data files."""

from typing import Any

from bert_tf.tasks.base.targets import Targets, require_classes
from bert_tf.tasks.tagging import schemes


class TaggingTargets(Targets):
    """A list of tags for each sentence, in any scheme."""

    def find_labels(self, examples: Any) -> list[str] | None:
        """The tags for all entity types that occur, in the scheme of `settings` or else that of the tags found.

        Without a scheme the tags that occur.

        Raises:
            InputError: there are fewer than two tags.
        """
        scheme = self.settings.get("scheme") or "auto"
        if scheme == "auto":
            scheme = schemes.scheme_of(set().union(*examples.targets))
        return require_classes(schemes.tag_set(examples.targets, scheme), examples.path)
