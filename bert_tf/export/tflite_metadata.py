"""TFLite metadata inside a .tflite: the meaning of its tensors, its tokenizer, vocabulary and labels.

Written from the published schema, metadata_schema.fbs of MediaPipe (identifier M001): the numbers below are the places
of fields in its tables. MediaPipe Tasks reads them to turn a text into the inputs, and scores into named categories.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from bert_tf.core import features

# The names that MediaPipe and Model Maker give BERT's inputs.
INPUT_NAMES = {
    features.INPUT_IDS: "input_word_ids",
    features.INPUT_MASK: "input_mask",
    features.SEGMENT_IDS: "input_type_ids",
}


def input_names(model: Any) -> dict[str, str]:
    """{our name: name in the file} of the inputs of a task model; those of pictures and sounds are the same."""
    return {name: INPUT_NAMES.get(name, name) for name in model.INPUTS}


VOCABULARY, LABELS = "vocab.txt", "labels.txt"
_FIELD = "TFLITE_METADATA"  # the entry that readers look for
_VERSION = "1.1.0"  # of the schema, at least

# MediaPipe tells BERT's inputs apart by the names in the metadata (field 0), not by the tensors' names.
_INPUTS = {
    "input_word_ids": {0: "ids", 1: "Token ids, [CLS] first, [SEP] last, then padding."},
    "input_mask": {0: "mask", 1: "1 for a token, 0 for padding."},
    "input_type_ids": {0: "segment_ids", 1: "0 for the first text and padding, 1 for the second."},
    "image_mask": {0: "image_mask", 1: "1 for each feature of the picture; all 0: there is no picture."},
    "image": {0: "image", 1: "RGB pixels from 0 to 255, row by row."},
    "audio_mask": {0: "audio_mask", 1: "1 for each feature of the sound, 0 for padding; all 0: there is no sound."},
    "vectors_mask": {0: "vectors_mask", 1: "1 for each vector, 0 for padding; all 0: there are none."},
    "vectors": {0: "vectors", 1: "Vectors, 0 after the last one."},
    "audio": {0: "audio", 1: "Mono samples of 16 bits; 0 after the end."},
}
_FEATURE = {0: 1, 1: {}}  # Content: FeatureProperties
_VOCABULARY_FILE = {
    0: VOCABULARY,
    1: "One token per line; the line number from 0 is its id.",
    2: 5,
}  # AssociatedFile: VOCABULARY
_LABELS_FILE = {0: LABELS, 1: "The name of each class.", 2: 2}  # AssociatedFile: TENSOR_AXIS_LABELS
_TOKENIZER = {0: 4, 1: {0: [_VOCABULARY_FILE]}}  # ProcessUnit: BertTokenizerOptions with its vocab_file


def add_metadata(
    content: bytes, name: str, description: str, vocabulary: Iterable[str] | None, labels: str = ""
) -> bytes:
    """The .tflite `content` with metadata and, as a zip appended to it, the vocabulary and labels.

    Args:
        name, description: of the model, for people.
        vocabulary: WordPiece tokens, in the order of their ids; None: the file has no tokenizer, and its readers give
            token ids.
        labels: names of the classes, one per line, in the order of the output's last axis; "" without classes.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    inputs = [_input(graph.tensors[index].name.decode()) for index in graph.inputs]
    outputs = [_output(name, labels) for name in _output_names(model)]
    # SubGraphMetadata: input and output tensors, and the units that process the inputs.
    subgraph: dict[int, Any] = {2: inputs, 3: outputs}
    files = {}
    if vocabulary is not None:
        subgraph[5] = [_TOKENIZER]
        files[VOCABULARY] = "\n".join(vocabulary) + "\n"
    if labels:
        files[LABELS] = labels
    return _pack(model, {0: name, 1: description, 3: [subgraph], 7: _VERSION}, files)


def add_files(content: bytes, name: str, description: str, files: Mapping[str, str | bytes]) -> bytes:
    """The .tflite `content` with a name and a description and, as a zip appended to it, `files` by their names."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    named: list[dict[int, Any]] = [{0: file} for file in files]  # AssociatedFile
    return _pack(model, {0: name, 1: description, 6: named, 7: _VERSION}, files)


def _pack(model: Any, table: dict[int, Any], files: Mapping[str, str | bytes]) -> bytes:
    """The file of a parsed flatbuffer with ModelMetadata, and a zip of `files`."""
    metadata = _serialize(table, b"M001")
    model.buffers.append(schema.BufferT(data=metadata))
    entry = schema.MetadataT(name=_FIELD, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(2**16)  # grows
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + (_zip(files) if files else b"")


def _input(tensor_name: str) -> dict[int, Any]:
    """TensorMetadata of an input; the tensor's name contains that of the signature's input."""
    for name, table in _INPUTS.items():
        if name in tensor_name:
            return table | {3: {**_FEATURE}}
    raise ValueError(f"{tensor_name} is no input of BERT")


def _output(name: str, labels: str) -> dict[int, Any]:
    """TensorMetadata of an output."""
    table: dict[int, Any] = {0: name, 3: {**_FEATURE}}
    if labels:
        table[6] = [_LABELS_FILE]
    return table


def _output_names(model: Any) -> list[str]:
    """The signature's names of the first subgraph's outputs, in the order of the tensors."""
    names = {}
    for signature in model.signatureDefs:
        if signature.subgraphIndex == 0:
            for output in signature.outputs:
                names[output.tensorIndex] = output.name.decode()
    return [names[index] for index in model.subgraphs[0].outputs]


def _serialize(table: dict[int, Any], identifier: bytes) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, table), identifier)
    return bytes(builder.Output())


def _write(builder: flatbuffers.Builder, value: Any) -> int:
    """Writes a string, a list of tables, or a table {field: value}, and returns its offset.

    An int in a table is a scalar field of one byte; every other value is written first and referred to by its offset.
    """
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, list):
        offsets = [_write(builder, item) for item in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):  # a flatbuffer is built from its end
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
    scalars, places = {}, {}  # values and offsets by field
    for field, item in value.items():
        if isinstance(item, int):
            scalars[field] = item
        else:  # before StartObject, because a table cannot be written inside of another
            places[field] = _write(builder, item)
    builder.StartObject(max(value, default=-1) + 1)
    for field in value:
        if field in scalars:
            builder.PrependInt8Slot(field, scalars[field], 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, places[field], 0)
    return builder.EndObject()


def _zip(contents: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # not compressed: readers on phones map it
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
