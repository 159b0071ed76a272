"""`PredictProtocol`: HTTP/1.1 of one connection, with a short way for the plain predict request.

uvicorn's own protocol parses, and carries everything to the application. This subclass recognises a plain predict
when its headers are complete, gathers its body, and lets `ShortWay` submit it and write the answer in one go.

It may never explain. What is not plainly the happy end goes on to the Flask application, body and all, and with
what has become of it: nothing is predicted twice. Only a refusal for want of room is written here, because there
may be no room for Flask's either.

    bytes ─> on_headers_complete ─ plain ─> on_body ─> on_message_complete ─> ShortWay.start ... ─> answer
                      │                                                           │
                      └─ else, uvicorn's way ─> Application <─────── hand_on ─────┘

A request is answered before the next one of its connection begins, so pipelined answers keep their order.
"""

import asyncio
import time
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from model_service.errors import PayloadTooLarge, ServerBusy
from model_service.observability import choose_request_id
from model_service.registry.entry import ServedModel
from model_service.registry.generation import Generation
from model_service.transports.http.codec import body_too_large
from model_service.transports.http.front import LARGE_BYTES, Front
from model_service.transports.http.handing import TRACE, make_scope
from model_service.transports.http.plain import (
    Headers,
    PlainHead,
    PlainRequest,
    count_head,
    has_one_host,
    read_head,
)
from model_service.transports.http.problems import HTTP_PROBLEMS
from model_service.transports.http.short_way import Phase, ShortWay
from model_service.transports.http.wire import write_rejection

#: Headers of one request, all together and by number.
MAX_HEAD_BYTES, MAX_HEADERS = 64 * 1024, 100
_HEAD_TOO_LARGE = (
    f"the address and the headers have more than {MAX_HEAD_BYTES} bytes all together, which is as many as are allowed"
)
#: Of a body that is refused as much is read, and thrown away, so that its sender gets to read why.
_MAX_DISCARDED_BYTES = 64 * 1024 * 1024


#: A member of an enumeration takes longer to look up than most of what is done here.
_IDLE, _HEAD, _BODY, _ANSWER = Phase


class PredictProtocol(ShortWay):
    """One connection. A subclass of it carries the `front`, because uvicorn builds it from a class: `bind_front`.

    Attributes:
        phase: What it is doing.
        since: When that began, by the loop's slow clock.
        received: Bytes of the request that is arriving.
        is_upload: Whether the body that arrives is a file for a job.
        is_surplus: Whether there were as many connections as may be: only health is answered.
    """

    #: The latest request: a cycle of uvicorn's, or a `PlainRequest`.
    cycle: Any
    #: Those that wait for the answers before theirs, the latest first.
    pipeline: deque[tuple[Any, Any]]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.phase = _IDLE
        self.since = self.front.loop.now
        self.received = 0
        self.paused_since: float | None = None
        self.is_surplus = False
        self.is_upload = False
        self._most_received = self.front.config.max_body_bytes + _MAX_DISCARDED_BYTES
        self._current: PlainRequest | None = None
        self._trailers = 0
        # Most callers send the same address and headers again and again.
        self._known_url = b""
        self._known_headers: Headers = []
        self._known_head: PlainHead | None = None
        self._known_generation: Generation | None = None
        self._known_target: ServedModel | None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        surplus = len(self.connections) - self.front.max_connections
        self.is_surplus = surplus > 0
        if surplus > self.front.reserved_connections:
            self.front.refusals.note_crowd()
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        for request in [self._current, self.cycle, *(cycle for cycle, _ in self.pipeline)]:
            if type(request) is PlainRequest:
                request.disconnected = True
                self.forget(request)
        self._current = None
        self.pipeline.clear()
        super().connection_lost(error)
        self.cycle = None  # it knows this connection, too: not for the collector to come and part them

    def data_received(self, data: bytes) -> None:
        if self.phase is _IDLE:
            self.phase, self.since, self.received = _HEAD, self.front.loop.now, 0
        self.received += len(data)
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # to what it asks for is not looked: the request is answered as it stands
        except httptools.HttpParserError:
            self.reject(400, "it is not HTTP/1.1 as RFC 9112 has it")  # unless it has been told more already
        if self.phase is _HEAD and self.received > MAX_HEAD_BYTES:
            self.reject(431, _HEAD_TOO_LARGE)
        elif self.phase is _BODY and self.received > self._most_received and not self._takes_upload():
            self.transport.abort()

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        # What uvicorn prepares here for its own way is prepared in `_begin_ordinary`.
        self.url = b""
        self.headers = []
        self.phase = _HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header, or one trailer."""
        if self.phase is not _BODY:
            self.headers.append((name, value))
            return
        self._trailers += 1  # of a chunked body, and nobody asked for them
        if self._trailers > MAX_HEADERS:
            self.reject(
                431, f"there are more than {MAX_HEADERS} trailers behind the body, which nobody reads; leave them out"
            )
            raise httptools.HttpParserError("too many trailers")

    def on_headers_complete(self) -> None:
        """Decide which way a request goes."""
        if len(self.headers) > MAX_HEADERS:
            self.reject(431, f"the request has {len(self.headers)} headers; at most {MAX_HEADERS} are allowed")
            raise httptools.HttpParserError("too many headers")
        if self.received > MAX_HEAD_BYTES and count_head(self.url, self.headers) > MAX_HEAD_BYTES:
            self.reject(431, _HEAD_TOO_LARGE)
            raise httptools.HttpParserError("headers too large")
        if self.is_surplus:
            self.is_surplus = len(self.connections) > self.front.max_connections
        request = self._recognise()
        self.phase, self.since, self.received, self._trailers = _BODY, self.front.loop.now, 0, 0
        if request is None:
            if self.parser.get_http_version() == "1.1" and not has_one_host(self.headers):
                self.reject(400, "a request of HTTP/1.1 has one header 'Host'; send it")
                raise httptools.HttpParserError("no host")
            self._begin_ordinary()
            return
        before, self.cycle = self.cycle, request
        if before is None or before.response_complete:
            self._make_current(request)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, self.app))

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        request = self.cycle
        if type(request) is not PlainRequest:
            super().on_body(body)
        elif request.refusal is None:
            request.received += len(body)
            request.chunks.append(body)
            if request.received > LARGE_BYTES:
                self._hold(request)

    def on_message_complete(self) -> None:
        """Start a plain request whose turn it is."""
        self.phase = _ANSWER
        request = self.cycle
        if request.response_complete:  # it was refused before it had arrived
            self.phase, self.since = _IDLE, self.front.loop.now
        if type(request) is not PlainRequest:
            super().on_message_complete()
            return
        request.more_body = False
        request.keep_alive = self.parser.should_keep_alive()
        if request.is_current and request.refusal is None:
            self.start(request)

    def on_response_complete(self) -> None:
        """Begin the next request of the connection, or wait for it."""
        self.server_state.total_requests += 1
        self._current = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused and not self.flow.write_paused:
            self.flow.resume_reading()
        if not self.pipeline:
            if self.phase is _ANSWER:
                self.phase, self.since = _IDLE, self.front.loop.now
            return
        request, app = self.pipeline.pop()
        if type(request) is not PlainRequest:
            self._start_asgi_task(request, app)
            return
        self._make_current(request)
        if request.refusal is not None or not request.more_body:
            self.loop.call_soon(self.start, request)  # not now: hundreds may be waiting

    def shutdown(self) -> None:
        """Close the connection when nothing is under way, else after the answer."""
        if self.phase is _IDLE and not self.pipeline:
            self.transport.close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        self.paused_since = self.front.loop.now
        super().pause_writing()
        self.flow.pause_reading()  # who does not read its answers may not ask for more

    def resume_writing(self) -> None:
        self.paused_since = None
        super().resume_writing()
        if not self.pipeline:
            self.flow.resume_reading()

    # The ordinary way

    def _begin_ordinary(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend((name.lower(), value) for name, value in headers)
        self.expect_100_continue = (b"expect", b"100-continue") in [(name, each.lower()) for name, each in self.headers]
        self.scope["state"]["is_surplus"] = self.is_surplus
        if self.front.tracer is not None:
            self.scope["state"][TRACE] = self.front.tracer.begin(headers, time.monotonic())
        self.is_upload = self._is_upload()
        super().on_headers_complete()
        if self.front.is_draining:
            self.cycle.keep_alive = False

    def hand_on(self, request: PlainRequest) -> None:
        cycle = RequestResponseCycle(
            scope=make_scope(self, request),  # type: ignore[arg-type]  # a dict of what its type lists
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=request.keep_alive and not self.front.is_draining,
            on_response=self.on_response_complete,
        )
        cycle.body += b"".join(request.chunks)
        cycle.more_body = False
        cycle.message_event.set()
        if self.cycle is request:
            self.cycle = cycle
        self.forget(request)
        self._start_asgi_task(cycle, self.app)

    # The plain way

    def _recognise(self) -> PlainRequest | None:
        """Return the plain request whose headers are complete, if it is one."""
        front, url, headers = self.front, self.url, self.headers
        if self.is_surplus or self.parser.get_method() != b"POST":
            return None
        if headers == self._known_headers and url == self._known_url:
            head = self._known_head
        else:
            head = read_head(url, headers, front.config.max_body_bytes, front.hosts, front.cors)
            self._known_url, self._known_headers, self._known_head = url, headers, head
            self._known_generation = None
        if head is None:
            return None
        if front.manager.generation is not self._known_generation:
            self._known_target, self._known_generation = front.find_target(head, headers)
        target = self._known_target
        if target is None:
            return None
        request = PlainRequest(head, headers, target, time.monotonic(), self._finish)
        if front.keyring is not None:  # whoever is not known yet, or not let in, is asked by `Guard`
            request.key = key = front.keyring.snapshot.known.get(head.sent)
            if key is None or not key.may_ask(target.info.qualified_name):
                return None
        if front.tracer is not None:
            request.trace = front.tracer.begin(headers, request.arrived)
        return request

    def _make_current(self, request: PlainRequest) -> None:
        """Let a request have its turn: all before it have been answered."""
        self._current = request
        request.is_current = True
        if request.head.wants_continue and request.more_body:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Bounds

    def reject(self, status: int, detail: str) -> None:
        """Answer what is no request, or does not arrive, and close the connection."""
        if not self.transport.is_closing():
            request_id = choose_request_id(None)
            self.transport.write(write_rejection(status, detail, request_id, self.date()))
            code = HTTP_PROBLEMS[status][0]
            self.front.log.write("-", "-", status, None, None, 0.0, request_id, code=code)
            self.transport.close()

    def _hold(self, request: PlainRequest) -> None:
        """Count the bytes of a large body; refuse it when there is no room for them."""
        most = self.front.config.max_body_bytes
        try:
            if request.received > most:  # a chunked one does not say before
                raise body_too_large(most)
            self.front.hold(request.target.info.qualified_name, request.received - request.held_bytes)
            request.held_bytes = request.received
        except (PayloadTooLarge, ServerBusy) as error:
            request.refusal = error.with_traceback(None)
            request.chunks = []
            if request.is_current:
                self.refuse(request, error)

    def _takes_upload(self) -> bool:
        """Whether a file for a job arrives that somebody wants."""
        return self.is_upload and not self.cycle.response_complete

    def _is_upload(self) -> bool:
        """Whether the body is a file for a job: it may take its time, and be as large as those may be."""
        path = self.url.partition(b"?")[0].rstrip(b"/")
        return path.endswith(b"/jobs") and self.parser.get_method() == b"POST" and self.front.jobs is not None


def bind_front(front: Front) -> type[PredictProtocol]:
    """Return the class to give to uvicorn as ``http``."""
    return type("BoundPredictProtocol", (PredictProtocol,), {"front": front})
