"""SageMaker's runtime interface, as boto3's `sagemaker-runtime` calls it with `endpoint_url` set to this service.

An endpoint is a model: its name, in which a hyphen may stand for an underscore, as names of endpoints have none; its
variant is a version. What a container answers with an error reaches such a client as a `ModelError` that holds it, and
so it does here.
"""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from model_service import errors
from model_service.config import ServiceConfig
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.strict_json import encode_json
from model_service.transports.http.codec import write_json
from model_service.transports.http.invocations import answer_invocation
from model_service.transports.http.ping import TARGET_MODEL, name_target
from model_service.transports.http.platforms import (
    describe_error,
    describe_http_error,
    describe_unexpected,
)
from model_service.transports.http.problems import STATUS

_VARIANT = "X-Amzn-SageMaker-Target-Variant"
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
#: The variant that endpoints have which were made without naming one.
_ANY_VARIANT = "AllTraffic"
#: What is no answer of the model: the class of the error that boto3 raises, and the status.
RUNTIME_ERRORS: dict[type[errors.ServiceError], tuple[str, int]] = {
    errors.Unauthenticated: ("MissingAuthenticationTokenException", 403),
    errors.Forbidden: ("AccessDeniedException", 403),
    errors.ModelNotFound: ("ValidationError", 400),
    errors.ModelNotReady: ("ModelNotReadyException", 429),
    errors.QueueFull: ("ServiceUnavailable", 503),
    errors.RateLimited: ("ThrottlingException", 429),
    errors.KeysUnavailable: ("ServiceUnavailable", 503),
    errors.ServerBusy: ("ServiceUnavailable", 503),
}


def build_blueprint(manager: ModelManager, service: PredictionService, config: ServiceConfig) -> Blueprint:
    """Return ``POST /endpoints/{name}/invocations``."""
    blueprint = Blueprint("endpoints", __name__)
    blueprint.register_error_handler(errors.ServiceError, _write_error)
    blueprint.register_error_handler(HTTPException, _write_http_error)
    blueprint.register_error_handler(Exception, _write_unexpected)

    @blueprint.post("/endpoints/<name>/invocations")
    def invoke(**_: str) -> Response:
        header = request.headers.get(TARGET_MODEL, "")
        qualified_name, own = name_target(manager, config.invocations, request.path, header)
        version = own or request.headers.get(_VARIANT, _ANY_VARIANT)
        named = None if version == _ANY_VARIANT else version
        with service.lease(qualified_name, named, request.headers.get) as target:
            response = answer_invocation(request, service, target, config)
        response.headers["x-Amzn-Invoked-Production-Variant"] = response.headers["X-Model-Version"]
        if request.headers.get(_ATTRIBUTES):
            response.headers[_ATTRIBUTES] = request.headers[_ATTRIBUTES]
        return response

    return blueprint


def _write_error(error: errors.ServiceError) -> Response:
    kind, status = RUNTIME_ERRORS.get(type(error), ("ModelError", 424))
    if kind == "ModelError":
        response = _write_model_error(STATUS[type(error)], describe_error(error))
    else:
        response = _write(status, kind, {"message": error.message})
    if isinstance(error, errors.CapacityError) and error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
        response.headers["x-amz-retry-after"] = str(error.retry_after_s * 1000)  # milliseconds; boto3 reads this one
    if isinstance(error, errors.PayloadTooLarge):  # the rest of the body is not read
        response.headers["Connection"] = "close"
    return response


def _write_http_error(error: HTTPException) -> Response:
    return _write_model_error(*describe_http_error(error))


def _write_unexpected(error: Exception) -> Response:
    return _write(500, "InternalFailure", {"message": describe_unexpected(error)["message"]})


def _write_model_error(status: int, document: dict[str, Any]) -> Response:
    """Return the error of a model that has answered with a status and a document."""
    told = f"Received error ({status}) from model: {document['message']}"
    members = {"message": told, "OriginalStatusCode": status, "OriginalMessage": encode_json(document).decode()}
    return _write(424, "ModelError", members)


def _write(status: int, kind: str, members: dict[str, Any]) -> Response:
    response = write_json({"code": kind, **members}, status=status)
    response.headers["x-amzn-errortype"] = kind
    return response
