"""`AsyncModelServiceClient`: the twin of `client.py` for event loops; each method is as its namesake there."""

import os
from collections.abc import Iterable, Mapping, Sized
from typing import Any, Literal, Self, overload

import httpx

from model_service_client import files, predicting
from model_service_client.calls import Retry
from model_service_client.checking import Checker
from model_service_client.client import CONNECT_TIMEOUT_S, TIMEOUT_S
from model_service_client.drivers import AsyncDriver, add_key
from model_service_client.errors import JobNotFound
from model_service_client.files import JobOptions
from model_service_client.frames import make_frame, read_rows
from model_service_client.predicting import NO_FIELDS, ManyRows, Outcome, merge, model_path, raise_first
from model_service_client.progress import Display, Progress
from model_service_client.records import JobStatus, Metadata, ModelSummary, Output, ScoredFile
from model_service_client.stubs import write_stub
from model_service_client.transfers import Readable, Sink, Source


class AsyncModelServiceClient:
    """As `ModelServiceClient`, with `httpx.AsyncClient` for ``http``; close it with `aclose`, or use ``async with``."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._is_own = http is None
        headers = add_key(headers, api_key)
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        self._driver = AsyncDriver(url, http or httpx.AsyncClient(timeout=timeout, headers=headers))
        self._retry = retry or Retry()
        if http is not None and headers:
            http.headers.update(headers)

    async def models(self) -> list[ModelSummary]:
        """Return every configured model."""
        return await self._driver.run(predicting.list_models(self._retry))

    def model(self, qualified_name: str, version: str | None = None, *, check: bool = False) -> "AsyncModel":
        """Return a model; nothing is asked yet."""
        return AsyncModel(self._driver, self._retry, qualified_name, version, check=check)

    def job(self, job_id: str) -> "AsyncJob":
        """Return a job; nothing is asked yet."""
        return AsyncJob(self._driver, self._retry, job_id)

    async def jobs(self, *, state: str | None = None, model: str | None = None, limit: int = 50) -> list[JobStatus]:
        """Return jobs, the newest first."""
        wanted = {"state": state, "model": model, "limit": limit}
        filters = {name: value for name, value in wanted.items() if value is not None}
        return await self._driver.run(files.list_jobs(filters, self._retry))

    async def aclose(self) -> None:
        """Close the connections, unless they are the caller's own."""
        if self._is_own:
            await self._driver.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class AsyncModel:
    """As `Model`."""

    def __init__(self, driver: AsyncDriver, retry: Retry, name: str, version: str | None, *, check: bool) -> None:
        self._driver = driver
        self._retry = retry
        self._path = model_path(name, version)
        self._check = check
        self._checker: Checker | None = None

    async def metadata(self) -> Metadata:
        """Return what the service says of the model now."""
        return await self._driver.run(predicting.read_metadata(self._path, self._retry))

    async def predict(self, payload: Mapping[str, Any] = NO_FIELDS, /, **fields: Any) -> Output:
        """Return the output of one payload."""
        whole = merge(payload, fields)
        checker = await self._find_checker()
        return await self._driver.run(predicting.predict(self._path, whole, checker, self._retry))

    @overload
    async def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: Literal[False] = False, progress: Progress = False
    ) -> list[Output]: ...
    @overload
    async def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: bool, progress: Progress = False
    ) -> list[Outcome]: ...
    async def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: bool = False, progress: Progress = False
    ) -> Any:
        """Return the outputs of many payloads, in order; with ``lenient``, an error for each row that failed."""
        total = len(rows) if isinstance(rows, Sized) else None
        return await self._predict_rows(rows, await self.metadata(), total, lenient=lenient, progress=progress)

    async def predict_frame(self, frame: Any, *, lenient: bool = False, progress: Progress = False) -> Any:
        """Return the outputs of a data frame as one of the same kind, with the same index."""
        metadata = await self.metadata()
        rows = read_rows(frame, metadata.input_schema)
        outcomes = await self._predict_rows(rows, metadata, len(frame), lenient=lenient, progress=progress)
        return make_frame(frame, outcomes, metadata.output_schema, has_errors=lenient)

    async def score_file(
        self,
        file: Readable,
        *,
        content_type: str | None = None,
        accept: str | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> ScoredFile:
        """Return a file with the predictions of a file's rows."""
        source, sink = Source(file), Sink(output) if output is not None else None
        return await self._driver.run(files.score_file(self._path, source, content_type, accept, sink, self._retry))

    async def submit_job(
        self,
        file: Readable,
        *,
        content_type: str | None = None,
        output: str | None = None,
        max_failed_rows: int | None = None,
        idempotency_key: str | None = None,
    ) -> "AsyncJob":
        """Return a job that predicts every row of a file in the background."""
        options = JobOptions(content_type, output, max_failed_rows, idempotency_key)
        status = await self._driver.run(files.submit_job(self._path, Source(file), options, self._retry))
        return AsyncJob(self._driver, self._retry, status.id, status)

    async def stub(self) -> str:
        """Return a Python module with the types of the model's payloads and outputs."""
        return write_stub(await self.metadata())

    async def _predict_rows(
        self, rows: Iterable[Any], metadata: Metadata, total: int | None, *, lenient: bool, progress: Progress
    ) -> list[Outcome]:
        many = ManyRows.within(metadata, await self._find_checker(), self._retry, is_lenient=lenient)
        outcomes = await self._driver.run(many.predict(rows, Display(progress, metadata.qualified_name, total)))
        return outcomes if lenient else list[Outcome](raise_first(outcomes))

    async def _find_checker(self) -> Checker | None:
        if self._check and self._checker is None:
            self._checker = Checker((await self.metadata()).input_schema)
        return self._checker


class AsyncJob:
    """As `Job`; the state is awaited: ``await job.state``."""

    def __init__(self, driver: AsyncDriver, retry: Retry, job_id: str, status: JobStatus | None = None) -> None:
        self.id = job_id
        self._driver = driver
        self._retry = retry
        self._status = status

    @property
    async def state(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        return (await self.status()).state

    async def status(self) -> JobStatus:
        """Return how far it has come."""
        if self._status is None or not self._status.is_over:
            self._note(await self._driver.run(files.look(self.id, self._retry)))
        assert self._status is not None
        return self._status

    async def wait(
        self, *, progress: Progress = False, timeout_s: float | None = None, check: bool = True
    ) -> JobStatus:
        """Return how it ended."""
        display = Display(progress, f"job {self.id}", None)
        flow = files.wait(self.id, timeout_s, display, self._retry, self._note, check=check)
        return await self._driver.run(flow)

    async def download(self, output: str | os.PathLike[str], *, partial: bool = False) -> None:
        """Write the output to a path."""
        await self._driver.run(files.download(self.id, Sink(output), self._retry, partial=partial))

    async def cancel(self) -> JobStatus:
        """Cancel it, and return its status."""
        status = await self.status()
        if not status.is_over:
            ended = await self._driver.run(files.end(self.id, self._retry))
            status = ended or status
            self._note(status)
        return status

    async def remove(self) -> None:
        """Remove it with its files."""
        try:
            await self.cancel()
            await self._driver.run(files.end(self.id, self._retry))
        except JobNotFound:
            return

    def _note(self, status: JobStatus) -> None:
        self._status = status
