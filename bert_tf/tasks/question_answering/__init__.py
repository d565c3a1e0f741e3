"""Extractive question answering: the answer is a span of the context."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSpec, WindowedTaskSettings


@dataclasses.dataclass(frozen=True)
class Settings(WindowedTaskSettings):
    """Arguments of `QuestionAnswerer`; None leaves one to the model."""

    max_question_length: int | None = setting(None, "tokens of a question, at most", least=1)
    max_answer_length: int | None = setting(None, "tokens of an answer, at most", least=1)
    null_threshold: float | None = setting(None, "margin of no answer; none: there always is one")
    n_best: int | None = setting(None, "number of candidates", least=1)
    metric: str | None = setting(None, "script by which answers are scored", choices=("squad", "cmrc"))


SPEC = TaskSpec(
    name="question_answering",
    summary="The span of a context that answers a question, as in SQuAD.",
    model="bert_tf.tasks.question_answering.task:QuestionAnswerer",
    settings=Settings,
    texts=("question", "context"),
    quoted_text="context",
    example=("Where did Ada Lovelace live?", "Ada Lovelace lived in London and worked with Charles Babbage."),
    head="answer_span",
    architectures={"huggingface": "ForQuestionAnswering"},
    file_formats=("squad",),
    targets="bert_tf.tasks.base.targets:Targets",
    analyze="bert_tf.tasks.question_answering.analysis:analyze",
    distills=True,
    tflite_outputs="bert_tf.tasks.question_answering.tflite:tflite_outputs",
    explained="bert_tf.tasks.question_answering.explained:explained",
)
