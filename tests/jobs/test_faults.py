"""Everything around a worker that can fail: each is a clear state of the job, and none loses it."""

import errno
import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from jobs_workers import (
    LocalWorker,
    WorkerProcess,
    make_request,
    read_output,
    submit,
    wait_for,
    write_config,
    write_rows,
)

from model_service.config_file import load_config
from model_service.config_jobs import JobsConfig
from model_service.jobs import disks
from model_service.jobs import errors as job_errors
from model_service.jobs.desk import JobDesk
from model_service.jobs.disks import translated
from model_service.jobs.errors import JobNotFound, JobStoreUnavailable, StorageFull
from model_service.jobs.objects import ObjectStore
from model_service.jobs.places import find_uploads
from model_service.jobs.records import JobState
from model_service.jobs.retention import Retention
from model_service.jobs.run import MOST_ATTEMPTS

OTHER = {"qualified_name": "other_model"}


def test_a_full_disk_is_told_on_the_job_which_goes_on_when_there_is_room(desk, make_worker, monkeypatch):
    job = submit(desk, write_rows(500))
    monkeypatch.setattr(disks, "LEAST_FREE_BYTES", 2**60)
    with pytest.raises(StorageFull):
        submit(desk, write_rows(5))
    make_worker().start()
    waiting = wait_for(desk, job.id, lambda job: job.problem_code)
    assert (waiting.state, waiting.problem_code, waiting.chunks) == (JobState.RUNNING, "storage_full", 0)
    monkeypatch.undo()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.rows_done, done.problem_code) == (JobState.SUCCEEDED, 500, "")


def test_what_the_system_says_of_a_full_disk_is_understood():
    with pytest.raises(StorageFull, match="free space"), translated(), Path("/dev/full").open("wb") as file:
        file.write(b"x" * 100_000)


def test_a_job_that_waits_for_room_can_be_cancelled(desk, make_worker, monkeypatch):
    job = submit(desk, write_rows(500))
    monkeypatch.setattr(disks, "LEAST_FREE_BYTES", 2**60)
    make_worker(lease_s=0.5).start()
    wait_for(desk, job.id, lambda job: job.problem_code)
    desk.end(job.id)
    assert desk.get(job.id).state is JobState.CANCELLED
    monkeypatch.undo()
    assert wait_for(desk, submit(desk, write_rows(10)).id, lambda job: job.state.is_over).rows_done == 10


def test_a_database_that_goes_away_and_comes_back_costs_no_row(tmp_path, postgresql, manager):
    config = JobsConfig(folder=tmp_path, database=postgresql.make_database(), chunk_rows=100, lease_s=5)
    desk, worker = JobDesk(config), LocalWorker(config, ("models.DoubleModel",))
    job = submit(desk, write_rows(6000))
    worker.start()
    wait_for(desk, job.id, lambda job: job.chunks >= 2)
    postgresql.pause()
    try:
        with pytest.raises(JobStoreUnavailable):
            desk.get(job.id)
        time.sleep(0.5)
    finally:
        postgresql.resume()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.rows_done) == (JobState.SUCCEEDED, 6000)
    assert read_output(desk, job.id).count(b"\n") == 6001
    worker.stop()
    desk.close()


def test_a_model_that_is_not_served_here_lets_a_job_wait_and_others_pass(desk, make_worker):
    strange, plain = submit(desk, write_rows(10), **OTHER), submit(desk, write_rows(10))
    make_worker().start()
    assert wait_for(desk, plain.id, lambda job: job.state.is_over).state is JobState.SUCCEEDED
    waiting = wait_for(desk, strange.id, lambda job: job.problem_code and job.state is JobState.QUEUED)
    assert waiting.problem_code == "model_not_found"
    assert "double_model 1.0.0" in waiting.problem


def test_a_model_that_cannot_be_loaded_fails_its_job_after_some_tries(desk, make_worker, monkeypatch):
    monkeypatch.setattr("model_service.jobs.worker._LONGEST_REST_S", 0.01)
    job = submit(desk, write_rows(10), qualified_name="unloadable_model")
    make_worker("models.UnloadableModel").start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.problem_code, done.attempts) == (JobState.FAILED, "model_not_ready", MOST_ATTEMPTS)


def test_rows_that_end_every_worker_end_the_job_and_not_the_service(desk, make_worker):
    job = submit(desk, write_rows(10))
    worker = make_worker()
    for _ in range(MOST_ATTEMPTS):
        claim = worker.tools.claims.claim()
        worker.tools.claims.release(claim, "internal_error", "it died")  # as if it had been taken over
    worker.start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.problem_code) == (JobState.FAILED, "job_stuck")
    assert "it died" in done.problem


def test_a_model_that_fails_for_a_row_fails_that_row_alone(desk, make_worker):
    content = b"x\n" + b"".join(b"%d\n" % (number if number % 10 else -1 - number) for number in range(200))
    job = submit(desk, content, qualified_name="raising_model")
    make_worker("models.RaisingModel").start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.rows_done, done.rows_failed) == (JobState.SUCCEEDED, 200, 20)
    assert read_output(desk, job.id).count(b"prediction_failed") == 20


def test_an_input_that_is_gone_fails_its_job(desk, make_worker, config):
    job = submit(desk, write_rows(10))
    (config.folder / "files" / job.id / "input").unlink()
    make_worker().start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.problem_code) == (JobState.FAILED, "job_not_found")


def test_what_is_too_old_or_too_much_is_removed_with_its_files(desk, make_worker, config):
    made = [submit(desk, write_rows(50)).id for _ in range(4)]
    worker = make_worker()
    worker.start()
    for job in made:
        wait_for(desk, job, lambda job: job.state.is_over)
    by_end = sorted(made, key=lambda job: (desk.get(job).ended_at, job))
    sizes = {job: desk.get(job).request.input_bytes + desk.get(job).output_bytes for job in made}

    def sweep(now=None, **changes):
        tools = worker.tools
        kept = replace(config, **changes)
        uploads = find_uploads(config)
        return Retention(kept, tools.store, tools.objects, uploads, clock=lambda: now or time.time()).sweep()

    assert sweep() == 0
    assert sweep(now=5.0) == 0  # a clock that was set back
    assert sweep(max_kept_bytes=sum(sizes.values()) - 1) == 1
    with pytest.raises(JobNotFound):
        desk.get(by_end[0])
    assert sweep(keep_s=0.0) == 3
    assert list((config.folder / "files").iterdir()) == []


def test_files_that_no_job_knows_are_removed_when_they_are_old(desk, make_worker, config):
    job = submit(desk, write_rows(5))
    old = time.time() - 3 * 86400
    for name in ("stray", job.id, "fresh"):
        path = config.folder / "files" / name / "input"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        if name != "fresh":
            os.utime(path, (old, old))
    upload = config.folder / "uploads" / "left"
    upload.touch()
    os.utime(upload, (old, old))
    make_worker().retention.sweep()
    assert {path.name for path in (config.folder / "files").iterdir()} == {job.id, "fresh"}
    assert not upload.exists()


def test_memory_stays_flat_however_long_a_file_is(tmp_path):
    """``JOB_ROWS=10000000`` makes it the long test; ``-s`` shows the memory of the worker over time."""
    rows = int(os.environ.get("JOB_ROWS", "300000"))
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    desk = JobDesk(load_config(write_config(tmp_path, url, "models.DoubleModel", lease_s=15)).jobs)
    upload = desk.begin_upload()
    upload.write(b"id,x,note\n")
    for begun in range(0, rows, 1000):
        upload.write(
            b"".join(b"%d,%d,a note to carry along\n" % (row, row % 997) for row in range(begun, begun + 1000))
        )
    job = desk.submit(upload, make_request(chunk_rows=1000), wanted_version=None)
    worker = WorkerProcess(tmp_path / "config.yaml")
    memory = []
    try:
        while not (seen := desk.get(job.id)).state.is_over:
            if seen.chunks:
                memory.append(int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[1]) * 4096 // 2**20)
            time.sleep(0.05)
    finally:
        worker.kill()
        desk.close()
    print("memory of the worker, MB over time:", *memory[:: max(1, len(memory) // 20)])
    assert (seen.state, seen.rows_done, seen.rows_failed) == (JobState.SUCCEEDED, rows, 0)
    assert seen.output_bytes > 30 * rows
    early = max(memory[: len(memory) // 4 + 1])
    assert max(memory) - early < 8, memory


def test_a_store_that_cannot_be_used_is_told(config, tmp_path):
    (tmp_path / "a-file").touch()
    store = ObjectStore(str(tmp_path / "a-file" / "below"))
    with pytest.raises(JobStoreUnavailable):
        store.write("x/y", b"z")


@pytest.mark.parametrize("blocked", ["folder", "database", "system"])
def test_a_folder_of_jobs_that_cannot_be_used_is_named_to_the_log_once_and_not_to_callers(
    tmp_path, monkeypatch, caplog, blocked
):
    monkeypatch.setattr(job_errors, "_told", {})
    folder = tmp_path / "data"
    if blocked == "folder":
        folder.touch()
    elif blocked == "system":
        folder = Path("/proc/x")  # nobody can make a folder there, and Linux says that none is found
    else:
        (folder / "jobs.sqlite").mkdir(parents=True)
    for _ in range(3):
        with pytest.raises(JobStoreUnavailable, match="operator") as caught:
            JobDesk(JobsConfig(folder=folder))
        assert str(folder) not in caught.value.message
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(folder) in record.getMessage()
    assert "jobs.folder" in record.getMessage()


def test_what_passes_by_itself_needs_no_operator(monkeypatch):
    monkeypatch.setattr(job_errors, "_told", {})
    with pytest.raises(JobStoreUnavailable) as caught, translated():
        raise OSError(errno.EIO, "Input/output error")
    assert "operator" not in caught.value.message


def test_a_parquet_file_is_made_at_the_end_of_the_chunks(desk, make_worker):
    job = submit(desk, write_rows(450), output_format="parquet")
    make_worker().start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.rows_total, done.chunks) == (JobState.SUCCEEDED, 450, 1)
    table = parquet.read_table(io.BytesIO(read_output(desk, job.id)))
    assert table.column("y").to_pylist()[1:4] == [2.0, 4.0, 6.0]
    assert table.num_rows == 450
    _, chunks = desk.read_output(job.id)
    assert len(chunks) == 1


@pytest.mark.parametrize("output_format", ["csv", "parquet"])
def test_a_job_in_a_bucket(tmp_path, bucket_url, manager, output_format):
    config = JobsConfig(folder=tmp_path / "data", store=bucket_url, chunk_rows=100, lease_s=5)
    desk, worker = JobDesk(config), LocalWorker(config, ("models.DoubleModel",))
    job = submit(desk, write_rows(450), output_format=output_format)
    worker.start()
    done = wait_for(desk, job.id, lambda job: job.state.is_over)
    assert (done.state, done.rows_total) == (JobState.SUCCEEDED, 450), done.problem
    content = read_output(desk, job.id)
    assert len(content) == done.output_bytes
    assert content.count(b"\n") == 451 or content.startswith(b"PAR1")
    assert desk.end(job.id) is None
    assert worker.tools.objects.list_jobs() == []
    worker.stop()
    desk.close()
