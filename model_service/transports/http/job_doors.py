"""The routes of jobs that move files or wait: in the loop, with no thread held while bytes travel.

    POST /api/models/<name>[/versions/<version>]/jobs    a file in: written to disk as it arrives, by a small pool
    GET  /api/jobs/<id>/output                           a file out: job_output.py
    GET  /api/jobs/<id>/events                           its progress: job_events.py

Pressure goes back to the sender: the next piece of a body is asked for when the last one is on the disk.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from model_service.access.caller import name_caller
from model_service.errors import PayloadTooLarge, ServiceError
from model_service.jobs.places import JobAccess
from model_service.jobs.records import Job
from model_service.records import Execution
from model_service.registry.entry import ServedModel
from model_service.strict_json import encode_json
from model_service.transports.http.asgi import (
    ROUTE,
    CallerLeft,
    HttpProblem,
    Message,
    Receive,
    Send,
    choose_id,
    find_header,
    find_path,
    send_answer,
    send_problem,
)
from model_service.transports.http.codec import JSON
from model_service.transports.http.front import Front
from model_service.transports.http.handing import TRACE
from model_service.transports.http.headers import API_HEADERS
from model_service.transports.http.job_events import JobEvents
from model_service.transports.http.job_files import IncomingFile, read_request
from model_service.transports.http.job_output import JobOutput
from model_service.transports.http.job_schemas import write_job
from model_service.transports.http.urls import JOBS, MODELS, job_path

Door = Callable[[Message, Receive, Send], Awaitable[None]]

#: Threads that wait for the disks and the database of jobs.
_THREADS = 4
#: So much of a body is written at once.
_PIECE_BYTES = 256 * 1024
#: Of the rest of a body that is refused as much is read, so that its sender gets to read why.
_MAX_DISCARDED_BYTES = 64 * 1024 * 1024
#: A slow model gets smaller chunks: its progress is seen, and little is lost with a worker.
_SLOW_CHUNK_ROWS = 200
SUBMIT_PATH = re.compile(r"/api/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?/jobs/?")
_SUBMIT_ROUTES = (f"{MODELS}/{{qualified_name}}/jobs", f"{MODELS}/{{qualified_name}}/versions/{{version}}/jobs")
_JOB_PATH = re.compile(r"/api/jobs/(?P<id>[^/]+)/(?P<what>output|events)/?")


class JobDoors:
    """Answers what Flask must not: it would hold a thread as long as bytes travel. For the loop's thread.

    Args:
        front: What all connections share.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._pool = ThreadPoolExecutor(_THREADS, "jobs")
        self._output = JobOutput(self.call)
        self._events = JobEvents(front, self.call)

    def find_door(self, scope: Message) -> Door | None:
        """Return what answers a request, if it is one for here."""
        if self._front.jobs is None:
            return None
        path, method = find_path(scope), scope["method"]
        if method == "POST" and (found := SUBMIT_PATH.fullmatch(path)):
            scope["state"][ROUTE] = _SUBMIT_ROUTES[found["version"] is not None]
            return self._guard(self._front.jobs, found.groupdict(), self._submit)
        if method in ("GET", "HEAD") and (found := _JOB_PATH.fullmatch(path)):
            scope["state"][ROUTE] = f"{JOBS}/{{job_id}}/{found['what']}"
            return self._guard(self._front.jobs, found.groupdict(), self._show)
        return None

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns that waits for a disk or a database."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _guard(self, access: JobAccess, names: dict[str, str], answer: Any) -> Door:
        async def door(scope: Message, receive: Receive, send: Send) -> None:
            scope["state"]["request_id"] = request_id = choose_id(scope)
            try:
                host = find_header(scope, b"host")
                if host and not self._front.hosts.allow(host):
                    raise HttpProblem(421, "this service answers requests for other hosts; see 'server.allowed_hosts'")
                await answer(access, names, scope, receive, send)
            except (ServiceError, HttpProblem) as error:
                await send_problem(self._front, scope, send, error.with_traceback(None), request_id)

        return door

    async def _submit(
        self, access: JobAccess, names: dict[str, str], scope: Message, receive: Receive, send: Send
    ) -> None:
        body = _Body(scope, receive)
        try:
            target = self._front.service.find_target(
                names["name"], names["version"], lambda name: find_header(scope, name.lower().encode())
            )
            job = await self._take(access, target, names, scope, body)
        except (ServiceError, HttpProblem):
            await body.discard()
            scope["state"]["must_close"] = body.has_more
            raise
        root: str = scope["root_path"]
        headers = [("Content-Type", JSON), ("Location", root + job_path(job.id)), *API_HEADERS]
        answer = (202, headers, encode_json(write_job(job, root)))
        await send_answer(self._front, scope, send, answer, scope["state"]["request_id"])

    async def _take(
        self, access: JobAccess, target: ServedModel, names: dict[str, str], scope: Message, body: "_Body"
    ) -> Job:
        """Take a file, and make a job of it."""
        most = access.config.max_input_bytes
        if int(find_header(scope, b"content-length") or 0) > most + _PIECE_BYTES:  # a form is a little more than a file
            raise PayloadTooLarge(f"the file is larger than {most} bytes; send it in parts")
        desk = await self.call(access.open)
        upload = await self.call(desk.begin_upload)
        try:
            query = scope["query_string"].decode("latin-1")
            incoming = IncomingFile(upload, find_header(scope, b"content-type"), query)
            while piece := await body.read():
                await self.call(incoming.feed, piece)
            await self.call(incoming.finish)
            headers = {name: find_header(scope, name.encode()) for name in ("content-encoding", "idempotency-key")}
            info = target.info
            request = read_request(
                incoming,
                (info.qualified_name, info.version),
                headers,
                chunk_rows=self._choose_chunk_rows(access, target),
            )
            request = replace(request, caller=name_caller() or "")
            await self.call(desk.check, upload, request, info.input_schema)
            job: Job = await self.call(lambda: desk.submit(upload, request, wanted_version=names["version"]))
            return job
        except asyncio.CancelledError:
            upload.discard()  # here and now: the process is about to end, and the pool with it
            raise
        finally:
            await self.call(upload.discard)

    def _choose_chunk_rows(self, access: JobAccess, target: ServedModel) -> int:
        status = self._front.manager.get_model_metadata(target.info.qualified_name, target.info.version)
        most = access.config.chunk_rows
        return most if status.execution is Execution.IN_LOOP else min(most, _SLOW_CHUNK_ROWS)

    async def _show(
        self, access: JobAccess, names: dict[str, str], scope: Message, receive: Receive, send: Send
    ) -> None:
        desk = await self.call(access.require)
        show = self._output.send if names["what"] == "output" else self._events.send
        state, path = scope["state"], find_path(scope)[:200]
        known = scope["method"], path, 200, None, None, 0.0, state["request_id"], name_caller()
        self._front.log.write(*known, route=state[ROUTE], trace=state.get(TRACE))
        await show(desk, names["id"], scope, receive, send)


class _Body:
    """The body of a request, in pieces of a good size.

    Attributes:
        has_more: Whether it has not been read to its end.
    """

    def __init__(self, scope: Message, receive: Receive) -> None:
        self._receive = receive
        headers = {name for name, _ in scope["headers"]}
        self.has_more = b"content-length" in headers or b"transfer-encoding" in headers
        self._expects = b"expect" in headers  # and has not been told to send

    async def read(self) -> bytes:
        """Return the next piece; empty at the end.

        Raises:
            CallerLeft: It ended before its end.
        """
        piece = bytearray()
        while self.has_more and len(piece) < _PIECE_BYTES:
            message = await self._receive()
            self._expects = False
            if message["type"] == "http.disconnect":
                self.has_more = False
                raise CallerLeft
            piece += message.get("body", b"")
            self.has_more = message.get("more_body", False)
        return bytes(piece)

    async def discard(self) -> None:
        """Read on, for a sender that reads the answer only then; but not for ever."""
        discarded = 0
        while self.has_more and not self._expects and discarded < _MAX_DISCARDED_BYTES:
            discarded += len(await self.read())
