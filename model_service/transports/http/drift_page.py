"""The page that compares what a model was asked lately with what its training saw. It draws; `drift/` judges."""

import time
from datetime import date
from functools import lru_cache

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from model_service.config import ServiceConfig
from model_service.drift.report import DriftReport, Thresholds, judge_log
from model_service.manager import ModelManager
from model_service.prediction_log.reading import Window

#: The newest rows alone: more would take a thread for seconds.
_MOST_ROWS = 5000
#: Who asks again within so many seconds gets the same figures.
_FRESH_S = 30.0
_KEPT_REPORTS = 32
#: What the figures are called, in the order of the page.
FIGURES = {
    "psi": "Stability index",
    "ks": "Largest distance",
    "letters_psi": "Stability index of letters",
    "unseen": "Not in training",
    "outside": "Outside of training",
    "missing": "Missing",
    "missing_before": "Missing in training",
}
SHARES = frozenset({"unseen", "outside", "missing", "missing_before"})


def build_blueprint(manager: ModelManager, config: ServiceConfig) -> Blueprint:
    """Return the page of each model; it has a twin that names the version."""
    blueprint = Blueprint("drift", __name__)

    @lru_cache(maxsize=_KEPT_REPORTS)
    def find_report(qualified_name: str, version: str | None, since: str, until: str, age: int) -> DriftReport | None:
        info = manager.get_model_metadata(qualified_name, version).info
        if info is None:
            return None
        # Times are texts, and every time of a day comes before its name with a tilde.
        end = f"{until}~" if until else None
        window = Window(version=info.version, since=since or None, until=end, most_rows=_MOST_ROWS)
        return judge_log(config.prediction_log.folder, info, window)

    @blueprint.get("/models/<qualified_name>/drift")
    @blueprint.get("/models/<qualified_name>/versions/<version>/drift")
    def show(qualified_name: str, version: str | None = None) -> str:
        status = manager.get_model_metadata(qualified_name, version)
        since, until = _read_day("since"), _read_day("until")
        report = find_report(status.qualified_name, status.version, since, until, int(time.monotonic() / _FRESH_S))
        return render_template(
            "drift.html",
            status=status,
            report=report,
            since=since,
            until=until,
            names=FIGURES,
            shares=SHARES,
            limits=Thresholds(),
            most_rows=_MOST_ROWS,
        )

    return blueprint


def _read_day(name: str) -> str:
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise BadRequest(f"'{name}' must be a day such as 2026-11-22") from None
