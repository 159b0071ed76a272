"""The routes of the Open Inference Protocol in the OpenAPI document, once for all models: V2 tells their tensors."""

from typing import Any

from apispec import APISpec

from model_service.schema.tensors import DATATYPES
from model_service.transports.http import schemas
from model_service.transports.http.codec import JSON
from model_service.transports.http.urls import V1, V2

_TAG = "inference"
_COMPONENT = "#/components/schemas/"
_TEXT = {"type": "string"}
_PARAMETERS = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
    "description": "`content_type`: `str`, `base64` or `json` for BYTES. `nullable`, `optional`: of metadata.",
}
_SHAPE = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "The first dimension is the rows; -1 is any size.",
}
_TENSOR = {"name": _TEXT, "datatype": {"type": "string", "enum": list(DATATYPES)}, "shape": _SHAPE}
_DATA = {"type": "array", "items": {}, "description": "Row by row, flat or nested as the shape says."}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _array(component: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": _COMPONENT + component}}


def _content(component: str) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": _COMPONENT + component}}}


_SCHEMAS = {
    "TensorMetadata": _object(_TENSOR, parameters=_PARAMETERS),
    "Tensor": _object({**_TENSOR, "data": _DATA}, parameters=_PARAMETERS),
    "RequestedOutput": _object({"name": _TEXT}, parameters=_PARAMETERS),
    "InferenceServer": _object({"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}),
    "InferenceModel": _object(
        {
            **{"name": _TEXT, "versions": {"type": "array", "items": _TEXT}, "platform": _TEXT},
            **{"inputs": _array("TensorMetadata"), "outputs": _array("TensorMetadata")},
        }
    ),
    "InferenceState": _object({"ready": {"type": "boolean"}}, name=_TEXT),
    "InferenceRequest": _object(
        {"inputs": _array("Tensor")}, id=_TEXT, parameters=_PARAMETERS, outputs=_array("RequestedOutput")
    ),
    "InferenceResponse": _object({"model_name": _TEXT, "model_version": _TEXT, "outputs": _array("Tensor")}, id=_TEXT),
    "RepositoryModel": _object({"name": _TEXT, "version": _TEXT, "state": _TEXT, "reason": _TEXT}),
}
_NAME = {"name": "qualified_name", "in": "path", "required": True, "schema": _TEXT, "description": "Of the model."}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": _TEXT, "description": "PEP 440 version."}
_INFER_WORDS = (
    "The tensors of a model are told by its metadata. Where all fields are plain numbers, one tensor `[rows, fields]` "
    "of any other name holds them in the schema's order. With the header `Inference-Header-Content-Length` tensors "
    "follow the JSON as bytes (`binary_data_size`), and are answered so where `binary_data` or `binary_data_output` "
    "asks for it."
)
_HEADERS = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_READY = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
_INFER = {"required": True, "content": _content("InferenceRequest")}
_INSTANCES = {
    "required": True,
    "content": {JSON: {"schema": _object({"instances": {"type": "array", "items": {}, "minItems": 1}})}},
}


def add_inference_paths(spec: APISpec) -> None:
    """Add the routes below ``/v2`` and ``/v1/models``, and what they take and answer."""
    for name, schema in _SCHEMAS.items():
        spec.components.schema(name, component=schema)
    spec.components.schema("InferenceError", schema=schemas.InferenceErrorSchema)
    words = "An error; `error` says it in words."
    error = {"description": words, "headers": _HEADERS, "content": _content("InferenceError")}
    spec.components.response("InferenceProblem", error)
    model, version = f"{V2}/models/{{qualified_name}}", "/versions/{version}"
    _add(spec, V2, "get", "describe_inference_server", "Describe the server", "InferenceServer")
    for state in ("live", "ready"):
        document: Any = "InferenceState" if state == "ready" else _object({"live": {"type": "boolean"}})
        _add(spec, f"{V2}/health/{state}", "get", f"inference_server_{state}", f"Tell whether it is {state}", document)
    for path, suffix in ((model, ""), (model + version, "_version")):
        _add(spec, path, "get", f"describe_tensors{suffix}", "Tell the tensors of a model", "InferenceModel")
        _add(spec, f"{path}/ready", "get", f"model_ready{suffix}", "Tell whether a model is ready", "InferenceState")
        _add(spec, f"{path}/infer", "post", f"infer{suffix}", "Predict with tensors", "InferenceResponse", _INFER)
    index = {"description": "Only those that are ready.", "content": {JSON: {"schema": _READY}}}
    listed = _array("RepositoryModel")
    _add(spec, f"{V2}/repository/index", "post", "list_repository", "List models with their state", listed, index)
    names = _object({"models": {"type": "array", "items": _TEXT}})
    _add(spec, V1, "get", "list_models_v1", "List the names of all models", names)
    one = f"{V1}/{{qualified_name}}"
    _add(spec, one, "get", "model_ready_v1", "Tell whether a model is ready", "InferenceState")
    predictions = _object({"predictions": {"type": "array", "items": {}}})
    _add(spec, f"{one}:predict", "post", "predict_v1", "Predict for payloads", predictions, _INSTANCES)


def _add(spec: APISpec, path: str, method: str, operation_id: str, summary: str, answer: Any, body: Any = None) -> None:
    content = _content(answer) if isinstance(answer, str) else {JSON: {"schema": answer}}
    operation: dict[str, Any] = {"operationId": operation_id, "tags": [_TAG], "summary": summary}
    if body is _INFER:
        operation["description"] = _INFER_WORDS
    if body is not None:
        operation["requestBody"] = body
    parameters = [each for each in (_NAME, _VERSION) if f"{{{each['name']}}}" in path]
    problems = ("400", "404", "default") if parameters else ("400", "default")
    operation["responses"] = {
        "200": {"description": "The answer.", "headers": _HEADERS, "content": content},
        **{status: {"$ref": "#/components/responses/InferenceProblem"} for status in problems},
    }
    spec.path(path, operations={method: {**operation, **({"parameters": parameters} if parameters else {})}})
