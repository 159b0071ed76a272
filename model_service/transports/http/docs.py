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

import model_service
from model_service.config import InvocationsConfig, ServerConfig, ServiceConfig
from model_service.files.fasta_rows import takes_fasta
from model_service.files.formats import FORMATS, WRITTEN
from model_service.manager import ModelManager
from model_service.records import ModelInfo, ModelStatus
from model_service.schema.openapi import ModelRoute, build_components, build_model_paths, document_responses
from model_service.schema.openapi_names import name_components, name_operations
from model_service.transports.http import health, schemas
from model_service.transports.http.codec import PROBLEM_JSON, YAML, write_json
from model_service.transports.http.explain_docs import EXPLANATION, make_explain_operation, make_explanation_schema
from model_service.transports.http.feedback_docs import add_feedback_path
from model_service.transports.http.inference_docs import add_inference_paths
from model_service.transports.http.job_docs import add_job_paths, add_job_schemas, make_submit_operation
from model_service.transports.http.key_docs import add_keys
from model_service.transports.http.manage import add_manage_path
from model_service.transports.http.platform_docs import TAG as PLATFORMS_TAG
from model_service.transports.http.platform_docs import add_platform_paths
from model_service.transports.http.urls import MODELS, model_path

_SWAGGER_FILES = Path(flask_swagger_ui.__file__).parent / "dist"
_PROBLEMS = {
    "400": "The body is not JSON, the file cannot be read, or the request is not HTTP.",
    "404": "There is no such model or version; the detail lists what is loaded.",
    "405": "The address does not take this method; `Allow` lists those that it takes.",
    "406": "`Accept` excludes every format of the answer.",
    "413": "The body has too many bytes or rows.",
    "415": "The body is neither JSON nor a file of rows, or compressed in a way that is not read.",
    "421": "The service does not answer for this host.",
    "422": "A payload breaks the model's input schema; `errors` names each field.",
    "429": "Too many rows wait; `Retry-After` says when to try again.",
    "500": "The model failed; the log tells why, by request id.",
    "503": "The model is loading or could not be loaded, or the server has no room.",
    "504": "The prediction took too long.",
}
_HEADERS = {
    "X-Request-ID": ("Finds the lines of this request in the log.", "string"),
    "X-Model-Version": ("The version that answered.", "string"),
    "X-Failed-Rows": ("Of a file or a lenient request: how many rows have an error.", "integer"),
    "Preference-Applied": ("`handling=lenient` where that was asked for and applies.", "string"),
    "Retry-After": ("Seconds to wait.", "integer"),
    "ETag": ("Send it as `If-None-Match` to be told that nothing has changed.", "string"),
    "Allow": ("The methods that the address takes.", "string"),
    "Accept": ("The media types of bodies that are read.", "string"),
    "Accept-Encoding": ("What bodies may be compressed with.", "string"),
}
_NO_ROUTES = InvocationsConfig()
_USUAL = ServerConfig()
#: The headers of a problem beside X-Request-ID.
_PROBLEM_HEADERS = {
    "405": ("Allow",),
    "415": ("Accept", "Accept-Encoding"),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}


def build_blueprint(
    manager: ModelManager,
    config: ServiceConfig,
    *,
    digest: str,
    has_jobs: bool,
    has_management: bool = False,
    has_keys: bool = False,
) -> Blueprint:
    """Return ``/openapi.json``, ``/openapi.yaml`` and ``/docs`` with its files, all local, below ``digest``."""
    blueprint = Blueprint("docs", __name__, static_folder=_SWAGGER_FILES, static_url_path=f"/docs/static/{digest}")

    def build() -> dict[str, Any]:
        document = build_document(
            manager.get_models(),
            max_rows=config.server.max_request_rows,
            max_explain_rows=config.server.max_explain_rows,
            root=request.root_path,
            has_jobs=has_jobs,
            has_management=has_management,
            invocations=config.invocations,
        )
        return add_keys(document) if has_keys else document

    @blueprint.get("/openapi.json")
    def openapi_json() -> Response:
        return write_json(build())

    @blueprint.get("/openapi.yaml")
    def openapi_yaml() -> Response:
        return Response(write_yaml(build()), content_type=YAML)

    @blueprint.get("/docs")
    def swagger_ui() -> str:
        return render_template("docs.html")

    return blueprint


def build_document(
    models: list[ModelStatus],
    *,
    max_rows: int,
    max_explain_rows: int = _USUAL.max_explain_rows,
    root: str = "",
    has_jobs: bool = True,
    has_management: bool = False,
    invocations: InvocationsConfig = _NO_ROUTES,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the models whose classes could be read.

    Args:
        models: As `ModelManager.get_models` returns them; weights are not needed.
        max_rows: Most payloads of one request.
        max_explain_rows: Most payloads of one request for explanations.
        root: The path prefix under which the service is reached; empty where there is none.
        has_jobs: Whether files can be sent as jobs.
        has_management: Whether the service can be reloaded over HTTP.
        invocations: The paths that it has for hosting platforms beside those that it always has.
    """
    spec = APISpec(
        title="model_service",
        version=model_service.__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        servers=[{"url": root or "/"}],
        security=[],
        info={"description": "Predictions of every model that this service is configured with."},
    )
    _add_platform(spec)
    if has_jobs:
        add_job_schemas(spec)
        add_job_paths(spec, _references())
    add_inference_paths(spec)
    add_feedback_path(spec, _references())
    add_platform_paths(spec, invocations)
    if has_management:
        add_manage_path(spec, _references())
    for tag in _tags(
        _add_models(spec, models, max_rows, max_explain_rows, has_jobs=has_jobs), has_jobs, has_management
    ):
        spec.tag(tag)
    return spec.to_dict()


def _add_models(
    spec: APISpec, models: list[ModelStatus], max_rows: int, max_explain_rows: int, *, has_jobs: bool
) -> list[tuple[ModelInfo, bool]]:
    """Add the schemas and the routes of each model that could be read; return these, and which are defaults."""
    readable = [status for status in models if status.info is not None]
    described = [(status.info, status.is_default) for status in readable if status.info is not None]
    names = zip(readable, described, name_components(described), name_operations(described), strict=True)
    if any(info.has_explanations for info, _ in described):
        spec.components.schema(EXPLANATION, component=make_explanation_schema())
    for status, (info, is_default), component, operations in names:
        rows = status.limit_rows(max_rows)
        for name, schema in build_components(info, component).items():
            spec.components.schema(name, component=schema)
        for route in _routes(info, component, operations, is_default=is_default):
            for path, methods in build_model_paths(route, max_rows=rows, problems=_references()).items():
                spec.path(path, operations=methods)
            if info.has_explanations:
                spec.path(
                    f"{route.path}/explain",
                    operations={"post": make_explain_operation(route, max_explain_rows, _references())},
                )
            if has_jobs:
                submit = make_submit_operation(route.operation_suffix, route.tag, info.display_name, _references())
                spec.path(f"{route.path}/jobs", operations={"post": submit})
    return described


def write_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML, in its own order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice: an alias is right, but hard on readers and some tools."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _routes(info: ModelInfo, component: str, operations: tuple[str, str], *, is_default: bool) -> list[ModelRoute]:
    """Return where a model is served: under its name if it is the default version, and under its version."""
    name = info.qualified_name
    plain, versioned = operations
    read = [each for each in FORMATS.values() if each.name not in ("json", "fasta") and each.is_installed]
    read += [FORMATS["fasta"]] if takes_fasta(info.input_schema) else []
    files = tuple(each.media_type for each in read)
    answers = tuple(each.media_type for each in WRITTEN if each.is_installed)
    paths = [(model_path(name), plain, True)] if is_default else []
    return [
        ModelRoute(info, path, operation, component, name, is_default=is_plain, files=files, answers=answers)
        for path, operation, is_plain in [*paths, (model_path(name, info.version), versioned, False)]
    ]


def _tags(described: list[tuple[ModelInfo, bool]], has_jobs: bool, has_management: bool) -> list[dict[str, str]]:
    models = [
        {"name": info.qualified_name, "description": f"{info.display_name}: {info.description}"}
        for info, is_default in described
        if is_default
    ]
    jobs = {"name": "jobs", "description": "Files of rows, predicted in the background."}
    probes = {"name": "health", "description": "Probes."}
    inference = {"name": "inference", "description": "Open Inference Protocol, V2 and V1: tensors, for its clients."}
    feedback = {"name": "feedback", "description": "What was true in the end, for predictions in the log."}
    listed = {"name": "models", "description": "What is served."}
    manage = {"name": "manage", "description": "The running service."}
    return [
        *(listed, *models, *([jobs] if has_jobs else [])),
        *(inference, PLATFORMS_TAG, feedback, probes, *([manage] if has_management else [])),
    ]


def _references() -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS}


def _add_platform(spec: APISpec) -> None:
    for name, schema in (
        ("ModelList", schemas.ModelListSchema),
        ("ModelMetadata", schemas.ModelMetadataSchema),
        ("ProblemDocument", schemas.ProblemDocumentSchema),
        ("RowError", schemas.RowErrorSchema),
    ):
        spec.components.schema(name, schema=schema)
    for name, (description, kind) in _HEADERS.items():
        spec.components.header(name, {"description": description, "schema": {"type": kind}})
    for status, description in _PROBLEMS.items():
        content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        headers = _header_references("X-Request-ID", *_PROBLEM_HEADERS.get(status, ()))
        spec.components.response(
            f"Problem{status}", {"description": description, "headers": headers, "content": content}
        )
    unchanged = {
        "description": "What was asked for has not changed.",
        "headers": _header_references("X-Request-ID", "ETag"),
    }
    spec.components.response("NotModified", unchanged)
    responses = document_responses(
        "Every configured model, in the order of the configuration.", "ModelList", _references()
    )
    listed = {
        "operationId": "list_models",
        "tags": ["models"],
        "summary": "List every configured model",
        "responses": {status: response for status, response in responses.items() if status != "404"},
    }
    spec.path(MODELS, operations={"get": listed})
    spec.path(health.LIVE, operations={"get": _health_operation("live", "Tell whether the process is alive")})
    ready = _health_operation("ready", "Tell whether the service can do its work")
    unready = ready["responses"]["200"]
    ready["responses"]["503"] = {
        **unready,
        "description": "Not ready; the body says which model.",
        "headers": _header_references("X-Request-ID", "Retry-After"),
    }
    spec.path(health.READY, operations={"get": ready})


def _health_operation(name: str, summary: str) -> dict[str, Any]:
    ok = {
        "description": (schemas.HealthSchema.__doc__ or "").strip(),
        "headers": _header_references("X-Request-ID"),
        "content": {"application/json": {"schema": schemas.HealthSchema}},  # apispec makes it a component
    }
    problems = {status: problem for status, problem in _references().items() if status in ("400", "405")}
    return {"operationId": name, "tags": ["health"], "summary": summary, "responses": {"200": ok, **problems}}


def _header_references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
