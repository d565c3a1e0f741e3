"""Tags in data files."""

from typing import Any

from bert_tf.tasks.base.targets import Targets, require_classes
from bert_tf.tasks.tagging import schemes


class TaggingTargets(Targets):
    """A list of tags for each sentence, in any scheme."""

    def find_labels(self, examples: Any) -> list[str] | None:
        """The tags of all types of entities that occur, in the scheme of `settings` or that of the tags.

        Without a scheme the tags that occur. One tag alone raises `InputError`.
        """
        found = {tag for tags in examples.targets for tag in tags}
        scheme = self.settings.get("scheme") or "auto"
        scheme = schemes.scheme_of(found) if scheme == "auto" else scheme
        return require_classes(schemes.tag_set(examples.targets, scheme), examples.path)
