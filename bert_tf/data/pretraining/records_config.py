"""Settings of pretraining records."""

import dataclasses
import typing

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import Settings, setting
from bert_tf.text.lines import is_utf8

if typing.TYPE_CHECKING:
    from bert_tf.text.masking import MaskingConfig
    from bert_tf.text.scrubbing import Scrubber


@dataclasses.dataclass(frozen=True)
class RecordsConfig(Settings):
    """How text becomes records; numbers and their names are those of Google's create_pretraining_data.py."""

    max_length: int = setting(128, "tokens per example, including the special ones", least=8, most=1 << 20)
    max_predictions: int = setting(20, "maximum number of masked tokens per example", least=1, most=1 << 20)
    masked_lm_prob: float = setting(0.15, "share of the tokens that are masked", above=0, below=1)
    dupe_factor: int | None = setting(
        None, "passes over the text, each with other pairs and masks; none: 10 with static masking, else 1", least=1
    )
    short_seq_prob: float = setting(0.1, "share of examples of a random shorter length", least=0, most=1)
    objective: str | None = setting(
        "next_sentence",
        "sentence_order is ALBERT's; none: sentences of a document in one segment; full_sentences: across documents, "
        "RoBERTa's",
        choices=("next_sentence", "sentence_order", "none", "full_sentences"),
    )
    masking: str = setting("token", "unit of masking", choices=("token", "whole_word", "ngram"))
    max_ngram: int = setting(3, "longest n-gram in words", least=1, most=1000)
    static_masking: bool = setting(True, "false: training masks, differently in every epoch")
    seed: int = setting(12345, "random seed; the output depends on it, the text and the settings only", least=0)
    shards: int | None = setting(None, "number of output files; none: from the size of the text", least=1, most=99_999)
    schema: str = setting("google", "names of the features", choices=("google", "model_garden"))
    gzip: bool = setting(False, "compress the files")
    split_sentences: bool = setting(True, "false: a line is a sentence")
    field: str | None = setting(None, "JSON lines: the key of the text")
    strict: bool = setting(False, "refuse invalid UTF-8 instead of replacing it")
    encoding: str | None = setting(None, "of the text, such as gb18030 or cp1252; none: UTF-8")
    scrub: bool = setting(
        False, "replace mail addresses, URLs, phone, card and identity numbers by placeholders such as [mail]"
    )
    scrub_tagger: str | None = setting(
        None, "with scrub: folder of a tagging model; names of persons that it finds are replaced too"
    )
    num_processes: int | None = setting(
        None, "worker processes; none: from the size of the text and the CPUs", least=1, most=1024
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", self.objective or "none")  # on a command line, none is None
        super().__post_init__()
        if self.encoding is not None:
            is_utf8(self.encoding)  # refuses unknown names
        if self.scrub_tagger and not self.scrub:
            raise ConfigError(f"Received: scrub_tagger={self.scrub_tagger} without scrub. Set both, or none.")

    @property
    def scrubber(self) -> "Scrubber | None":
        """Replaces personal data; None without `scrub`."""
        from bert_tf.text.scrubbing import Scrubber

        return Scrubber(self.scrub_tagger) if self.scrub else None

    @property
    def masking_config(self) -> "MaskingConfig":
        from bert_tf.text.masking import MaskingConfig

        return MaskingConfig(self.masking, self.masked_lm_prob, self.max_predictions, self.max_ngram)

    @property
    def has_pairs(self) -> bool:
        """Whether examples are labelled pairs of segments."""
        return self.objective in ("next_sentence", "sentence_order")

    @property
    def passes(self) -> int:
        return self.dupe_factor or (10 if self.static_masking else 1)
