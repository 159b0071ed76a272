"""Every error of the Flask application becomes a problem document, or a page of it for a person."""

import logging

from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from model_service import errors
from model_service.observability import get_request_id
from model_service.records import Violation
from model_service.transports.http.accept import rate
from model_service.transports.http.codec import JSON, PROBLEM_JSON, list_media_types, write_json
from model_service.transports.http.inference_errors import add_error, is_of_protocol
from model_service.transports.http.inflating import ENCODINGS
from model_service.transports.http.problems import (
    HTTP_PROBLEMS,
    OTHER_CODE,
    STATUS,
    UNEXPECTED_CODE,
    find_challenge,
    find_retry_after,
    make_document,
)
from model_service.transports.http.urls import API_PREFIXES

logger = logging.getLogger(__name__)


class HostNotAllowed(HTTPException):
    """The request is for a host that is not this service's."""

    code = 421
    description = "this service answers requests for other hosts; add this one to 'server.allowed_hosts'"


def register_error_handlers(app: Flask) -> None:
    """Make every exception of the application a problem document."""
    app.register_error_handler(errors.ServiceError, handle_service_error)
    app.register_error_handler(HTTPException, _handle_http_exception)
    app.register_error_handler(Exception, _handle_unexpected)


def handle_service_error(error: errors.ServiceError) -> Response:
    """Return the problem document of one of our errors."""
    status = STATUS[type(error)]
    response = write_problem(status, error.code, error.title, error.message, error.violations)
    if isinstance(error, errors.PayloadTooLarge):
        # The rest of the body is not read, so the server ends the connection; a client that is
        # not told would send its next request into it.
        response.headers["Connection"] = "close"
    if isinstance(error, errors.MediaTypeUnsupported):
        response.headers["Accept"] = f"{JSON}, {list_media_types()}"
        response.headers["Accept-Encoding"] = ENCODINGS
    challenge = find_challenge(error)
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    retry_after = find_retry_after(error)
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


def write_problem(status: int, code: str, title: str, detail: str, violations: tuple[Violation, ...] = ()) -> Response:
    """Return a problem document with the current request's id, as its caller expects it: a page for a browser."""
    g.code = code
    document = make_document(status, code, title, detail, get_request_id(), violations)
    if is_of_protocol(request.path):
        return write_json(add_error(document), status=status)
    if _is_for_a_person():
        return Response(render_template("error.html", problem=document), status=status)
    return write_json(document, status=status, media_type=PROBLEM_JSON)


def _is_for_a_person() -> bool:
    """Whether the caller asks for a page above all else, at an address that is not for programs."""
    if request.path.startswith(API_PREFIXES):
        return False
    accept = request.headers.get("Accept", "")
    return rate(accept, "text/html") > max(rate(accept, PROBLEM_JSON), rate(accept, JSON))


def _handle_http_exception(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirect
        return Response(error.get_body(), error.code or 500, error.get_headers())
    code, title = HTTP_PROBLEMS.get(error.code, (OTHER_CODE, error.name))
    response = write_problem(error.code, code, title, _http_detail(error))
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value  # Allow of 405 above all
    return response


def _http_detail(error: HTTPException) -> str:
    allowed = getattr(error, "valid_methods", None)
    if error.code == 405 and allowed:
        return f"{request.method} is not supported here; use {', '.join(sorted(allowed))}"
    if error.code == 404:
        return "no such address; GET /docs lists them all"
    return error.description or error.name


def _handle_unexpected(error: Exception) -> Response:
    logger.error("unexpected error", exc_info=error)
    return write_problem(
        500, UNEXPECTED_CODE, "The service failed.", "an unexpected error; the log tells why, by request id"
    )
