"""Where jobs are kept, and `JobAccess`, the way in for processes that serve without jobs. It imports no library."""

import importlib
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_service.config_jobs import JobsConfig
from model_service.errors import MissingDependency
from model_service.jobs.errors import job_not_found

if TYPE_CHECKING:
    from model_service.jobs.desk import JobDesk

_LIBRARIES = ("sqlalchemy", "alembic", "fsspec")
_FILE = "jobs.sqlite"


def find_database_url(config: JobsConfig) -> str:
    """Return the URL of the database."""
    return config.database or f"sqlite:///{config.folder / _FILE}"


def find_store_url(config: JobsConfig) -> str:
    """Return where inputs and outputs are kept."""
    return config.store or str(config.folder / "files")


def find_uploads(config: JobsConfig) -> Path:
    """Return the folder of this machine that uploads arrive in."""
    return config.folder / "uploads"


def are_installed() -> bool:
    """Whether the extra is."""
    return all(find_spec(name) is not None for name in _LIBRARIES)


def have_begun(config: JobsConfig) -> bool:
    """Whether there may be work for a worker: there is a database."""
    return config.database is not None or (config.folder / _FILE).exists()


def load(module: str) -> Any:
    """Return a module of this package that needs the extra.

    Raises:
        MissingDependency: It is not installed.
    """
    if not are_installed():
        raise MissingDependency("jobs need more libraries: pip install 'model-service[jobs]'")
    return importlib.import_module(f"model_service.jobs.{module}")


class JobAccess:
    """The desk of one process, which is opened when it is first needed. Thread-safe.

    Args:
        config: Where jobs are kept.
    """

    def __init__(self, config: JobsConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._desk: JobDesk | None = None

    def are_offered(self) -> bool:
        """Whether files can be sent: what jobs need is installed."""
        return are_installed()

    def open(self) -> "JobDesk":
        """Return the desk; the first time, libraries are loaded and a database may be made.

        Raises:
            MissingDependency: The extra is not installed.
            ConfigInvalid, DatabaseOutdated, JobStoreUnavailable, StorageFull: From the desk.
        """
        with self._lock:
            if self._desk is None:
                self._desk = load("desk").JobDesk(self.config)
            return self._desk

    def find(self) -> "JobDesk | None":
        """Return the desk, or ``None`` where there cannot be a job: to look for one makes no database.

        Raises:
            MissingDependency, ConfigInvalid, DatabaseOutdated, JobStoreUnavailable, StorageFull: As `open`.
        """
        return self.open() if self._desk is not None or have_begun(self.config) else None

    def require(self) -> "JobDesk":
        """Return the desk for who looks for one job.

        Raises:
            JobNotFound: There cannot be a job.
            MissingDependency, ConfigInvalid, DatabaseOutdated, JobStoreUnavailable, StorageFull: As `open`.
        """
        desk = self.find()
        if desk is None:
            raise job_not_found()
        return desk

    def close(self) -> None:
        """Close its connections."""
        with self._lock:
            if self._desk is not None:
                self._desk.close()
                self._desk = None
