"""What happens to a job in its middle: it is cancelled, the database is locked, the model changes or dies."""

import csv
import io
import json
import os
import signal
from contextlib import closing

import pytest
import sqlalchemy as sa
from jobs_workers import read_output, submit, wait_for, write_rows

from model_service.config import BackendName, ModelConfig
from model_service.jobs import disks
from model_service.jobs.records import JobState
from model_service.jobs.run import JobRun

#: Takes 10 ms for each row.
SLOW = b"x\n" + b"501\n" * 300
UNRULY = ModelConfig(class_path="unruly_models:UnrulyModel", backend=BackendName.PROCESS)


def read_table(desk, job):
    return list(csv.DictReader(io.StringIO(read_output(desk, job.id).decode())))


def wait_until_over(desk, job):
    return wait_for(desk, job.id, lambda job: job.state.is_over)


@pytest.mark.parametrize("stage", ["queued", "model-missing", "running", "storage-full", "converting"])
def test_a_job_is_cancelled_at_every_stage_and_the_worker_goes_on(desk, make_worker, monkeypatch, stage):
    worker = make_worker("models.DoubleModel", UNRULY, lease_s=0.5)
    changes = {"model-missing": {"qualified_name": "other_model"}, "converting": {"output_format": "parquet"}}
    content = SLOW if stage == "running" else write_rows(500)
    if stage == "running":
        changes[stage] = {"qualified_name": "unruly_model"}
    job = submit(desk, content, **changes.get(stage, {}))
    if stage == "storage-full":
        monkeypatch.setattr(disks, "LEAST_FREE_BYTES", 2**60)
    if stage == "converting":
        convert = JobRun._convert

        def end_and_convert(run, tail):  # it comes between the last chunk and the whole
            desk.end(job.id)
            convert(run, tail)

        monkeypatch.setattr(JobRun, "_convert", end_and_convert)
    if stage != "queued":
        worker.start()
    if stage in ("model-missing", "storage-full"):
        wait_for(desk, job.id, lambda job: job.problem_code)
    if stage == "running":
        wait_for(desk, job.id, lambda job: job.chunks)
    if stage == "converting":
        wait_until_over(desk, job)
    else:
        assert desk.end(job.id).state is JobState.CANCELLED
    assert desk.get(job.id).state is JobState.CANCELLED
    monkeypatch.undo()
    if stage == "queued":
        worker.start()
    assert wait_until_over(desk, submit(desk, write_rows(10))).state is JobState.SUCCEEDED
    assert desk.get(job.id).state is JobState.CANCELLED
    assert desk.end(job.id) is None  # with its files
    assert job.id not in {name for name, _ in worker.tools.objects.list_jobs()}


def test_a_database_that_somebody_keeps_locked_for_a_while_costs_no_row(tmp_path, manager, monkeypatch):
    from jobs_workers import LocalWorker

    from model_service.config_jobs import JobsConfig
    from model_service.jobs.desk import JobDesk

    monkeypatch.setattr("model_service.jobs.database._LOCK_S", 0.1)
    config = JobsConfig(folder=tmp_path / "data", chunk_rows=100, lease_s=60)
    other = sa.create_engine(f"sqlite:///{tmp_path / 'data' / 'jobs.sqlite'}")
    with closing(JobDesk(config)) as desk:
        job, worker = submit(desk, write_rows(3000)), LocalWorker(config, ("models.DoubleModel",))
        monkeypatch.setattr("model_service.jobs.run._LONGEST_PAUSE_S", 0.2)
        worker.start()
        wait_for(desk, job.id, lambda job: job.chunks >= 2)
        with other.connect() as holder:
            holder.exec_driver_sql("BEGIN IMMEDIATE")
            before = desk.get(job.id).rows_done  # it can be read
            worker.stopping.wait(1.0)
            assert desk.get(job.id).rows_done == before
        done = wait_until_over(desk, job)
        assert (done.state, done.rows_done, done.problem_code) == (JobState.SUCCEEDED, 3000, "")
        assert [int(row["id"]) for row in read_table(desk, job)] == list(range(3000))
        worker.stop()
    other.dispose()


def test_the_version_of_a_job_answers_all_of_it_whatever_is_loaded_in_its_middle(desk, make_worker):
    plain, job = submit(desk, write_rows(3000)), submit(desk, write_rows(3000))
    first = make_worker("models.DoubleModel")
    first.start()
    wait_until_over(desk, plain)
    wait_for(desk, job.id, lambda job: job.chunks)
    first.stop()
    assert desk.get(job.id).state is JobState.QUEUED
    new = make_worker("models.DoubleModelTwo")  # which the version of the job was taken from
    new.start()
    waiting = wait_for(desk, job.id, lambda job: job.problem_code)
    assert waiting.problem_code == "model_not_found"
    new.stop()
    make_worker("models.DoubleModel", "models.DoubleModelTwo").start()  # whose default is another one
    assert wait_until_over(desk, job).state is JobState.SUCCEEDED
    assert read_output(desk, job.id) == read_output(desk, plain.id)


def test_a_model_process_that_is_killed_in_the_middle_costs_no_row(desk, make_worker):
    job = submit(desk, b"x\n0\n" + SLOW.removeprefix(b"x\n"), qualified_name="unruly_model")
    make_worker(UNRULY).start()
    wait_for(desk, job.id, lambda job: job.chunks)
    os.kill(json.loads(read_table(desk, job)[0]["prediction"])["pid"], signal.SIGKILL)
    done = wait_until_over(desk, job)
    assert (done.state, done.rows_done, done.rows_failed) == (JobState.SUCCEEDED, 301, 0)


def test_a_row_that_ends_the_process_of_its_model_fails_alone(desk, make_worker):
    content = b"x\n" + b"".join(b"%d\n" % (-2 if row == 250 else row % 100 + 1) for row in range(400))
    job = submit(desk, content, qualified_name="unruly_model")
    make_worker(UNRULY).start()
    done = wait_until_over(desk, job)
    assert (done.state, done.rows_done, done.rows_failed) == (JobState.SUCCEEDED, 400, 1)
    assert [row for row, found in enumerate(read_table(desk, job)) if found["error.code"]] == [250]
