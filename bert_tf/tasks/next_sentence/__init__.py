"""Next sentence prediction by a pretrained model."""

import dataclasses

from bert_tf.core import settings
from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings(settings.Settings):
    """Arguments of `NextSentence`; None leaves one to the model."""

    max_length: int | None = setting(
        None, "tokens of a row; longer texts are cut, or read in windows", least=1, most=2**20
    )


SPEC = TaskSpec(
    name="next_sentence",
    summary="The probability that one text follows another, by a pretrained model.",
    model="bert_tf.tasks.next_sentence.task:NextSentence",
    settings=Settings,
    texts=("text", "text_pair"),
    example=("She put the kettle on the stove.", "Then she made tea."),
    head="next_sentence",
)
