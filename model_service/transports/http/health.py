"""Health for orchestrators: is the process alive, and can it do its work. For Flask and for the loop."""

from flask import Blueprint, Response

from model_service.manager import ModelManager
from model_service.strict_json import encode_json
from model_service.transports.http.codec import JSON
from model_service.transports.http.schemas import HealthSchema, health_fields

LIVE, READY = "/health/live", "/health/ready"
#: The states of the models change under their names.
HEADERS = (("Content-Type", JSON), ("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))
_schema = HealthSchema()


def build_blueprint(manager: ModelManager) -> Blueprint:
    """Return the routes below ``/health``."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get(LIVE, endpoint="live")
    def live() -> Response:
        return _respond(LIVE)

    @blueprint.get(READY, endpoint="ready")
    def ready() -> Response:
        return _respond(READY)

    def _respond(path: str) -> Response:
        status, headers, body = answer_health(manager, path)
        return Response(body, status, headers)

    return blueprint


def answer_health(manager: ModelManager, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the answer at `LIVE` or `READY`."""
    models = manager.get_models()
    is_healthy = path == LIVE or manager.is_ready()
    headers = list(HEADERS)
    if not is_healthy:
        headers.append(("Retry-After", "5"))
    body = encode_json(_schema.dump(health_fields(models, is_healthy=is_healthy)))
    return 200 if is_healthy else 503, headers, body
