"""Status and metadata of versions as TF Serving's protos and as JSON."""

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from bert_tf.serving.models import Version
from bert_tf.serving.status import Code


def status(versions: Iterable[Version]) -> get_model_status_pb2.GetModelStatusResponse:
    """GetModelStatusResponse with an entry per version."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = response.model_version_status.add(version=version.number, state=version.state)
        entry.status.error_code = (Code.UNKNOWN if version.error else Code.OK).value[0]
        entry.status.error_message = version.error
    return response


def metadata(version: Version, name: str) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """GetModelMetadataResponse with the signatures of a version of the model `name`."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version.number
    response.metadata["signature_def"].Pack(_signatures(version))
    return response


def as_json(message: Any) -> dict[str, Any]:
    """A proto as values for JSON, under the proto's field names, with unset fields."""
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def metadata_as_json(version: Version, name: str) -> dict[str, Any]:
    """As `metadata`, in the form of the REST API."""
    spec = as_json(metadata(version, name).model_spec)
    return {"model_spec": spec, "metadata": {"signature_def": as_json(_signatures(version))}}


def _signatures(version: Version) -> get_model_metadata_pb2.SignatureDefMap:
    with version.use() as servable:
        return get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signature_defs)
