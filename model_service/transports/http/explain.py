"""The REST route of explanations: what `predict` answers, and what led to it."""

import time

from flask import Blueprint, Response, request

from model_service.config import ServerConfig
from model_service.errors import PayloadInvalid
from model_service.explaining import ExplanationService
from model_service.prediction import PredictionService, make_context
from model_service.transports.http import urls
from model_service.transports.http.codec import read_json, require_acceptable, write_outputs
from model_service.transports.http.forms import explain_form


def build_blueprint(service: PredictionService, config: ServerConfig) -> Blueprint:
    """Return the route of explanations, and its twin that names the version."""
    blueprint = Blueprint("explain", __name__, url_prefix=urls.MODELS)
    explanations = ExplanationService(service, max_rows=config.max_explain_rows)

    @blueprint.post("/<qualified_name>/explain")
    @blueprint.post("/<qualified_name>/versions/<version>/explain")
    def explain(qualified_name: str, version: str | None = None) -> Response:
        with service.lease(qualified_name, version, request.headers.get) as target:
            context = make_context(target, time.monotonic())
            explanations.check_offer(target)
            document = read_json(request, max_bytes=config.max_body_bytes, max_values=config.max_body_values)
            require_acceptable(request)
            try:
                version, found = explanations.explain(target, document, context)
            except PayloadInvalid as error:
                raise explain_form(error, document, target.info.input_schema) from None
            return write_outputs(found, version, is_many=isinstance(document, list))

    return blueprint
