"""Places of right endings in data files."""

from collections.abc import Sequence
from typing import Any

from bert_tf.tasks.base.targets import Targets


class ChoiceTargets(Targets):
    """Numbers from 0, as SWAG has them; in tables they are text."""

    def convert(self, targets: Sequence[Any]) -> list[Any]:
        return [int(t) if isinstance(t, str) and t.strip().isdecimal() else t for t in targets]
