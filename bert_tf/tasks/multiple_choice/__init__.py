"""Multiple choice: which of several endings fits a context best, as in SWAG."""

import dataclasses

from bert_tf.core import settings
from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(settings.Settings):
    """Arguments of `MultipleChoice`; None leaves one to the model."""

    max_length: int | None = setting(
        None, "tokens of a row; longer texts are cut, or read in windows", least=1, most=2**20
    )


SPEC = TaskSpec(
    name="multiple_choice",
    summary="The ending, of several, that fits a context best.",
    model="bert_tf.tasks.multiple_choice.task:MultipleChoice",
    settings=Settings,
    texts=("context", "endings"),
    last_text_is_list=True,
    example=("She put the kettle on the stove.", ["Then she made tea.", "Then the stove sang a song."]),
    training_columns=("context", "endings", *(f"ending{i}" for i in range(10))),
    head="classifier",
    architectures={"huggingface": "ForMultipleChoice"},
    targets="bert_tf.tasks.multiple_choice.targets:ChoiceTargets",
    analyze="bert_tf.tasks.multiple_choice.analysis:analyze",
)
