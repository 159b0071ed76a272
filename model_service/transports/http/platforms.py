"""The routes that hosting platforms and MLflow call: `/ping`, `/invocations`, and what SageMaker has beside them.

SageMaker's names are those of its contract with containers; Vertex AI says in `AIP_PREDICT_ROUTE` and
`AIP_HEALTH_ROUTE` where it calls; MLflow's scoring client calls `/ping`, `/version` and `/invocations`.
"""

import logging
from typing import Any, NoReturn

from flask import Blueprint, Response, request
from werkzeug import exceptions

import model_service
from model_service.config import ServiceConfig
from model_service.config_setting import MIB
from model_service.errors import MediaTypeUnsupported, PayloadTooLarge, ServiceError
from model_service.manager import ModelManager
from model_service.observability import get_request_id
from model_service.prediction import PredictionService
from model_service.threads import count_cores
from model_service.transports.http.codec import list_media_types, write_json
from model_service.transports.http.inflating import ENCODINGS
from model_service.transports.http.invocations import answer_invocation
from model_service.transports.http.ping import TARGET_MODEL, answer_ping, list_paths, name_target
from model_service.transports.http.problems import (
    HTTP_PROBLEMS,
    MLFLOW_CODES,
    OTHER_CODE,
    STATUS,
    UNEXPECTED_CODE,
    find_retry_after,
    make_document,
)

VERSION, EXECUTION_PARAMETERS = "/version", "/execution-parameters"

logger = logging.getLogger(__name__)


def build_blueprint(manager: ModelManager, service: PredictionService, config: ServiceConfig) -> Blueprint:
    """Return the routes, those of the configuration among them."""
    blueprint = Blueprint("platforms", __name__)
    blueprint.register_error_handler(ServiceError, write_error)
    blueprint.register_error_handler(exceptions.HTTPException, _write_http_error)
    blueprint.register_error_handler(Exception, _write_unexpected)
    pings, invocations = list_paths(config.invocations)

    def ping() -> Response:
        status, headers, body = answer_ping(manager, config.invocations)
        return Response(body, status, headers)

    def invoke(**_: str) -> Response:
        header = request.headers.get(TARGET_MODEL, "")
        name, version = name_target(manager, config.invocations, request.path, header)
        with service.lease(name, version, request.headers.get) as target:
            return answer_invocation(request, service, target, config)

    for path in pings:
        blueprint.add_url_rule(path, view_func=ping)
    for path in invocations:
        blueprint.add_url_rule(path, view_func=invoke, methods=["POST"])
    blueprint.add_url_rule("/models/<name>/invoke", view_func=invoke, methods=["POST"])

    @blueprint.get(VERSION)
    def version() -> Response:
        return Response(model_service.__version__, content_type="text/plain; charset=utf-8")

    @blueprint.get(EXECUTION_PARAMETERS)
    def execution_parameters() -> Response:
        parameters = {
            "MaxConcurrentTransforms": config.server.workers or count_cores(),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": max(1, config.server.max_body_bytes // MIB),
        }
        return write_json(parameters)

    @blueprint.post("/models")
    @blueprint.delete("/models/<name>")
    def manage(name: str | None = None) -> NoReturn:
        raise exceptions.NotImplemented(
            "models are listed in the configuration and loaded at the start; none is loaded or unloaded by request"
        )

    return blueprint


def write_error(error: ServiceError) -> Response:
    """Return what a platform is told of one of our errors: a problem document, with the members that MLflow has."""
    response = write_error_document(STATUS[type(error)], describe_error(error))
    if isinstance(error, PayloadTooLarge):  # the rest of the body is not read
        response.headers["Connection"] = "close"
    if isinstance(error, MediaTypeUnsupported):
        response.headers["Accept"] = f"application/json, {list_media_types()}"
        response.headers["Accept-Encoding"] = ENCODINGS
    retry_after = find_retry_after(error)
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


def describe_error(error: ServiceError) -> dict[str, Any]:
    """Return the document of one of our errors."""
    return _describe(STATUS[type(error)], error.code, error.title, error.message, error=error)


def describe_http_error(error: exceptions.HTTPException) -> tuple[int, dict[str, Any]]:
    """Return status and document of what HTTP alone can get wrong."""
    status = error.code or 500
    code, title = HTTP_PROBLEMS.get(status, (OTHER_CODE, error.name))
    return status, _describe(status, code, title, error.description or error.name)


def describe_unexpected(error: Exception) -> dict[str, Any]:
    """Return the document of an error that nobody foresaw, and log it."""
    logger.error("unexpected error", exc_info=error)
    detail = "an unexpected error; the log tells why, by request id"
    return _describe(500, UNEXPECTED_CODE, "The service failed.", detail)


def write_error_document(status: int, document: dict[str, Any]) -> Response:
    """Return an answer that holds the document of an error."""
    return write_json(document, status=status)


def _describe(status: int, code: str, title: str, detail: str, *, error: ServiceError | None = None) -> dict[str, Any]:
    problem = make_document(status, code, title, detail, get_request_id(), error.violations if error else ())
    return add_members(problem)


def add_members(problem: dict[str, Any]) -> dict[str, Any]:
    """Return a problem document with what MLflow's clients, and boto3, look for in it."""
    return problem | {"error_code": MLFLOW_CODES.get(problem["status"], "BAD_REQUEST"), "message": problem["detail"]}


def _write_http_error(error: exceptions.HTTPException) -> Response:
    return write_error_document(*describe_http_error(error))


def _write_unexpected(error: Exception) -> Response:
    return write_error_document(500, describe_unexpected(error))
