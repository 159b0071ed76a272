"""Where jobs are kept, and the way in for processes that have not loaded what jobs need. It imports no library."""

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_service.config import JobsConfig
from model_service.errors import MissingDependency

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


def open_desk(config: JobsConfig) -> "JobDesk":
    """Return what the doors call; its libraries are loaded now.

    Raises:
        MissingDependency: The extra is not installed.
        ConfigInvalid, DatabaseOutdated, JobStoreUnavailable, StorageFull: From the desk.
    """
    desk: JobDesk = load("desk").JobDesk(config)
    return desk
