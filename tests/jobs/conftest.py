"""Stores of jobs on SQLite and on a real PostgreSQL."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from buckets import make_bucket, serve_buckets
from jobs_workers import LocalWorker
from postgresql import PostgreSQL

from model_service.config_jobs import JobsConfig
from model_service.jobs.database import Database
from model_service.jobs.desk import JobDesk


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server of PostgreSQL for the whole run."""
    with PostgreSQL.start() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    return request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[[], Database]]:
    """Return a function that opens the database once more, as another process would, with its tables."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(Database(database_url))
        opened[-1].require_newest(may_upgrade=False)
        return opened[-1]

    yield open_again
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    """A database with its tables."""
    return open_database()


@pytest.fixture(scope="session")
def buckets() -> Iterator[dict[str, str]]:
    """The environment that leads to a server of S3."""
    with serve_buckets() as environment:
        yield environment


@pytest.fixture
def bucket_url(buckets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a folder in a new bucket."""
    bucket = f"jobs-{secrets.token_hex(4)}"
    make_bucket(buckets, monkeypatch, bucket)
    return f"s3://{bucket}/files"


@pytest.fixture
def config(tmp_path, database_url):
    """Where jobs are kept, in small chunks."""
    return JobsConfig(folder=tmp_path / "data", database=database_url, chunk_rows=100, lease_s=5)


@pytest.fixture
def desk(config):
    """The desk of the jobs."""
    desk = JobDesk(config)
    yield desk
    desk.close()


@pytest.fixture
def make_worker(config, manager):
    """Return a function that makes a worker, which is stopped in the end."""
    made = []

    def make(*models, **changes):
        made.append(LocalWorker(replace(config, **changes), models or ("models.DoubleModel",)))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()
