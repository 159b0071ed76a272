import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_service.jobs.claims import ClaimLost, JobClaims
from model_service.jobs.database import Database
from model_service.jobs.errors import IdempotencyKeyReused, JobNotFound, JobStoreUnavailable, TooManyJobs
from model_service.jobs.records import JobRequest, JobState, Progress
from model_service.jobs.store import JobStore, make_id
from model_service.jobs.tables import JOBS


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(database):
    return JobStore(database)


def request(**changes):
    return JobRequest(
        **{"qualified_name": "m", "version": "1", "input_format": "csv", "output_format": "csv", **changes}
    )


def make(store, **changes):
    return store.create(make_id(), request(**changes), max_waiting=1000)


def claims_of(database, clock):
    return JobClaims(database, lease_s=10, monotonic=clock)


def progress(number, *, name=None, size=10, rows=5, failed=1):
    return Progress(
        number=number,
        name=name or f"output/{number}",
        size=size,
        rows=rows,
        failed=failed,
        input_position=100 * (number + 1),
        busy_s=0.5,
    )


def test_a_job_is_claimed_once(database, store, clock):
    job = make(store)
    claim = claims_of(database, clock).claim()
    assert claim.job.id == job.id
    assert claim.job.state is JobState.RUNNING
    assert claims_of(database, clock).claim() is None


def test_the_oldest_job_comes_first_unless_it_is_not_wanted(database, clock):
    wall = Clock()
    store = JobStore(database, wall)
    first = make(store)
    wall.now += 1
    second = make(store)
    assert claims_of(database, clock).claim(without=[first.id]).job.id == second.id
    assert claims_of(database, clock).claim().job.id == first.id


def test_many_workers_share_many_jobs_without_sharing_one(open_database, clock):
    store = JobStore(open_database())
    made = {make(store).id for _ in range(40)}

    def work(_):
        mine, claims = [], claims_of(open_database(), clock)
        while claim := claims.claim():
            mine.append(claim.job.id)
        return mine

    with ThreadPoolExecutor(8) as workers:
        taken = [job for mine in workers.map(work, range(8)) for job in mine]
    assert sorted(taken) == sorted(made)


def test_what_is_recorded_adds_up(database, store, clock):
    claims = claims_of(database, clock)
    job = make(store)
    claim = claims.claim()
    claims.record(claim, progress(0))
    claims.record(claim, progress(1, size=7))
    done = claims.record(claim, progress(2, size=0, rows=0, failed=0), is_last=True)
    assert (done.state, done.rows_done, done.rows_failed, done.rows_total) == (JobState.SUCCEEDED, 10, 2, 10)
    job, chunks = store.read_output(job.id)
    assert [(chunk.start, chunk.size) for chunk in chunks] == [(0, 10), (10, 7), (17, 0)]
    assert (job.output_bytes, job.input_position, job.busy_s) == (17, 300, 1.5)
    assert job.ended_at is not None


def test_who_shows_signs_of_life_keeps_a_job(database, store, clock):
    make(store)
    mine, theirs = claims_of(database, clock), claims_of(database, clock)
    claim = mine.claim()
    for _ in range(5):
        assert theirs.claim() is None
        clock.now += 9
        mine.beat(claim)
    assert theirs.claim() is None


def test_who_shows_no_sign_of_life_for_a_lease_loses_a_job(database, store, clock):
    make(store)
    mine, theirs = claims_of(database, clock), claims_of(database, clock)
    claim = mine.claim()
    mine.record(claim, progress(0))
    assert theirs.claim() is None  # from now on it is watched
    clock.now += 9.9
    assert theirs.claim() is None
    clock.now += 0.2
    taken = theirs.claim()
    assert taken.job.chunks == 1
    assert taken.job.attempts == 1
    for act in (
        lambda: mine.beat(claim),
        lambda: mine.record(claim, progress(1)),
        lambda: mine.fail(claim, "x", "y"),
        lambda: mine.release(claim),
        lambda: mine.tell(claim, "x", "y"),
    ):
        with pytest.raises(ClaimLost):
            act()
    theirs.record(taken, progress(1))
    assert store.get(taken.job.id).rows_done == 10


def test_of_two_that_take_over_at_once_one_does(open_database, clock):
    store = JobStore(open_database())
    make(store)
    claims_of(open_database(), clock).claim()
    others = [claims_of(open_database(), clock) for _ in range(6)]
    for other in others:
        assert other.claim() is None
    clock.now += 11
    barrier = threading.Barrier(6)

    def take(claims):
        barrier.wait()
        return claims.claim()

    with ThreadPoolExecutor(6) as workers:
        taken = [claim for claim in workers.map(take, others) if claim]
    assert len(taken) == 1


def test_who_is_stopped_within_a_transaction_holds_up_nobody(postgresql, monkeypatch, clock):
    monkeypatch.setattr("model_service.jobs.database._SILENCE_S", 1)
    stopped = Database(postgresql.make_database())
    stopped.require_newest(may_upgrade=False)
    job = make(JobStore(stopped))
    claim = claims_of(stopped, clock).claim()
    other = Database(stopped.engine.url.render_as_string())
    theirs = claims_of(other, clock)
    assert theirs.claim() is None
    clock.now += 11
    with pytest.raises(JobStoreUnavailable), stopped.write() as connection:  # noqa: PT012 - the commit raises
        connection.execute(JOBS.update().where(JOBS.c.id == job.id).values(problem="locked"))
        assert theirs.claim().job.id == job.id  # the server has ended the transaction before it gave up waiting
    with pytest.raises(ClaimLost):
        claims_of(stopped, clock).beat(claim)
    stopped.close()
    other.close()


def test_a_wall_clock_that_is_set_back_or_forward_takes_no_job_away(database, clock):
    wall = Clock()
    store = JobStore(database, wall)
    make(store)
    mine = JobClaims(database, lease_s=10, monotonic=clock, clock=wall)
    theirs = JobClaims(database, lease_s=10, monotonic=clock, clock=wall)
    claim = mine.claim()
    for step in (-86400 * 365, 86400 * 1000, -5):
        wall.now += step
        assert theirs.claim() is None
        mine.beat(claim)
    wall.now = -1.0
    done = mine.record(claim, progress(0), is_last=True)
    assert done.state is JobState.SUCCEEDED


def test_a_chunk_whose_answer_was_lost_is_recorded_once(database, store, clock):
    claims = claims_of(database, clock)
    make(store)
    claim = claims.claim()
    claims.record(claim, progress(0))
    again = claims.record(claim, progress(0))
    assert (again.rows_done, again.chunks) == (5, 1)
    claims.record(claim, progress(1), is_last=True)
    assert claims.record(claim, progress(1), is_last=True).rows_done == 10


def test_another_object_in_place_of_a_recorded_one_is_refused(database, store, clock):
    claims = claims_of(database, clock)
    make(store)
    claim = claims.claim()
    claims.record(claim, progress(0))
    with pytest.raises(ClaimLost):
        claims.record(claim, progress(0, name="output/another"))


def test_a_cancelled_job_records_nothing_more(database, store, clock):
    claims = claims_of(database, clock)
    job = make(store)
    claim = claims.claim()
    claims.record(claim, progress(0))
    assert store.cancel(job.id)
    with pytest.raises(ClaimLost):
        claims.record(claim, progress(1))
    assert (store.get(job.id).state, store.get(job.id).rows_done) == (JobState.CANCELLED, 5)
    assert not store.cancel(job.id)


def test_a_job_that_waits_is_cancelled_before_it_begins(database, store, clock):
    job = make(store)
    assert store.cancel(job.id)
    assert claims_of(database, clock).claim() is None


def test_a_released_job_goes_on_where_it_was(database, store, clock):
    claims = claims_of(database, clock)
    make(store)
    claim = claims.claim()
    claims.record(claim, progress(0))
    claims.release(claim, "model_not_ready", "it loads")
    job = store.get(claim.job.id)
    assert (job.state, job.problem_code) == (JobState.QUEUED, "model_not_ready")
    again = claims.claim()
    assert (again.job.chunks, again.job.attempts) == (1, 1)
    claims.release(again, is_blameless=True)
    assert store.get(claim.job.id).attempts == 0


def test_attempts_count_until_a_chunk_is_recorded(database, store, clock):
    claims = claims_of(database, clock)
    make(store)
    for expected in (1, 2, 3):
        claim = claims.claim()
        assert claim.job.attempts == expected
        claims.release(claim)
    claim = claims.claim()
    assert claims.record(claim, progress(0)).attempts == 0


def test_only_what_is_over_is_removed(database, store, clock):
    claims = claims_of(database, clock)
    job = make(store)
    assert not store.remove(job.id)
    claim = claims.claim()
    claims.record(claim, progress(0))
    assert not store.remove(job.id)
    claims.fail(claim, "x", "y")
    assert store.remove(job.id)
    with pytest.raises(JobNotFound):
        store.get(job.id)
    with pytest.raises(JobNotFound):
        store.read_output(job.id)


def test_the_same_key_and_request_is_the_same_job(store):
    first = make(store, idempotency_key="k", fingerprint="a")
    assert make(store, idempotency_key="k", fingerprint="a").id == first.id
    with pytest.raises(IdempotencyKeyReused):
        make(store, idempotency_key="k", fingerprint="b")
    assert make(store, idempotency_key="k", fingerprint="b", caller="other").id != first.id
    assert make(store).id != make(store).id


def test_one_key_at_the_same_moment_is_one_job(open_database):
    stores = [JobStore(open_database()) for _ in range(6)]
    barrier = threading.Barrier(6)

    def create(store):
        barrier.wait()
        return make(store, idempotency_key="k", fingerprint="a").id

    with ThreadPoolExecutor(6) as callers:
        assert len(set(callers.map(create, stores))) == 1


def test_more_jobs_than_may_wait_are_refused(store):
    for _ in range(3):
        make(store)
    with pytest.raises(TooManyJobs):
        store.create(make_id(), request(), max_waiting=3)


def test_jobs_are_listed_newest_first_in_pages_and_filtered(database):
    wall = Clock()
    store = JobStore(database, wall)
    made = []
    for number in range(7):
        wall.now += number % 2  # some at the same moment
        made.append(make(store, qualified_name="a" if number % 3 else "b").id)
    store.cancel(made[0])
    seen, last = [], None
    while page := store.list_jobs(before=last, limit=2):
        seen += [job.id for job in page]
        last = page[-1].id
    assert sorted(seen) == sorted(made)
    assert len(seen) == 7
    times = [store.get(job).created_at for job in seen]
    assert times == sorted(times, reverse=True)
    assert [job.id for job in store.list_jobs(state=JobState.CANCELLED)] == [made[0]]
    assert {job.id for job in store.list_jobs(qualified_name="b")} == {made[0], made[3], made[6]}


def test_every_change_has_another_revision(database, store, clock):
    claims = claims_of(database, clock)
    job = make(store)
    revisions = [job.revision]
    claim = claims.claim()
    revisions.append(claim.job.revision)
    revisions.append(claims.record(claim, progress(0)).revision)
    claims.tell(claim, "storage_full", "no room")
    revisions.append(store.get(job.id).revision)
    store.cancel(job.id)
    revisions.append(store.get(job.id).revision)
    assert len(set(revisions)) == 5
    assert set(store.find([job.id, "none"])) == {job.id}
