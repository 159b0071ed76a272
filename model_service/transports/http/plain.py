"""`PlainRequest`: a predict request that nearly everyone sends, recognised by its headers. It decides nothing else.

JSON in, JSON out, no compression: whatever else a request may ask for, or get wrong, is the Flask application's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from model_service.access.key import Key
from model_service.backends.ticket import RowOutcome, Ticket
from model_service.errors import ServiceError
from model_service.observability import choose_request_id
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel
from model_service.tracing.context import Trace
from model_service.transports.http.cors import CrossOrigin
from model_service.transports.http.credentials import API_KEY, AUTHORIZATION, read_bearer
from model_service.transports.http.hosts import AllowedHosts
from model_service.transports.http.urls import MODELS, PREDICT_ROUTE, PREDICT_VERSION_ROUTE

Headers = list[tuple[bytes, bytes]]

_PREFIX, _SUFFIX = f"{MODELS}/".encode(), b"/predict"
_VERSIONS = b"/versions/"
_JSON = frozenset(
    {
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/json;charset=utf-8",
        b"application/json; charset=UTF-8",
        b"application/json;charset=UTF-8",
    }
)
_ACCEPT = frozenset({b"*/*", b"application/json", b"application/json, */*", b"application/json, text/plain, */*"})
#: Their presence asks for something that is not plain.
_NOT_PLAIN = frozenset({b"content-encoding", b"prefer", b"upgrade"})
#: They may stand in a path for anything, or end it.
_ODD = frozenset(b"%?#")


@dataclass(frozen=True, slots=True)
class PlainHead:
    """What the address and the headers of a plain request say.

    Attributes:
        path: The address.
        name: Of the model.
        version: Of the model, if it is named.
        request_id: As the caller offers it.
        wants_continue: Whether the caller sends the body when it is asked to.
        cors_lines: Headers of the answer for a page of another origin; empty where none may call.
        sent: The key, as it stands in a header; empty where there is none.
        route: The template of the address.
    """

    path: str
    name: str
    version: str | None
    request_id: str | None
    wants_continue: bool
    cors_lines: bytes
    sent: bytes
    route: str


class PlainRequest(Ticket):
    """One plain predict request of a connection, from its headers to its answer.

    It stands where uvicorn keeps a `RequestResponseCycle` of its own, and has what uvicorn looks at there:
    `response_complete`, `disconnected`, `keep_alive` and `message_event`. It is the ticket, too, once its body
    has been read: one object for a request that comes ten thousand times a second.
    """

    #: Nobody waits for it here.
    message_event: ClassVar[asyncio.Event] = asyncio.Event()

    # Most requests never change these, so they are not written for each.
    outputs: list[RowOutcome] = []
    error: ServiceError | None = None
    refusal: ServiceError | None = None
    taken = received = held_bytes = 0
    submitted = began = 0.0
    is_lenient = is_apart = is_over = is_current = is_many = is_submitted = response_complete = disconnected = False
    keep_alive = more_body = True
    #: Whose it is, and whether it has been held against the limits.
    key: Key | None = None
    is_counted = False
    trace: Trace | None = None

    def __init__(
        self,
        head: PlainHead,
        headers: Headers,
        target: ServedModel,
        arrived: float,
        done: Callable[[Any], object],
    ) -> None:
        # What `Ticket.__init__` does, without the call.
        self.payloads: list[Any] = []
        self.deadline = arrived + target.timeout_s
        self.done = done
        self.head = head
        self.headers = headers
        self.target = target
        self.arrived = arrived
        self.request_id = choose_request_id(head.request_id)
        self.chunks: list[bytes] = []

    @property
    def context(self) -> RequestContext:
        """What doors know of a request."""
        caller = self.key.name if self.key else None
        return RequestContext(self.request_id, self.arrived, self.deadline, caller, self.trace)


def read_head(
    url: bytes, headers: Headers, max_body_bytes: int, hosts: AllowedHosts, cors: CrossOrigin
) -> PlainHead | None:
    """Return what a POST says if it is a plain predict request.

    Args:
        url: The request's target, as it was sent.
        headers: As they were sent.
        max_body_bytes: A longer body is not plain.
        hosts: A request for another host is not plain.
        cors: Says what the answer to a page of another origin has more.
    """
    if not (url.startswith(_PREFIX) and url.endswith(_SUFFIX) and _ODD.isdisjoint(url)):
        return None
    name, separator, version = url[len(_PREFIX) : -len(_SUFFIX)].partition(_VERSIONS)
    if (separator and not version) or not url.isascii():
        return None
    found: dict[bytes, bytes] = {}
    for header, value in headers:
        key = header.lower()
        if key in _NOT_PLAIN or key in found:
            return None
        if key in _WANTED:
            found[key] = value
    length = b"0" if found.get(b"transfer-encoding") == b"chunked" else found.get(b"content-length", b"")
    if (
        found.get(b"content-type") not in _JSON
        or found.get(b"accept", b"*/*") not in _ACCEPT
        or found.get(b"expect", b"100-continue").lower() != b"100-continue"
        or found.get(b"transfer-encoding", b"chunked") != b"chunked"
        or not length.isdigit()
        or int(length) > max_body_bytes
        or b"host" not in found
        or not hosts.allow(found[b"host"].decode("latin-1"))
        or (AUTHORIZATION in found and API_KEY in found)
    ):
        return None
    offered = found.get(b"x-request-id")
    return PlainHead(
        url.decode("ascii"),
        name.decode("ascii"),
        version.decode("ascii") or None,
        offered.decode("latin-1") if offered is not None else None,
        b"expect" in found,
        cors.write_lines(found.get(b"origin")),
        (read_bearer(found[AUTHORIZATION]) or b"") if AUTHORIZATION in found else found.get(API_KEY, b"").strip(b" "),
        PREDICT_VERSION_ROUTE if version else PREDICT_ROUTE,
    )


def find_header(headers: Headers, name: str) -> str | None:
    """Return the value of a header, if it was sent; the first of several."""
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for header, value in headers if header.lower() == wanted), None)


def has_one_host(headers: Headers) -> bool:
    """Whether there is one header ``Host``, as HTTP/1.1 has it."""
    return sum(name.lower() == b"host" for name, _ in headers) == 1


def count_head(url: bytes, headers: Headers) -> int:
    """Return the bytes of an address and headers."""
    return len(url) + sum(len(name) + len(value) for name, value in headers)


#: The headers that decide whether a request is plain; each may be given once.
_WANTED = frozenset(
    {
        *(b"host", b"content-type", b"accept", b"content-length", b"transfer-encoding", b"expect", b"x-request-id"),
        *(b"origin", AUTHORIZATION, API_KEY),
    }
)
