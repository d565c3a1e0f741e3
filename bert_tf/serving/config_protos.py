"""Definitions of the two text protos of TF Serving that tensorflow-serving-api lacks, so that files can be parsed."""

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from google.protobuf import wrappers_pb2 as _wrappers

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "bert_tf.serving"

# From tensorflow_serving/servables/tensorflow/session_bundle_config.proto and .../config/monitoring_config.proto. A
# field's type is one of google.protobuf's wrappers, a message of this table, or a plain type. Text protos name their
# fields, so the field numbers do not matter.
_MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": _wrappers.Int64Value.DESCRIPTOR.full_name,
        "batch_timeout_micros": _wrappers.Int64Value.DESCRIPTOR.full_name,
        "max_enqueued_batches": _wrappers.Int64Value.DESCRIPTOR.full_name,
        "num_batch_threads": _wrappers.Int64Value.DESCRIPTOR.full_name,
    },
    "PrometheusConfig": {"enable": _Field.TYPE_BOOL, "path": _Field.TYPE_STRING},
    "MonitoringConfig": {"prometheus_config": f"{_PACKAGE}.PrometheusConfig"},
}


def new(name: str) -> message.Message:
    """An empty message of the table above."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="bert_tf/serving.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(_wrappers.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = described.field.add(name=field, number=number, label=_Field.LABEL_OPTIONAL)
            if isinstance(kind, str):
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_wrappers.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()
