"""The Open Inference Protocol over REST: V2 below ``/v2``, and V1 below ``/v1/models``. Its bytes: inference_codec.py.

Clients of KServe, Triton and MLServer speak it. Every prediction takes the road of the native route.
"""

import time
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import NotImplemented as NotOffered

import model_service
from model_service.access.caller import name_caller
from model_service.config import ServerConfig
from model_service.errors import ModelNotReady, PayloadMalformed
from model_service.manager import ModelManager
from model_service.observability import get_request_id, get_trace
from model_service.prediction import PredictionService
from model_service.records import ModelInfo, ModelState, ModelStatus, RequestContext
from model_service.registry.entry import ServedModel
from model_service.schema.tensor_columns import write_table
from model_service.schema.tensor_rows import read_payloads, write_outputs
from model_service.schema.tensor_specs import Signature, Signatures, TensorSpec
from model_service.schema.tensors import Tensor
from model_service.strict_json import encode_document
from model_service.transports.http import urls
from model_service.transports.http.codec import JSON, read_body, write_json
from model_service.transports.http.inference_codec import InferCall, read_call, read_object, write_answer
from model_service.transports.inference import EXTENSIONS, NOT_OFFERED, PLATFORM, check_call, list_model, read_table


def build_blueprint(manager: ModelManager, service: PredictionService, config: ServerConfig) -> Blueprint:
    """Return the routes of V2 and of V1."""
    blueprint = Blueprint("inference", __name__)
    _add_server(blueprint, manager)
    signatures = Signatures()
    _add_models(blueprint, manager, service, config, signatures)
    _add_repository(blueprint, manager, config)
    _add_v1(blueprint, manager, service, config, signatures)
    return blueprint


def _add_server(blueprint: Blueprint, manager: ModelManager) -> None:
    @blueprint.get(urls.V2)
    def server_metadata() -> Response:
        name, version = model_service.__name__, model_service.__version__
        return write_json({"name": name, "version": version, "extensions": EXTENSIONS})

    @blueprint.get(f"{urls.V2}/health/live")
    def server_live() -> Response:
        return write_json({"live": True})

    @blueprint.get(f"{urls.V2}/health/ready")
    def server_ready() -> Response:
        return _tell({}, is_ready=manager.is_ready())


def _add_models(
    blueprint: Blueprint,
    manager: ModelManager,
    service: PredictionService,
    config: ServerConfig,
    signatures: Signatures,
) -> None:
    one, version_of = f"{urls.V2}/models/<qualified_name>", "/versions/<version>"

    @blueprint.get(one)
    @blueprint.get(one + version_of)
    def model_metadata(qualified_name: str, version: str | None = None) -> Response:
        status = manager.get_model_metadata(qualified_name, version)
        if status.info is None:
            raise ModelNotReady(
                f"model '{qualified_name}' could not be read; GET {urls.MODELS} says why", retry_after_s=None
            )
        versions = [each.version for each in manager.get_versions(qualified_name)]
        return write_json(_describe(status.info, versions, signatures.find(status.info)))

    @blueprint.get(f"{one}/ready")
    @blueprint.get(f"{one}{version_of}/ready")
    def model_ready(qualified_name: str, version: str | None = None) -> Response:
        return _tell_model(manager.get_model_metadata(qualified_name, version))

    @blueprint.post(f"{one}/infer")
    @blueprint.post(f"{one}{version_of}/infer")
    def infer(qualified_name: str, version: str | None = None) -> Response:
        with service.lease(qualified_name, version, request.headers.get) as target:
            call = read_call(request, config)
            signature = signatures.find(target.info)
            check_call(service, signature, call.tensors, call.wanted or ())
            outputs = _predict_columns(service, target, signature, call)
            if outputs is None:
                payloads = read_payloads(signature, call.tensors, max_values=config.max_body_values)
                target = service.pin(target, payloads)
                prediction = service.predict_many(target, payloads, _make_context(target))
                outputs = write_outputs(signature, prediction.outputs, call.wanted)
            return write_answer(call, target.info, outputs)


def _predict_columns(
    service: PredictionService, target: ServedModel, signature: Signature, call: InferCall
) -> list[Tensor] | None:
    table = read_table(service, target, signature, call.tensors)
    outputs = service.predict_table(target, table, _make_context(target)) if table is not None else None
    return write_table(signature, outputs, call.wanted) if outputs is not None else None


def _add_repository(blueprint: Blueprint, manager: ModelManager, config: ServerConfig) -> None:
    @blueprint.post(f"{urls.V2}/repository/index")
    def repository_index() -> Response:
        raw = read_body(request, max_bytes=config.max_body_bytes)
        only_ready = raw.strip() and read_object(raw, config.max_body_values).get("ready") is True
        listed = [status for status in manager.get_models() if status.state is ModelState.READY or not only_ready]
        return write_json([list_model(status) for status in listed])

    @blueprint.post(f"{urls.V2}/repository/models/<qualified_name>/load")
    @blueprint.post(f"{urls.V2}/repository/models/<qualified_name>/unload")
    def load_or_unload(qualified_name: str) -> Response:
        raise NotOffered(NOT_OFFERED)


def _add_v1(
    blueprint: Blueprint,
    manager: ModelManager,
    service: PredictionService,
    config: ServerConfig,
    signatures: Signatures,
) -> None:
    @blueprint.get(urls.V1)
    def list_models_v1() -> Response:
        return write_json({"models": list(dict.fromkeys(status.qualified_name for status in manager.get_models()))})

    @blueprint.get(f"{urls.V1}/<qualified_name>")
    def model_ready_v1(qualified_name: str) -> Response:
        return _tell_model(manager.get_model_metadata(qualified_name))

    @blueprint.post(f"{urls.V1}/<qualified_name>:predict")
    def predict_v1(qualified_name: str) -> Response:
        with service.lease(qualified_name, None, request.headers.get) as target:
            raw = read_body(request, max_bytes=config.max_body_bytes)
            instances = read_object(raw, config.max_body_values).get("instances")
            if not isinstance(instances, list):
                raise PayloadMalformed("expected an object with 'instances', an array of payloads")
            payloads = _name_fields(signatures.find(target.info), instances)
            prediction = service.predict_many(target, payloads, _make_context(target))
            response = Response(encode_document({"predictions": prediction.outputs}), content_type=JSON)
            response.headers["X-Model-Version"] = prediction.version
            return response


def _name_fields(signature: Signature, instances: list[Any]) -> list[Any]:
    """Return payloads, also of the rows of a table of plain numbers, whose columns are in the schema's order."""
    names = [spec.name for spec in signature.matrix]
    if names and all(isinstance(row, list) and len(row) == len(names) for row in instances):
        return [dict(zip(names, row, strict=True)) for row in instances]
    return instances


def _make_context(target: ServedModel) -> RequestContext:
    arrived = g.get("started", time.monotonic())
    return RequestContext(get_request_id() or "", arrived, arrived + target.timeout_s, name_caller(), get_trace())


def _tell_model(status: ModelStatus) -> Response:
    return _tell({"name": status.qualified_name}, is_ready=status.state is ModelState.READY)


def _tell(document: dict[str, Any], *, is_ready: bool) -> Response:
    return write_json({**document, "ready": is_ready}, status=200 if is_ready else 503)


def _describe(info: ModelInfo, versions: list[str | None], signature: Signature) -> dict[str, Any]:
    return {
        "name": info.qualified_name,
        "versions": [version for version in versions if version is not None],
        "platform": PLATFORM,
        "inputs": [_describe_tensor(spec) for spec in signature.inputs.values()],
        "outputs": [_describe_tensor(spec) for spec in signature.outputs.values()],
    }


def _describe_tensor(spec: TensorSpec) -> dict[str, Any]:
    """Return what is known of a tensor; its parameters say what its datatype cannot."""
    parameters: dict[str, Any] = {}
    if spec.datatype == "BYTES":
        parameters["content_type"] = "json" if spec.is_json else "str"
    if spec.is_nullable:
        parameters["nullable"] = True
    if spec.is_optional or not (spec.is_certain or spec.is_nullable):
        parameters["optional"] = True
    described = {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}
    return {**described, "parameters": parameters} if parameters else described
