"""`JobStore`: the records of jobs, for who makes, lists, cancels and removes them; `claims.py` is for who works.

Every change is one short transaction, and a state changes only from the states that may come before it: the
``WHERE`` of the change says which. So whatever two processes do at once, the record says one thing.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from model_service.jobs.database import Database
from model_service.jobs.errors import IdempotencyKeyReused, TooManyJobs, job_not_found
from model_service.jobs.records import CallbackState, Chunk, Job, JobRequest, JobState
from model_service.jobs.tables import CHUNKS, JOBS

_REQUEST = tuple(field.name for field in fields(JobRequest))
_PROGRESS = tuple(field.name for field in fields(Job) if field.name not in ("request", "state"))


class JobStore:
    """Thread-safe.

    Args:
        database: Its tables are the newest.
        clock: Seconds since 1970, for people and retention only: nothing goes wrong when it is set back.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(self, job_id: str, request: JobRequest, *, max_waiting: int) -> Job:
        """Record a job, which a worker may claim from now on.

        Args:
            job_id: From `make_id`; its input is stored already.
            request: What is asked for.
            max_waiting: Most jobs that are not over.

        Returns:
            The job; with an idempotency key that was used for the same request, the job of then.

        Raises:
            IdempotencyKeyReused: The key was used for another request.
            TooManyJobs: As many are waiting.
            JobStoreUnavailable, StorageFull: From the database.
        """
        known = self.find_by_key(request)
        if known is not None:
            return known
        try:
            with self._database.write() as connection:
                waiting = connection.execute(
                    sa.select(sa.func.count(JOBS.c.id)).where(JOBS.c.state.in_([JobState.QUEUED, JobState.RUNNING]))
                ).scalar_one()
                if waiting >= max_waiting:
                    raise TooManyJobs(f"{waiting} jobs wait or run; the bound is 'jobs.max_waiting'", retry_after_s=30)
                connection.execute(JOBS.insert().values(**_begin(job_id, request, self._clock())))
        except IntegrityError:  # the same key, at the same moment
            known = self.find_by_key(request)
            if known is None:
                raise
            return known
        return self.get(job_id)

    def count_by_state(self) -> dict[str, int]:
        """Return how many jobs are kept in each state; errors as `get`."""
        with self._database.read() as connection:
            counted = connection.execute(sa.select(JOBS.c.state, sa.func.count(JOBS.c.id)).group_by(JOBS.c.state))
            found: dict[str, int] = {row[0]: row[1] for row in counted}
        return {state: found.get(state, 0) for state in JobState}

    def find_by_key(self, request: JobRequest) -> Job | None:
        """Return the job that was made with the key of a request, if there is one.

        Raises:
            IdempotencyKeyReused: It was another request.
        """
        if request.idempotency_key is None:
            return None
        query = sa.select(JOBS).where(
            JOBS.c.caller == request.caller, JOBS.c.idempotency_key == request.idempotency_key
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(
                "the 'Idempotency-Key' was used for another file, model or option; send a new key with a new request"
            )
        return make_job(row)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobNotFound: There is none.
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        if row is None:
            raise job_not_found()
        return make_job(row)

    def list_jobs(
        self,
        *,
        state: JobState | None = None,
        qualified_name: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            state: Only those in this state.
            qualified_name: Only those of this model.
            before: Only those that were made before the one with this identifier.
            limit: At most so many.

        Raises:
            JobNotFound: There is none with the identifier ``before``.
        """
        query = sa.select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(JOBS.c.state == state)
        if qualified_name is not None:
            query = query.where(JOBS.c.qualified_name == qualified_name)
        if before is not None:
            last = self.get(before)
            query = query.where(sa.tuple_(JOBS.c.created_at, JOBS.c.id) < sa.tuple_(last.created_at, last.id))
        with self._database.read() as connection:
            return [make_job(row) for row in connection.execute(query)]

    def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Return those of some jobs that there are."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(JOBS).where(JOBS.c.id.in_(job_ids))).all()
        return {row.id: make_job(row) for row in rows}

    def read_output(self, job_id: str) -> tuple[Job, list[Chunk]]:
        """Return a job and the pieces of its output, in order, both of one moment.

        Raises:
            JobNotFound: There is none.
        """
        query = sa.select(CHUNKS).where(CHUNKS.c.job_id == job_id).order_by(CHUNKS.c.number)
        with self._database.read() as connection:
            # Pieces first: those that come meanwhile are left out below, and none is missing.
            chunks = [Chunk(row.name, row.start, row.size) for row in connection.execute(query)]
            row = connection.execute(sa.select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        if row is None:
            raise job_not_found()
        return make_job(row), chunks

    def cancel(self, job_id: str) -> bool:
        """End a job that is not over; its worker finds out when it next records something.

        Returns:
            Whether it was still to be cancelled.
        """
        return self._end(job_id, JobState.CANCELLED, (JobState.QUEUED, JobState.RUNNING))

    def remove(self, job_id: str) -> bool:
        """Forget a job that is over; return whether it was. Its objects are another's work."""
        over = [state for state in JobState if state.is_over]
        with self._database.write() as connection:
            connection.execute(
                CHUNKS.delete().where(
                    CHUNKS.c.job_id.in_(sa.select(JOBS.c.id).where(JOBS.c.id == job_id, JOBS.c.state.in_(over)))
                )
            )
            return bool(connection.execute(JOBS.delete().where(JOBS.c.id == job_id, JOBS.c.state.in_(over))).rowcount)

    def list_over(self) -> list[Job]:
        """Return all jobs that are over, the one that ended first in front."""
        over = [state for state in JobState if state.is_over]
        query = sa.select(JOBS).where(JOBS.c.state.in_(over)).order_by(JOBS.c.ended_at, JOBS.c.id)
        with self._database.read() as connection:
            return [make_job(row) for row in connection.execute(query)]

    def list_callbacks(self, limit: int) -> list[Job]:
        """Return jobs that are over and whose callback is not, those with the fewest attempts in front."""
        over = [state for state in JobState if state.is_over]
        query = (
            sa.select(JOBS)
            .where(JOBS.c.callback_state == CallbackState.WAITING, JOBS.c.state.in_(over))
            .order_by(JOBS.c.callback_attempts, JOBS.c.ended_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [make_job(row) for row in connection.execute(query)]

    def begin_callback(self, job: Job) -> bool:
        """Count one more attempt at a callback; return whether it is the caller's to make."""
        return self._change_callback(job, {"callback_attempts": job.callback_attempts + 1})

    def tell_callback(self, job: Job, problem: str, *, state: CallbackState = CallbackState.WAITING) -> bool:
        """Record what became of an attempt, unless another one has been begun since."""
        return self._change_callback(job, {"callback_state": state, "callback_problem": problem})

    def _change_callback(self, job: Job, values: dict[str, Any]) -> bool:
        with self._database.write() as connection:
            done = connection.execute(
                JOBS.update()
                .where(JOBS.c.id == job.id, JOBS.c.callback_state == CallbackState.WAITING)
                .where(JOBS.c.callback_attempts == job.callback_attempts)
                .values(values)
            )
        return bool(done.rowcount)

    def _end(self, job_id: str, state: JobState, before: tuple[JobState, ...]) -> bool:
        with self._database.write() as connection:
            done = connection.execute(
                JOBS.update()
                .where(JOBS.c.id == job_id, JOBS.c.state.in_(before))
                .values(state=state, ended_at=self._clock(), token=None, revision=JOBS.c.revision + 1)
                .values(problem_code="", problem="")
            )
        return bool(done.rowcount)


def make_id() -> str:
    """Return an identifier that nobody can guess."""
    return secrets.token_hex(16)


def make_job(row: Any) -> Job:
    """Return the job of a row of the table."""
    values = row._mapping
    request = JobRequest(**{name: values[name] for name in _REQUEST})
    progress = {name: values[name] for name in _PROGRESS}
    if progress["callback_state"] is not None:
        progress["callback_state"] = CallbackState(progress["callback_state"])
    return Job(request=request, state=JobState(values["state"]), **progress)


def _begin(job_id: str, request: JobRequest, now: float) -> dict[str, Any]:
    callback = CallbackState.WAITING if request.callback_url is not None else None
    begun = {
        **asdict(Job(id=job_id, state=JobState.QUEUED, request=request, created_at=now, callback_state=callback)),
        **asdict(request),
        "beat": 0,
    }
    del begun["request"]
    return begun
