"""Learns byte-level BPE with the Rust `tokenizers` library, and unigram pieces with `sentencepiece`."""

import io
import json
from collections.abc import Sequence

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers import byte_bpe_file, sentencepiece_model
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS, Vocabulary
from bert_tf.text.tokenizers.wordpiece_trainer import CHARACTER_COVERAGE, MIN_FREQUENCY

ROBERTA_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def learn_byte_bpe(lines: Sequence[bytes], size: int, reserved: Sequence[str], config: TextConfig) -> Vocabulary:
    """At most `size` tokens with RoBERTa's special tokens: these, the reserved ones, the bytes, and merged pairs.

    Case is kept; other settings of the config do not matter either. Offsets are without the blanks before words.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=MIN_FREQUENCY,
        special_tokens=[*ROBERTA_TOKENS, *reserved],
        initial_alphabet=byte_bpe_file.characters_of_bytes(),
        show_progress=False,
    )
    model.train_from_iterator((line.decode(errors="replace") for line in lines), trainer)
    learned = json.loads(model.to_str())["model"]
    added = [*ROBERTA_TOKENS, *reserved]
    content = byte_bpe_file.tokenizer_json(learned["vocab"], learned["merges"], added, trim_offsets=True)
    return byte_bpe_file.vocabulary_of(json.dumps(content, ensure_ascii=False))


def learn_unigram(lines: Sequence[bytes], size: int, reserved: Sequence[str], config: TextConfig) -> Vocabulary:
    """`size` pieces with ALBERT's special tokens: these, the reserved ones, and learned pieces.

    Where the config lower-cases, the model does so too. `InputError` where the text gives fewer pieces.
    """
    try:
        import sentencepiece
    except ImportError:
        raise ConfigError("SentencePiece is not installed: pip install 'bert_tf[unigram]'") from None

    content = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line.decode(errors="replace") for line in lines),
            model_writer=content,
            model_type="unigram",
            vocab_size=size,
            pad_id=0,
            unk_id=1,
            bos_id=-1,  # none
            eos_id=-1,
            control_symbols=[*SPECIAL_TOKENS[2:], *reserved],
            normalization_rule_name="nmt_nfkc_cf" if config.lower_case else "nmt_nfkc",
            character_coverage=CHARACTER_COVERAGE,
            num_threads=1,  # with several the result depends on them
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        reason = str(error).splitlines()[-1].rsplit("] ", 1)[-1]
        raise InputError(f"No unigram vocabulary of size={size} can be learned from this text. {reason}") from None
    return sentencepiece_model.vocabulary_of(content.getvalue())
