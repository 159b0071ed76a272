"""The errors of jobs, as leaves of the tree in `model_service.errors`.

OperatorError    DatabaseOutdated
CallerError      JobNotFound, JobInvalid, IdempotencyKeyReused, TooManyFailedRows
ModelError       JobStuck
CapacityError    TooManyJobs, JobStoreUnavailable, StorageFull
"""

import logging
import time

from model_service.errors import CallerError, CapacityError, ModelError, OperatorError

logger = logging.getLogger(__name__)

#: So long the log is not told the same problem of a store again, however many callers meet it.
_SILENCE_S = 600.0
_told: dict[str, float] = {}


class DatabaseOutdated(OperatorError):
    """The tables of jobs have another form than this version works with."""

    code = "database_outdated"
    title = "The database needs an upgrade."


class JobNotFound(CallerError):
    """No job has that identifier, or it has been removed."""

    code = "job_not_found"
    title = "There is no such job."


class JobInvalid(CallerError):
    """A job is asked for in a way that cannot be meant, such as a bound that is no number."""

    code = "job_invalid"
    title = "The job cannot be made."


class IdempotencyKeyReused(CallerError):
    """The key of another job came with a request that is not the same."""

    code = "idempotency_key_reused"
    title = "The idempotency key belongs to another request."


class TooManyFailedRows(CallerError):
    """More rows of a job failed than its ``max_failed_rows``."""

    code = "too_many_failed_rows"
    title = "Too many rows failed."


class JobStuck(ModelError):
    """Worker after worker ended at the same rows of a job."""

    code = "job_stuck"
    title = "The job does not get on."


class TooManyJobs(CapacityError):
    """As many jobs wait, or are listened to, as the service allows."""

    code = "too_many_jobs"
    title = "Too many jobs are waiting."


class JobStoreUnavailable(CapacityError):
    """The database or the files of jobs cannot be reached; jobs go on when they can."""

    code = "job_store_unavailable"
    title = "The store of jobs cannot be reached."


class StorageFull(CapacityError):
    """A disk that jobs are kept on is full."""

    code = "storage_full"
    title = "The storage of jobs is full."


def store_unavailable(problem: str, place: str, *, is_lasting: bool) -> JobStoreUnavailable:
    """Return the error for the caller, and tell the log where to look.

    Args:
        problem: What is wrong; callers read it, so it names no place.
        place: Where it is wrong and which keys say so, for the log alone.
        is_lasting: Whether it stays until somebody mends it.
    """
    now = time.monotonic()
    if now - _told.get(problem, -_SILENCE_S) >= _SILENCE_S:
        _told[problem] = now
        logger.error("%s: %s", problem, place, extra={"code": JobStoreUnavailable.code})
    remedy = "; the operator of the service must mend it, and its log says where" if is_lasting else ""
    return JobStoreUnavailable(problem + remedy, retry_after_s=5)


def job_not_found() -> JobNotFound:
    """Return the error of a job that is not there."""
    return JobNotFound("no job has this identifier; it may have been removed: GET /api/jobs lists those that there are")
