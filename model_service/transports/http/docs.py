"""The OpenAPI document of what is served, and Swagger UI over it.

apispec assembles it: the platform's own documents from the marshmallow schemas that
write them, each model's operations from its own JSON Schemas.
"""

from pathlib import Path
from typing import Any

import flask_swagger_ui
import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, render_template, request
from marshmallow import Schema

import model_service
from model_service.manager import ModelManager
from model_service.records import ModelInfo, ModelStatus
from model_service.schema.openapi import ModelRoute, build_components, build_model_paths, name_components
from model_service.transports.http import schemas
from model_service.transports.http.codec import PROBLEM_JSON, YAML, write_json
from model_service.transports.http.urls import MODELS, model_path

_SWAGGER_FILES = Path(flask_swagger_ui.__file__).parent / "dist"
_PROBLEMS = {
    "400": "The body is not JSON.",
    "404": "There is no such model or version; the detail lists what is loaded.",
    "406": "The answer is JSON, which `Accept` excludes.",
    "413": "The body has too many bytes or rows.",
    "415": "The body is not `application/json`.",
    "422": "A payload breaks the model's input schema; `errors` names each field.",
    "429": "Too many rows wait; `Retry-After` says when to try again.",
    "500": "The model failed; the log tells why, by request id.",
    "503": "The model is loading or could not be loaded.",
    "504": "The prediction took too long.",
}


def build_blueprint(manager: ModelManager, *, max_rows: int, digest: str) -> Blueprint:
    """Return ``/openapi.json``, ``/openapi.yaml`` and ``/docs`` with its files, all local, below ``digest``."""
    blueprint = Blueprint("docs", __name__, static_folder=_SWAGGER_FILES, static_url_path=f"/docs/static/{digest}")

    @blueprint.get("/openapi.json")
    def openapi_json() -> Response:
        return write_json(build_document(manager.get_models(), max_rows=max_rows, root=request.root_path))

    @blueprint.get("/openapi.yaml")
    def openapi_yaml() -> Response:
        return Response(
            write_yaml(build_document(manager.get_models(), max_rows=max_rows, root=request.root_path)),
            content_type=YAML,
        )

    @blueprint.get("/docs")
    def swagger_ui() -> str:
        return render_template("docs.html")

    return blueprint


def build_document(models: list[ModelStatus], *, max_rows: int, root: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the models whose classes could be read.

    Args:
        models: As `ModelManager.get_models` returns them; weights are not needed.
        max_rows: Most payloads of one request.
        root: The path prefix under which the service is reached; empty where there is none.
    """
    spec = APISpec(
        title="model_service",
        version=model_service.__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        servers=[{"url": root or "/"}],
        info={"description": "Predictions of every model that this service is configured with."},
    )
    _add_platform(spec)
    described = [(status.info, status.is_default) for status in models if status.info is not None]
    for (info, is_default), component in zip(described, name_components(described), strict=True):
        for name, schema in build_components(info, component).items():
            spec.components.schema(name, component=schema)
        for route in _routes(info, component, is_default=is_default):
            for path, operations in build_model_paths(route, max_rows=max_rows, problems=_references()).items():
                spec.path(path, operations=operations)
    for tag in _tags(described):
        spec.tag(tag)
    return spec.to_dict()


def write_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML, in its own order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: an alias is right, but hard on readers and some tools."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _routes(info: ModelInfo, component: str, *, is_default: bool) -> list[ModelRoute]:
    """Return where a model is served: under its name if it is the default version, and under its version."""
    name, version = info.qualified_name, info.version
    suffix = name + "__" + "".join(c if c.isalnum() else "_" for c in version)
    routes = [ModelRoute(info, model_path(name, version), suffix, component, name)]
    if is_default:
        routes.insert(0, ModelRoute(info, model_path(name), name, component, name))
    return routes


def _tags(described: list[tuple[ModelInfo, bool]]) -> list[dict[str, str]]:
    models = [
        {"name": info.qualified_name, "description": f"{info.display_name}: {info.description}"}
        for info, is_default in described
        if is_default
    ]
    return [{"name": "models", "description": "What is served."}, *models, {"name": "health", "description": "Probes."}]


def _references() -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS}


def _add_platform(spec: APISpec) -> None:
    spec.components.schema("ModelMetadata", schema=schemas.ModelMetadataSchema)
    spec.components.schema("ProblemDocument", schema=schemas.ProblemDocumentSchema)
    header = {"description": "Finds the lines of this request in the log.", "schema": {"type": "string"}}
    spec.components.header("X-Request-ID", header)
    spec.components.header(
        "X-Model-Version", {"description": "The version that answered.", "schema": {"type": "string"}}
    )
    spec.components.header("Retry-After", {"description": "Seconds to wait.", "schema": {"type": "integer"}})
    for status, description in _PROBLEMS.items():
        headers = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
        if status in ("429", "503"):
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        spec.components.response(
            f"Problem{status}", {"description": description, "headers": headers, "content": content}
        )
    problems = _references()
    listed = _operation("list_models", "models", "List every configured model", schemas.ModelListSchema)
    listed["responses"] |= {"406": problems["406"]}
    spec.path(MODELS, operations={"get": listed})
    live = _operation("live", "health", "Tell whether the process is alive", schemas.HealthSchema)
    spec.path("/health/live", operations={"get": live})
    ready = _operation("ready", "health", "Tell whether the service can do its work", schemas.HealthSchema)
    ready["responses"]["503"] = {**ready["responses"]["200"], "description": "Not ready; the body says which model."}
    spec.path("/health/ready", operations={"get": ready})


def _operation(name: str, tag: str, summary: str, schema: type[Schema]) -> dict[str, Any]:
    """Return a GET operation; apispec turns the marshmallow class into a component."""
    content = {"application/json": {"schema": schema}}
    description = (schema.__doc__ or "").strip()
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": description, "content": content}},
    }
