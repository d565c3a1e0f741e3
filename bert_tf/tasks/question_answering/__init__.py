"""Extractive question answering: the answer is a span of the context."""

import dataclasses

from bert_tf.tasks.spec import TaskSpec


@dataclasses.dataclass(frozen=True)
class Settings:
    """Arguments of `QuestionAnswerer`; None leaves one to the model."""

    max_length: int | None = None
    stride: int | None = None
    max_question_length: int | None = None
    max_answer_length: int | None = None
    null_threshold: float | None = None
    n_best: int | None = None
    metric: str | None = None


SPEC = TaskSpec(
    name="question_answering",
    summary="The span of a context that answers a question, as in SQuAD.",
    model="bert_tf.tasks.question_answering.task:QuestionAnswerer",
    settings=Settings,
    texts=("question", "context"),
    head="answer_span",
    architectures={"huggingface": "ForQuestionAnswering"},
    file_formats=("squad",),
    targets="bert_tf.tasks.base.targets:Targets",
    analyze="bert_tf.tasks.question_answering.analysis:analyze",
    tflite_outputs="bert_tf.tasks.question_answering.tflite:tflite_outputs",
)
