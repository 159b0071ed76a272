"""`ModelServiceClient`: the client for scripts and notebooks. `aio.py` has its twin for event loops."""

import os
from collections.abc import Iterable, Mapping, Sized
from typing import Any, Literal, Self, overload

import httpx

from model_service_client import files, predicting
from model_service_client.calls import Retry
from model_service_client.checking import Checker
from model_service_client.drivers import Driver, add_key
from model_service_client.errors import JobNotFound
from model_service_client.files import JobOptions
from model_service_client.frames import make_frame, read_rows
from model_service_client.predicting import NO_FIELDS, ManyRows, Outcome, merge, model_path, raise_first
from model_service_client.progress import Display, Progress
from model_service_client.records import JobStatus, Metadata, ModelSummary, Output, ScoredFile
from model_service_client.stubs import write_stub
from model_service_client.transfers import Readable, Sink, Source

#: How long a client waits for the next bytes of an answer, and for a connection.
TIMEOUT_S, CONNECT_TIMEOUT_S = 60.0, 10.0


class ModelServiceClient:
    """A client of one service; close it, or use it in a ``with``. Threads may share it.

    Args:
        url: The address of the service, with the path prefix of a proxy.
        timeout_s: How long to wait for an answer; the service has its own limits, per model.
        retry: When a call is made again.
        headers: Sent with every request, such as what a proxy wants to know.
        api_key: For a service that asks for one.
        http: Connections of your own, for other certificates, proxies or authentication; they stay open.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._is_own = http is None
        headers = add_key(headers, api_key)
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        self._driver = Driver(url, http or httpx.Client(timeout=timeout, headers=headers))
        self._retry = retry or Retry()
        if http is not None and headers:
            http.headers.update(headers)

    def models(self) -> list[ModelSummary]:
        """Return every configured model, those that could not be loaded, too."""
        return self._driver.run(predicting.list_models(self._retry))

    def model(self, qualified_name: str, version: str | None = None, *, check: bool = False) -> "Model":
        """Return a model; nothing is asked yet.

        Args:
            qualified_name: The model's name.
            version: The default version of the name when ``None``.
            check: Whether payloads are checked by the schema before they are sent; needs the extra ``check``.
        """
        return Model(self._driver, self._retry, qualified_name, version, check=check)

    def job(self, job_id: str) -> "Job":
        """Return a job; nothing is asked yet."""
        return Job(self._driver, self._retry, job_id)

    def jobs(self, *, state: str | None = None, model: str | None = None, limit: int = 50) -> list[JobStatus]:
        """Return jobs, the newest first.

        Args:
            state: Only those in it.
            model: Only those of a model.
            limit: How many at most, up to 500.
        """
        wanted = {"state": state, "model": model, "limit": limit}
        filters = {name: value for name, value in wanted.items() if value is not None}
        return self._driver.run(files.list_jobs(filters, self._retry))

    def close(self) -> None:
        """Close the connections, unless they are the caller's own."""
        if self._is_own:
            self._driver.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Model:
    """One model of a service, from `ModelServiceClient.model`."""

    def __init__(self, driver: Driver, retry: Retry, name: str, version: str | None, *, check: bool) -> None:
        self._driver = driver
        self._retry = retry
        self._path = model_path(name, version)
        self._check = check
        self._checker: Checker | None = None

    def metadata(self) -> Metadata:
        """Return what the service says of the model now: schemas, examples, limits, quality."""
        return self._driver.run(predicting.read_metadata(self._path, self._retry))

    def predict(self, payload: Mapping[str, Any] = NO_FIELDS, /, **fields: Any) -> Output:
        """Return the output of one payload.

        Args:
            payload: The fields as a dict.
            fields: The same as keywords; they count more.

        Raises:
            PayloadInvalid: Its `violations` name each field.
            ModelServiceError: Others of `model_service_client.errors`.
        """
        whole = merge(payload, fields)
        return self._driver.run(predicting.predict(self._path, whole, self._find_checker(), self._retry))

    @overload
    def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: Literal[False] = False, progress: Progress = False
    ) -> list[Output]: ...
    @overload
    def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: bool, progress: Progress = False
    ) -> list[Outcome]: ...
    def predict_many(
        self, rows: Iterable[Mapping[str, Any]], *, lenient: bool = False, progress: Progress = False
    ) -> Any:
        """Return the outputs of many payloads, in order, asked for in chunks that the service takes.

        Args:
            rows: Payloads.
            lenient: Whether rows succeed or fail alone: then what is returned has an error in place of the output of
                each row that failed. Otherwise the first error is raised.
            progress: ``True`` shows it on standard error; a function is called with the rows done and the total.

        Raises:
            PayloadInvalid: Pointers of its `violations` begin with the index of the row.
        """
        total = len(rows) if isinstance(rows, Sized) else None
        return self._predict_rows(rows, self.metadata(), total, lenient=lenient, progress=progress)

    def predict_frame(self, frame: Any, *, lenient: bool = False, progress: Progress = False) -> Any:
        """Return the outputs of a data frame of pandas or polars as one of the same kind, with the same index.

        Args:
            frame: Its columns are named after the model's fields. NaN, NA, NaT and null are missing values.
            lenient: Whether rows succeed or fail alone; then ``error.code`` and ``error.message`` are columns, too.
            progress: As `predict_many`.
        """
        metadata = self.metadata()
        rows = read_rows(frame, metadata.input_schema)
        outcomes = self._predict_rows(rows, metadata, len(frame), lenient=lenient, progress=progress)
        return make_frame(frame, outcomes, metadata.output_schema, has_errors=lenient)

    def score_file(
        self,
        file: Readable,
        *,
        content_type: str | None = None,
        accept: str | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> ScoredFile:
        """Return a file with the predictions of a file's rows; it is read while it is sent.

        Args:
            file: A path, bytes, or a file that is open in binary mode. Larger ones are for `submit_job`.
            content_type: A media type or a short name such as ``csv``; ``None`` when the name of the file tells.
            accept: The format of the answer, likewise; ``None`` for that of ``output``, or of the file.
            output: Where the answer is written while it arrives; without ``accept`` the ending of the name tells
                its format.
        """
        source, sink = Source(file), Sink(output) if output is not None else None
        return self._driver.run(files.score_file(self._path, source, content_type, accept, sink, self._retry))

    def submit_job(
        self,
        file: Readable,
        *,
        content_type: str | None = None,
        output: str | None = None,
        max_failed_rows: int | None = None,
        idempotency_key: str | None = None,
    ) -> "Job":
        """Return a job that predicts every row of a file in the background.

        Args:
            file: As `score_file`.
            content_type: As `score_file`.
            output: ``csv``, ``ndjson``, ``parquet`` or ``arrow``; ``None`` for the format of the file.
            max_failed_rows: With more failed rows the job fails; ``None``: it never does for that.
            idempotency_key: The same key with the same file is the same job. One is made up for each call, so that
                an upload whose answer is lost can be sent again; give your own to be safe against your own restarts.
        """
        options = JobOptions(content_type, output, max_failed_rows, idempotency_key)
        status = self._driver.run(files.submit_job(self._path, Source(file), options, self._retry))
        return Job(self._driver, self._retry, status.id, status)

    def stub(self) -> str:
        """Return a Python module with the types of the model's payloads and outputs; save it, and import from it."""
        return write_stub(self.metadata())

    def _predict_rows(
        self, rows: Iterable[Any], metadata: Metadata, total: int | None, *, lenient: bool, progress: Progress
    ) -> list[Outcome]:
        many = ManyRows.within(metadata, self._find_checker(), self._retry, is_lenient=lenient)
        outcomes = self._driver.run(many.predict(rows, Display(progress, metadata.qualified_name, total)))
        return outcomes if lenient else list[Outcome](raise_first(outcomes))

    def _find_checker(self) -> Checker | None:
        if self._check and self._checker is None:
            self._checker = Checker(self.metadata().input_schema)
        return self._checker


class Job:
    """A file that is predicted in the background.

    Attributes:
        id: Identifier of the job; `ModelServiceClient.job` finds it again.
    """

    def __init__(self, driver: Driver, retry: Retry, job_id: str, status: JobStatus | None = None) -> None:
        self.id = job_id
        self._driver = driver
        self._retry = retry
        self._status = status

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``; asked for unless it is over."""
        return self.status().state

    def status(self) -> JobStatus:
        """Return how far it has come; asked for unless it is known to be over."""
        if self._status is None or not self._status.is_over:
            self._note(self._driver.run(files.look(self.id, self._retry)))
        assert self._status is not None
        return self._status

    def wait(self, *, progress: Progress = False, timeout_s: float | None = None, check: bool = True) -> JobStatus:
        """Return how it ended.

        Args:
            progress: As `Model.predict_many`.
            timeout_s: The longest wait; ``None`` for as long as it takes.
            check: Whether an end other than success is raised; otherwise the state tells.

        Raises:
            NoAnswerInTime: It is not over yet, and goes on.
            JobNotSucceeded: It was cancelled.
            ModelServiceError: It failed; the error is that of its problem.
        """
        display = Display(progress, f"job {self.id}", None)
        flow = files.wait(self.id, timeout_s, display, self._retry, self._note, check=check)
        return self._driver.run(flow)

    def download(self, output: str | os.PathLike[str], *, partial: bool = False) -> None:
        """Write the output to a path.

        Args:
            output: The path; nothing has this name before the output is whole.
            partial: Whether the rows that are done are enough, of a job that runs, failed or was cancelled.

        Raises:
            JobNotSucceeded: It was cancelled, or is not over.
            ModelServiceError: It failed; the error is that of its problem.
        """
        self._driver.run(files.download(self.id, Sink(output), self._retry, partial=partial))

    def cancel(self) -> JobStatus:
        """Cancel it, and return its status; one that is over stays, and one that ends at this moment goes."""
        status = self.status()
        if not status.is_over:
            ended = self._driver.run(files.end(self.id, self._retry))
            status = ended or status
            self._note(status)
        return status

    def remove(self) -> None:
        """Remove it with its files, after it was cancelled unless it is over; one that is gone already is fine."""
        try:
            self.cancel()
            self._driver.run(files.end(self.id, self._retry))
        except JobNotFound:
            return

    def _note(self, status: JobStatus) -> None:
        self._status = status
