"""What files say is right, as the tasks take it, and the labels that training data has."""

from bert_tf.core.errors import InputError
from bert_tf.tasks.tagging import schemes


def labels_of(examples, settings, separator=","):
    """The labels that a model for these rows needs: those found, sorted; of entities all tags of their types.

    Args:
        examples: `Examples` to train on.
        settings: of the task; "problem_type" and "scheme" are looked at.
        separator: of several labels in one cell.
    """
    if settings.get("problem_type") == "regression":
        return []
    if examples.texts and isinstance(examples.texts[0][0], list):
        found = {tag for sentence in examples.targets for tag in sentence}
        scheme = settings.get("scheme", "auto")
        labels = schemes.tag_set(examples.targets, schemes.scheme_of(found) if scheme == "auto" else scheme)
    elif settings.get("problem_type") == "multi_label_classification":
        return sorted({label for target in examples.targets for label in _split(target, separator)})
    else:
        labels = sorted({str(target) for target in examples.targets})
    if len(labels) < 2:
        raise InputError(f"{examples.path} has one class only: {labels[0]!r}. There is nothing to tell apart.")
    return labels


def fit_targets(examples, task, separator=","):
    """The same `Examples` with targets as the model `task` takes them; `InputError` where they are missing."""
    targets = examples.targets
    if task.TASK == "embedding" and task.objective != "similarity":
        return examples.with_targets(None)
    if targets is None:
        raise InputError(f"{examples.path} does not say what is right for its texts. Name the column with data.target.")
    problem = getattr(task, "problem_type", None)
    if problem == "single_label_classification":
        targets = [_label(target, task.labels) for target in targets]
    elif problem == "multi_label_classification":
        targets = [[_label(label, task.labels) for label in _split(target, separator)] for target in targets]
    return examples.with_targets(targets)


def _label(target, labels):
    """A label's name, or where the labels are called otherwise than in the file, its number."""
    name = str(target)
    return int(name) if name not in labels and name.isdecimal() else name


def _split(target, separator):
    labels = target.split(separator) if isinstance(target, str) else target
    return [str(label).strip() for label in labels if str(label).strip()]
