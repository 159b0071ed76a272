"""The paths of models, jobs and the inference protocol, written once: for views, links and the OpenAPI document."""

from model_service.records import ModelStatus

MODELS = "/api/models"
JOBS = "/api/jobs"
PREDICTIONS = "/api/predictions"
RELOAD = "/api/manage/reload"
#: The templates of predict requests, as metrics name them.
PREDICT_ROUTE = f"{MODELS}/{{qualified_name}}/predict"
PREDICT_VERSION_ROUTE = f"{MODELS}/{{qualified_name}}/versions/{{version}}/predict"
#: The Open Inference Protocol: V2, and the models of V1.
V2 = "/v2"
V1 = "/v1/models"
#: What hosting platforms and MLflow call.
PLATFORMS = ("/invocations", "/endpoints/", "/ping", "/version", "/execution-parameters")
#: Below these only programs ask, and no page answers.
API_PREFIXES = ("/api/", "/health/", "/openapi.", V2, V1, *PLATFORMS)
#: Behind these stands the name of a model.
_BEFORE_NAMES = (f"{MODELS}/", f"{V2}/models/", f"{V1}/")


def model_path(qualified_name: str, version: str | None = None) -> str:
    """Return the path of a model, or of one version of it."""
    base = f"{MODELS}/{qualified_name}"
    return base if version is None else f"{base}/versions/{version}"


def find_model_name(path: str) -> str:
    """Return what stands in a path as the name of a model; empty where nothing does."""
    before = next((prefix for prefix in _BEFORE_NAMES if path.startswith(prefix)), None)
    return "" if before is None else path.removeprefix(before).partition("/")[0].partition(":")[0]


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"{JOBS}/{job_id}"


def model_links(status: ModelStatus, root: str) -> dict[str, str]:
    """Return the links of one model; they name the version unless it is the default.

    Args:
        status: The model.
        root: The path prefix under which the service is reached; empty where there is none.
    """
    path = root + model_path(status.qualified_name, None if status.is_default else status.version)
    return {"metadata": f"{path}/metadata", "predict": f"{path}/predict", "docs": f"{root}/docs"}
