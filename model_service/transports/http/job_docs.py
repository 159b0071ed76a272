"""The routes of jobs in the OpenAPI document."""

from typing import Any

from apispec import APISpec

from model_service.transports.http import job_schemas
from model_service.transports.http.job_files import describe_formats
from model_service.transports.http.job_schemas import STATES
from model_service.transports.http.urls import JOBS, job_path

_ID = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Of the job."}
_READING = ("400", "404", "405", "406", "421", "500", "503")
_FILE = {"type": "string", "format": "binary"}
_CALLBACK = {"callback_url": {"type": "string", "format": "uri"}}
_JOB = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}


def add_job_schemas(spec: APISpec) -> None:
    """Add what the routes answer."""
    spec.components.schema("Job", schema=job_schemas.JobSchema)
    spec.components.schema("JobList", schema=job_schemas.JobListSchema)


def add_job_paths(spec: APISpec, problems: dict[str, Any]) -> None:
    """Add the routes below ``/api/jobs``."""
    reading = {status: problems[status] for status in _READING}
    shown = {"description": "The job.", "headers": _HEADERS, "content": _JOB}
    spec.path(JOBS, operations={"get": _list_operation(reading)})
    cancelled = {**shown, "description": "The job was cancelled; its output so far stays."}
    removed = {"description": "The job was over, and is removed with its files.", "headers": _HEADERS}
    spec.path(
        job_path("{job_id}"),
        operations={
            "get": _operation("get_job", "Show a job", {"200": shown, **reading}),
            "delete": _operation(
                "end_job", "Cancel a job, or remove one that is over", {"200": cancelled, "204": removed, **reading}
            ),
        },
    )
    events = {
        "description": "Server-sent events `job`, each with the job as it is then, until it is over.",
        "headers": _HEADERS,
        "content": {"text/event-stream": {}},
    }
    silent = {"description": "The job is over, and its last event was received.", "headers": _HEADERS}
    told = {"200": events, "204": silent, "429": problems["429"], **reading}
    spec.path(job_path("{job_id}") + "/events", operations={"get": _operation("watch_job", "Watch a job", told)})
    whole = {"description": "The output so far.", "headers": _HEADERS, "content": _files()}
    part = {**whole, "description": "The range that was asked for."}
    beyond = {"description": "The range lies outside of what there is.", "content": _PROBLEM}
    got = {"200": whole, "206": part, "416": beyond, **reading}
    spec.path(
        job_path("{job_id}") + "/output", operations={"get": _operation("get_job_output", "Download the output", got)}
    )


def make_submit_operation(suffix: str, tag: str, name: str, problems: dict[str, Any]) -> dict[str, Any]:
    """Return the operation that makes a job of a file.

    Args:
        suffix: What makes its identifier unique.
        tag: The group that it is shown in.
        name: Of the model, for people.
        problems: The responses that every operation may give, by status.
    """
    form = {
        "type": "object",
        "properties": {
            "file": _FILE,
            "output": {"type": "string"},
            "max_failed_rows": {"type": "integer"},
            **_CALLBACK,
        },
        "required": ["file"],
    }
    content = {media_type: {"schema": _FILE} for media_type in describe_formats()["read"]}
    accepted = {
        "description": "The job; `Location` names it.",
        "headers": {**_HEADERS, "Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
        "content": _JOB,
    }
    full = {"description": "The storage of jobs is full.", "content": _PROBLEM}
    return {
        "operationId": f"submit_job_{suffix}",
        "tags": [tag],
        "summary": f"Predict every row of a file with {name}, in a job",
        "description": "The file is the body, or the part `file` of a form. Its rows are predicted in order, and each "
        "gets its prediction or its error. A bad row never stops a job.",
        "parameters": [
            _query(
                "output", "Format of the output; by default that of the file.", {"enum": describe_formats()["written"]}
            ),
            _query("max_failed_rows", "The job fails with more failed rows.", {"minimum": 0}, kind="integer"),
            _query("file_name", "What the file is called; tells its format where the media type does not.", {}),
            _query("callback_url", "Who is told with a signed POST when the job is over.", {"format": "uri"}),
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key with the same request is the same job.",
                "schema": {"type": "string", "maxLength": 200},
            },
        ],
        "requestBody": {"required": True, "content": {**content, "multipart/form-data": {"schema": form}}},
        "responses": {"202": accepted, "507": full, **problems},
    }


_HEADERS = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}


def _files() -> dict[str, Any]:
    kinds = describe_formats()["answered"]
    return {kind: {"schema": {"type": "string"} if kind.startswith("text/") else _FILE} for kind in kinds}


def _operation(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["jobs"],
        "summary": summary,
        "parameters": [_ID],
        "responses": responses,
    }


def _list_operation(problems: dict[str, Any]) -> dict[str, Any]:
    listed = {
        "description": "Jobs, the newest first.",
        "headers": _HEADERS,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobList"}}},
    }
    return {
        "operationId": "list_jobs",
        "tags": ["jobs"],
        "summary": "List jobs",
        "parameters": [
            _query("state", "Only jobs in this state.", {"enum": STATES}),
            _query("model", "Only jobs of the model with this `qualified_name`.", {}),
            _query("before", "Only jobs made before the one with this identifier.", {}),
            _query("limit", "At most so many.", {"minimum": 1, "maximum": 500, "default": 50}, kind="integer"),
        ],
        "responses": {"200": listed, **problems},
    }


def _query(name: str, description: str, rules: dict[str, Any], *, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind, **rules}}
