"""The families of metrics, each with its labels, its sentence, and how processes are added up."""

from dataclasses import dataclass
from enum import StrEnum

#: What stands for a model or a route that is none of ours: what callers make up is no label.
NONE = "none"
#: Bounds of seconds: a validation takes microseconds, a deadline is a minute by default.
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
#: Bounds of the rows of a batch.
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2048.0, 10_000.0)
_MODEL = ("model", "version")


class Kind(StrEnum):
    """What a family is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """What the gauges of several processes are together; counters and histograms are sums."""

    SUM = "sum"
    HIGHEST = "highest"


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    Attributes:
        name: As in a scrape.
        kind: A counter's name ends in ``_total``.
        labels: In the order of their values everywhere.
        help: One sentence; docs/operations.md has the same.
        merge: Of gauges.
        bounds: Of histograms: the upper ends of their buckets.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    merge: Merge = Merge.SUM
    bounds: tuple[float, ...] = ()


REQUESTS = Family(
    "model_service_requests_total",
    Kind.COUNTER,
    ("method", "route", *_MODEL, "status"),
    "Requests answered.",
)
REQUEST_SECONDS = Family(
    "model_service_request_seconds",
    Kind.HISTOGRAM,
    ("route", *_MODEL),
    "Seconds from headers to answer.",
    bounds=SECONDS,
)
STAGE_SECONDS = Family(
    "model_service_stage_seconds",
    Kind.HISTOGRAM,
    ("stage", *_MODEL),
    "Seconds of a request in one stage.",
    bounds=SECONDS,
)
BATCH_ROWS = Family(
    "model_service_batch_rows", Kind.HISTOGRAM, _MODEL, "Rows that a model was given together.", bounds=ROWS
)
ROWS_TOTAL = Family("model_service_rows_total", Kind.COUNTER, _MODEL, "Rows that a model was given.")
ERRORS = Family(
    "model_service_errors_total",
    Kind.COUNTER,
    ("code", *_MODEL),
    "Requests refused or failed, by code.",
)
QUEUE_ROWS = Family("model_service_queue_rows", Kind.GAUGE, _MODEL, "Rows that wait for a model.")
IN_FLIGHT = Family("model_service_requests_in_flight", Kind.GAUGE, _MODEL, "Requests admitted and not answered yet.")
LOAD_SECONDS = Family(
    "model_service_model_load_seconds",
    Kind.GAUGE,
    _MODEL,
    "Seconds of loading, in the slowest worker.",
    Merge.HIGHEST,
)
MODEL_READY = Family(
    "model_service_model_ready",
    Kind.GAUGE,
    _MODEL,
    "Workers in which the model can predict.",
)
MODEL_MEMORY = Family(
    "model_service_model_memory_bytes",
    Kind.GAUGE,
    (*_MODEL, "replica"),
    "Resident memory of a model process.",
    Merge.HIGHEST,
)
MODEL_RESTARTS = Family(
    "model_service_model_restarts_total", Kind.COUNTER, _MODEL, "Model processes that were replaced."
)
WORKERS = Family("model_service_workers", Kind.GAUGE, (), "Workers that run.")
WORKER_MEMORY = Family(
    "model_service_worker_memory_bytes",
    Kind.GAUGE,
    ("worker",),
    "Resident memory of a worker.",
    Merge.HIGHEST,
)
WORKER_RESTARTS = Family("model_service_worker_restarts_total", Kind.COUNTER, (), "Workers that were replaced.")
LOOP_LAG = Family(
    "model_service_loop_lag_seconds",
    Kind.GAUGE,
    (),
    "Seconds by which the slowest loop is late.",
    Merge.HIGHEST,
)
GENERATION = Family(
    "model_service_generation", Kind.GAUGE, (), "Number of the newest generation of models.", Merge.HIGHEST
)
JOBS = Family("model_service_jobs", Kind.GAUGE, ("state",), "Jobs that are kept.", Merge.HIGHEST)
DRIFTED = Family(
    "model_service_drifted_fields",
    Kind.GAUGE,
    _MODEL,
    "Fields that have drifted from training, by the log of predictions.",
    Merge.HIGHEST,
)
DRIFT_PSI = Family(
    "model_service_drift_psi",
    Kind.GAUGE,
    (*_MODEL, "place", "field"),
    "Population stability index of a field.",
    Merge.HIGHEST,
)
DRIFT_ROWS = Family(
    "model_service_drift_rows",
    Kind.GAUGE,
    _MODEL,
    "Rows of the log that were compared with training.",
    Merge.HIGHEST,
)
BUILD = Family(
    "model_service_build_info", Kind.GAUGE, ("version", "python"), "Always 1; the labels say what runs.", Merge.HIGHEST
)

#: Every family, in the order of a scrape.
FAMILIES = (
    *(REQUESTS, REQUEST_SECONDS, STAGE_SECONDS, BATCH_ROWS, ROWS_TOTAL, ERRORS, QUEUE_ROWS, IN_FLIGHT),
    *(LOAD_SECONDS, MODEL_READY, MODEL_MEMORY, MODEL_RESTARTS, WORKERS, WORKER_MEMORY, WORKER_RESTARTS),
    *(LOOP_LAG, GENERATION, JOBS, DRIFTED, DRIFT_PSI, DRIFT_ROWS, BUILD),
)
BY_NAME = {family.name: family for family in FAMILIES}
