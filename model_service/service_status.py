"""What `model-service status` shows of a running service: its generations, their models and their processes."""

from collections.abc import Iterable
from typing import Any

from model_service.fleet import Fleet
from model_service.home import measure_memory
from model_service.records import ModelState
from model_service.reporting import ModelReport

#: Of what several workers say of one model, the first of these counts.
_ORDER = (ModelState.FAILED, ModelState.LOADING, ModelState.READY)


def describe_fleet(fleet: Fleet) -> dict[str, Any]:
    """Return what one generation is, as JSON."""
    reports = fleet.read_reports()
    models = zip(*(report.models for report in reports), strict=False)
    return {
        "generation": fleet.number,
        "state": fleet.state.value,
        "started": fleet.started,
        "workers": fleet.workers,
        "loaded_workers": sum(report.is_loaded for report in reports),
        "models": [_join(each) for each in models],
        "processes": [
            {"for": purpose, "pid": pid, "memory_bytes": measure_memory(pid)} for purpose, pid in fleet.list_processes()
        ],
    }


def _join(reports: Iterable[ModelReport]) -> dict[str, Any]:
    """Return what all workers say of one model: the worst state of it, and all rows that wait."""
    known = sorted(reports, key=lambda report: _ORDER.index(report.state))
    worst = known[0]
    return {
        "qualified_name": worst.qualified_name,
        "version": worst.version,
        "class": worst.class_path,
        "state": worst.state.value,
        "is_default": worst.is_default,
        "is_required": worst.is_required,
        "execution": worst.execution,
        "queued_rows": sum(report.queued_rows for report in known),
        "problem": None if worst.problem is None else f"{worst.problem.problem} ({worst.problem.cause})",
    }
