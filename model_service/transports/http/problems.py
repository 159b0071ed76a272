"""Problem documents (RFC 9457) and their statuses; the only place that maps errors to HTTP. It knows no framework."""

from typing import Any

from model_service import errors
from model_service.explaining import ExplanationNotOffered
from model_service.jobs import errors as job_errors
from model_service.prediction_log import errors as log_errors
from model_service.records import Violation

STATUS: dict[type[errors.ServiceError], int] = {
    errors.ConfigInvalid: 500,
    errors.MissingDependency: 500,
    errors.ReloadFailed: 409,
    errors.ServiceNotRunning: 503,
    job_errors.DatabaseOutdated: 500,
    errors.ModelImportFailed: 500,
    errors.ModelContractBroken: 500,
    errors.ModelLoadFailed: 500,
    errors.ModelCrashed: 500,
    errors.ModelChanged: 500,
    errors.DuplicateModel: 500,
    errors.SelfTestFailed: 500,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.ModelNotFound: 404,
    errors.PayloadMalformed: 400,
    errors.PayloadInvalid: 422,
    errors.PayloadTooLarge: 413,
    errors.FileUnreadable: 400,
    errors.MediaTypeUnsupported: 415,
    ExplanationNotOffered: 501,
    job_errors.JobNotFound: 404,
    job_errors.JobInvalid: 400,
    job_errors.IdempotencyKeyReused: 422,
    job_errors.TooManyFailedRows: 422,
    log_errors.PredictionNotFound: 404,
    log_errors.FeedbackInvalid: 422,
    errors.PredictionFailed: 500,
    errors.OutputInvalid: 500,
    job_errors.JobStuck: 500,
    errors.ModelNotReady: 503,
    errors.ServerBusy: 503,
    errors.ReloadUnderWay: 503,
    errors.QueueFull: 429,
    errors.RateLimited: 429,
    errors.KeysUnavailable: 503,
    errors.PredictionTimeout: 504,
    job_errors.TooManyJobs: 429,
    job_errors.JobStoreUnavailable: 503,
    job_errors.StorageFull: 507,
    log_errors.PredictionLogUnavailable: 503,
}
#: What HTTP alone can get wrong: status -> (code, title).
HTTP_PROBLEMS = {
    400: ("bad_request", "The request cannot be read."),
    404: ("route_not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    406: ("not_acceptable", "The answer cannot be given in an accepted format."),
    416: ("range_not_satisfiable", "The range lies outside of what there is."),
    408: ("request_timeout", "The request did not arrive in time."),
    421: ("host_not_allowed", "The request is for another host."),
    431: ("headers_too_large", "The headers are too large."),
    501: ("not_offered", "The service does not offer this."),
}
#: Status -> what MLflow calls it.
MLFLOW_CODES = {
    400: "MALFORMED_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    406: "BAD_REQUEST",
    409: "RESOURCE_CONFLICT",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}
_CHALLENGE = 'Bearer realm="model-service"'
#: The codes of any other status, and of what nobody foresaw.
OTHER_CODE, UNEXPECTED_CODE = "http_error", "internal_error"
#: Every code that a problem document can have.
CODES = (*(kind.code for kind in STATUS), *(code for code, _ in HTTP_PROBLEMS.values()), OTHER_CODE, UNEXPECTED_CODE)


def make_document(
    status: int, code: str, title: str, detail: str, request_id: str | None, violations: tuple[Violation, ...] = ()
) -> dict[str, Any]:
    """Return a problem document."""
    return {
        "type": f"urn:model-service:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": make_violations(violations),
    }


def make_violations(violations: tuple[Violation, ...]) -> list[dict[str, str]]:
    """Return violations as a document lists them."""
    return [
        {"pointer": violation.pointer, "rule": violation.rule, "message": violation.message} for violation in violations
    ]


def find_retry_after(error: errors.ServiceError) -> str | None:
    """Return what the header ``Retry-After`` says of an error, if it has one."""
    if not isinstance(error, errors.CapacityError) or error.retry_after_s is None:
        return None
    return str(error.retry_after_s) if STATUS[type(error)] in (429, 503, 507) else None


def find_challenge(error: errors.ServiceError) -> str | None:
    """Return what the header ``WWW-Authenticate`` says of an error (RFC 6750), if it has one."""
    if isinstance(error, errors.Unauthenticated):
        return f'{_CHALLENGE}, error="invalid_token"' if error.has_key else _CHALLENGE
    if isinstance(error, errors.Forbidden) and error.scope is not None:
        return f'{_CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'
    return None
