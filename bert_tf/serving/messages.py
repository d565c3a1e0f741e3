"""Status and metadata of versions as TF Serving's protos, and these as JSON."""

from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from bert_tf.serving.status import Code


def status(versions):
    """GetModelStatusResponse of some `Version`s."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = response.model_version_status.add(version=version.number, state=version.state)
        entry.status.error_code = (Code.UNKNOWN if version.error else Code.OK).value[0]
        entry.status.error_message = version.error
    return response


def metadata(version, name):
    """GetModelMetadataResponse of a `Version` of the model `name`: its signatures."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = version.number
    response.metadata["signature_def"].Pack(_signatures(version))
    return response


def as_json(message):
    """A proto as JSON-ready values, under the names of the proto, unset fields too."""
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def metadata_as_json(version, name):
    """As `metadata`, in the form of the REST API."""
    spec = as_json(metadata(version, name).model_spec)
    return {"model_spec": spec, "metadata": {"signature_def": as_json(_signatures(version))}}


def _signatures(version):
    return get_model_metadata_pb2.SignatureDefMap(signature_def=version.servable.signature_defs)
