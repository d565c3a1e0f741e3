"""The tokenizer's files in a Hugging Face folder: vocab.txt, tokenizer.json, tokenizer_config.json."""

from pathlib import Path

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.huggingface import TOKEN_NAMES, fast_tokenizer, fast_vocabulary
from bert_tf.text.tokenizers.vocabulary import read_vocabulary, write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_optional_json, member, parse, pick, save_json
from bert_tf.weights.formats.base import HuggingFaceFormat

VOCABULARY, FAST, CONFIG = "vocab.txt", "tokenizer.json", "tokenizer_config.json"
NO_LIMIT = 10**6  # they write 10**30 where there is no limit
# {our setting: theirs} in tokenizer_config.json and in the normalizer of tokenizer.json.
CONFIG_FIELDS = {
    "lower_case": "do_lower_case",
    "strip_accents": "strip_accents",
    "split_cjk": "tokenize_chinese_chars",
}
FAST_FIELDS = {"lower_case": "lowercase", "strip_accents": "strip_accents", "split_cjk": "handle_chinese_chars"}


def read(folder: Path) -> tuple[TextConfig, list[str] | None]:
    """The `TextConfig` and the vocabulary, which is None where there are no tokenizer's files.

    Where both files have a setting, tokenizer_config.json overrules, as in transformers.
    """
    fast = load_optional_json(folder / FAST)
    normalizer = member(fast, "normalizer", {}, folder / FAST)
    model = member(fast, "model", {}, folder / FAST)
    values = {"max_word_chars": model.get("max_input_chars_per_word", 100)}
    values |= pick(normalizer, FAST_FIELDS)
    values |= pick(load_optional_json(folder / CONFIG), CONFIG_FIELDS)
    text = parse(TextConfig, values, folder / CONFIG)
    if (folder / VOCABULARY).exists():
        return text, read_vocabulary(folder / VOCABULARY)
    if not fast:
        return text, None
    ids, added = member(model, "vocab", {}, folder / FAST), member(fast, "added_tokens", [], folder / FAST)
    return text, fast_vocabulary(model.get("type", "WordPiece"), ids, added, folder / FAST)


def max_length(folder: Path) -> int | None:
    """The maximum tokens of a sequence; None where the files have none, or a number that means no limit."""
    length = load_optional_json(folder / CONFIG).get("model_max_length")
    if isinstance(length, int) and 0 < length < NO_LIMIT:
        return length
    return None


def write(folder: Path, checkpoint: Checkpoint, format: HuggingFaceFormat) -> None:
    """Writes all three files, from which both kinds of tokenizer of transformers give the same tokens."""
    if not checkpoint.vocabulary:
        return
    text = checkpoint.text
    write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    fast = fast_tokenizer(checkpoint.vocabulary, text).to_str(pretty=True)
    (folder / FAST).write_text(fast, encoding="utf-8")  # their `save` raises a bare `Exception` on a full disk
    settings = {theirs: getattr(text, ours) for ours, theirs in CONFIG_FIELDS.items()}
    length = checkpoint.task.get("max_length", checkpoint.encoder.max_positions)
    settings |= {"tokenizer_class": f"{format.class_prefix}Tokenizer", "model_max_length": length} | TOKEN_NAMES
    save_json(folder / CONFIG, settings)
