"""Text from text: summaries, translations, questions and continuations, by a decoder or by the encoder alone."""

import dataclasses

from bert_tf.core.settings import setting
from bert_tf.tasks.spec import TaskSettings, TaskSpec

ROUGE = ("rouge1", "rouge2", "rougeL")
BLEU = "bleu"
METRICS = (*ROUGE, BLEU)
BLEU_TOKENIZERS = ("13a", "intl", "zh", "char", "none")  # of sacrebleu
ARCHITECTURES = ("encoder_decoder", "prefix")


@dataclasses.dataclass(frozen=True)
class Settings(TaskSettings):
    """Arguments of `TextGenerator`; None leaves one to the model."""

    max_length: int | None = setting(None, "tokens of a source; longer ones are cut", least=1, most=2**20)
    architecture: str | None = setting(
        None, "a decoder beside the encoder, or the encoder alone with a mask", choices=ARCHITECTURES
    )
    share_weights: bool | None = setting(None, "whether the encoder's weights read the target too")
    decoder: dict[str, int] | None = setting(None, "sizes in which a decoder differs: { num_layers = 2 }", least=1)
    decoder_init: str | None = setting(None, "folder whose weights a decoder begins with; none: the encoder's")
    max_target_length: int | None = setting(None, "tokens of a target with its marks, at most", least=2, most=2**20)
    label_smoothing: float | None = setting(None, "share of a target spread over all tokens", least=0, below=1)
    metric: str | None = setting(None, "metric that selects the best model", choices=METRICS)
    bleu_tokenize: str | None = setting(None, "words that BLEU counts; zh for Chinese", choices=BLEU_TOKENIZERS)
    bleu_lowercase: bool | None = setting(None, "whether BLEU ignores case")
    # Fields of `GenerationConfig`, for the texts that the model writes unless a call has other settings.
    num_beams: int | None = setting(None, "beams of the search; 1: the likeliest token each time", least=1, most=1024)
    min_length: int | None = setting(None, "tokens of a text with its marks, at least", least=0)
    length_penalty: float | None = setting(None, "of beams: above 0 favours long texts, below short ones")
    no_repeat_ngram_size: int | None = setting(None, "n-grams of this size occur once in a text; 0: any", least=0)
    early_stopping: bool | None = setting(None, "end a search when as many texts as beams are finished")
    temperature: float | None = setting(None, "draw tokens, from logits divided by this", above=0)
    top_k: int | None = setting(None, "draw from this many of the likeliest tokens; 0: all", least=0)
    top_p: float | None = setting(None, "draw from the likeliest tokens of this probability", above=0, most=1)
    seed: int | None = setting(None, "of the draws; none: other ones each time", least=0)


SPEC = TaskSpec(
    name="generation",
    summary="A text from a text: a summary, a translation, a question or a continuation.",
    model="bert_tf.tasks.generation.task:TextGenerator",
    settings=Settings,
    texts=("text", "text_pair"),
    optional_texts=("text_pair",),
    example=("A man in a blue shirt is standing on a ladder.", ""),
    head="decoder",
    targets="bert_tf.tasks.base.targets:Targets",
    analyze="bert_tf.tasks.generation.analysis:analyze",
    tflite_outputs="bert_tf.tasks.generation.tflite:tflite_outputs",
)
