"""The tasks that BERT is fine-tuned for, by name; a new task is a folder here and one line in `TASKS`."""

from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.registry import Registry, resolve

TASKS = Registry(
    "task",
    {
        "classification": "bert_tf.tasks.classification:SPEC",
        "multimodal_classification": "bert_tf.tasks.multimodal_classification:SPEC",
        "embedding": "bert_tf.tasks.embedding:SPEC",
        "multimodal_embedding": "bert_tf.tasks.multimodal_embedding:SPEC",
        "tagging": "bert_tf.tasks.tagging:SPEC",
        "question_answering": "bert_tf.tasks.question_answering:SPEC",
        "multiple_choice": "bert_tf.tasks.multiple_choice:SPEC",
        "generation": "bert_tf.tasks.generation:SPEC",
        "fill_mask": "bert_tf.tasks.fill_mask:SPEC",
        "next_sentence": "bert_tf.tasks.next_sentence:SPEC",
    },
)
_MULTI_TASK = "bert_tf.tasks.multi_task:MultiTask"  # several of the tasks at once
_ENCODER = "bert_tf.tasks.encoder.task:TextEncoder"  # none of them


def load(folder: Any, dtype: str | None = None, encoders: bool = False) -> Any:
    """Opens the task model in `folder`, of the task that its config.json names.

    Args:
        folder: path of a model folder, or the name of a model on a hub, such as hf://OWNER/NAME.
        dtype: Keras dtype policy, "mixed_bfloat16" for instance; None: Keras's default.
        encoders: whether a pretrained encoder without a task is opened too, as a `TextEncoder`.

    Raises:
        InputError: the folder has no task, or its files cannot be read.
    """
    from bert_tf.weights import read_model

    checkpoint = read_model(folder)
    name = checkpoint.task.get("name")
    if name not in TASKS:
        heads = {weight.split("/")[0] for weight in checkpoint.weights}
        if encoders and name is None and not any(spec.head in heads for spec in TASKS.values() if spec.targets):
            return resolve(_ENCODER).from_checkpoint(checkpoint, folder, dtype)
        classes = [spec.model.partition(":")[2] for spec in TASKS.values() if spec.head in heads]
        if name is None and classes:
            raise InputError(
                f"{folder} names no task for its heads. Open them by bert_tf.tasks.CLASS.from_pretrained(folder), with "
                f"labels=[...] for a classifier or tagger; these classes have such a head: {', '.join(classes)}. "
                "A pretrained model becomes a task's with bert-tf finetune."
            )
        raise InputError(
            f"{folder} holds no task model (task: {name!r}). Known tasks: {', '.join(TASKS)}. "
            "A pretrained model becomes one with bert-tf finetune."
        )
    return TASKS[name].load("model").from_checkpoint(checkpoint, folder, dtype)


def _class_places() -> dict[str, str]:
    """{name of a model class: its place "module:name"}, of all tasks."""
    places = {}
    for place in (*(spec.model for spec in TASKS.values()), _MULTI_TASK, _ENCODER):
        _, _, name = place.partition(":")
        places[name] = place
    return places


def __getattr__(name: str) -> Any:
    """Imports a model class on first use, because `bert_tf.tasks` itself must not import TensorFlow."""
    if not name.startswith("_"):
        place = _class_places().get(name)
        if place is not None:
            return resolve(place)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["TASKS", "load", *_class_places()])
