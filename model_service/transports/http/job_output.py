"""The output of a job as an answer: whole or a range of it, as much as there is, from the objects that it consists of.

While a job runs its output may grow, so an answer says how much there is now, and the name it offers ends with
``.part``. Who has some of it asks for the rest with ``Range: bytes=<what he has>-``.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

from model_service.jobs.records import Chunk, Job
from model_service.transports.http.asgi import Headers, HttpProblem, Message, Receive, Send, find_header, send_start
from model_service.transports.http.headers import API_HEADERS
from model_service.transports.http.job_files import find_media_type, name_output

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PART_BYTES = 256 * 1024


class JobOutput:
    """Sends outputs.

    Args:
        call: Calls what waits for disks, outside of the loop.
    """

    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self._call = call

    async def send(self, desk: Any, job_id: str, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request for an output.

        Raises:
            JobNotFound, JobStoreUnavailable: From the desk, before anything is sent.
            HttpProblem: The range lies outside.
        """
        job, chunks = await self._call(desk.read_output, job_id)
        start, end, is_part = _find_range(scope, job)
        headers = _make_headers(job, start, end, is_part=is_part)
        parts = _cut(chunks, start, end)
        first = b""
        if scope["method"] != "HEAD" and (part := next(parts, None)) is not None:
            first = await self._call(desk.read_part, job_id, *part)  # what fails, fails before anything is sent
        await send_start(scope, send, 206 if is_part else 200, headers, scope["state"]["request_id"])
        if scope["method"] != "HEAD":
            await send({"type": "http.response.body", "body": first, "more_body": True})
            for part in parts:
                content = await self._call(desk.read_part, job_id, *part)
                await send({"type": "http.response.body", "body": content, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _find_range(scope: Message, job: Job) -> tuple[int, int, bool]:
    """Return from where to where, and whether that was asked for."""
    total = job.output_bytes
    wanted = _RANGE.fullmatch(find_header(scope, b"range").replace(" ", ""))
    condition = find_header(scope, b"if-range")
    if wanted is None or wanted[0] == "bytes=-" or (condition and condition != _make_tag(job)):
        return 0, total, False
    first, last = wanted[1], wanted[2]
    if first:
        start, end = int(first), min(total, int(last) + 1) if last else total
    else:
        start, end = max(0, total - int(last)), total
    if start >= end:
        raise HttpProblem(
            416, f"the output has {total} bytes{'' if job.state.is_over else ' so far'}", [_word_range(job, "*")]
        )
    return start, end, True


def _make_headers(job: Job, start: int, end: int, *, is_part: bool) -> Headers:
    name = name_output(job)
    headers = [
        ("Content-Type", find_media_type(job)),
        ("Content-Length", str(end - start)),
        ("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}"),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "no-cache"),
        ("X-Job-State", job.state.value),
        *API_HEADERS,
    ]
    if is_part:
        headers.append(_word_range(job, f"{start}-{end - 1}"))
    if job.state.is_over:
        headers.append(("ETag", _make_tag(job)))
    return headers


def _word_range(job: Job, what: str) -> tuple[str, str]:
    return "Content-Range", f"bytes {what}/{job.output_bytes if job.state.is_over or what == '*' else '*'}"


def _make_tag(job: Job) -> str:
    return f'"{job.id}"'


def _cut(chunks: list[Chunk], start: int, end: int) -> Iterator[tuple[Chunk, int, int]]:
    """Yield which bytes of which pieces make up a range, in parts that are read at once."""
    for chunk in chunks:
        low, high = max(start - chunk.start, 0), min(end - chunk.start, chunk.size)
        while low < high:
            until = min(low + _PART_BYTES, high)
            yield chunk, low, until
            low = until
