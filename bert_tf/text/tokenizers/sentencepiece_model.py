"""The model files of SentencePiece as protocol buffers, without its package.

Only the fields that a tokenizer needs are declared; the others of a file are kept as they are.
"""

import base64
import functools
import pathlib
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from bert_tf.core.errors import InputError
from bert_tf.core.files import open_regular
from bert_tf.text.tokenizers.vocabulary import Vocabulary

NAME, XLM_ROBERTA_NAME = "spiece.model", "sentencepiece.bpe.model"

# Types of a model, and of its pieces.
UNIGRAM, BPE = 1, 2
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

_FIELD = descriptor_pb2.FieldDescriptorProto
# {message: {field: (number, type)}}; a message's name as type, with "*" where there are several.
# Texts are bytes: pieces of byte-level BPE need not be UTF-8.
_MESSAGES: dict[str, dict[str, tuple[int, Any]]] = {
    "Piece": {"piece": (1, _FIELD.TYPE_BYTES), "score": (2, _FIELD.TYPE_FLOAT), "type": (3, _FIELD.TYPE_INT32)},
    "TrainerSpec": {"model_type": (3, _FIELD.TYPE_INT32)},
    "NormalizerSpec": {
        "name": (1, _FIELD.TYPE_BYTES),
        "precompiled_charsmap": (2, _FIELD.TYPE_BYTES),
        "add_dummy_prefix": (3, _FIELD.TYPE_BOOL),
        "remove_extra_whitespaces": (4, _FIELD.TYPE_BOOL),
        "escape_whitespaces": (5, _FIELD.TYPE_BOOL),
    },
    "Model": {
        "pieces": (1, "*Piece"),
        "trainer_spec": (2, "TrainerSpec"),
        "normalizer_spec": (3, "NormalizerSpec"),
    },
}
# XLM-R has these tokens in place of <unk>, <s>, </s> at the start of its model, and one after the pieces.
_XLM_ROBERTA_FIRST, _XLM_ROBERTA_LAST = ("<s>", "<pad>", "</s>", "<unk>"), "<mask>"


def read_model(path: pathlib.Path, file_name: str = NAME) -> Vocabulary:
    """Opens a model file; `InputError` where it is none.

    Args:
        path: the file.
        file_name: `XLM_ROBERTA_NAME` gives the pieces the ids of XLM-R; otherwise ids are the numbers of the pieces.
    """
    with open_regular(path) as file:
        return vocabulary_of(file.read(), file_name, path)


def vocabulary_of(content: bytes, file_name: str = NAME, source: object = NAME) -> Vocabulary:
    """The `Vocabulary` of a model file's content; `InputError` that names `source` where it is none."""
    try:
        pieces = model_class().FromString(content).pieces
        tokens = [piece.piece.decode() for piece in pieces]
    except (DecodeError, UnicodeDecodeError):
        tokens, pieces = [], []
    if not any(piece.type == UNKNOWN for piece in pieces):
        raise InputError(f"{source}: no SentencePiece model. A file that its trainer wrote is needed.")
    if file_name == XLM_ROBERTA_NAME:
        tokens = [*_XLM_ROBERTA_FIRST, *tokens[3:], _XLM_ROBERTA_LAST]
    return Vocabulary(tokens, file_name, content)


def of_tokenizer_json(content: dict[str, Any], source: object) -> tuple[Vocabulary, dict[str, Any]]:
    """The `Vocabulary` of a tokenizer.json of type Unigram, and settings of `TextConfig` from its normalizer.

    Raises `InputError` where the normalizer does what SentencePiece and ALBERT do not.
    """
    try:
        return _of_tokenizer_json(content)
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{source}: no Unigram tokenizer of the `tokenizers` library: {error!r}.") from None


def _of_tokenizer_json(content):
    model = model_class()()
    model.trainer_spec.model_type = UNIGRAM
    special = {token["content"] for token in content.get("added_tokens") or []}
    for i, (piece, score) in enumerate(content["model"]["vocab"]):
        kind = UNKNOWN if i == content["model"]["unk_id"] else CONTROL if piece in special else NORMAL
        model.pieces.add(piece=piece.encode(), score=score, type=kind)
    tokens = [piece.piece.decode() for piece in model.pieces]
    for token in sorted(content.get("added_tokens") or [], key=lambda token: token["id"]):
        if token["id"] == len(tokens):
            tokens.append(token["content"])
            model.pieces.add(piece=token["content"].encode(), type=CONTROL)
    spec, text = model.normalizer_spec, {"lower_case": False, "strip_accents": False}
    spec.add_dummy_prefix, spec.escape_whitespaces, spec.remove_extra_whitespaces = True, True, False
    normalizer = content.get("normalizer") or {"type": "Sequence", "normalizers": []}
    for part in normalizer["normalizers"] if normalizer["type"] == "Sequence" else [normalizer]:
        kind = part["type"]
        if kind == "Precompiled":
            spec.precompiled_charsmap = base64.b64decode(part["precompiled_charsmap"])
        elif kind == "Lowercase":
            text["lower_case"] = True
        elif kind == "StripAccents":
            text["strip_accents"] = True
        elif kind in ("Strip", "Replace"):
            spec.remove_extra_whitespaces |= kind == "Strip" or part["content"] == " "
        elif kind != "NFKD":
            raise ValueError(f"normalizer {kind} is not supported")
    # Words that were split at white space have one mark before them, however many blanks there are.
    splits = content.get("pre_tokenizer") or {}
    spec.remove_extra_whitespaces |= "WhitespaceSplit" in str(splits)
    return vocabulary_of(model.SerializeToString()), text


@functools.cache
def model_class() -> Any:
    """The class of models; `FromString` raises `google.protobuf.message.DecodeError` for bytes that are none."""
    file = descriptor_pb2.FileDescriptorProto(
        name="bert_tf/sentencepiece_model.proto", package="bert_tf", syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
            if field == "type":
                added.default_value = str(NORMAL)
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".bert_tf.{kind.removeprefix('*')}"
                added.label = _FIELD.LABEL_REPEATED if kind[0] == "*" else _FIELD.LABEL_OPTIONAL
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bert_tf.Model"))
