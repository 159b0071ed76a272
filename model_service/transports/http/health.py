"""Health for orchestrators: is the process alive, and can it do its work."""

from flask import Blueprint, Response

from model_service.manager import ModelManager
from model_service.records import ModelState, ModelStatus
from model_service.transports.http.codec import write_json
from model_service.transports.http.schemas import HealthSchema, health_fields


def build_blueprint(manager: ModelManager) -> Blueprint:
    """Return the routes below ``/health``."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")
    schema = HealthSchema()

    @blueprint.get("/live")
    def live() -> Response:
        return write_json(schema.dump(health_fields(manager.get_models(), is_healthy=True)))

    @blueprint.get("/ready")
    def ready() -> Response:
        models = manager.get_models()
        is_healthy = is_ready(models)
        response = write_json(
            schema.dump(health_fields(models, is_healthy=is_healthy)), status=200 if is_healthy else 503
        )
        if not is_healthy:
            response.headers["Retry-After"] = "5"
        return response

    return blueprint


def is_ready(models: list[ModelStatus]) -> bool:
    """Whether the service should get requests.

    Nothing is loading, every ``required`` model is ready, and at least one model is, if
    any is configured: a quarantined model alone does not take the others out of service.
    """
    states = [model.state for model in models]
    if ModelState.LOADING in states or any(m.is_required and m.state is not ModelState.READY for m in models):
        return False
    return not models or ModelState.READY in states
