"""The model files of SentencePiece as protocol buffers, without its package.

Only the fields that a tokenizer needs are declared; the others of a file are kept as they are.
"""

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

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


@functools.cache
def model_class() -> type:
    """The class of models; `FromString` raises `google.protobuf.message.DecodeError` for bytes that are none."""
    file = descriptor_pb2.FileDescriptorProto(
        name="bert_tf/sentencepiece_model.proto", package="bert_tf", syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".bert_tf.{kind.removeprefix('*')}"
                added.label = _FIELD.LABEL_REPEATED if kind[0] == "*" else _FIELD.LABEL_OPTIONAL
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bert_tf.Model"))
