"""A pretrained encoder without a task, to be exported as it is; not in `TASKS`, because nothing is trained for it."""

from bert_tf.tasks.spec import TaskSettings, TaskSpec

SPEC = TaskSpec(
    name="encoder",
    summary="One vector per token and one per text, by a pretrained encoder.",
    model="bert_tf.tasks.encoder.task:TextEncoder",
    settings=TaskSettings,
    texts=("text", "text_pair"),
    optional_texts=("text_pair",),
)
