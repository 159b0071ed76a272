"""`ShortWay`: what becomes of a plain request on a connection, from its last byte to its answer.

    start ─ decode, check ─> submit ─> (the queue, the model) ─> finish ─ check, encode ─> answer
       │                        │                                  │
       └────────────────────────┴── hand_on, to Flask ─────────────┘      no room: refuse, from here

Nothing here waits, and nothing takes long: large bodies are decoded and checked, and large answers encoded, in
the loop's pool.
"""

import time
from abc import abstractmethod
from email.utils import formatdate
from enum import IntEnum

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from model_service.access.rates import Rates
from model_service.errors import CapacityError, PayloadMalformed, PayloadTooLarge, RateLimited, ServerBusy, ServiceError
from model_service.strict_json import decode_json, encode_document, holds_more_values
from model_service.transports.http.front import LARGE_BYTES, Front, service_ended
from model_service.transports.http.plain import PlainRequest
from model_service.transports.http.wire import CLOSE, write_happy, write_notices, write_problem

#: More rows are checked and encoded outside the loop.
_MANY_ROWS = 256


class Phase(IntEnum):
    """What a connection is doing."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    ANSWER = 3


class ShortWay(HttpToolsProtocol):
    """The half of `PredictProtocol` that knows models. A subclass of that carries the `front`."""

    front: Front

    @abstractmethod
    def hand_on(self, request: PlainRequest) -> None:
        """Let the application answer a request that is not the happy one, as it came, with what has become of it."""

    def start(self, request: PlainRequest) -> None:
        """Decode and check a request whose body is complete and whose turn it is."""
        if request.disconnected:
            return
        if request.refusal is not None:
            self.refuse(request, request.refusal)
        elif self.front.rates is not None and not request.is_counted:
            self._count(request, self.front.rates)
        elif request.received > LARGE_BYTES or not request.target.is_fast:
            self._start_apart(request)
        elif self._decode(request):
            self._submit(request)
        else:
            self.hand_on(request)

    def _count(self, request: PlainRequest, rates: Rates) -> None:
        """Hold a request against the limits, and start it, or refuse it, when that is known."""
        request.is_counted = True

        def go_on(refusal: RateLimited | None) -> None:
            request.refusal = refusal
            self.start(request)

        rates.ask(request.key, self.client[0] if self.client else None, go_on)

    def _start_apart(self, request: PlainRequest) -> None:
        """Have a large body decoded and checked in the pool, unless it would be refused after that."""
        front, target = self.front, request.target
        refusal = front.service.find_refusal(target, _count_rows(request.chunks), request.deadline)
        if refusal is None and not front.may_prepare(target.info.qualified_name):
            refusal = ServerBusy("as many large requests are being read as may be", retry_after_s=1)
        if refusal is not None:
            self.refuse(request, refusal)
        else:
            front.loop.compute(lambda: self._prepare(request))

    def _prepare(self, request: PlainRequest) -> None:
        """Decode and check a large body, in the pool, and submit it from there: that may take long, too."""
        front = self.front
        try:
            is_sound = not request.disconnected and self._decode(request)
        finally:
            front.loop.post(front.end_preparing, request.target.info.qualified_name)
        if is_sound:
            self._submit(request)
        else:
            front.loop.post(self._hand_on_if_connected, request)

    def _decode(self, request: PlainRequest) -> bool:
        """Return whether a body holds payloads; if not, somebody must explain why."""
        chunks = request.chunks
        raw = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if holds_more_values(raw, self.front.config.max_body_values):
            return False
        try:
            document = decode_json(raw)
        except PayloadMalformed:
            return False
        request.is_many = type(document) is list
        payloads = document if request.is_many else [document]
        if not self.front.service.accepts(request.target, payloads, request.trace):
            return False  # whoever explains decodes it again: two copies of a large one would not fit the bounds
        request.payloads = payloads
        return True

    def _submit(self, request: PlainRequest) -> None:
        front = self.front
        try:
            front.service.submit(request.target, request)
        except CapacityError as error:
            front.loop.post(self.refuse, request, error.with_traceback(None))
        except PayloadTooLarge:
            front.loop.post(self._hand_on_if_connected, request)
        else:
            request.is_submitted = True
            request.chunks = []
            if request.disconnected:  # while this was in the pool
                self.forget(request)

    def _finish(self, request: PlainRequest) -> None:
        """Take what has become of a request, in the loop."""
        if request.disconnected:
            return
        request.is_submitted = True
        if len(request.payloads) > _MANY_ROWS or not request.target.is_fast:
            self.front.loop.compute(lambda: self._conclude(request))
        elif self.front.service.is_sound(request.target, request):
            self._answer(request, encode_document(request.outputs if request.is_many else request.outputs[0]))
        elif isinstance(request.error, CapacityError):
            self.refuse(request, request.error)
        else:
            self.hand_on(request)

    def _conclude(self, request: PlainRequest) -> None:
        """Check and encode many outputs, in the pool."""
        front = self.front
        if isinstance(request.error, CapacityError):
            front.loop.post(self.refuse, request, request.error)
        elif front.service.is_sound(request.target, request):
            body = encode_document(request.outputs if request.is_many else request.outputs[0])
            front.loop.post(self._answer, request, body)
        else:
            front.loop.post(self._hand_on_if_connected, request)

    def _hand_on_if_connected(self, request: PlainRequest) -> None:
        if not request.disconnected:
            self.hand_on(request)

    def _answer(self, request: PlainRequest, body: bytes) -> None:
        if not request.disconnected:
            is_last = not request.keep_alive or self.front.is_draining
            lines = request.head.cors_lines + CLOSE if is_last else request.head.cors_lines
            if request.target.notice is not None:
                lines += write_notices(request.target.notice)
            raw = write_happy(body, request.target.info.version, request.request_id, self.date(), lines)
            self._write(request, 200, raw, is_last, None)
            service = self.front.service
            if service.log is not None or service.shadows is not None:
                rows, size = request.payloads, request.received
                service.watch(request.target, request.context, rows, request.outputs, size_bytes=size)

    def refuse(self, request: PlainRequest, error: ServiceError) -> None:
        """Answer an error that Flask need not, or could not, explain."""
        if not request.disconnected:
            is_last = not request.keep_alive or self.front.is_draining
            lines = request.head.cors_lines + CLOSE if is_last else request.head.cors_lines
            status, raw = write_problem(error, request.request_id, self.date(), lines)
            self._write(request, status, raw, is_last, error.code)

    def give_up(self) -> None:
        """Answer the plain request that is under way, if there is one: the service waits no longer."""
        request = self.cycle
        if isinstance(request, PlainRequest) and not request.response_complete:
            self.forget(request)
            self.refuse(request, service_ended())
            request.disconnected = True  # what becomes of it is not sent any more

    def _write(self, request: PlainRequest, status: int, raw: bytes, is_last: bool, code: str | None) -> None:
        self.transport.write(raw)
        request.response_complete = True
        if request.held_bytes:
            self.forget(request)
        target, head = request.target, request.head
        info, took_s = target.info, time.monotonic() - request.arrived
        key = request.key.name if request.key is not None else None
        name, version, request_id, trace = info.qualified_name, info.version, request.request_id, request.trace
        is_counted = code is None and target.meter is not None
        if is_counted:  # by far the most: noted now, counted later
            target.meter.answers[head.route].append(took_s)  # type: ignore[union-attr]  # there is one
        if is_counted and trace is None:
            self.front.log.write_line("POST", head.path, status, name, version, took_s, request_id, key)
        else:
            write = self.front.log.write_line if is_counted else self.front.log.write
            names = "POST", head.path, status, name, version, took_s, request_id, key
            write(*names, route=head.route, code=code, trace=trace)
        if is_last:
            self.transport.close()
        self.on_response_complete()

    def forget(self, request: PlainRequest) -> None:
        """Give back what a request holds; what nobody waits for any more is not computed."""
        if request.held_bytes:
            self.front.release(request.target.info.qualified_name, request.held_bytes)
            request.held_bytes = 0
        if request.is_submitted and not request.is_over:
            self.front.service.cancel(request.target, request)

    def date(self) -> bytes:
        """Return the value of the header ``Date``."""
        headers = self.server_state.default_headers  # uvicorn writes it anew every second
        return headers[0][1] if headers else formatdate(usegmt=True).encode()


def _count_rows(chunks: list[bytes]) -> int:
    """Return how many flat rows a body holds, without decoding it; 1 where its objects hold others."""
    opened = sum(chunk.count(b"{") for chunk in chunks)
    followed = sum(chunk.count(b"},") for chunk in chunks)
    return opened if abs(opened - followed - 1) <= len(chunks) else 1
