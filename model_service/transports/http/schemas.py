"""Marshmallow schemas of the platform's own documents: they write the answers and describe them in OpenAPI.

What a model takes and gives is not here: its own JSON Schemas say it.
"""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields

from model_service.config import ServerConfig
from model_service.files.fasta_rows import takes_fasta
from model_service.files.formats import FORMATS, WRITTEN
from model_service.records import Execution, ModelState, ModelStatus
from model_service.records import Schema as JsonSchema
from model_service.schema.messages import RULES
from model_service.transports.http.codec import JSON
from model_service.transports.http.inflating import ENCODINGS
from model_service.transports.http.problems import CODES, MLFLOW_CODES
from model_service.transports.http.urls import model_links

_STATES = [state.value for state in ModelState]


def _text(description: str, *, nullable: bool = False, **metadata: Any) -> fields.String:
    return fields.String(required=True, allow_none=nullable, metadata={"description": description, **metadata})


class ProblemSchema(Schema):
    """Why a model is quarantined."""

    code = _text("Stable identifier of the kind of problem.")
    problem = _text("What failed.")
    cause = _text("What was found.")
    remedy = _text("What to do.")


class LinksSchema(Schema):
    """Where to go from a model."""

    metadata = _text("Everything about the model.", format="uri-reference")
    predict = _text("Where payloads are posted.", format="uri-reference")
    docs = _text("The documentation page.", format="uri-reference")


class TrafficSchema(Schema):
    """How requests come to one version of a model, and what is said of it."""

    share = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Share of the requests that name no version; null where the default version has them all.",
            "minimum": 0,
            "maximum": 1,
        },
    )
    aliases = fields.List(
        fields.String(), required=True, metadata={"description": "Its names behind the at sign: `loan_model@stable`."}
    )
    shadow = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "Share of the requests to other versions of which it gets a copy; null for none.",
            "minimum": 0,
            "maximum": 1,
        },
    )
    deprecated = fields.Date(
        required=True, allow_none=True, metadata={"description": "Day from which it is not to be used any more."}
    )
    sunset = fields.Date(required=True, allow_none=True, metadata={"description": "Day on which it goes away."})
    link = _text("Page that says what to use instead.", nullable=True)


class ModelSchema(Schema):
    """One configured model."""

    qualified_name = _text("Identifier of the model; for a class that cannot be imported, of its package.")
    display_name = _text("Name for people; null while the class cannot be imported.", nullable=True)
    description = _text("What goes in, what comes out, what it is for.", nullable=True)
    version = _text("PEP 440 version; null while the class cannot be imported.", nullable=True)
    state = _text("Only a model that is ready answers predictions.", enum=_STATES)
    is_default = fields.Boolean(
        required=True, metadata={"description": "Whether requests that name no version go to this one."}
    )
    traffic = fields.Nested(TrafficSchema, required=True)
    links = fields.Nested(LinksSchema, required=True)
    problem = fields.Nested(
        ProblemSchema, required=False, metadata={"description": "Given if and only if the state is `failed`."}
    )


class ModelListSchema(Schema):
    """Every configured model, in the order of the configuration."""

    models = fields.List(fields.Nested(ModelSchema), required=True)


class ArtifactSchema(Schema):
    """A file of parameters."""

    name = _text("Path in the package's artifacts folder.")
    sha256 = _text("Digest that was checked when the model was loaded.", pattern="^[0-9a-f]{64}$")
    size_bytes = fields.Integer(required=True, metadata={"description": "Size in bytes.", "minimum": 0})


class LimitsSchema(Schema):
    """What one request may ask for."""

    rows = fields.Integer(required=True, metadata={"description": "Most payloads in one request.", "minimum": 1})
    body_bytes = fields.Integer(
        required=True, metadata={"description": "Most bytes of a body, as it is sent and inflated.", "minimum": 1}
    )
    timeout_s = fields.Float(
        required=True, metadata={"description": "Seconds until a request is answered 504.", "exclusiveMinimum": 0}
    )
    queue_rows = fields.Integer(
        required=True, metadata={"description": "Most rows that wait for the model in one worker.", "minimum": 1}
    )


class FormatsSchema(Schema):
    """How payloads and outputs travel."""

    request = fields.List(fields.String(), required=True, metadata={"description": "Media types of bodies."})
    request_encodings = fields.List(
        fields.String(), required=True, metadata={"description": "What bodies may be compressed with."}
    )
    response = fields.List(fields.String(), required=True, metadata={"description": "Media types of answers."})


class ModelVersionSchema(Schema):
    """One configured version of a model."""

    version = _text("PEP 440 version; null while the class cannot be imported.", nullable=True)
    state = _text("Only a model that is ready answers predictions.", enum=_STATES)
    is_default = fields.Boolean(
        required=True, metadata={"description": "Whether requests that name no version go to this one."}
    )


class ModelMetadataSchema(ModelSchema):
    """Everything about one model."""

    versions = fields.List(
        fields.Nested(ModelVersionSchema), required=True, metadata={"description": "Every version, this one too."}
    )
    limits = fields.Nested(LimitsSchema, required=True)
    formats = fields.Nested(FormatsSchema, required=True)

    input_schema = fields.Dict(
        required=True, allow_none=True, metadata={"description": "JSON Schema 2020-12 of one payload."}
    )
    output_schema = fields.Dict(
        required=True, allow_none=True, metadata={"description": "JSON Schema 2020-12 of one output."}
    )
    examples = fields.List(fields.Dict(), required=True, metadata={"description": "Payloads that work."})
    artifacts = fields.List(fields.Nested(ArtifactSchema), required=True)
    metrics = fields.Dict(required=True, metadata={"description": "Measured quality, as the package states it."})
    execution = _text(
        "How the model runs: in the event loop of each worker, in a thread of each worker, or in a process of its own; "
        "null while that is not decided.",
        nullable=True,
        enum=[*(each.value for each in Execution), None],
    )
    batching = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={
            "description": "Whether rows of different requests are predicted together; null while that is not decided."
        },
    )
    has_explanations = fields.Boolean(
        required=True, metadata={"description": "Whether the model says what led to its answers: `POST .../explain`."}
    )
    card = _text("The model card: the package's README in Markdown; empty when it ships none.")


class ModelHealthSchema(Schema):
    """The state of one model."""

    qualified_name = _text("Identifier of the model.")
    version = _text("PEP 440 version.", nullable=True)
    state = _text("State of the model.", enum=_STATES)
    is_required = fields.Boolean(
        required=True, metadata={"description": "Whether the service is ready only when this model is."}
    )
    last_success = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When it answered a caller or its own example last, in the worker that was asked."},
    )
    last_failure = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it failed last, likewise."}
    )
    last_failure_code = _text("The code of that error.", nullable=True)


class HealthSchema(Schema):
    """Whether the service can do its work."""

    status = _text("`ok`, or `unavailable` with status 503.", enum=["ok", "unavailable"])
    models = fields.List(fields.Nested(ModelHealthSchema), required=True)


class ViolationSchema(Schema):
    """One broken rule."""

    pointer = _text(
        "JSON Pointer (RFC 6901) to the value, or to where a missing one belongs. It counts the rows of an array from "
        "0; texts count them from 1."
    )
    rule = _text(
        "Keyword of JSON Schema that was broken, or a rule of the model under its own name.",
        anyOf=[{"type": "string", "enum": list(RULES)}, {"type": "string"}],
    )
    message = _text("What was expected.")


class ProblemDocumentSchema(Schema):
    """The one shape of every error (RFC 9457)."""

    type = _text("URN of the kind of error.", format="uri")
    title = _text("The kind of error, for people.")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status."})
    detail = _text("What happened here, and the way out.")
    code = _text("Stable identifier of the kind of error, for programs.", enum=list(CODES))
    request_id = _text("Finds the lines of this request in the log.")
    errors = fields.List(fields.Nested(ViolationSchema), required=True, metadata={"description": "Every broken rule."})


class InferenceErrorSchema(ProblemDocumentSchema):
    """An error of the Open Inference Protocol."""

    error = _text("What happened, in words.")


class InvocationErrorSchema(ProblemDocumentSchema):
    """An error of the routes that hosting platforms and MLflow call."""

    error_code = _text("What MLflow calls it.", enum=sorted({*MLFLOW_CODES.values()}))
    message = _text("As `detail`.")


class RowErrorSchema(Schema):
    """What is wrong with one row of several, where rows succeed or fail alone."""

    code = _text("Stable identifier of the kind of error, for programs.", enum=list(CODES))
    title = _text("The kind of error, for people.")
    detail = _text("What happened here, and the way out.")
    errors = fields.List(
        fields.Nested(ViolationSchema),
        required=True,
        metadata={"description": "Every broken rule, with pointers into the row."},
    )


def model_fields(status: ModelStatus, root: str) -> dict[str, Any]:
    """Return what `ModelSchema` writes; links begin with a root."""
    info = status.info
    document: dict[str, Any] = {
        "qualified_name": status.qualified_name,
        "display_name": info.display_name if info else None,
        "description": info.description if info else None,
        "version": status.version,
        "state": status.state.value,
        "is_default": status.is_default,
        "traffic": status.traffic,
        "links": model_links(status, root),
    }
    if status.problem is not None:
        document["problem"] = status.problem
    return document


def metadata_fields(
    status: ModelStatus, versions: list[ModelStatus], config: ServerConfig, root: str
) -> dict[str, Any]:
    """Return what `ModelMetadataSchema` writes; links begin with a root."""
    info = status.info
    return {
        **model_fields(status, root),
        "versions": versions,
        "limits": {
            "rows": status.limit_rows(config.max_request_rows),
            "body_bytes": config.max_body_bytes,
            "timeout_s": status.timeout_s,
            "queue_rows": status.max_queue_rows,
        },
        "formats": {
            "request": list_read(info.input_schema) if info else [JSON],
            "request_encodings": ENCODINGS.split(", "),
            "response": list_written() if info else [JSON],
        },
        "input_schema": info.input_schema if info else None,
        "output_schema": info.output_schema if info else None,
        "examples": info.examples if info else (),
        "artifacts": info.artifacts if info else (),
        "metrics": info.metrics if info else {},
        "execution": status.execution,
        "batching": status.batching,
        "has_explanations": info is not None and info.has_explanations,
        "card": info.card if info else "",
    }


def list_read(schema: JsonSchema) -> list[str]:
    """Return the media types of bodies that a model of an input schema takes."""
    files = [each for each in FORMATS.values() if each.is_installed and (each.name != "fasta" or takes_fasta(schema))]
    return [JSON, *(each.media_type for each in files if each.media_type != JSON)]


def list_written() -> list[str]:
    """Return the media types of answers."""
    return [JSON, *(each.media_type for each in WRITTEN if each.is_installed)]


def health_fields(models: list[ModelStatus], *, is_healthy: bool) -> dict[str, Any]:
    """Return what `HealthSchema` writes."""
    return {"status": "ok" if is_healthy else "unavailable", "models": [_model_health(model) for model in models]}


def _model_health(status: ModelStatus) -> dict[str, Any]:
    vital = status.vital
    return {
        "qualified_name": status.qualified_name,
        "version": status.version,
        "state": status.state,
        "is_required": status.is_required,
        "last_success": _find_time(vital.succeeded),
        "last_failure": _find_time(vital.failed),
        "last_failure_code": vital.failure,
    }


def _find_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
