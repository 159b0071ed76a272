from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from model_service.errors import ConfigInvalid
from model_service.jobs.database import Database
from model_service.jobs.errors import DatabaseOutdated, JobStoreUnavailable
from model_service.jobs.records import JobRequest
from model_service.jobs.store import JobStore, make_id
from model_service.jobs.tables import JOBS, METADATA

NEWEST = "0002"


def test_the_migrations_make_the_tables_that_the_code_works_with(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_several_that_begin_at_once_make_the_tables_once(database_url):
    def begin(_):
        database = Database(database_url)
        database.require_newest(may_upgrade=False)
        revision = database.find_revision()
        database.close()
        return revision

    with ThreadPoolExecutor(6) as callers:
        assert set(callers.map(begin, range(6))) == {NEWEST}


@pytest.mark.parametrize("may_upgrade", [True, False])
def test_tables_of_a_newer_version_are_left_alone(database, may_upgrade):
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseOutdated, match="does not know"):
        database.require_newest(may_upgrade=may_upgrade)


def test_an_upgrade_that_is_not_needed_changes_nothing(database):
    database.upgrade()
    assert database.find_revision() == NEWEST


def test_jobs_of_older_tables_are_there_after_an_upgrade(database):
    store = JobStore(database)
    request = JobRequest(qualified_name="m", version="1", input_format="csv", output_format="csv")
    job = store.create(make_id(), request, max_waiting=1)
    with database.write() as connection:  # as revision 0001 left them
        connection.execute(sa.text("DROP INDEX jobs_by_callback"))
        for column in ("url", "state", "attempts", "problem"):
            connection.execute(sa.text(f"ALTER TABLE jobs DROP COLUMN callback_{column}"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(DatabaseOutdated, match="database upgrade"):
        database.require_newest(may_upgrade=False)
    database.require_newest(may_upgrade=True)
    assert store.get(job.id) == job


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "", "sqlite3:///x"])
def test_another_database_is_refused_in_words(url):
    with pytest.raises(ConfigInvalid, match=r"jobs\.database"):
        Database(url)


def test_a_server_that_is_away_is_told_without_its_password(postgresql):
    url = postgresql.make_database().replace("jobs@", "jobs:secret@").replace(str(postgresql.port), "1")
    database = Database(url)
    with pytest.raises(JobStoreUnavailable) as caught, database.read() as connection:
        connection.execute(sa.select(JOBS))
    assert "secret" not in caught.value.message
    assert "secret" not in database.name


def test_a_server_that_comes_back_is_found_again(postgresql):
    database = Database(postgresql.make_database())
    database.require_newest(may_upgrade=False)
    postgresql.pause()
    try:
        with pytest.raises(JobStoreUnavailable), database.read() as connection:
            connection.execute(sa.select(JOBS))
    finally:
        postgresql.resume()
    with database.read() as connection:
        assert connection.execute(sa.select(JOBS)).all() == []
    database.close()


def test_a_locked_database_is_told_and_works_again(tmp_path, monkeypatch):
    monkeypatch.setattr("model_service.jobs.database._LOCK_S", 0.1)
    database = Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    database.require_newest(may_upgrade=False)
    other = sa.create_engine(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    with other.connect() as holder:
        holder.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(JobStoreUnavailable, match="locked"), database.write() as connection:
            connection.execute(JOBS.delete())
    with database.write() as connection:
        connection.execute(JOBS.delete())
    other.dispose()
    database.close()


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "jobs.sqlite").write_text("no database at all, but a text of some length" * 100)
    with pytest.raises(JobStoreUnavailable, match="not a database"):
        Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}").require_newest(may_upgrade=True)
