"""The tokenizer of a model whose folder has none."""

from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.base import SpecialIds


class NoTokenizer:
    """Stands for a missing tokenizer: the model writes token ids from token ids; texts raise `InputError`.

    Args:
        start_id, end_id, pad_id: of the tokens around a target and of padding.
        vocab_size: tokens of the model.
    """

    def __init__(self, start_id: int, end_id: int, pad_id: int, vocab_size: int):
        self.special = SpecialIds(pad_id, None, start_id, end_id, None)
        self.pad_id, self.vocab_size = pad_id, vocab_size

    def num_added(self, num_segments: Any) -> Any:
        """As `Tokenizer.num_added`, of BERT's layout."""
        return 1 + num_segments

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols of Python
            raise AttributeError(name)
        raise InputError(
            "This model's folder has no tokenizer, so that it reads no texts: give token ids to "
            "model.generate_tokens(input_ids, input_mask), or add the vocabulary file to the folder."
        )
