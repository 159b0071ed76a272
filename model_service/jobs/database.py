"""The database of jobs: SQLite in WAL mode, or PostgreSQL; its transactions, its errors, its migrations.

Who reads and writes it holds no transaction while it waits for anything else.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from model_service.errors import ConfigInvalid, MissingDependency
from model_service.jobs.errors import DatabaseOutdated, JobStoreUnavailable, StorageFull

_MIGRATIONS = Path(__file__).parent / "migrations"
#: So long a transaction waits for another one's lock, a connection for the server, a statement for its end.
_LOCK_S, _CONNECT_S, _STATEMENT_S = 10, 5, 30
#: After so long PostgreSQL ends a transaction of a process that was stopped in it, so that its locks hold up nobody.
_SILENCE_S = 5
#: How often one tries again where SQLite does not wait by itself.
_AGAIN_S = 0.02
#: Any number; the same for all who migrate one PostgreSQL database at once.
_MIGRATION_LOCK = 7_302_041


class Database:
    """One database and its connections. Thread-safe.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.

    Raises:
        ConfigInvalid: It is no such URL.
        MissingDependency: The driver of PostgreSQL is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
        except ArgumentError:
            raise ConfigInvalid("'jobs.database' is no URL; write postgresql://user@host/name") from None
        if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ConfigInvalid("'jobs.database' must begin with postgresql:// or sqlite:///")
        self._is_sqlite = parsed.drivername == "sqlite"
        #: What messages call it: no password, no user.
        self.name = str(parsed.database) if self._is_sqlite else f"PostgreSQL at {parsed.host or 'a local socket'}"
        self.engine = self._make_sqlite(parsed) if self._is_sqlite else self._make_postgresql(parsed)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that changes nothing.

        Raises:
            JobStoreUnavailable: The database cannot be reached.
        """
        with self._translated(), self.engine.connect() as connection:
            if not self._is_sqlite:  # which sees one moment anyway
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is over, or has never been, when the block is left.

        Raises:
            JobStoreUnavailable: The database cannot be reached, or somebody keeps it locked. Of a commit that was
                under way it is not known whether it came about.
            StorageFull: Its disk is full.
        """
        with self._translated(), self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def upgrade(self) -> None:
        """Bring the tables to the newest form; several processes may do so at once.

        Raises:
            JobStoreUnavailable, StorageFull: As `write`.
        """
        with self.write() as connection:
            if not self._is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            script = ScriptDirectory(str(_MIGRATIONS))
            # As Alembic's own documentation of `EnvironmentContext` does it.
            steps = lambda revision, _: script._upgrade_revs("head", revision)  # noqa: E731
            with EnvironmentContext(Config(), script, fn=steps) as context:
                context.configure(connection=connection, transactional_ddl=False)
                context.run_migrations()

    def require_newest(self, *, may_upgrade: bool) -> None:
        """Make sure that the tables are what this version works with; make them where there are none.

        Args:
            may_upgrade: Whether older tables may be changed.

        Raises:
            DatabaseOutdated: They are older, or of a newer version of the service.
            JobStoreUnavailable, StorageFull: As `write`.
        """
        found = self.find_revision()
        newest = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
        if found == newest:
            return
        if found is None or (may_upgrade and found in _list_revisions()):
            self.upgrade()
        elif found in _list_revisions():
            raise DatabaseOutdated(
                f"the tables of jobs have revision {found}, and this version needs {newest}: run "
                "'model-service database upgrade', or set 'jobs.upgrade_database: true'"
            )
        else:
            raise DatabaseOutdated(
                f"the tables of jobs have revision {found}, which this version does not know: a newer version of the "
                "service has changed them; run that one"
            )

    def find_revision(self) -> str | None:
        """Return the revision of the tables; ``None`` where there are none."""
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return revision

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._explain(error) from None
        except PoolTimeout:
            raise JobStoreUnavailable("the database of jobs has no connection left", retry_after_s=2) from None

    def _explain(self, error: DBAPIError) -> JobStoreUnavailable | StorageFull:
        # The first line of the driver; what follows repeats the statement.
        reason = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        if "disk is full" in reason or "No space left" in reason:
            return StorageFull("the disk of the jobs' database is full; free space on it", retry_after_s=30)
        return JobStoreUnavailable(f"the database of jobs cannot be used: {reason}", retry_after_s=5)

    def _make_sqlite(self, url: sa.URL) -> sa.Engine:
        engine = sa.create_engine(url, connect_args={"timeout": _LOCK_S, "check_same_thread": False})

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, record: object) -> None:
            connection.isolation_level = None  # `begin` below says when a transaction begins
            _use_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")  # an accepted job outlives a power cut
            connection.execute("PRAGMA foreign_keys=ON")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            # A transaction that reads before it writes could not wait for another's lock.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def _make_postgresql(self, url: sa.URL) -> sa.Engine:
        bounds = {
            "statement_timeout": _STATEMENT_S,
            "lock_timeout": _LOCK_S,
            "idle_in_transaction_session_timeout": _SILENCE_S,
        }
        options = " ".join(f"-c {name}={seconds}s" for name, seconds in bounds.items())
        arguments = {"connect_timeout": _CONNECT_S, "options": options, "tcp_user_timeout": _STATEMENT_S * 1000}
        try:
            return sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args=arguments,
                pool_pre_ping=True,
                pool_timeout=_CONNECT_S,
            )
        except (ModuleNotFoundError, NoSuchModuleError):
            raise MissingDependency(
                "a PostgreSQL database needs its driver: pip install 'model-service[postgresql]'"
            ) from None


def _list_revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def _use_wal(connection: Any) -> None:
    """Let who reads not wait for who writes. SQLite does not wait for this change, as it does for every other lock."""
    latest = time.monotonic() + _LOCK_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > latest:
                raise
            time.sleep(_AGAIN_S)
