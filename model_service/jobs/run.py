"""`JobRun`: one claim on a job, worked on until the job is over, the claim is lost, or the worker has to go.

    read a chunk ─> predict ─> write one object ─> record it and the progress in one transaction ─> the next chunk

The reader cuts a file into the same chunks every time, so a worker that takes over reads on behind the last chunk that
is recorded, and writes what the first one would have written.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from model_service.config_jobs import JobsConfig
from model_service.errors import CallerError, CapacityError, ModelNotFound, ServiceError
from model_service.files.converting import format_of_part
from model_service.files.formats import FORMATS
from model_service.files.opening import open_rows, open_writer
from model_service.files.rows import Bounds
from model_service.jobs.claims import ClaimLost, JobClaims
from model_service.jobs.errors import JobStoreUnavailable, JobStuck, StorageFull, TooManyFailedRows
from model_service.jobs.models import JobModels
from model_service.jobs.objects import ObjectStore, translated
from model_service.jobs.places import find_uploads
from model_service.jobs.reading import JobInput, join_chunks
from model_service.jobs.records import Chunk, Claim, Job, Progress
from model_service.jobs.scoring import SlicedScorer
from model_service.jobs.store import JobStore
from model_service.registry.entry import ServedModel

logger = logging.getLogger(__name__)
Found = TypeVar("Found")

#: A job that so many workers in a row have claimed without recording a chunk has failed.
MOST_ATTEMPTS = 8
#: A worker that shows its life so often within a lease loses its job only when it is very late.
_BEATS_PER_LEASE = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
#: The model may refuse for as many pauses as that, some minutes; then the job goes back and others have their turn.
_MOST_REFUSALS = 20
#: The code of what nobody foresaw.
UNEXPECTED_CODE = "internal_error"


class WorkerStops(Exception):
    """The worker has to go; the job is given back."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with.

    Attributes:
        stopping: Set when the worker has to go.
    """

    config: JobsConfig
    store: JobStore
    claims: JobClaims
    objects: ObjectStore
    models: JobModels
    stopping: threading.Event


class JobRun:
    """Work on one job.

    Args:
        claim: The right to.
        tools: What to work with.
    """

    def __init__(self, claim: Claim, tools: Tools) -> None:
        self._claim = claim
        self._tools = tools
        self._job: Job = claim.job
        self._lost = threading.Event()

    def run(self) -> bool:
        """Work until the end; return whether the job should rest before this worker claims it again.

        Raises:
            JobStoreUnavailable, StorageFull: What has become of the job could not be recorded; its lease ends.
        """
        job = self._job
        logger.info(
            "job %s: %s %s, from row %d", job.id, job.request.qualified_name, job.request.version, job.rows_done + 1
        )
        try:
            with self._beating():
                return self._settle()
        except ClaimLost:
            logger.info("job %s: cancelled, or taken over by another worker", job.id)
        except WorkerStops:  # while the store was away: the lease ends by itself
            logger.info("job %s: the worker has to go", job.id)
        return False

    def _settle(self) -> bool:
        """Work, and record how it ended."""
        claims, claim, job = self._tools.claims, self._claim, self._job
        try:
            if job.attempts > MOST_ATTEMPTS:
                raise JobStuck(_word_stuck(job))
            with self._tools.models.lease(job.request.qualified_name, job.request.version) as target:
                self._work(target)
        except WorkerStops:
            claims.release(claim, is_blameless=True)
        except (ClaimLost, MemoryError):
            raise
        except ServiceError as error:
            is_final = isinstance(error, CallerError | JobStuck) and not isinstance(error, ModelNotFound)
            if not is_final and self._job.attempts < MOST_ATTEMPTS:  # others may serve the model, or it may be mended
                logger.warning("job %s waits: %s", job.id, error.message, extra={"code": error.code})
                claims.release(claim, error.code, error.message)
                return True
            logger.warning("job %s failed: %s", job.id, error.message, extra={"code": error.code})
            code, message = error.code, error.message
            self._patiently(lambda: claims.fail(claim, code, message))
        except Exception:
            logger.exception("job %s: an unexpected error", job.id)
            claims.release(claim, UNEXPECTED_CODE, "an unexpected error; the log of the worker tells why")
            return True
        else:
            self._sweep()
        return False

    def _work(self, target: ServedModel) -> None:
        request, info = self._job.request, target.info
        with self._open_input() as source:
            bounds = Bounds(chunk_rows=request.chunk_rows)
            reader = open_rows(FORMATS[request.input_format], source.stream, info.input_schema, bounds=bounds)
            chunk_format = format_of_part(FORMATS[request.output_format])
            writer = open_writer(chunk_format, reader.head, info.input_schema, info.output_schema)
            scorer = SlicedScorer(self._tools.models.predictions, target, self._check, self._wait_for_model)
            prefix, recorded, began = writer.begin(), self._job.chunks, time.monotonic()
            for place, rows in enumerate(reader):
                self._check()
                if place < recorded:
                    continue
                outcomes = scorer.score(rows)
                content = (prefix if place == 0 else b"") + writer.write(rows, outcomes)
                failed = sum(isinstance(outcome, ServiceError) for outcome in outcomes)
                self._record(content, len(rows), failed, position=source.position, since=began)
                began = time.monotonic()
                self._check_failed()
            rest = (prefix if self._job.chunks == 0 else b"") + writer.end()
            if chunk_format.name == request.output_format:
                self._record(rest, 0, 0, position=source.position, since=began, is_last=True)
            else:
                self._patiently(lambda: self._convert(rest))
        logger.info("job %s: done, %d rows, %d failed", self._job.id, self._job.rows_done, self._job.rows_failed)

    def _open_input(self) -> JobInput:
        most = self._tools.config.max_input_bytes
        return self._patiently(lambda: JobInput(self._tools.objects, self._job, most))

    def _record(
        self, content: bytes, rows: int, failed: int, *, position: int, since: float, is_last: bool = False
    ) -> None:
        """Store a chunk, then record it; both as often as it takes."""
        number = self._job.chunks
        name = f"output/{number:06d}-{self._claim.token[:8]}"
        if content:
            self._patiently(lambda: self._tools.objects.write(f"{self._job.id}/{name}", content))
        progress = Progress(
            number=number,
            name=name,
            size=len(content),
            rows=rows,
            failed=failed,
            input_position=position,
            busy_s=time.monotonic() - since,
        )
        self._job = self._patiently(lambda: self._tools.claims.record(self._claim, progress, is_last=is_last))

    def _convert(self, tail: bytes) -> None:
        """Write all chunks as one object of a format that cannot grow, and record it in their place."""
        tools, job_id = self._tools, self._job.id
        _, chunks = tools.store.read_output(job_id)
        name = f"output/whole-{self._claim.token[:8]}"
        folder = find_uploads(tools.config)
        with translated():
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, path = tempfile.mkstemp(dir=folder)
        try:
            with translated(), open(descriptor, "wb") as sink:
                stream = join_chunks(tools.objects, job_id, chunks, tail)
                FORMATS[self._job.request.output_format].find_writer().convert(stream, sink)
            size = Path(path).stat().st_size
            tools.objects.move_in(Path(path), f"{job_id}/{name}")
        finally:
            Path(path).unlink(missing_ok=True)
        self._check()
        rows = self._job.rows_done
        self._job = tools.claims.replace_output(self._claim, Chunk(name, 0, size), rows_total=rows)
        tools.objects.remove(job_id, but=frozenset({"input", name}))

    def _check(self) -> None:
        if self._lost.is_set():
            raise ClaimLost
        if self._tools.stopping.is_set():
            raise WorkerStops

    def _check_failed(self) -> None:
        most = self._job.request.max_failed_rows
        if most is not None and self._job.rows_failed > most:
            raise TooManyFailedRows(
                f"{self._job.rows_failed} of {self._job.rows_done} rows failed, more than max_failed_rows={most}; the "
                "output so far says why"
            )

    def _patiently(self, act: Callable[[], Found]) -> Found:
        """Do something as soon as database and files allow it."""
        tries = 0
        while True:
            try:
                return act()
            except (JobStoreUnavailable, StorageFull) as error:
                self._wait(error.with_traceback(None), tries)
                tries += 1

    def _wait_for_model(self, error: CapacityError, tries: int) -> None:
        if tries > _MOST_REFUSALS:
            raise error
        self._wait(error, tries - 1)

    def _wait(self, error: CapacityError, tries: int) -> None:
        """Let some time pass, longer each time, and say on the job why.

        Raises:
            ClaimLost, WorkerStops: Meanwhile.
        """
        self._check()
        if tries == 1:
            logger.warning("job %s waits: %s", self._job.id, error.message, extra={"code": error.code})
        if tries:
            with suppress(JobStoreUnavailable, StorageFull):  # that may be the very reason
                self._tools.claims.tell(self._claim, error.code, error.message)
        self._tools.stopping.wait(min(_FIRST_PAUSE_S * 2**tries, _LONGEST_PAUSE_S))
        self._check()

    def _sweep(self) -> None:
        """Remove what workers that died have left beside the chunks that count."""
        if not self._claim.job.attempts > 1 and not self._claim.job.chunks:
            return
        with suppress(CapacityError, CallerError):
            _, chunks = self._tools.store.read_output(self._job.id)
            self._tools.objects.remove(self._job.id, but=frozenset({"input", *(chunk.name for chunk in chunks)}))

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Show within a block that this worker lives."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self._tools.config.lease_s / _BEATS_PER_LEASE):
                try:
                    self._tools.claims.beat(self._claim)
                except ClaimLost:
                    self._lost.set()
                    return
                except CapacityError:
                    continue  # the database is away; whether the job is still ours shows when it is back

        thread = threading.Thread(target=beat, name="beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _word_stuck(job: Job) -> str:
    last = f"; the last one said: {job.problem}" if job.problem else ""
    return (
        f"{job.attempts - 1} workers in a row ended, or gave up, at the rows behind row {job.rows_done}{last}. Look "
        "into their logs, and send those rows apart"
    )
