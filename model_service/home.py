"""The folder that all processes of one running service share, and its end: the last one out removes it.

Each process holds a lock on it, which the kernel gives back however the process ends. So it is known of
every such folder whether anybody still uses it, and what a killed service left is removed by the next.
"""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from model_service.errors import ConfigInvalid

#: The configuration of the service, for its workers to read.
CONFIG_FILE = "config.yaml"
#: Where the processes of the service write what they count.
METRICS_FOLDER = "metrics"
#: A worker that could not even decide what to serve ends with one of them; another one would not do better. They are
#: those of the command line for configuration and packages at fault.
EXIT_CONFIG_WRONG, EXIT_PACKAGE_WRONG = 3, 4
#: The address of a Unix socket has room for so many bytes. The folder's own name takes 23 of them, that of a generation
#: in it 8, and a socket's, below the folder of its model, 17.
MOST_PATH_BYTES = (107 if sys.platform == "linux" else 103) - 23 - 8 - 17
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PREFIX, _LOCK, _CONTROL = "model-service-", "lock", "control"


def make_environment() -> dict[str, str]:
    """Return the environment of a process of the same interpreter that finds the packages which this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def name_signal(number: int) -> str:
    """Return what people call the signal that has ended a process."""
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


def measure_memory(pid: int) -> int:
    """Return the resident memory of a process in bytes; 0 where that is not known."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):  # it has just ended, or there is no /proc
        return 0


class Home:
    """A folder in the temporary directory that only this user can read.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Use it no more; remove it unless others do."""
        os.close(self._lock)
        # Only now: of two that leave together, each would find the other's lock, and neither would remove it.
        _remove_if_left(self.path)


def make_home() -> Home:
    """Return a new folder, after removing those that nobody uses any more.

    Raises:
        ConfigInvalid: No temporary directory can be written to, or its path leaves no room for the name of a socket.
    """
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        raise ConfigInvalid("no temporary directory can be written to; set TMPDIR to one that can") from None
    for path in Path(temporary).glob(f"{_PREFIX}*"):
        _remove_if_left(path)
    length = len(os.fsencode(temporary))
    if length > MOST_PATH_BYTES:
        raise ConfigInvalid(
            f"the path of the temporary directory has {length} bytes; Unix sockets in it allow {MOST_PATH_BYTES}: "
            "set TMPDIR to a shorter one"
        )
    # Not under its name before it is locked: to another service it would look as if it had been left.
    home = Home(Path(tempfile.mkdtemp(prefix=f".{_PREFIX}")))  # mkdtemp makes it 0700
    home.path = home.path.rename(home.path.with_name(home.path.name[1:]))
    return home


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):  # another user's, or it is gone
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


def list_controls() -> list[Path]:
    """Return the control sockets of the services that use the temporary directory of this process."""
    return sorted(path / _CONTROL for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))


def name_control(home: Path) -> Path:
    """Return the path of the Unix socket on which the parent of a service takes orders."""
    return home / _CONTROL


def name_generation(home: Path, number: int) -> Path:
    """Return the folder of one generation of a service: its configuration, and what its processes tell each other."""
    return home / str(number)


def agree(path: Path, text: str) -> str:
    """Return what stands in a file, or, for the first process that asks, what is written into it now."""
    own = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    own.write_text(text, encoding="utf-8")
    try:
        os.link(own, path)  # in one step, and only where there is none yet
    except FileExistsError:
        return path.read_text(encoding="utf-8")
    finally:
        own.unlink()
    return text


def is_first(path: Path) -> bool:
    """Whether this process is the first one that asks for a path, which is made by that."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True


# In the folder of a generation


def name_retirement(folder: Path, number: int) -> Path:
    """Return the file that says that a worker accepts no more, because another generation does."""
    return folder / f"retired-{number}"


def name_presence(folder: Path, number: int) -> Path:
    """Return the file by which a worker says that it accepts."""
    return folder / f"worker-{number}"


def name_grpc_presence(folder: Path, number: int) -> Path:
    """Return the file by which a worker says that it accepts calls of gRPC."""
    return folder / f"worker-{number}-grpc"


def name_report(folder: Path, number: int) -> Path:
    """Return the file in which a worker keeps what it serves with."""
    return folder / f"worker-{number}.json"


def name_readiness(folder: Path) -> Path:
    """Return the file by which the first worker says that its models have been loaded, once for the whole service."""
    return folder / "ready"


def name_permission(folder: Path) -> Path:
    """Return the file by which the parent lets the workers of a generation accept that had to wait for it."""
    return folder / "may-accept"


def name_loaded(folder: Path) -> Path:
    """Return the file, in the folder of a model, that holds the digest of what has been loaded."""
    return folder / "loaded"
