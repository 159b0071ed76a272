"""The paths of models and jobs, written once: for the views, the links and the OpenAPI document."""

from model_service.records import ModelStatus

MODELS = "/api/models"
JOBS = "/api/jobs"
#: Below these only programs ask, and JSON answers.
API_PREFIXES = ("/api/", "/health/", "/openapi.")


def model_path(qualified_name: str, version: str | None = None) -> str:
    """Return the path of a model, or of one version of it."""
    base = f"{MODELS}/{qualified_name}"
    return base if version is None else f"{base}/versions/{version}"


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
