"""What hosting platforms call, in the OpenAPI document, once for all models: SageMaker, Vertex AI, MLflow."""

from typing import Any

from apispec import APISpec

from model_service.config import InvocationsConfig
from model_service.transports.http import schemas
from model_service.transports.http.codec import JSON
from model_service.transports.http.endpoints import RUNTIME_ERRORS
from model_service.transports.http.envelopes import ENVELOPES
from model_service.transports.http.invocations import ANSWERED
from model_service.transports.http.ping import TARGET_MODEL, list_paths
from model_service.transports.http.platforms import EXECUTION_PARAMETERS, VERSION

TAG = {"name": "platforms", "description": "What hosting platforms and MLflow call: the same predictions."}
_COMPONENT = "#/components/schemas/"
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_ROW: dict[str, Any] = {"type": "object", "description": "A payload of the model, or an output."}
_ROWS = {"type": "array", "items": _ROW}
_HEADERS = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_ANSWER_HEADERS = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "X-Model-Version")}
_PLAIN = {"text/plain": {"schema": _TEXT}}
_RUNTIME_KINDS = ["ModelError", "InternalFailure", *sorted({kind for kind, _ in RUNTIME_ERRORS.values()})]
_SCHEMAS: dict[str, Any] = {
    "Envelope": {
        "type": "object",
        "description": "One of these holds the rows; `predictions` holds the outputs.",
        "properties": {name: {"description": f"Rows as `{name}`."} for name in ENVELOPES},
        "minProperties": 1,
    },
    "PredictionList": {"type": "object", "properties": {"predictions": _ROWS}, "required": ["predictions"]},
    "EndpointError": {
        "type": "object",
        "properties": {
            "code": {**_TEXT, "enum": _RUNTIME_KINDS},
            "message": _TEXT,
            "OriginalStatusCode": {"type": "integer", "description": "Of a `ModelError`: the status of its document."},
            "OriginalMessage": {**_TEXT, "description": "Of a `ModelError`: an `InvocationError`."},
        },
        "required": ["code", "message"],
    },
    "ExecutionParameters": {
        "type": "object",
        "properties": {"MaxConcurrentTransforms": _COUNT, "BatchStrategy": _TEXT, "MaxPayloadInMB": _COUNT},
        "required": ["MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"],
    },
}
_WORDS = (
    "A JSON object is answered by one object, an array, JSON lines or CSV by as many, an envelope by `predictions`. "
    "The fields of a payload and of an output are those of the model's own route."
)


def add_platform_paths(spec: APISpec, config: InvocationsConfig) -> None:
    """Add the routes, those of the configuration among them, and what they take and answer."""
    for name, schema in _SCHEMAS.items():
        spec.components.schema(name, component=schema)
    spec.components.schema("InvocationError", schema=schemas.InvocationErrorSchema)
    for name, words in (("InvocationError", "An error."), ("EndpointError", "An error, as boto3 reads it.")):
        content = {JSON: {"schema": {"$ref": _COMPONENT + name}}}
        spec.components.response(name, {"description": words, "headers": _HEADERS, "content": content})
    named = [_header(TARGET_MODEL, "Name of the model, or name/version; without it the default model answers.")]
    pings, invocations = list_paths(config)
    for path, suffix in zip(invocations, ("", "_route"), strict=False):  # the second one is the configuration's
        _add_invocation(spec, path, f"invoke{suffix}", "Predict with the default model, or one by a header", named)
    model = [_in_path("qualified_name", "Of the model, with or without `.tar.gz`.")]
    _add_invocation(spec, "/models/{qualified_name}/invoke", "invoke_model", "Predict, of several models", model)
    endpoint = [
        _in_path("endpoint_name", "Of the model; a hyphen may stand for an underscore."),
        _header("X-Amzn-SageMaker-Target-Variant", "A version of the model."),
    ]
    path = "/endpoints/{endpoint_name}/invocations"
    _add_invocation(spec, path, "invoke_endpoint", "Predict as SageMaker's runtime", endpoint, error="EndpointError")
    ready = {"description": "A request to `/invocations` would be answered.", "headers": _HEADERS}
    busy = {**ready, "description": "It would not; the text says why.", "content": _PLAIN}
    for path, suffix in zip(pings, ("", "_route"), strict=False):
        told = {"200": ready, "503": busy}
        _add(spec, path, f"ping{suffix}", "Tell whether the default model can answer", told)
    told = {"200": {"description": "The version.", "headers": _HEADERS, "content": _PLAIN}}
    _add(spec, VERSION, "get_version", "Tell the version of the service", told)
    content = {JSON: {"schema": {"$ref": f"{_COMPONENT}ExecutionParameters"}}}
    told = {"200": {"description": "The bounds.", "headers": _HEADERS, "content": content}}
    _add(spec, EXECUTION_PARAMETERS, "get_execution_parameters", "Tell batch transform its bounds", told)


def _add_invocation(
    spec: APISpec, path: str, name: str, summary: str, parameters: list[Any], *, error: str = "InvocationError"
) -> None:
    rows = {media_type: {"schema": _TEXT} for each in ANSWERED[1:] for media_type in each.media_types}
    payloads = {"anyOf": [{"$ref": f"{_COMPONENT}Envelope"}, _ROWS, _ROW]}
    outputs = {"anyOf": [{"$ref": f"{_COMPONENT}PredictionList"}, _ROWS, _ROW]}
    answer = {"description": "The outputs.", "headers": _ANSWER_HEADERS, "content": {JSON: {"schema": outputs}, **rows}}
    problem = {"$ref": f"#/components/responses/{error}"}
    operation = {
        "operationId": name,
        "tags": [TAG["name"]],
        "summary": summary,
        "description": _WORDS,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {JSON: {"schema": payloads}, **rows}},
        "responses": {"200": answer, "405": _problem("405"), "4XX": problem, "5XX": problem},
    }
    spec.path(path, operations={"post": operation})


def _add(spec: APISpec, path: str, name: str, summary: str, responses: dict[str, Any]) -> None:
    problems = {status: _problem(status) for status in ("400", "405")}
    told = {"operationId": name, "tags": [TAG["name"]], "summary": summary, "responses": {**responses, **problems}}
    spec.path(path, operations={"get": told})


def _problem(status: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/Problem{status}"}


def _header(name: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": _TEXT, "description": words}


def _in_path(name: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT, "description": words}
