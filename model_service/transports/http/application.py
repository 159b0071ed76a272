"""`Application`: everything but the plain predict, as ASGI: health and the files of jobs in the loop, the rest in
Flask on a pool of threads.

A thread is taken only when the body has arrived, and given back when the answer is written down: who sends or
reads slowly holds a connection, never a thread. What waits for a thread is bounded, and so is what one model
may take of the threads: a view may wait for a model that is slow.
"""

import asyncio
from functools import partial

from a2wsgi import WSGIMiddleware
from flask import Flask

from model_service.errors import ModelNotFound, ServerBusy
from model_service.transports.http import health
from model_service.transports.http.asgi import (
    ROUTE,
    CallerLeft,
    Headers,
    Message,
    Receive,
    Send,
    choose_id,
    find_header,
    find_path,
    send_answer,
    send_problem,
    send_start,
)
from model_service.transports.http.front import LARGE_BYTES, Front, service_ended
from model_service.transports.http.handing import HANDED_ON, TRACE, HandedOn
from model_service.transports.http.job_doors import JobDoors
from model_service.transports.http.metrics import METRICS, answer_scrape
from model_service.transports.http.ping import TARGET_MODEL, answer_ping, list_paths, name_target
from model_service.transports.http.proxies import FORWARDED_PREFIX
from model_service.transports.http.urls import find_model_name

_FORWARDED_PREFIX = FORWARDED_PREFIX.lower().encode()
#: Requests that may wait for each thread.
_WAITING_EACH = 8
#: One model may take this part of the threads, and at least one.
_SHARE = 4
#: Parts of one answer that wait for their reader outside the thread: more than the largest file has.
_SEND_QUEUE = 10_000


class Application:
    """The ASGI application behind the protocol. For the loop's thread.

    Args:
        app: The Flask application.
        front: What all connections share.
    """

    def __init__(self, app: Flask, front: Front) -> None:
        threads = front.config.threads
        self._front = front
        self._jobs = JobDoors(front)
        self._pings, self._invocations = map(frozenset, list_paths(front.invocations))
        self._wsgi = WSGIMiddleware(
            app.wsgi_app,  # type: ignore[arg-type]  # a2wsgi has its own types of WSGI
            workers=threads,
            send_queue_size=_SEND_QUEUE,
        )
        self._most_waiting = _WAITING_EACH * threads
        self._waiting = 0
        self._scraping = asyncio.Lock()
        self._threads = asyncio.Semaphore(threads)
        self._most_each = max(1, threads // _SHARE)
        self._shares: dict[str, asyncio.Semaphore] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if self._front.proxies.is_on:
            self._believe_proxy(scope)
        path, method, origin = find_path(scope), scope["method"], None
        if self._front.cors.is_on:
            origin = find_header(scope, b"origin") or None
        # What Flask answers it dresses itself, as it does under another server.
        bare = _Sender(send)
        send = self._front.cors.dress(path, origin, bare)
        if (probe := self._find_probe(scope) or await self._scrape(scope)) is not None:
            scope["state"][ROUTE] = find_path(scope)
            scope["state"].pop(TRACE, None)  # too many, and nobody's
            await send_answer(self._front, scope, send, probe)
            return
        body, model = _Body(self._front), ""
        try:
            if scope["state"].get("is_surplus"):
                self._front.refusals.note_crowd()
                raise ServerBusy("as many connections are open as may be", retry_after_s=1)
            if method == "OPTIONS" and await self._answer_preflight(scope, bare, origin):
                return
            door = self._jobs.find_door(scope)
            if door is not None:
                await door(scope, receive, send)
                return
            model = self._find_model(scope)
            await body.gather(scope, receive)
            await self._answer(scope, body.replay, _Keeper(bare), model)
        except CallerLeft:
            return
        except asyncio.CancelledError:  # the service ends, and has waited for as long as it does
            if bare.has_begun:
                raise
            await send_problem(self._front, scope, send, service_ended())
        except ServerBusy as error:
            await send_problem(self._front, scope, send, error.with_traceback(None))
        finally:
            body.release()

    def _believe_proxy(self, scope: Message) -> None:
        """Put the request below the path prefix that a trusted proxy has removed."""
        peer, claimed = scope["client"], find_header(scope, _FORWARDED_PREFIX)
        prefix = self._front.proxies.find_prefix(peer[0] if peer else None, claimed)
        if prefix is not None:
            scope["path"], scope["root_path"] = prefix + find_path(scope), prefix

    async def _answer_preflight(self, scope: Message, send: Send, origin: str | None) -> bool:
        """Answer a preflight of a browser, if it is one that is allowed; return whether it was."""
        wanted = find_header(scope, b"access-control-request-method")
        headers = self._front.cors.answer_preflight(scope["method"], find_path(scope), origin, wanted)
        if headers is None or not self._front.hosts.allow(find_header(scope, b"host")):
            return False
        request_id = choose_id(scope)
        await send_start(scope, send, 204, headers, request_id)
        await send({"type": "http.response.body", "body": b""})
        self._front.log.write("OPTIONS", find_path(scope)[:200], 204, None, None, 0.0, request_id)
        return True

    async def _answer(self, scope: Message, receive: Receive, send: Send, model: str) -> None:
        if self._waiting >= self._most_waiting:
            raise ServerBusy("as many requests wait as may", retry_after_s=1)
        self._waiting += 1
        is_waiting = True
        try:
            async with self._share_of(model), self._threads:
                self._waiting -= 1
                is_waiting = False
                await self._wsgi(scope, receive, send)  # type: ignore[arg-type]  # and of ASGI
        finally:
            self._waiting -= is_waiting

    def _share_of(self, model: str) -> asyncio.Semaphore:
        if not model:
            return asyncio.Semaphore(1)
        return self._shares.setdefault(model, asyncio.Semaphore(self._most_each))

    def _find_probe(self, scope: Message) -> tuple[int, Headers, bytes] | None:
        """Return the answer to a question about health, which nothing else may hold up."""
        front, path = self._front, find_path(scope)
        if scope["method"] not in ("GET", "HEAD"):
            return None
        if path in (health.LIVE, health.READY):
            return health.answer_health(front.manager, path)
        return answer_ping(front.manager, front.invocations) if path in self._pings else None

    async def _scrape(self, scope: Message) -> tuple[int, Headers, bytes] | None:
        """Return the answer to a scrape, which takes none of the threads that may all be taken."""
        meters = self._front.meters
        if meters is None or find_path(scope) != METRICS or scope["method"] not in ("GET", "HEAD"):
            return None
        async with self._scraping:  # one at a time: more would take more of the processor from requests
            call = partial(answer_scrape, meters, self._front.jobs, find_header(scope, b"accept"))
            return await asyncio.get_running_loop().run_in_executor(None, call)

    def _find_model(self, scope: Message) -> str:
        """Return the name of the model that a thread may have to wait for; empty when there is none."""
        handed: HandedOn | None = scope["state"].get(HANDED_ON)
        if handed is not None:
            return handed.target.info.qualified_name
        path = find_path(scope)
        if scope["method"] != "POST":
            return ""
        if path in self._invocations or path.startswith(("/endpoints/", "/models/")):
            header = find_header(scope, TARGET_MODEL.lower().encode())
            try:
                name, _ = name_target(self._front.manager, self._front.invocations, path, header)
            except ModelNotFound:  # which Flask tells
                return ""
        else:
            name = find_model_name(path)
        return name if self._front.manager.generation.has_name(name) else ""


class _Body:
    """The body of one request, gathered in the loop before a thread is taken."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._raw = bytearray()
        self._held_bytes = 0

    async def gather(self, scope: Message, receive: Receive) -> None:
        """Read a body to its end, or to where it is too large to be read at all.

        Raises:
            ServerBusy: There is no room for it.
            CallerLeft: It ended before its end.
        """
        most = self._front.config.max_body_bytes
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        # The connection ends with the answer; while its sender still sends, that would take the answer from him.
        is_read_anyway = headers.get(b"connection", b"").lower() == b"close" and b"expect" not in headers
        more = bool(length or b"transfer-encoding" in headers)
        if int(length or 0) > most:
            if is_read_anyway:
                await self._discard(receive)
            return
        while more and len(self._raw) <= most:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallerLeft
            self._raw += message.get("body", b"")
            more = message.get("more_body", False)
            if len(self._raw) > LARGE_BYTES:
                self._front.hold("", len(self._raw) - self._held_bytes)
                self._held_bytes = len(self._raw)
        if more and is_read_anyway:
            await self._discard(receive)
        if not length and b"transfer-encoding" in headers:  # a chunked one: what reads it next is told how long it is
            kept = [(name, value) for name, value in scope["headers"] if name != b"transfer-encoding"]
            scope["headers"] = [*kept, (b"content-length", str(len(self._raw)).encode())]

    @staticmethod
    async def _discard(receive: Receive) -> None:
        """Read the rest of a body, as much of it as `PredictProtocol` lets through."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallerLeft
            more = message.get("more_body", False)

    async def replay(self) -> Message:
        """Return the body as ASGI's one message; whoever asks for more gets no more."""
        raw, self._raw = bytes(self._raw), bytearray()
        return {"type": "http.request", "body": raw, "more_body": False}

    def release(self) -> None:
        """Give back what was counted."""
        if self._held_bytes:
            self._front.release("", self._held_bytes)


class _Sender:
    """Sends an answer, and knows whether there is any of it yet."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)


class _Keeper:
    """Sends an answer without the wish to close the connection: what is left of a body is read and thrown away."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [header for header in message["headers"] if header != (b"connection", b"close")]
        await self._send(message)
