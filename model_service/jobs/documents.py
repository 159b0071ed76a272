"""A job as a JSON object, for the doors and for callbacks."""

from datetime import UTC, datetime
from typing import Any

from model_service.jobs.records import Job

_OF_JOB = ("id", "rows_done", "rows_failed", "rows_total", "output_bytes", "rows_per_s", "seconds_left")
_OF_REQUEST = (
    *("qualified_name", "version", "file_name", "input_format", "input_bytes", "input_sha256", "output_format"),
    *("max_failed_rows", "caller"),
)


def describe_job(job: Job) -> dict[str, Any]:
    """Return what is known of a job, but for links and callback: those are the doors' matter."""
    return {
        **{name: getattr(job, name) for name in _OF_JOB},
        **{name: getattr(job.request, name) for name in _OF_REQUEST},
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "created_at": _write_time(job.created_at),
        "started_at": _write_time(job.started_at),
        "ended_at": _write_time(job.ended_at),
        "problem": {"code": job.problem_code, "detail": job.problem} if job.problem_code else None,
    }


def _write_time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
