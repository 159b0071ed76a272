"""Marshmallow schemas of jobs: they write the answers and describe them in OpenAPI."""

from typing import Any

from marshmallow import Schema, fields

from model_service.jobs.documents import describe_job
from model_service.jobs.records import CallbackState, Job, JobState
from model_service.transports.http.urls import job_path

#: All that a job may be in.
STATES = [state.value for state in JobState]
#: All that a callback may be in.
CALLBACKS = [state.value for state in CallbackState]


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


class JobCallbackSchema(Schema):
    """What has become of the callback of a job."""

    state = _text("It waits for the end of the job or the next attempt, was taken, or was given up.", enum=CALLBACKS)
    attempts = _count("How often it was sent.")
    problem = fields.String(
        required=True, allow_none=True, metadata={"description": "What hindered the last attempt; null: nothing."}
    )


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
    callback = fields.Nested(JobCallbackSchema, required=True, allow_none=True)
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
    links = {"self": path, "events": f"{path}/events", "output": f"{path}/output"}
    callback = None
    if job.callback_state is not None:
        callback = {
            "state": job.callback_state.value,
            "attempts": job.callback_attempts,
            "problem": job.callback_problem or None,
        }
    written: dict[str, Any] = _job_schema.dump({**describe_job(job), "callback": callback, "links": links})
    return written
