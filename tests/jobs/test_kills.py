"""Whatever dies, whenever: the file in the end is the one that an undisturbed run gives.

``JOB_KILLS=20`` makes it the long test.
"""

import os
import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from jobs_workers import WorkerProcess, read_output, submit, wait_for, write_config, write_rows

from model_service.config_file import load_config
from model_service.jobs.desk import JobDesk
from model_service.jobs.records import JobState

KILLS = int(os.environ.get("JOB_KILLS", "4"))
ROWS = 100 * 12 * KILLS


@pytest.fixture
def config(tmp_path, database_url):
    return write_config(tmp_path, database_url, "models.DoubleModel")


@pytest.fixture
def desk(config):
    desk = JobDesk(load_config(config).jobs)
    yield desk
    desk.close()


def stop_between_transactions(worker, database_url):
    """Stop a worker where it holds no lock of SQLite: that is the lock of a file, which nobody can take from it."""
    while True:
        worker.process.send_signal(signal.SIGSTOP)
        os.waitpid(worker.process.pid, os.WUNTRACED)  # all of its threads stand still
        if not database_url.startswith("sqlite") or not is_locked(database_url.removeprefix("sqlite:///")):
            return
        worker.process.send_signal(signal.SIGCONT)


def is_locked(path):
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def test_workers_that_are_killed_at_any_moment_leave_the_file_that_an_undisturbed_one_writes(config, desk):
    content = write_rows(ROWS)
    plain, killed = submit(desk, content), submit(desk, content)
    undisturbed = WorkerProcess(config)
    wait_for(desk, plain.id, lambda job: job.state.is_over)
    undisturbed.kill()
    done = [desk.get(killed.id).rows_done]
    for _ in range(KILLS):
        worker = WorkerProcess(config)
        chunks = desk.get(killed.id).chunks + random.randrange(1, 9)
        wait_for(desk, killed.id, lambda job, most=chunks: job.chunks >= most or job.state.is_over)
        time.sleep(random.uniform(0, 0.02))
        worker.kill()
        done.append(desk.get(killed.id).rows_done)
    assert done == sorted(done)
    last = WorkerProcess(config)
    job = wait_for(desk, killed.id, lambda job: job.state.is_over)
    last.kill()
    assert job.state is JobState.SUCCEEDED
    assert job.rows_done == ROWS
    assert job.rows_failed == len(range(0, ROWS, 37))
    expected = read_output(desk, plain.id)
    assert expected.count(b"\n") == ROWS + 1
    assert read_output(desk, killed.id) == expected


def test_two_workers_on_one_job_of_which_one_is_stopped_for_a_while_write_each_row_once(config, desk, database_url):
    job = submit(desk, write_rows(ROWS))
    first = WorkerProcess(config)
    wait_for(desk, job.id, lambda job: job.chunks >= 2)
    stop_between_transactions(first, database_url)  # it believes to hold the job when it goes on
    second = WorkerProcess(config)
    before = desk.get(job.id).chunks
    wait_for(desk, job.id, lambda job: job.chunks > before + 2)
    first.process.send_signal(signal.SIGCONT)
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert [first.stop(), second.stop()] == [0, 0]
    assert (done.state, done.rows_done) == (JobState.SUCCEEDED, ROWS)
    lines = read_output(desk, job.id).decode().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(ROWS))


def test_a_worker_that_is_asked_to_end_gives_its_job_back_at_once(tmp_path, database_url):
    config = write_config(tmp_path, database_url, "models.DoubleModel", lease_s=600)
    desk = JobDesk(load_config(config).jobs)
    job = submit(desk, write_rows(ROWS))
    worker = WorkerProcess(config)
    wait_for(desk, job.id, lambda job: job.chunks >= 1)
    assert worker.stop() == 0
    assert desk.get(job.id).state is JobState.QUEUED
    other = WorkerProcess(config)
    assert wait_for(desk, job.id, lambda job: job.state.is_over).rows_done == ROWS
    assert other.stop() == 0
    desk.close()
