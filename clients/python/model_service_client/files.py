"""What files ask of the service: flows that score one, and those of jobs. It knows no connection."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from model_service_client.calls import JSON, Call, Flow, Pause, Retry, ask
from model_service_client.errors import (
    AnswerInvalid,
    CapacityError,
    JobNotSucceeded,
    MediaTypeUnsupported,
    NoAnswerInTime,
    PayloadTooLarge,
)
from model_service_client.problems import read_error
from model_service_client.progress import Display
from model_service_client.records import JobStatus, ScoredFile
from model_service_client.transfers import Sink, Source

JOBS = "/api/jobs"
#: Media types by the endings of file names.
MEDIA_TYPES = {
    **dict.fromkeys((".csv", ".tsv"), "text/csv"),
    **dict.fromkeys((".ndjson", ".jsonl"), "application/x-ndjson"),
    ".json": JSON,
    **dict.fromkeys((".fasta", ".fa", ".fna", ".faa"), "text/x-fasta"),
    **dict.fromkeys((".parquet", ".pq"), "application/vnd.apache.parquet"),
    **dict.fromkeys((".arrows", ".arrow"), "application/vnd.apache.arrow.stream"),
}
#: Those that an answer may have.
_WRITTEN = frozenset(MEDIA_TYPES.values()) - {"text/x-fasta"}
#: A job is looked at after the first of these, and less often the longer it takes.
_LOOKS_S = (0.1, 0.2, 0.5, 1.0, 2.0)


def score_file(
    path: str, source: Source, content_type: str | None, accept: str | None, sink: Sink | None, retry: Retry
) -> Flow[ScoredFile]:
    """Return the answer to a file."""
    try:
        headers = describe_file(source, content_type)
        # JSON is answered by JSON, in which rows that fail have their error only where that is preferred.
        headers |= {"Accept": _choose_answer(accept, sink), "Prefer": "handling=lenient"}
        answer = yield from ask(Call("POST", f"{path}/predict", headers, body=source, sink=sink), retry)
        if sink is not None:
            sink.finish()
    except PayloadTooLarge as error:
        error.message += "; of any size it goes as a job: submit_job"
        raise
    finally:
        if sink is not None:
            sink.abandon()
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    failed = int(answer.headers.get("x-failed-rows", "0"))
    return ScoredFile(answer.content, media_type, failed, answer.headers.get("x-model-version", ""))


def describe_file(source: Source, content_type: str | None) -> dict[str, str]:
    """Return the headers that say what a file is.

    Raises:
        MediaTypeUnsupported: Its name does not tell, and nobody else does.
    """
    name = PurePath(source.name.lower())
    headers = {"Content-Encoding": "gzip"} if name.suffix == ".gz" else {}
    ending = PurePath(name.stem).suffix if headers else name.suffix
    found = content_type or MEDIA_TYPES.get(ending)
    if found is None:
        raise MediaTypeUnsupported(
            f"the name of the file does not tell its format; give content_type, such as {', '.join(_list_types())}"
        )
    return {"Content-Type": name_media_type(found), **headers}


def _choose_answer(accept: str | None, sink: Sink | None) -> str:
    """Return the media type of an answer: the one that is asked for, or that of the name it is written to."""
    if accept:
        return name_media_type(accept)
    if sink is None:
        return "*/*"
    found = MEDIA_TYPES.get(sink.path.suffix.lower())
    if found not in _WRITTEN:
        known = ", ".join(ending for ending, media_type in MEDIA_TYPES.items() if media_type in _WRITTEN)
        raise MediaTypeUnsupported(
            f"the name '{sink.path.name}' does not end like a format that is written ({known}); choose another name, "
            "or give accept, such as 'csv'"
        )
    return found


def name_media_type(name: str) -> str:
    """Return the media type of a format: of its short name, such as ``csv``, or itself."""
    return MEDIA_TYPES.get(f".{name}", name)


def _list_types() -> list[str]:
    return list(dict.fromkeys(MEDIA_TYPES.values()))


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What a job is asked for with.

    Attributes:
        content_type: Of the file; ``None`` when its name tells.
        output: ``csv``, ``ndjson``, ``parquet`` or ``arrow``; ``None`` for the format of the file.
        max_failed_rows: With more failed rows the job fails; ``None``: it never does for that.
        idempotency_key: The same key with the same file and options is the same job; ``None`` for a new one.
    """

    content_type: str | None = None
    output: str | None = None
    max_failed_rows: int | None = None
    idempotency_key: str | None = None


def submit_job(path: str, source: Source, options: JobOptions, retry: Retry) -> Flow[JobStatus]:
    """Return the job that was made of a file."""
    # With the key a lost answer costs nothing: to ask again is to get the same job.
    headers = {"Accept": JSON, "Idempotency-Key": options.idempotency_key or str(uuid.uuid4())}
    headers |= describe_file(source, options.content_type)
    wanted = {"output": options.output, "max_failed_rows": options.max_failed_rows, "file_name": source.name or None}
    query = {name: value for name, value in wanted.items() if value is not None}
    answer = yield from ask(Call("POST", f"{path}/jobs", headers, query, body=source), retry)
    return read_job(answer.read_document())


def read_job(document: Any) -> JobStatus:
    """Return the state of a job that a document tells."""
    if not isinstance(document, dict) or "rows_done" not in document:
        raise AnswerInvalid("the answer describes no job: is the address that of model_service?")
    return JobStatus.read(document)


def look(job_id: str, retry: Retry) -> Flow[JobStatus]:
    """Return how far a job has come."""
    answer = yield from ask(Call("GET", _job_path(job_id), {"Accept": JSON}), retry)
    return read_job(answer.read_document())


def wait(
    job_id: str,
    timeout_s: float | None,
    display: Display,
    retry: Retry,
    note: Callable[[JobStatus], object],
    *,
    check: bool,
) -> Flow[JobStatus]:
    """Return how a job ended.

    Args:
        job_id: Of the job.
        timeout_s: The longest wait.
        display: Of its progress.
        retry: When to ask again.
        note: Is told of each state.
        check: Whether an end other than success is raised.

    Raises:
        NoAnswerInTime: It is not over, and goes on.
        JobNotSucceeded: It was cancelled.
        ModelServiceError: It failed: the error of its problem.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    looks = 0
    try:
        while True:
            status = yield from look(job_id, retry)
            note(status)
            display.show(status.rows_done, status.rows_total)
            if status.is_over:
                break
            if deadline is not None and time.monotonic() >= deadline:
                raise NoAnswerInTime(f"job {job_id} is {status.state} after {timeout_s:g} s; it goes on: wait again")
            yield Pause(_LOOKS_S[min(looks, len(_LOOKS_S) - 1)])
            looks += 1
    finally:
        display.close()
    if check:
        insist(status)
    return status


def insist(status: JobStatus) -> None:
    """Refuse a job that has not succeeded.

    Raises:
        JobNotSucceeded: It was cancelled, or is not over.
        ModelServiceError: It failed: the error of its problem.
    """
    if status.state == "failed":
        raise read_error(status.problem or {})
    if status.state != "succeeded":
        done = f"job {status.id} is {status.state}, with {status.rows_done} rows done"
        raise JobNotSucceeded(f"{done}; download(partial=True) fetches those")


def end(job_id: str, retry: Retry) -> Flow[JobStatus | None]:
    """Cancel a job, and return it; remove one that is over, and return ``None``."""
    answer = yield from ask(Call("DELETE", _job_path(job_id), {"Accept": JSON}, is_repeatable=False), retry)
    return read_job(answer.read_document()) if answer.content else None


def download(job_id: str, sink: Sink, retry: Retry, *, partial: bool) -> Flow[None]:
    """Write the output of a job; of one that is over, from where it broke off when the connection does."""
    breaks = 0
    try:
        status = yield from look(job_id, retry)
        is_over = status.is_over
        if not partial:
            insist(status)
        while True:
            before = sink.size
            # The output of a job that runs may change its form at the end, so it is read anew.
            rest = {"Range": f"bytes={before}-", "If-Range": f'"{job_id}"'} if is_over and before else {}
            call = Call("GET", f"{_job_path(job_id)}/output", rest, sink=sink, is_repeatable=False)
            try:
                yield from ask(call, retry)
                break
            except CapacityError as error:
                breaks = 1 if sink.size > before else breaks + 1
                wait_s = retry.choose_wait(breaks, error.retry_after_s)
                if wait_s is None or isinstance(error, NoAnswerInTime):
                    raise
            yield Pause(wait_s)
        sink.finish()
    finally:
        sink.abandon()


def list_jobs(filters: dict[str, str | int], retry: Retry) -> Flow[list[JobStatus]]:
    """Return jobs, the newest first."""
    answer = yield from ask(Call("GET", JOBS, {"Accept": JSON}, filters), retry)
    document = answer.read_document()
    if not isinstance(document, dict) or "jobs" not in document:
        raise AnswerInvalid("the answer lists no jobs: is the address that of model_service?")
    return [read_job(each) for each in document["jobs"]]


def _job_path(job_id: str) -> str:
    return f"{JOBS}/{job_id}"
