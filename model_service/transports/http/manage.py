"""The route that reloads a running service. It passes the order on to the parent, as the command line does.

Only where `server.allow_management` says so, and under `serve`. The body must be JSON, which no page of another origin
can send without asking first (CORS).
"""

from pathlib import Path
from typing import Any

from apispec import APISpec
from flask import Blueprint, Response, request

from model_service.config import ServerConfig
from model_service.control import give_order
from model_service.errors import PayloadMalformed, ReloadFailed, ReloadUnderWay, ServiceError
from model_service.transports.http.codec import PROBLEM_JSON, read_json, write_json
from model_service.transports.http.urls import RELOAD


def build_blueprint(control: Path, config: ServerConfig) -> Blueprint:
    """Return the routes below ``/api/manage``.

    Args:
        control: The control socket of the service.
        config: Of the server.
    """
    blueprint = Blueprint("manage", __name__)

    @blueprint.post(RELOAD)
    def reload_service() -> Response:
        document: Any = read_json(request, max_bytes=config.max_body_bytes, max_values=config.max_body_values)
        if not isinstance(document, dict) or document.keys() - {"dry_run"}:
            raise PayloadMalformed("expected an object, empty or with 'dry_run'")
        is_dry = document.get("dry_run", False)
        if not isinstance(is_dry, bool):
            raise PayloadMalformed("'dry_run' must be true or false")
        said: list[str] = []
        try:
            outcome = give_order(control, {"op": "reload", "is_dry": is_dry}, said.append)
        except ReloadUnderWay:
            raise
        except ServiceError as error:  # whatever is wrong there, it is not this request
            raise ReloadFailed(error.message) from None
        return write_json({"generation": outcome["generation"], "plan": said})

    return blueprint


def add_manage_path(spec: APISpec, problems: dict[str, Any]) -> None:
    """Describe the route in an OpenAPI document."""
    body = {"type": "object", "properties": {"dry_run": {"type": "boolean"}}, "additionalProperties": False}
    answer = {
        "type": "object",
        "properties": {
            "generation": {"type": "integer", "description": "Number of the generation that serves now."},
            "plan": {"type": "array", "items": {"type": "string"}, "description": "What has changed, or would."},
        },
        "required": ["generation", "plan"],
    }
    operation = {
        "operationId": "reload_service",
        "tags": ["manage"],
        "summary": "Read the configuration again and serve it with new processes",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "The new generation serves.",
                "content": {"application/json": {"schema": answer}},
            },
            "409": {
                "description": "The new generation is not fit to serve, the detail says why; nothing has changed.",
                "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            },
            **{status: problem for status, problem in problems.items() if status in ("400", "413", "415", "503")},
        },
    }
    spec.path(RELOAD, operations={"post": operation})
