"""Multiple choice: which of several endings fits a context best, as in SWAG."""

from bert_tf.tasks.spec import TaskSettings, TaskSpec

SPEC = TaskSpec(
    name="multiple_choice",
    summary="The ending, of several, that fits a context best.",
    model="bert_tf.tasks.multiple_choice.task:MultipleChoice",
    settings=TaskSettings,
    texts=("context", "endings"),
    last_text_is_list=True,
    example=("She put the kettle on the stove.", ["Then she made tea.", "Then the stove sang a song."]),
    training_columns=("context", "endings", *(f"ending{i}" for i in range(10))),
    head="classifier",
    architectures={"huggingface": "ForMultipleChoice"},
    targets="bert_tf.tasks.multiple_choice.targets:ChoiceTargets",
    analyze="bert_tf.tasks.multiple_choice.analysis:analyze",
)
