"""The pages for people: find a model, understand it, try it, send a file.

They only describe and draw; a prediction goes from the browser to the same REST view
that programs call. Templates hold the HTML, `schema/form.py` decides what a form has.
"""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from model_service.config import ServerConfig
from model_service.manager import ModelManager
from model_service.metrics.meters import Meters
from model_service.metrics.summary import Summary
from model_service.records import ModelInfo, ModelState, ModelStatus
from model_service.schema.columns import describe_columns
from model_service.schema.compatibility import accepts_payloads_of
from model_service.schema.form import build_form
from model_service.transports.http.about import About
from model_service.transports.http.accept import rate
from model_service.transports.http.codec import JSON, write_json
from model_service.transports.http.urls import JOBS, model_links


def build_blueprint(
    manager: ModelManager, config: ServerConfig, *, has_jobs: bool, meters: Meters | None = None
) -> Blueprint:
    """Return the index and the pages of each model; a model's pages have twins that name the version."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> str | Response:
        accept = request.headers.get("Accept", "")
        if rate(accept, JSON) > rate(accept, "text/html"):
            return write_json({"status": "alive"})  # what clients of KServe's V1 ask for
        return render_template("index.html", models=manager.get_models())

    @blueprint.get("/models")
    def models() -> BaseResponse:
        return redirect(url_for("pages.index"))

    @blueprint.get("/models/<qualified_name>")
    @blueprint.get("/models/<qualified_name>/versions/<version>")
    def model(qualified_name: str, version: str | None = None) -> str:
        status = manager.get_model_metadata(qualified_name, version)
        return _draw_model(manager, status, _summarise(meters, status))

    @blueprint.get("/models/<qualified_name>/predict")
    @blueprint.get("/models/<qualified_name>/versions/<version>/predict")
    def predict(qualified_name: str, version: str | None = None) -> tuple[str, int]:
        status = manager.get_model_metadata(qualified_name, version)
        form = build_form(status.info.input_schema) if status.info else None
        page = _describe_page(status, manager.get_models(), config)
        return render_template("predict.html", status=status, form=form, page=page), _code(status)

    @blueprint.get("/models/<qualified_name>/batch")
    @blueprint.get("/models/<qualified_name>/versions/<version>/batch")
    def batch(qualified_name: str, version: str | None = None) -> tuple[str, int]:
        status = manager.get_model_metadata(qualified_name, version)
        page = _describe_page(status, manager.get_models(), config)
        if status.info:
            page.update(_describe_jobs(status) if has_jobs else {})
            page["columns"] = describe_columns(status.info.input_schema)
        return render_template("batch.html", status=status, page=page), _code(status)

    if has_jobs:
        blueprint.add_url_rule("/jobs", "jobs", _show_jobs)
    blueprint.add_app_template_global(page_links)
    return blueprint


def _show_jobs() -> str:
    return render_template("jobs.html", jobs_path=f"{request.root_path}{JOBS}")


def _describe_jobs(status: ModelStatus) -> dict[str, str]:
    """Return where files for a model are sent as jobs, and where jobs are shown."""
    predict = model_links(status, request.root_path)["predict"]
    return {"jobs_path": f"{predict.removesuffix('/predict')}/jobs", "jobs_page": url_for("pages.jobs")}


def page_links(status: ModelStatus) -> dict[str, str]:
    """Return the addresses of a model's pages; they name the version unless it is the default."""
    version = None if status.is_default else status.version
    names = ("model", "predict", "batch")
    # Without a version the argument is None, which Flask takes for not given.
    return {name: url_for(f"pages.{name}", qualified_name=status.qualified_name, version=version) for name in names}


def _list_more_links(status: ModelStatus) -> dict[str, str]:
    """Return where the page about a model leads beside the pages of every model."""
    version = None if status.is_default else status.version
    drift = url_for("drift.show", qualified_name=status.qualified_name, version=version)
    return {"metadata": model_links(status, request.root_path)["metadata"], "drift": drift}


def _code(status: ModelStatus) -> int:
    return 200 if status.state is ModelState.READY else 503


def _draw_model(manager: ModelManager, status: ModelStatus, figures: Summary | None) -> str:
    about = About.of(status.info) if status.info else None
    versions = [
        other
        for other in manager.get_models()
        if other.qualified_name == status.qualified_name and other.version != status.version
    ]
    links = page_links(status) | _list_more_links(status)
    return render_template("model.html", status=status, about=about, versions=versions, links=links, figures=figures)


def _summarise(meters: Meters | None, status: ModelStatus) -> Summary | None:
    """Return the figures of a model, where any are kept."""
    if meters is None or status.info is None:
        return None
    return Summary.of(meters.gather(), status.info.qualified_name, status.info.version)


def _describe_page(status: ModelStatus, models: list[ModelStatus], config: ServerConfig) -> dict[str, Any]:
    """Return what the scripts of a page know of its model and of those it can be compared with."""
    if status.info is None:
        return {}
    compared = [
        _describe_model(other, other.info)
        for other in models
        if other.info is not None
        and other.state is ModelState.READY
        and (other.qualified_name, other.version) != (status.qualified_name, status.version)
        and accepts_payloads_of(other.info.input_schema, status.info.input_schema)
    ]
    return {
        **_describe_model(status, status.info),
        "input_schema": status.info.input_schema,
        "examples": list(status.info.examples),
        "max_rows": status.limit_rows(config.max_request_rows),
        "max_body_bytes": config.max_body_bytes,
        "compared": compared,
    }


def _describe_model(status: ModelStatus, info: ModelInfo) -> dict[str, Any]:
    predict_path = model_links(status, request.root_path)["predict"]
    return {
        "qualified_name": info.qualified_name,
        "display_name": info.display_name,
        "version": info.version,
        "predict_path": predict_path,
        "explain_path": predict_path.removesuffix("predict") + "explain" if info.has_explanations else None,
        "output_schema": info.output_schema,
    }
