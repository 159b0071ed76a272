"""Workers of jobs in processes of their own, and in a thread of this one, and files for them."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configurations import make_config
from serving import TESTS

from model_service.config import ModelConfig
from model_service.config_jobs import JobsConfig
from model_service.jobs.claims import JobClaims
from model_service.jobs.desk import JobDesk, open_database
from model_service.jobs.models import JobModels
from model_service.jobs.objects import ObjectStore
from model_service.jobs.places import find_store_url, find_uploads
from model_service.jobs.records import Job, JobRequest
from model_service.jobs.retention import Retention
from model_service.jobs.run import Tools
from model_service.jobs.store import JobStore
from model_service.jobs.worker import JobWorker

WAIT_S = 90


class WorkerProcess:
    """``model-service work`` on a configuration."""

    def __init__(self, config: Path) -> None:
        self.log = config.with_suffix(f".{random.getrandbits(32):x}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "model_service", "--config", str(config), "work"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a machine does that loses its power."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_S)


class LocalWorker:
    """A worker in a thread of this process, with what it works with."""

    def __init__(self, config: JobsConfig, models: tuple[str | ModelConfig, ...]) -> None:
        self.database = open_database(config)
        self.stopping = threading.Event()
        store, files = JobStore(self.database), ObjectStore(find_store_url(config))
        self.tools = Tools(
            config=config,
            store=store,
            claims=JobClaims(self.database, lease_s=config.lease_s),
            objects=files,
            models=JobModels(make_config(*models), None),
            stopping=self.stopping,
        )
        self.retention = Retention(config, store, files, find_uploads(config))
        self._thread = threading.Thread(target=JobWorker(self.tools, self.retention).run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join(60)
            assert not self._thread.is_alive()
        self.database.close()


def write_config(folder: Path, database: str, *models: str, **jobs: Any) -> Path:
    """Write a configuration with small chunks and short leases; return its path."""
    path = folder / "config.yaml"
    section = {"folder": str(folder / "data"), "database": database, "chunk_rows": 100, "lease_s": 0.5, **jobs}
    path.write_text(json.dumps({"models": [{"class": model} for model in models], "jobs": section}))
    return path


def make_request(**changes: Any) -> JobRequest:
    """Return a request for the doubling model."""
    return JobRequest(
        **{
            "qualified_name": "double_model",
            "version": "1.0.0",
            "input_format": "csv",
            "output_format": "csv",
            "chunk_rows": 100,
            **changes,
        }
    )


def submit(desk: JobDesk, content: bytes, **changes: Any) -> Job:
    """Make a job of a file."""
    request = make_request(**changes)
    upload = desk.begin_upload()
    try:
        upload.write(content)
        return desk.submit(upload, request, wanted_version=None)
    finally:
        upload.discard()


def read_output(desk: JobDesk, job_id: str) -> bytes:
    """Return all output of a job so far."""
    _, chunks = desk.read_output(job_id)
    parts = [desk.read_part(job_id, chunk, 0, chunk.size) for chunk in chunks if chunk.size]
    return b"".join(parts)


def wait_for(desk: JobDesk, job_id: str, is_reached: Callable[[Job], bool]) -> Job:
    """Return a job once something holds for it; a busy machine may take its time, as long as the job gets on."""
    revision, deadline = -1, time.monotonic() + WAIT_S
    while not is_reached(job := desk.get(job_id)):
        if job.revision != revision:
            revision, deadline = job.revision, time.monotonic() + WAIT_S
        assert time.monotonic() < deadline, job
        time.sleep(0.005)
    return job


def write_rows(count: int) -> bytes:
    """Return a CSV file for the doubling model, in which some rows are wrong."""
    rows = [f"{number},{number % 997 if number % 37 else 'x'},note {number}" for number in range(count)]
    return ("id,x,note\n" + "\n".join(rows) + "\n").encode()
