"""Errors as gRPC says them; the only place that maps errors to its statuses.

The text of a status is what HTTP calls ``detail``, with the broken rules behind it. The trailing metadata have more:
``error-code``, ``x-request-id`` and, where another try makes sense, ``retry-after`` in seconds.
"""

from grpc import StatusCode

from model_service import errors

STATUS: dict[type[errors.ServiceError], StatusCode] = {
    errors.Unauthenticated: StatusCode.UNAUTHENTICATED,
    errors.Forbidden: StatusCode.PERMISSION_DENIED,
    errors.ModelNotFound: StatusCode.NOT_FOUND,
    errors.PayloadMalformed: StatusCode.INVALID_ARGUMENT,
    errors.PayloadInvalid: StatusCode.INVALID_ARGUMENT,
    # The request itself is too large: another try would not help.
    errors.PayloadTooLarge: StatusCode.OUT_OF_RANGE,
    errors.PredictionFailed: StatusCode.INTERNAL,
    errors.OutputInvalid: StatusCode.INTERNAL,
    errors.ModelNotReady: StatusCode.UNAVAILABLE,
    errors.ServerBusy: StatusCode.UNAVAILABLE,
    errors.QueueFull: StatusCode.RESOURCE_EXHAUSTED,
    errors.RateLimited: StatusCode.RESOURCE_EXHAUSTED,
    errors.KeysUnavailable: StatusCode.UNAVAILABLE,
    errors.PredictionTimeout: StatusCode.DEADLINE_EXCEEDED,
}
UNEXPECTED_CODE = "internal_error"
#: Of the broken rules, as many as a person reads. Metadata and status travel in headers, which are bounded.
_MOST_TOLD, _MOST_CHARACTERS = 5, 2000


def find_status(error: errors.ServiceError) -> StatusCode:
    """Return the status of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), StatusCode.INTERNAL)


def word_error(error: errors.ServiceError) -> str:
    """Return what a caller is told."""
    faults = error.violations[:_MOST_TOLD]
    if not faults:
        told = error.message
    elif faults[0].message in error.message:
        told = f"{error.message}, at '{faults[0].place}'"
    else:
        more = len(error.violations) - len(faults)
        words = "; ".join(f"'{fault.place}' {fault.message}" for fault in faults)
        told = f"{error.message}: {words}{f'; and {more} more' if more > 0 else ''}"
    return told[:_MOST_CHARACTERS]


def make_metadata(error: errors.ServiceError, request_id: str) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata of an error."""
    metadata = ("error-code", error.code), ("x-request-id", request_id)
    if isinstance(error, errors.CapacityError) and not isinstance(error, errors.PredictionTimeout):
        return *metadata, ("retry-after", str(error.retry_after_s))
    return metadata
