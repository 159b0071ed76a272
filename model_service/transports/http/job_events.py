"""The progress of jobs as server-sent events, in the loop: one question to the database for all that are watched.

A stream is a connection and a dictionary entry. The database is asked as often whether one watches or a thousand, a
change is encoded once, and the streams are told of it a few at a time, so that predictions come in between.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from model_service.errors import ServiceError
from model_service.jobs.errors import TooManyJobs
from model_service.jobs.records import Job
from model_service.strict_json import encode_json
from model_service.transports.http.asgi import Message, Receive, Send, find_header, send_start
from model_service.transports.http.front import Front
from model_service.transports.http.headers import API_HEADERS
from model_service.transports.http.job_schemas import write_job

logger = logging.getLogger(__name__)

#: How often the database is asked.
_LOOK_S = 0.5
#: A stream that has nothing to tell says so: proxies close what is silent, and who has left is found out.
_SILENCE_S = 15.0
#: So many streams are told in a row, then predictions have their turn.
_TOLD_AT_ONCE, _TURN_S = 20, 0.002
_GONE = b"event: removed\ndata: {}\n\n"


class _Stream:
    """One caller that watches one job."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.news = asyncio.Event()
        self.job: Job | None = None
        self.is_ended = False


class JobEvents:
    """Streams of events. For the loop's thread.

    Args:
        front: What all connections share.
        call: Calls what waits for the database, outside of the loop.
    """

    def __init__(self, front: Front, call: Callable[..., Awaitable[Any]]) -> None:
        self._front = front
        self._call = call
        self._watched: dict[str, set[_Stream]] = {}
        self._count = 0
        self._looking: asyncio.Task[None] | None = None
        self._encoded: tuple[str, int, str, bytes] = ("", 0, "", b"")

    async def send(self, desk: Any, job_id: str, scope: Message, receive: Receive, send: Send) -> None:
        """Answer with a stream, until the job is over, its watcher leaves or the worker ends.

        Raises:
            JobNotFound, JobStoreUnavailable: From the desk, before anything is sent.
            TooManyJobs: As many are watched as may be.
        """
        job: Job = await self._call(desk.get, job_id)
        request_id = scope["state"]["request_id"]
        if job.state.is_over and find_header(scope, b"last-event-id") == str(job.revision):
            await send_start(scope, send, 204, [], request_id)  # which tells a browser not to connect again
            await send({"type": "http.response.body", "body": b""})
            return
        if self._front.jobs is not None and self._count >= self._front.jobs.config.max_event_streams:
            raise TooManyJobs(
                "as many jobs are watched as may be; ask for the job itself now and then", retry_after_s=5
            )
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
        await send_start(scope, send, 200, [*headers, *API_HEADERS], request_id)
        if scope["method"] != "HEAD":
            await self._stream(desk, job, scope["root_path"], receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, desk: Any, job: Job, root: str, receive: Receive, send: Send) -> None:
        stream = _Stream(root)
        self._watched.setdefault(job.id, set()).add(stream)
        self._count += 1
        leaving = asyncio.ensure_future(_wait_until_left(receive))
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look(desk))
        try:
            told: Job | None = job
            last = -1
            while True:
                if told is not None and told.revision != last:
                    last = told.revision
                    await send({"type": "http.response.body", "body": self._encode(told, root), "more_body": True})
                if (told is not None and told.state.is_over) or stream.is_ended or leaving.done():
                    return
                waiting = asyncio.ensure_future(stream.news.wait())
                await asyncio.wait({waiting, leaving}, timeout=_SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    stream.news.clear()
                    told = stream.job
                    if told is None and not stream.is_ended:
                        await send({"type": "http.response.body", "body": _GONE, "more_body": True})
                        return
                else:
                    waiting.cancel()
                    told = None
                    await send({"type": "http.response.body", "body": b": \n\n", "more_body": True})
        finally:
            leaving.cancel()
            self._count -= 1
            self._watched[job.id].discard(stream)
            if not self._watched[job.id]:
                del self._watched[job.id]

    async def _look(self, desk: Any) -> None:
        """Ask for all jobs that are watched, again and again, and tell what is new; end when none is."""
        known: dict[str, int] = {}
        try:
            while self._watched and not self._front.is_draining:
                try:
                    found: dict[str, Job] = await self._call(desk.find, list(self._watched))
                except ServiceError as error:  # the streams stay, and go on when the store is back
                    logger.debug("jobs cannot be watched: %s", error.message)
                else:
                    for job_id in list(self._watched):
                        job = found.get(job_id)
                        revision = job.revision if job is not None else -1
                        if known.get(job_id) != revision:
                            known[job_id] = revision
                            await self._tell(job_id, job)
                await asyncio.sleep(_LOOK_S)
        except Exception:
            logger.exception("jobs are not watched any more")
        finally:
            self._looking = None
            for streams in self._watched.values():  # the worker ends: who watches connects to another one
                for stream in streams:
                    stream.is_ended = True
                    stream.job = None
                    stream.news.set()

    async def _tell(self, job_id: str, job: Job | None) -> None:
        for number, stream in enumerate(list(self._watched.get(job_id, ())), 1):
            stream.job = job
            stream.news.set()
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(_TURN_S)

    def _encode(self, job: Job, root: str) -> bytes:
        """Return the event of a job; most streams of a worker want the same one."""
        if self._encoded[:3] != (job.id, job.revision, root):
            document = encode_json(write_job(job, root))
            event = b"event: job\nid: %d\ndata: %s\n\n" % (job.revision, document)
            self._encoded = (job.id, job.revision, root, event)
        return self._encoded[3]


async def _wait_until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
