"""Who carries calls over a connection: one driver that waits, and its twin that awaits."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import BinaryIO, TypeVar

import anyio
import anyio.to_thread
import httpx

from model_service_client.calls import Answer, Call, Flow, Pause
from model_service_client.transfers import Source, read_piece

T = TypeVar("T")


class Driver:
    """Runs flows over an `httpx.Client`.

    Args:
        url: The address of the service.
        http: The connections.
    """

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = clean_url(url)
        self.http = http

    def run(self, flow: Flow[T]) -> T:
        """Return what a flow returns; its errors are raised."""
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._take(step)
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()

    def _take(self, step: Call | Pause) -> Answer | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if not isinstance(step.body, Source):
            return self._ask(step, step.body, {})
        with step.body.open() as (file, size):
            return self._ask(step, _read(file), _length(size))

    def _ask(self, call: Call, body: bytes | Iterator[bytes] | None, headers: dict[str, str]) -> Answer:
        request = self.http.build_request(
            call.method,
            self._url + call.path,
            headers={**call.headers, **headers},
            params=dict(call.query) or None,
            content=body,
        )
        response = self.http.send(request, stream=True)
        try:
            if call.sink is None or response.status_code >= 300:
                return Answer(response.status_code, response.headers, response.read())
            call.sink.begin(response.status_code)
            for piece in response.iter_bytes():
                call.sink.write(piece)
            return Answer(response.status_code, response.headers, b"")
        finally:
            response.close()


class AsyncDriver:
    """Runs flows over an `httpx.AsyncClient`. Files are read and written in threads."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = clean_url(url)
        self.http = http

    async def run(self, flow: Flow[T]) -> T:
        """As `Driver.run`."""
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._take(step)
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()

    async def _take(self, step: Call | Pause) -> Answer | None:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        if not isinstance(step.body, Source):
            return await self._ask(step, step.body, {})
        with step.body.open() as (file, size):
            return await self._ask(step, _read_in_thread(file), _length(size))

    async def _ask(self, call: Call, body: bytes | AsyncIterator[bytes] | None, headers: dict[str, str]) -> Answer:
        request = self.http.build_request(
            call.method,
            self._url + call.path,
            headers={**call.headers, **headers},
            params=dict(call.query) or None,
            content=body,
        )
        response = await self.http.send(request, stream=True)
        try:
            if call.sink is None or response.status_code >= 300:
                return Answer(response.status_code, response.headers, await response.aread())
            call.sink.begin(response.status_code)
            async for piece in response.aiter_bytes():
                await anyio.to_thread.run_sync(call.sink.write, piece)
            return Answer(response.status_code, response.headers, b"")
        finally:
            await response.aclose()


def add_key(headers: Mapping[str, str] | None, api_key: str | None) -> Mapping[str, str] | None:
    """Return headers, with that of a key where there is one."""
    return headers if api_key is None else {**(headers or {}), "Authorization": f"Bearer {api_key}"}


def clean_url(url: str) -> str:
    """Return an address without a slash at the end, and with its scheme."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := read_piece(file):
        yield piece


async def _read_in_thread(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await anyio.to_thread.run_sync(read_piece, file):
        yield piece


def _length(size: int | None) -> dict[str, str]:
    return {} if size is None else {"Content-Length": str(size)}  # without it, the body goes in chunks
