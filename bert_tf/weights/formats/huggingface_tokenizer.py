"""The tokenizer's files in a Hugging Face folder: vocab.txt, tokenizer.json, tokenizer_config.json."""

from pathlib import Path
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.core.registry import families
from bert_tf.text.tokenizers.huggingface import TOKEN_NAMES, AddedToken, fast_tokenizer, fast_vocabulary, with_added
from bert_tf.text.tokenizers.vocabulary import (
    SPECIAL_TOKENS,
    Vocabulary,
    check_vocabulary,
    read_vocabulary,
    write_vocabulary,
)
from bert_tf.text.tokenizers.vocabulary_files import read_huggingface, write_folder
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_optional_json, member, parse, pick, save_json
from bert_tf.weights.formats.base import HuggingFaceFormat

VOCABULARY, FAST, CONFIG, ADDED = "vocab.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json"
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
    if other := read_huggingface(folder):
        settings, own = other
        return parse(TextConfig, settings, folder), own
    fast = load_optional_json(folder / FAST)
    normalizer = member(fast, "normalizer", {}, folder / FAST)
    model = member(fast, "model", {}, folder / FAST)
    values = {"max_word_chars": model.get("max_input_chars_per_word", 100)}
    values |= pick(normalizer, FAST_FIELDS)
    values |= pick(load_optional_json(folder / CONFIG), CONFIG_FIELDS)
    added = [token for token in _added_tokens(folder, fast) if token.content not in SPECIAL_TOKENS]
    values["added_tokens"] = [token.content for token in added if token.exact]
    values["added_any_case"] = [token.content for token in added if not token.exact]
    text = parse(TextConfig, values, folder / CONFIG)
    if (folder / VOCABULARY).exists():
        vocabulary = read_vocabulary(folder / VOCABULARY)
    elif fast:
        ids = member(model, "vocab", {}, folder / FAST)
        vocabulary = fast_vocabulary(model.get("type", "WordPiece"), ids, folder / FAST)
    else:
        return text, None
    vocabulary = with_added(vocabulary, added, folder)
    check_vocabulary(vocabulary, folder)
    return text, vocabulary


def _added_tokens(folder: Path, fast: dict) -> list[AddedToken]:
    """The added tokens of a folder, from whichever of its files list them; special tokens of BERT among them."""
    found: dict[str, AddedToken] = {}
    for token in member(fast, "added_tokens", [], folder / FAST):
        _add(found, token, member(token, "id", -1, folder / FAST), folder / FAST)
    decoder = member(load_optional_json(folder / CONFIG), "added_tokens_decoder", {}, folder / CONFIG)
    for number, token in decoder.items():
        _add(found, token, int(number) if number.isdecimal() and len(number) < 9 else -1, folder / CONFIG)
    for content in (ids := load_optional_json(folder / ADDED)):  # of old tokenizers, without further settings
        _add(found, {"content": content}, member(ids, content, -1, folder / ADDED), folder / ADDED)
    return list(found.values())


def _add(found: dict[str, AddedToken], token: Any, number: int, path: Path) -> None:
    """Adds an entry of a list of added tokens, unless another file had it."""
    content = member(token, "content", "", path)
    exact = member(token, "special", False, path) or not member(token, "normalized", True, path)
    if not content.strip():
        raise InputError(f"{path}: an added token is {token!r}, which should have its text under 'content'.")
    found.setdefault(content, AddedToken(content, number, exact))


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
    settings = {theirs: getattr(text, ours) for ours, theirs in CONFIG_FIELDS.items()}
    length = checkpoint.task.get("max_length", checkpoint.encoder.max_positions)
    if isinstance(checkpoint.vocabulary, Vocabulary):
        write_folder(folder, checkpoint.vocabulary)
        settings["keep_accents"] = not text.strips_accents
        save_json(folder / CONFIG, settings | {"model_max_length": length})
        return
    write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    write_fast(folder, checkpoint)
    # A list of tokens is of BERT's tokenizer, where the family's own is of another kind too.
    is_own = families()[checkpoint.family].tokenizer_place == families()["bert"].tokenizer_place
    prefix = format.class_prefix if is_own else "Bert"
    settings |= {"tokenizer_class": f"{prefix}Tokenizer", "model_max_length": length} | TOKEN_NAMES
    save_json(folder / CONFIG, settings)


def write_fast(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes tokenizer.json of a checkpoint with a vocabulary; of a Unigram tokenizer its SentencePiece model."""
    if isinstance(checkpoint.vocabulary, Vocabulary):
        write_folder(folder, checkpoint.vocabulary)
        return
    fast = fast_tokenizer(checkpoint.vocabulary, checkpoint.text).to_str(pretty=True)
    (folder / FAST).write_text(fast, encoding="utf-8")  # their `save` raises a bare `Exception` on a full disk
