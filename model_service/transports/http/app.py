"""The Flask application: its parts, its request ids and its one log line a request."""

import logging
import time

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from model_service.config import ServerConfig
from model_service.manager import ModelManager
from model_service.observability import bind_request_id, choose_request_id, get_request_id
from model_service.prediction import PredictionService
from model_service.transports.http import docs, health, rest
from model_service.transports.http.errors import register_error_handlers

logger = logging.getLogger(__name__)


def build_app(manager: ModelManager, service: PredictionService, config: ServerConfig) -> Flask:
    """Return the WSGI application of a configured service; it loads no model and starts nothing."""
    app = Flask(__name__)
    app.url_map.merge_slashes = False  # a redirect would hide the mistake from a program
    app.before_request(_start_request)
    app.after_request(_finish_request)
    app.teardown_request(_release_request)
    register_error_handlers(app)
    app.register_blueprint(rest.build_blueprint(manager, service, max_body_bytes=config.max_body_bytes))
    app.register_blueprint(health.build_blueprint(manager))
    app.register_blueprint(docs.build_blueprint(manager, max_rows=config.max_request_rows))
    app.add_url_rule("/", "index", _redirect_to_docs)
    return app


def _redirect_to_docs() -> BaseResponse:
    return redirect("/docs")


def _start_request() -> None:
    g.started = time.perf_counter()
    bind_request_id(choose_request_id(request.headers.get("X-Request-ID")))


def _finish_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = get_request_id() or ""
    response.headers["X-Content-Type-Options"] = "nosniff"
    names = request.view_args or {}
    logger.info(
        "request",
        extra={
            "method": request.method,
            "path": request.path[:200],
            "status": response.status_code,
            "model": names.get("qualified_name", "")[:64] or None,
            "version": response.headers.get("X-Model-Version"),
            "duration_ms": round((time.perf_counter() - g.started) * 1000, 3),
        },
    )
    return response


def _release_request(error: BaseException | None) -> None:
    bind_request_id(None)
