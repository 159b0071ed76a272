"""`Guard`: the one place before every call of gRPC: a call without a valid key reaches no handler.

The key stands in the metadata, as ``authorization`` or ``x-api-key``. Health can be asked for without one, as over
HTTP, and so can `ServerLive` and `ServerReady`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from grpc_health.v1 import health

from model_service.access.caller import bind_caller
from model_service.access.gate import Gate, check_scope
from model_service.access.key import PREDICT
from model_service.errors import ServiceError, Unauthenticated
from model_service.observability import choose_request_id
from model_service.transports.grpc.errors import find_status, make_metadata, word_error
from model_service.transports.grpc.messages import SERVICE

API_KEY, _AUTHORIZATION, _BEARER = "x-api-key", "authorization", "bearer "
_OPEN = frozenset({f"/{SERVICE.full_name}/ServerLive", f"/{SERVICE.full_name}/ServerReady"})
_OPEN_SERVICE = f"/{health.SERVICE_NAME}/"
#: What a call needs beside a valid key.
SCOPES = {f"/{SERVICE.full_name}/ModelInfer": PREDICT}


class Guard(grpc.aio.ServerInterceptor):
    """Lets calls through, or ends them with a status.

    Args:
        gate: Knows the keys.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Return what handles a call."""
        method: str = handler_call_details.method
        if method in _OPEN or method.startswith(_OPEN_SERVICE):
            return await continuation(handler_call_details)
        try:
            sent = _read_key(handler_call_details.invocation_metadata or ())
            key = self._gate.admit(sent)
            if method in SCOPES:
                check_scope(key, SCOPES[method])
        except ServiceError as error:
            return self._make_refusal(error.with_traceback(None), method)
        bind_caller(key)  # the handler runs in this task, which has no other call
        return await continuation(handler_call_details)

    def _make_refusal(self, error: ServiceError, method: str) -> Any:
        async def refuse(raw: Any, context: Any) -> NoReturn:
            self._gate.audit.tell_refusal(error.code, None, "GRPC", method, find_address(context))
            metadata = make_metadata(error, choose_request_id(None))
            await context.abort(find_status(error), word_error(error), metadata)
            raise AssertionError("abort raises")

        return grpc.unary_unary_rpc_method_handler(refuse)


def find_address(context: Any) -> str | None:
    """Return the address of who calls: of ``ipv4:127.0.0.1:50051``, ``ipv6:%5B::1%5D:50051``."""
    kind, _, rest = unquote(context.peer()).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else None


def _read_key(metadata: Any) -> bytes | None:
    found: list[bytes] = []
    for name, value in metadata:
        raw = value if isinstance(value, bytes) else value.encode("latin-1", "replace")
        if name == API_KEY:
            found.append(raw.strip(b" "))
        elif name == _AUTHORIZATION and raw[: len(_BEARER)].lower() == _BEARER.encode():
            found.append(raw[len(_BEARER) :].strip(b" "))
        elif name == _AUTHORIZATION:
            raise Unauthenticated(
                "send the key as 'authorization: Bearer <key>', or as 'x-api-key: <key>'", has_key=True
            )
    if len(found) > 1:
        raise Unauthenticated("the call has several keys; send one", has_key=True)
    return found[0] if found else None
