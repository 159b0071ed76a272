"""The REST routes of jobs that Flask answers: list, show, cancel, remove. `job_doors.py` has those of the loop."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from model_service.jobs.errors import JobInvalid
from model_service.jobs.places import JobAccess
from model_service.jobs.records import JobState
from model_service.transports.http.codec import require_acceptable, write_json
from model_service.transports.http.job_schemas import write_job
from model_service.transports.http.urls import JOBS, MODELS

_LIMIT, _MOST = 50, 500
_IN_LOOP = (
    (f"{MODELS}/<qualified_name>/jobs", "POST"),
    (f"{MODELS}/<qualified_name>/versions/<version>/jobs", "POST"),
    (f"{JOBS}/<job_id>/output", "GET"),
    (f"{JOBS}/<job_id>/events", "GET"),
)
_KEYS = ("state", "model", "before", "limit")


def build_blueprint(access: JobAccess) -> Blueprint:
    """Return the routes of jobs."""
    blueprint = Blueprint("jobs", __name__)
    # The loop answers them; here they make other methods a 405.
    for path, method in _IN_LOOP:
        blueprint.add_url_rule(path, f"{method} {path.replace('.', ' ')}", _miss, methods=[method])

    @blueprint.get(JOBS)
    def list_jobs() -> Response:
        require_acceptable(request)
        wanted, limit = _read_filter(), _read_limit()
        desk = access.find()
        # One more than wanted tells whether there is another page.
        found = desk.list_jobs(**wanted, limit=limit + 1) if desk is not None else []
        following = None
        if len(found) > limit:
            query = {**request.args.to_dict(), "before": found[limit - 1].id}
            following = f"{request.root_path}{JOBS}?{urlencode(query)}"
        return write_json({"jobs": [write_job(job, request.root_path) for job in found[:limit]], "next": following})

    @blueprint.get(f"{JOBS}/<job_id>")
    def get_job(job_id: str) -> Response:
        require_acceptable(request)
        return write_json(write_job(access.require().get(job_id), request.root_path))

    @blueprint.delete(f"{JOBS}/<job_id>")
    def end_job(job_id: str) -> Response:
        cancelled = access.require().end(job_id)
        if cancelled is None:
            return Response(status=204)
        return write_json(write_job(cancelled, request.root_path))

    return blueprint


def _miss(**names: str) -> Response:
    raise NotFound


def _read_filter() -> dict[str, Any]:
    unknown = [name for name in request.args if name not in _KEYS]
    if unknown:
        raise JobInvalid(f"the query has a key that is not known; known keys: {', '.join(_KEYS)}")
    state = request.args.get("state")
    if state is not None and state not in set(JobState):
        raise JobInvalid(f"'state' must be one of {', '.join(JobState)}")
    return {
        "state": JobState(state) if state is not None else None,
        "qualified_name": request.args.get("model"),
        "before": request.args.get("before"),
    }


def _read_limit() -> int:
    text = request.args.get("limit", str(_LIMIT))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MOST):
        raise JobInvalid(f"'limit' must be an integer from 1 to {_MOST}")
    return int(text)
