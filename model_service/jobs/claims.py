"""`JobClaims`: how workers share the jobs, so that each row is recorded once and no job is lost with its worker.

A claim is one ``UPDATE ... WHERE`` that writes a new token. Whatever is recorded later names the token in its own
``WHERE``, in the same transaction, so of two workers that believe to hold a job one records nothing.

A worker shows that it lives by a counter, the beat. Another worker may take a job over when, by its own clock that
only grows, the same token has shown the same beat for the length of a lease. No two clocks are ever compared, and a
clock that is set back, or forward, does no harm.
"""

import secrets
import time
from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from model_service.jobs.database import Database
from model_service.jobs.records import Chunk, Claim, Job, JobState, Progress
from model_service.jobs.store import make_job
from model_service.jobs.tables import CHUNKS, JOBS


class ClaimLost(Exception):
    """Somebody else has the job, or it was cancelled: nothing more of it may be recorded."""


class JobClaims:
    """One worker's view of the jobs. Not to be shared by threads, but for `beat`.

    Args:
        database: Its tables are the newest.
        lease_s: Seconds without a sign of life after which a job is taken over.
        clock: Seconds since 1970, for people only.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._lease_s = lease_s
        self._clock = clock
        self._monotonic = monotonic
        self._seen: dict[str, tuple[str, int, float]] = {}

    def claim(self, *, without: Collection[str] = ()) -> Claim | None:
        """Return a job to work on: one whose worker has died, or the one that has waited longest.

        Args:
            without: Identifiers of jobs that this worker does not want at the moment.
        """
        return self._take_over() or self._claim_waiting(without)

    def beat(self, claim: Claim) -> None:
        """Show that the holder of a claim lives.

        Raises:
            ClaimLost: It has no claim any more.
        """
        self._change(claim, {"beat": JOBS.c.beat + 1})

    def tell(self, claim: Claim, code: str, problem: str) -> None:
        """Record why a job does not get on at the moment.

        Raises:
            ClaimLost: It is another's, or cancelled.
        """
        self._change(claim, {"problem_code": code, "problem": problem, "revision": JOBS.c.revision + 1})

    def record(self, claim: Claim, progress: Progress, *, is_last: bool = False) -> Job:
        """Record a chunk whose object is stored, and how far the job is with it; in one transaction.

        May be called again with the same progress when it is not known what became of the first time.

        Args:
            claim: Of the job.
            progress: What is new.
            is_last: Whether the job has succeeded with it.

        Raises:
            ClaimLost: It is another's, or cancelled; nothing was recorded.
        """
        values = {
            "chunks": progress.number + 1,
            "rows_done": JOBS.c.rows_done + progress.rows,
            "rows_failed": JOBS.c.rows_failed + progress.failed,
            "output_bytes": JOBS.c.output_bytes + progress.size,
            "input_position": progress.input_position,
            "busy_s": JOBS.c.busy_s + progress.busy_s,
            "attempts": 0,
            "beat": JOBS.c.beat + 1,
            "revision": JOBS.c.revision + 1,
            "problem_code": "",
            "problem": "",
            **(self._end(JobState.SUCCEEDED) if is_last else {}),
        }
        if is_last:
            values["rows_total"] = JOBS.c.rows_done + progress.rows
        try:
            with self._database.write() as connection:
                done = connection.execute(
                    self._update(claim).where(JOBS.c.chunks == progress.number).values(values).returning(*JOBS.c)
                ).one_or_none()
                if done is None:
                    raise ClaimLost
                job = make_job(done)
                start = job.output_bytes - progress.size
                connection.execute(
                    CHUNKS.insert().values(
                        job_id=job.id, number=progress.number, name=progress.name, start=start, size=progress.size
                    )
                )
                return job
        except (ClaimLost, IntegrityError):
            return self._find_recorded(claim, progress)

    def replace_output(self, claim: Claim, chunk: Chunk, *, rows_total: int) -> Job:
        """Let a job succeed with one object in place of its chunks, for formats that are written as a whole.

        Raises:
            ClaimLost: It is another's, or cancelled.
        """
        values = {**self._end(JobState.SUCCEEDED), "chunks": 1, "output_bytes": chunk.size, "rows_total": rows_total}
        with self._database.write() as connection:
            done = connection.execute(self._update(claim).values(values).returning(*JOBS.c)).one_or_none()
            if done is None:
                raise ClaimLost
            connection.execute(CHUNKS.delete().where(CHUNKS.c.job_id == claim.job.id))
            connection.execute(
                CHUNKS.insert().values(job_id=claim.job.id, number=0, name=chunk.name, start=0, size=chunk.size)
            )
            return make_job(done)

    def fail(self, claim: Claim, code: str, problem: str) -> None:
        """Let a job fail; what has been recorded stays.

        Raises:
            ClaimLost: It is another's, or cancelled.
        """
        self._change(claim, {**self._end(JobState.FAILED), "problem_code": code, "problem": problem})

    def release(self, claim: Claim, code: str = "", problem: str = "", *, is_blameless: bool = False) -> None:
        """Give a job back to who comes next, which goes on at its last chunk.

        Args:
            claim: Of the job.
            code: Why, if something hinders it.
            problem: Likewise, in words.
            is_blameless: Whether the attempt does not count, because it was the worker that had to go.

        Raises:
            ClaimLost: It is another's, or cancelled.
        """
        values: dict[str, Any] = {"state": JobState.QUEUED, "token": None, "revision": JOBS.c.revision + 1}
        if is_blameless:
            values["attempts"] = JOBS.c.attempts - 1
        self._change(claim, {**values, "problem_code": code, "problem": problem})

    def _claim_waiting(self, without: Collection[str]) -> Claim | None:
        oldest = (
            sa.select(JOBS.c.id)
            .where(JOBS.c.state == JobState.QUEUED, JOBS.c.id.not_in(list(without)))
            .order_by(JOBS.c.created_at, JOBS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)  # PostgreSQL: two workers take two jobs
            .scalar_subquery()
        )
        return self._take(JOBS.update().where(JOBS.c.id == oldest, JOBS.c.state == JobState.QUEUED))

    def _take_over(self) -> Claim | None:
        query = sa.select(JOBS.c.id, JOBS.c.token, JOBS.c.beat).where(JOBS.c.state == JobState.RUNNING)
        with self._database.read() as connection:
            running = connection.execute(query).all()
        now = self._monotonic()
        seen, self._seen = self._seen, {}
        for job_id, token, beat in running:
            known = seen.get(job_id)
            since = known[2] if known is not None and known[:2] == (token, beat) else now
            self._seen[job_id] = (token, beat, since)
            if now - since < self._lease_s:
                continue
            claim = self._take(
                JOBS.update().where(
                    JOBS.c.id == job_id,
                    JOBS.c.state == JobState.RUNNING,
                    JOBS.c.token == token,
                    JOBS.c.beat == beat,
                )
            )
            if claim is not None:
                return claim
        return None

    def _take(self, update: sa.Update) -> Claim | None:
        token = secrets.token_hex(16)
        values = {
            "state": JobState.RUNNING,
            "token": token,
            "beat": 0,
            "attempts": JOBS.c.attempts + 1,
            "started_at": sa.func.coalesce(JOBS.c.started_at, self._clock()),
            "revision": JOBS.c.revision + 1,
        }
        with self._database.write() as connection:
            row = connection.execute(update.values(values).returning(*JOBS.c)).one_or_none()
        return None if row is None else Claim(make_job(row), token)

    def _change(self, claim: Claim, values: dict[str, Any]) -> None:
        with self._database.write() as connection:
            if not connection.execute(self._update(claim).values(values)).rowcount:
                raise ClaimLost

    def _update(self, claim: Claim) -> sa.Update:
        return JOBS.update().where(
            JOBS.c.id == claim.job.id, JOBS.c.state == JobState.RUNNING, JOBS.c.token == claim.token
        )

    def _end(self, state: JobState) -> dict[str, Any]:
        return {
            "state": state,
            "ended_at": self._clock(),
            "token": None,
            "revision": JOBS.c.revision + 1,
        }

    def _find_recorded(self, claim: Claim, progress: Progress) -> Job:
        """Return the job if the chunk is recorded already, by the very object: an earlier answer was lost."""
        query = (
            sa.select(JOBS)
            .join(CHUNKS, CHUNKS.c.job_id == JOBS.c.id)
            .where(JOBS.c.id == claim.job.id, CHUNKS.c.number == progress.number, CHUNKS.c.name == progress.name)
            .where(sa.or_(JOBS.c.token == claim.token, JOBS.c.state == JobState.SUCCEEDED))
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ClaimLost
        return make_job(row)
