"""`Call`: one call of the protocol, from its arrival to its line in the log."""

import time
from typing import Any

from grpc import StatusCode
from grpc.aio import ServicerContext

from model_service.access.caller import name_caller
from model_service.observability import choose_request_id
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel
from model_service.request_log import RequestLog
from model_service.tracing.context import Trace
from model_service.tracing.tracer import Tracer
from model_service.transports.grpc.messages import SERVICE
from model_service.transports.notices import list_notices

#: They ask for nothing but health, and often: they are not traced.
_PROBES = frozenset({"ServerLive", "ServerReady", "ModelReady"})


class Call:
    """One call, from its arrival to its line in the log.

    Args:
        name: Of the method.
        context: gRPC's own.
        tracer: Begins its trace; ``None`` where nothing is traced.

    Attributes:
        request_id: The caller's, or a new one.
        status: What it ended with.
        model: The model that it asked, once that is known.
        code: Of the error that it ended with.
        trace: Its place in a distributed trace, if it has one.
    """

    def __init__(self, name: str, context: ServicerContext[Any, Any], tracer: Tracer | None = None) -> None:
        self._name = name
        self._context = context
        self._arrived = time.monotonic()
        self.request_id = choose_request_id(self.find_header("x-request-id"))
        self.status = StatusCode.OK
        self.model: Any = None
        self.code: str | None = None
        self.trace: Trace | None = None
        if tracer is not None and name not in _PROBES:
            self.trace = tracer.begin(_list_headers(context), self._arrived)

    def make_context(self, target: ServedModel) -> RequestContext:
        """Return the context of a prediction: the deadline is the earlier one of caller and model."""
        left = self._context.time_remaining()
        patience = target.timeout_s if left is None else min(target.timeout_s, left)
        return RequestContext(self.request_id, self._arrived, self._arrived + patience, name_caller(), self.trace)

    def find_header(self, name: str) -> str | None:
        """Return what the caller's metadata has under a name."""
        found = (value for key, value in self._context.invocation_metadata() or () if key == name.lower())
        value = next(found, None)
        return value if isinstance(value, str) else None

    def is_late(self) -> bool:
        """Whether the caller's deadline has passed."""
        left = self._context.time_remaining()
        return left is not None and left <= 0

    def tell(self, target: ServedModel) -> None:
        """Say in the trailing metadata which model has answered."""
        told = (("x-request-id", self.request_id), ("x-model-version", target.info.version))
        self._context.set_trailing_metadata((*told, *list_notices(target.notice)))

    def write(self, log: RequestLog) -> None:
        """Write its line."""
        model, path = self.model, f"/{SERVICE.full_name}/{self._name}"
        log.write(
            "GRPC",
            path,
            int(self.status.value[0]),
            model.qualified_name if model is not None else None,
            model.version if model is not None else None,
            time.monotonic() - self._arrived,
            self.request_id,
            name_caller(),
            route=path,
            code=self.code,
            outcome=self.status.name,
            trace=self.trace,
        )


def _list_headers(context: ServicerContext[Any, Any]) -> list[tuple[bytes, bytes]]:
    """Return the caller's metadata as HTTP has headers."""
    pairs = context.invocation_metadata() or ()
    return [(key.encode(), value if isinstance(value, bytes) else value.encode()) for key, value in pairs]
