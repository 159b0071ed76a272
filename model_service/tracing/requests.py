"""What the span of an answered request says, at every door, by the conventions of OpenTelemetry."""

import time

from model_service.tracing.context import Trace, Value

_SERVER_FAULT = 500
#: Statuses of gRPC for which the server is to blame.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
#: Of what every span says, and of its stages.
MODEL, VERSION, ROWS, REQUEST_ID = (
    *("model_service.model.name", "model_service.model.version"),
    *("model_service.rows", "model_service.request_id"),
)
#: The code of an error.
ERROR = "error.type"


def end_request(
    trace: Trace,
    method: str,
    route: str | None,
    status: int,
    names: tuple[str | None, str | None],
    request_id: str | None,
    code: str | None,
    outcome: str | None,
) -> None:
    """End the trace of a request that has been answered.

    Args:
        trace: Of the request.
        method: Of HTTP, or ``GRPC``.
        route: The template of the path; ``None`` where it is none of ours.
        status: Of HTTP or gRPC.
        names: Of the model and its version, where they are known.
        request_id: Finds the log lines of the request.
        code: Of the error that was answered, if one was.
        outcome: The name of the status, where that is gRPC's.
    """
    if not trace.is_sampled:
        return
    attributes: dict[str, Value] = {}
    if outcome is None:
        name = f"{method} {route}" if route is not None else method
        attributes["http.request.method"] = method
        attributes["http.response.status_code"] = status
        has_failed = status >= _SERVER_FAULT
        if route is not None:
            attributes["http.route"] = route
    else:
        name = (route or "").removeprefix("/")
        service, _, call = name.rpartition("/")
        attributes |= {"rpc.system": "grpc", "rpc.service": service, "rpc.method": call}
        attributes["rpc.grpc.status_code"] = status
        has_failed = outcome in _FAULTS
    known = (MODEL, names[0]), (VERSION, names[1]), (REQUEST_ID, request_id), (ERROR, code)
    attributes.update((key, value) for key, value in known if value)
    trace.end(name, time.monotonic(), attributes, has_failed=has_failed, is_request=True)
