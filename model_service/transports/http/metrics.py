"""What a scrape is answered at `/metrics`: beside the threads of Flask under our server, in a view under another."""

import importlib

from flask import Blueprint, Response, request

from model_service.errors import ServiceError
from model_service.jobs.places import JobAccess
from model_service.metrics import families
from model_service.metrics.figures import Figures
from model_service.metrics.meters import Meters

METRICS = "/metrics"
#: Its library is loaded with the first scrape.
_EXPOSITION = "model_service.metrics.exposition"


def build_blueprint(meters: Meters, jobs: JobAccess | None) -> Blueprint:
    """Return the route of scrapes."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get(METRICS)
    def scrape() -> Response:
        status, headers, body = answer_scrape(meters, jobs, request.headers.get("Accept", ""))
        return Response(body, status, headers)

    return blueprint


def answer_scrape(meters: Meters, jobs: JobAccess | None, accept: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of a scrape. It reads files, and waits for the database of jobs if there is one.

    Args:
        meters: Of this process, which knows the others.
        jobs: Is asked how many there are.
        accept: The header of the request.
    """
    figures = meters.gather()
    if jobs is not None:
        _add_jobs(figures, jobs)
    body, media_type = importlib.import_module(_EXPOSITION).write_exposition(figures, accept)
    headers = [("Content-Type", media_type), ("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff")]
    return 200, headers, body


def _add_jobs(figures: Figures, jobs: JobAccess) -> None:
    try:
        desk = jobs.find()
        counts = desk.count_by_state() if desk is not None else {}
    except ServiceError:  # they cannot be asked now: a scrape says so by saying nothing
        return
    for state, count in counts.items():
        figures.gauges[families.JOBS.name, state] = count
