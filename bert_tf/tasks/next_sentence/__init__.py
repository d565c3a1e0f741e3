"""Next sentence prediction by a pretrained model."""

from bert_tf.tasks.spec import TaskSettings, TaskSpec

SPEC = TaskSpec(
    name="next_sentence",
    summary="The probability that one text follows another, by a pretrained model.",
    model="bert_tf.tasks.next_sentence.task:NextSentence",
    settings=TaskSettings,
    texts=("text", "text_pair"),
    example=("She put the kettle on the stove.", "Then she made tea."),
    head="next_sentence",
)
