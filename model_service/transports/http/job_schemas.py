"""Marshmallow schemas of jobs: they write the answers and describe them in OpenAPI."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields

from model_service.jobs.records import Job, JobState
from model_service.transports.http.urls import job_path

#: All that a job may be in.
STATES = [state.value for state in JobState]


def _text(description: str, **metadata: Any) -> fields.String:
    return fields.String(required=True, metadata={"description": description, **metadata})


def _count(description: str, *, nullable: bool = False) -> fields.Integer:
    return fields.Integer(required=True, allow_none=nullable, metadata={"description": description, "minimum": 0})


def _number(description: str, *, nullable: bool = False) -> fields.Float:
    return fields.Float(required=True, allow_none=nullable, metadata={"description": description, "minimum": 0})


def _time(description: str, *, nullable: bool = False) -> fields.String:
    return fields.String(
        required=True, allow_none=nullable, metadata={"description": description, "format": "date-time"}
    )


class JobProblemSchema(Schema):
    """Why a job failed, or why it does not get on at the moment."""

    code = _text("Stable identifier of the kind of problem.")
    detail = _text("What happened and the way out.")


class JobLinksSchema(Schema):
    """Where to go from a job."""

    self = _text("The job.", format="uri-reference")
    events = _text("Its progress, as server-sent events.", format="uri-reference")
    output = _text("Its output so far.", format="uri-reference")


class JobSchema(Schema):
    """A file of rows and how far it has come."""

    id = _text("Identifier of the job.")
    state = _text("Nothing of a job changes once it has succeeded, failed or been cancelled.", enum=STATES)
    qualified_name = _text("The model that answers.")
    version = _text("Its version, which answers every row of the job.")
    file_name = _text("What the file was called; empty where that is not known.")
    input_format = _text("Format of the file.")
    input_bytes = _count("Size of the file as it was sent.")
    input_sha256 = _text("Digest of the file as it was sent.")
    output_format = _text("Format of the output.")
    output_bytes = _count("Size of the output so far.")
    rows_done = _count("Rows whose outcome is in the output.")
    rows_failed = _count("How many of them have an error there.")
    rows_total = _count("Rows of the file; null until it has been read to its end.", nullable=True)
    progress = fields.Float(
        required=True, metadata={"description": "Which part of the file has been read.", "minimum": 0, "maximum": 1}
    )
    rows_per_s = _number("Rows per second of work so far; null at the beginning.", nullable=True)
    seconds_left = _number("How much longer it takes at that rate; null while that is not known.", nullable=True)
    max_failed_rows = _count("The job fails with more failed rows; null: it never does for that.", nullable=True)
    caller = _text("Who asked for it; empty where the service asks nobody.")
    created_at = _time("When it was made.")
    started_at = _time("When its first row was read; null before.", nullable=True)
    ended_at = _time("When it was over; null before.", nullable=True)
    problem = fields.Nested(JobProblemSchema, required=True, allow_none=True)
    links = fields.Nested(JobLinksSchema, required=True)


class JobListSchema(Schema):
    """Jobs, the newest first."""

    jobs = fields.List(fields.Nested(JobSchema), required=True)
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where the next page is; null on the last one.", "format": "uri-reference"},
    )


_job_schema = JobSchema()


def write_job(job: Job, root: str) -> dict[str, Any]:
    """Return the document of a job; its links begin with a root."""
    path = root + job_path(job.id)
    names = ("id", "state", "rows_done", "rows_failed", "rows_total", "output_bytes", "rows_per_s", "seconds_left")
    of_request = (
        *("qualified_name", "version", "file_name", "input_format", "input_bytes", "input_sha256", "output_format"),
        *("max_failed_rows", "caller"),
    )
    written: dict[str, Any] = _job_schema.dump(
        {
            **{name: getattr(job.request, name) for name in of_request},
            **{name: getattr(job, name) for name in names},
            "progress": round(job.progress, 4),
            "created_at": _write_time(job.created_at),
            "started_at": _write_time(job.started_at),
            "ended_at": _write_time(job.ended_at),
            "problem": {"code": job.problem_code, "detail": job.problem} if job.problem_code else None,
            "links": {"self": path, "events": f"{path}/events", "output": f"{path}/output"},
        }
    )
    return written


def _write_time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
