"""The state of a model process, in a file beside its socket that every web process can read."""

import json
import os
import signal
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_service.records import Artifact, ModelInfo, ModelState, Problem

#: A process ends with it when the package is at fault and starting again is of no use.
EXIT_PACKAGE_BROKEN = 4
#: Asks a process to end. SIGTERM and SIGINT it ignores: both often reach the whole group, and the workers
#: still need the models to finish the requests they are running.
STOP_SIGNAL = signal.SIGUSR1


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """What a model process, or the supervisor in its place, says of it.

    Attributes:
        state: `failed` is final, unless `retry_at` says when another process is started.
        pid: The process that wrote it, or 0.
        info: Known from the moment the class was checked.
        has_rules: Whether the model has a `find_violations` of its own.
        problem: Set if and only if the state is `failed`.
        retry_at: When another process is started, on the clock of `time.monotonic`.
    """

    state: ModelState
    pid: int = 0
    info: ModelInfo | None = None
    has_rules: bool = False
    problem: Problem | None = None
    retry_at: float | None = None


def name_socket(folder: Path, number: int) -> Path:
    """Return the path of a process's socket."""
    return folder / f"{number}.sock"


def name_status(folder: Path, number: int) -> Path:
    """Return the path of a process's status file."""
    return folder / f"{number}.json"


def name_overdue(folder: Path, number: int) -> Path:
    """Return the path of the file in which a worker says which model process it has ended for being slow."""
    return folder / f"{number}.overdue"


def was_overdue(path: Path, pid: int) -> bool:
    """Whether a worker has ended a process because a prediction was past its deadline, which is no crash."""
    try:
        return path.read_text() == str(pid)
    except FileNotFoundError:
        return False


def write_status(path: Path, status: ProcessStatus) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(asdict(status)), encoding="utf-8")
    temporary.replace(path)


def read_status(path: Path) -> ProcessStatus | None:
    """Return the status, or ``None`` while there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return ProcessStatus(
        state=ModelState(document["state"]),
        pid=document["pid"],
        info=_read_info(document["info"]),
        has_rules=document["has_rules"],
        problem=Problem(**document["problem"]) if document["problem"] else None,
        retry_at=document["retry_at"],
    )


class StatusReader:
    """Reads one status file as often as anybody asks, and parses it only when it has changed. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[tuple[int, int], ProcessStatus | None] = ((0, 0), None)

    def read(self) -> ProcessStatus | None:
        """Return the status, or ``None`` while there is none."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        version = (stat.st_mtime_ns, stat.st_ino)
        if self._known[0] != version:
            self._known = (version, read_status(self._path))
        return self._known[1]


def _read_info(fields: dict[str, Any] | None) -> ModelInfo | None:
    if fields is None:
        return None
    info = ModelInfo(**fields)
    return replace(
        info,
        examples=tuple(fields["examples"]),
        artifacts=tuple(Artifact(**artifact) for artifact in fields["artifacts"]),
        warnings=tuple(fields["warnings"]),
    )
