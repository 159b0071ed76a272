"""The native REST routes: list the models, describe one, predict."""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flask import Blueprint, Response, request

from model_service.config import ServerConfig
from model_service.errors import PayloadInvalid
from model_service.manager import ModelManager
from model_service.prediction import PredictionService
from model_service.records import ModelStatus, RequestContext
from model_service.registry.entry import ServedModel
from model_service.transports.http import urls
from model_service.transports.http.codec import is_acceptable, read_json, require_acceptable, write_json, write_outputs
from model_service.transports.http.file_answers import answer_file, answer_rows, find_pairing, prefers_lenient
from model_service.transports.http.forms import explain_form
from model_service.transports.http.handing import find_handed_on
from model_service.transports.http.schemas import ModelListSchema, ModelMetadataSchema, metadata_fields, model_fields

#: Larger bodies that are refused are explained one after another: decoded, they take up to 25 times as much memory.
_HEAVY_BYTES = 2**20


def build_blueprint(manager: ModelManager, service: PredictionService, config: ServerConfig) -> Blueprint:
    """Return the routes below ``/api/models``; each model route has a twin that names the version."""
    blueprint = Blueprint("rest", __name__, url_prefix=urls.MODELS)
    heavy = threading.Lock()
    list_schema, metadata_schema = ModelListSchema(), ModelMetadataSchema()

    def write_list(models: list[ModelStatus]) -> Response:
        require_acceptable(request)
        return write_json(list_schema.dump({"models": [model_fields(each, request.root_path) for each in models]}))

    @blueprint.get("")
    def list_models() -> Response:
        return write_list(manager.get_models())

    @blueprint.get("/<qualified_name>/versions")
    def list_versions(qualified_name: str) -> Response:
        return write_list(manager.get_versions(qualified_name))

    @blueprint.get("/<qualified_name>")
    @blueprint.get("/<qualified_name>/versions/<version>")
    @blueprint.get("/<qualified_name>/metadata")
    @blueprint.get("/<qualified_name>/versions/<version>/metadata")
    def metadata(qualified_name: str, version: str | None = None) -> Response:
        status = manager.get_model_metadata(qualified_name, version)
        require_acceptable(request)
        versions = manager.get_versions(qualified_name)
        return write_json(metadata_schema.dump(metadata_fields(status, versions, config, request.root_path)))

    @blueprint.post("/<qualified_name>/predict")
    @blueprint.post("/<qualified_name>/versions/<version>/predict")
    def predict(qualified_name: str, version: str | None = None) -> Response:
        handed = find_handed_on(request.environ)
        if handed is not None and handed.ticket is not None:
            outputs = service.settle(handed.target, handed.ticket, is_many=handed.is_many)
            return write_outputs(outputs, handed.target.info.version, is_many=handed.is_many)
        if handed is not None:
            is_light = request.content_length is not None and request.content_length <= _HEAVY_BYTES
            turn = nullcontext() if is_light else heavy
            return _answer(service, handed.target, config, handed.context, turn)
        with service.lease(qualified_name, version, request.headers.get) as target:
            return _answer(service, target, config)

    return blueprint


def _answer(
    service: PredictionService,
    target: ServedModel,
    config: ServerConfig,
    context: RequestContext | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> Response:
    """Return the answer to the predict request that is under way.

    Args:
        service: The road.
        target: The model.
        config: The bounds.
        context: Of a request that the loop has handed on: its payload is hardly valid.
        turn: Held while such a payload is read and explained; ``None`` for a request that nobody has judged yet.
    """
    if (pairing := find_pairing(request)) is not None:
        return answer_file(request, pairing, service, target, config)
    try:
        with turn or nullcontext():
            document: Any = read_json(request, max_bytes=config.max_body_bytes, max_values=config.max_body_values)
            # What is wrong with the payload is more urgent news than what the caller accepts.
            if turn is not None or not is_acceptable(request):
                service.check(target, document)
        require_acceptable(request)
        is_many = isinstance(document, list)
        if is_many and prefers_lenient(request):
            return answer_rows(service, target, document, context)
        prediction = (service.predict_many if is_many else service.predict)(target, document, context)
    except PayloadInvalid as error:
        raise explain_form(error, document, target.info.input_schema) from None
    return write_outputs(prediction.outputs, prediction.version, is_many=is_many)
