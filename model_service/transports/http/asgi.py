"""What the ASGI side shares: its types, the path and the id of a request, short answers, problem documents."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from model_service.access.caller import name_caller
from model_service.errors import ServiceError
from model_service.metrics.families import NONE
from model_service.observability import choose_request_id
from model_service.strict_json import encode_json
from model_service.transports.http.codec import JSON, PROBLEM_JSON
from model_service.transports.http.front import Front
from model_service.transports.http.handing import HANDED_ON, TRACE, HandedOn
from model_service.transports.http.inference_errors import add_error, is_of_protocol
from model_service.transports.http.platforms import add_members
from model_service.transports.http.problems import (
    HTTP_PROBLEMS,
    STATUS,
    find_challenge,
    find_retry_after,
    make_document,
)
from model_service.transports.http.urls import PLATFORMS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[str, str]]
#: Key of the state of a request under which the template of its path stands, once that is known.
ROUTE = "model_service.route"


class CallerLeft(Exception):
    """Nobody is left to answer."""


class HttpProblem(Exception):
    """What HTTP alone can get wrong.

    Args:
        status: One of `HTTP_PROBLEMS`.
        detail: What was expected.
        headers: More of them.
    """

    def __init__(self, status: int, detail: str, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or []


def find_path(scope: Message) -> str:
    """Return the path as it was sent: that of the scope begins with the prefix that a proxy has removed."""
    path: str = scope["path"]
    return path.removeprefix(scope["root_path"])


def choose_id(scope: Message) -> str:
    """Return the id of a request: the one that it brought, or a new one."""
    handed: HandedOn | None = scope["state"].get(HANDED_ON)
    if handed is not None:
        return handed.context.request_id
    return choose_request_id(find_header(scope, b"x-request-id") or None)


def find_header(scope: Message, name: bytes) -> str:
    """Return the value of a header; empty where there is none."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


async def send_start(scope: Message, send: Send, status: int, headers: Headers, request_id: str) -> None:
    """Send status and headers of an answer."""
    raw = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]
    raw.append((b"x-request-id", request_id.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def send_answer(
    front: Front,
    scope: Message,
    send: Send,
    answer: tuple[int, Headers, bytes],
    request_id: str | None = None,
    code: str | None = None,
) -> None:
    """Send a whole answer, count it, and write its line into the log."""
    status, headers, body = answer
    request_id = request_id or choose_id(scope)
    await send_start(scope, send, status, [*headers, ("Content-Length", str(len(body)))], request_id)
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
    handed: HandedOn | None = scope["state"].get(HANDED_ON)
    info = handed.target.info if handed is not None else None
    front.log.write(
        scope["method"],
        find_path(scope)[:200],
        status,
        info.qualified_name if info is not None else None,
        info.version if info is not None else None,
        0.0,
        request_id,
        name_caller(),
        route=scope["state"].get(ROUTE, NONE),
        code=code,
        trace=scope["state"].get(TRACE),
    )


async def send_problem(
    front: Front, scope: Message, send: Send, error: ServiceError | HttpProblem, request_id: str | None = None
) -> None:
    """Answer with the problem document of an error, as callers of the address expect it."""
    request_id = request_id or choose_id(scope)
    is_inference = is_of_protocol(find_path(scope))
    headers: Headers = [("Content-Type", JSON if is_inference else PROBLEM_JSON)]
    if scope["state"].get("must_close"):  # the rest of the body is not read
        headers.append(("Connection", "close"))
    if isinstance(error, HttpProblem):
        status, (code, title) = error.status, HTTP_PROBLEMS[error.status]
        document = make_document(status, code, title, error.detail, request_id)
        headers += error.headers
    else:
        status, code = STATUS[type(error)], error.code
        document = make_document(status, error.code, error.title, error.message, request_id, error.violations)
        retry_after = find_retry_after(error)
        headers += [("Retry-After", retry_after)] if retry_after is not None else []
        challenge = find_challenge(error)
        headers += [("WWW-Authenticate", challenge)] if challenge is not None else []
    if is_inference:
        document = add_error(document)
    elif find_path(scope).startswith(PLATFORMS):
        document = add_members(document)
    await send_answer(front, scope, send, (status, headers, encode_json(document)), request_id, code)
