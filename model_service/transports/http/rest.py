"""The native REST routes: list the models, describe one, predict."""

from typing import Any

from flask import Blueprint, Response, request

from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.transports.http import urls
from model_service.transports.http.codec import read_json, require_acceptable, write_json, write_prediction
from model_service.transports.http.hot_door import raise_known_error
from model_service.transports.http.schemas import ModelListSchema, ModelMetadataSchema, metadata_fields, model_fields


def build_blueprint(manager: ModelManager, service: PredictionService, *, max_body_bytes: int) -> Blueprint:
    """Return the routes below ``/api/models``; each model route has a twin that names the version."""
    blueprint = Blueprint("rest", __name__, url_prefix=urls.MODELS)
    list_schema, metadata_schema = ModelListSchema(), ModelMetadataSchema()

    @blueprint.before_request
    def refuse_unreadable_answers() -> None:
        require_acceptable(request)

    @blueprint.get("")
    def list_models() -> Response:
        return write_json(list_schema.dump({"models": [model_fields(status) for status in manager.get_models()]}))

    @blueprint.get("/<qualified_name>/metadata")
    @blueprint.get("/<qualified_name>/versions/<version>/metadata")
    def metadata(qualified_name: str, version: str | None = None) -> Response:
        status = manager.get_model_metadata(qualified_name, version)
        return write_json(metadata_schema.dump(metadata_fields(status)))

    @blueprint.post("/<qualified_name>/predict")
    @blueprint.post("/<qualified_name>/versions/<version>/predict")
    def predict(qualified_name: str, version: str | None = None) -> Response:
        raise_known_error(request.environ)
        manager.get_model(qualified_name, version)  # an unknown model is told before a large body is read
        document: Any = read_json(request, max_bytes=max_body_bytes)
        if isinstance(document, list):
            prediction = service.predict_many(qualified_name, document, version=version)
        else:
            prediction = service.predict(qualified_name, document, version=version)
        return write_prediction(prediction, is_many=isinstance(document, list))

    return blueprint
