"""`Fleet`: the processes of one generation of a service, as the parent keeps them: workers, model processes, jobs.

    staged ──> serving ──> retiring ──> ended
       └──────────────────────────────────^

A generation that follows another is *staged*: its workers load their models and wait. Once they may accept, it
*serves*. The one before *retires*: its workers leave the sockets, which all generations share, to the new ones, answer
what they have accepted, each answer with the wish to close the connection, and end when nobody is connected any more.
No socket is closed for good while a connection waits in it, so none is lost. Only in a fleet that serves is a lost
worker replaced.
"""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from model_service.backends import find_backend
from model_service.backends.base import ParentPart
from model_service.config import ModelConfig, ServiceConfig, name_entry
from model_service.config_file import write_config
from model_service.home import (
    CONFIG_FILE,
    Home,
    make_environment,
    name_generation,
    name_grpc_presence,
    name_loaded,
    name_permission,
    name_presence,
    name_report,
    name_retirement,
)
from model_service.jobs.parent_part import JobProcesses
from model_service.listening import Listener
from model_service.metrics import families
from model_service.metrics.meters import Meters
from model_service.reporting import WorkerReport, read_report
from model_service.worker_place import WorkerPlace

#: Time that a worker has to close its models, beside what its requests have.
CLOSE_S = 6.0


class FleetState(Enum):
    """Where a generation stands."""

    STAGED = "staged"
    SERVING = "serving"
    RETIRING = "retiring"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands while generations come and go.

    Attributes:
        listener: The listening sockets.
        home: The folder of the service.
        pipe: File descriptor whose other end ends with the parent.
        workers: How many each generation has.
        fail: Ends the service with an exit code.
        meters: Count what the parent sees; ``None`` where nothing is counted.
        ending: Set when the service ends.
    """

    listener: Listener
    home: Home
    pipe: int
    workers: int
    fail: Callable[[int], object]
    meters: Meters | None = None
    ending: threading.Event = field(default_factory=threading.Event)


class Fleet:
    """The processes of one generation.

    Args:
        standing: What all generations share.
        number: Of this one, from 1.
        config: What it serves.
        state: `FleetState.SERVING` for the first one, which accepts before its models are loaded.
        digests: By the name of an entry, what its model must be: for a generation that was there before.
    """

    def __init__(
        self,
        standing: Standing,
        number: int,
        config: ServiceConfig,
        *,
        state: FleetState = FleetState.SERVING,
        digests: dict[str, str] | None = None,
    ) -> None:
        self.number = number
        self.config = config
        self.state = state
        self.started = time.time()
        self.folder = name_generation(standing.home.path, number)
        self._standing = standing
        self._is_staged_from_start = state is FleetState.STAGED
        self._lost: list[int] = []
        self._lock = threading.Lock()
        self.folder.mkdir()
        write_config(config, self.folder / CONFIG_FILE)
        entries = {name_entry(model): model for model in config.models}
        for name in entries:
            (self.folder / name).mkdir()
            if digests and name in digests:
                name_loaded(self.folder / name).write_text(digests[name])
        parts = [(name, self._make_parent_part(name, model)) for name, model in entries.items()]
        self._parts = {name: part for name, part in parts if part is not None}
        self._jobs = JobProcesses(config.jobs, standing.home.path, number, standing.pipe)
        self._places = [WorkerPlace(self, number) for number in range(standing.workers)]

    # Its way

    def start(self) -> None:
        """Start everything but the jobs of a staged fleet."""
        for part in self._parts.values():
            part.start()
        for place in self._places:
            place.start()
        if self.state is FleetState.SERVING:
            self._jobs.start()

    def promote(self) -> bool:
        """Let a staged fleet serve; return whether it could: it cannot once a worker of it has ended."""
        with self._lock:
            if self._lost:
                return False
            self.state = FleetState.SERVING
        name_permission(self.folder).touch()
        self._jobs.start()
        return True

    def accepts(self) -> bool:
        """Whether all of its workers have said that they accept, calls of gRPC too where there are any."""
        names = [name_presence, *([name_grpc_presence] if self.config.server.grpc_port is not None else [])]
        return all(name(self.folder, place.number).exists() for name in names for place in self._places)

    def retire(self) -> None:
        """Let its workers finish what they have accepted, and accept no more; see `has_retired`."""
        with self._lock:
            self.state = FleetState.RETIRING
        self._jobs.begin_stop()
        for place in self._places:
            place.retire(is_accepting=name_presence(self.folder, place.number).exists())

    def has_stepped_aside(self) -> bool:
        """Whether all of its workers accept no more."""
        return all(name_retirement(self.folder, place.number).exists() or place.wait(0) for place in self._places)

    def has_retired(self) -> bool:
        """Whether all of its workers have ended."""
        return all(place.wait(0) for place in self._places)

    def begin_end(self) -> None:
        """Ask all workers and the jobs to end: what has been accepted is answered."""
        with self._lock:
            self.state = FleetState.ENDED
        self._jobs.begin_stop()
        for place in self._places:
            place.begin_end()

    def end(self, deadline: float, is_urgent: Callable[[], bool]) -> None:
        """Wait for the workers until a moment of `time.monotonic`, then end what is left of them, and the rest.

        Args:
            deadline: By which workers that have not ended are killed.
            is_urgent: Whether somebody asks for the end at once.
        """
        self.begin_end()
        for place in self._places:
            while not place.wait(0.1):
                if time.monotonic() > deadline or is_urgent():
                    place.kill()
        self._jobs.stop(time.monotonic() + CLOSE_S)
        for part in self._parts.values():
            part.begin_stop()
        for part in self._parts.values():
            part.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What is known of it

    @property
    def workers(self) -> int:
        """How many workers it has, or is about to have."""
        return self._standing.workers

    def list_losses(self) -> list[int]:
        """Return how workers of a staged fleet have ended."""
        return list(self._lost)

    def read_reports(self) -> list[WorkerReport]:
        """Return what its workers say; those that have not said anything yet are left out."""
        reports = [read_report(name_report(self.folder, place.number)) for place in self._places]
        return [report for report in reports if report is not None]

    def read_digests(self) -> dict[str, str]:
        """Return, by the name of an entry, what has been loaded for it."""
        found = {name_entry(model): name_loaded(self.folder / name_entry(model)) for model in self.config.models}
        return {name: path.read_text() for name, path in found.items() if path.exists()}

    def list_processes(self) -> Iterator[tuple[str, int]]:
        """Yield what each process is for, and its number: ``worker``, ``jobs``, or the class of a model."""
        for place in self._places:
            if (pid := place.pid) is not None:
                yield "worker", pid
        classes = {name_entry(model): model.class_path for model in self.config.models}
        for name, part in self._parts.items():
            for pid in part.list_pids():
                yield f"model {classes[name]}", pid
        for pid in self._jobs.list_pids():
            yield "jobs", pid

    # For its places

    def may_spawn(self, *, is_replacement: bool) -> bool:
        """Whether a worker may be started: also in the place of one that was lost."""
        if self._standing.ending.is_set():
            return False
        return self.state is FleetState.SERVING or (self.state is FleetState.STAGED and not is_replacement)

    def note_loss(self, code: int) -> bool:
        """Note that a worker has ended; return whether the fleet is staged, and fails for it."""
        with self._lock:
            if self.state is FleetState.STAGED:
                self._lost.append(code)
                return True
            return False

    def fail(self, code: int) -> None:
        """End the service: its workers cannot be kept alive."""
        self._standing.fail(code)

    def pause(self, seconds: float) -> None:
        """Sleep, or until the service ends."""
        self._standing.ending.wait(seconds)

    def spawn(self, number: int, *, is_replacement: bool) -> "subprocess.Popen[bytes]":
        """Start a worker."""
        standing = self._standing
        sockets = standing.listener.filenos()
        is_staged = self._is_staged_from_start and not is_replacement
        if is_replacement and standing.meters is not None:
            standing.meters.count(families.WORKER_RESTARTS)
        return subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-m", "model_service.worker", "--home", str(standing.home.path)),
                *("--generation", str(self.number), "--sockets", ",".join(map(str, sockets))),
                *("--pipe", str(standing.pipe), "--number", str(number)),
                *(["--replacement"] if is_replacement else []),
                *(["--staged"] if is_staged else []),
            ],
            pass_fds=[*sockets, standing.pipe],
            env=make_environment(),
            stdin=subprocess.DEVNULL,
        )

    def is_present(self, number: int) -> bool:
        """Return whether a worker accepts connections."""
        return name_presence(self.folder, number).exists()

    def miss(self, number: int) -> None:
        """Tell the others that a worker has ended: they accept from its socket until there is another."""
        for name in (name_presence, name_grpc_presence):
            name(self.folder, number).unlink(missing_ok=True)

    def _make_parent_part(self, name: str, model: ModelConfig) -> ParentPart | None:
        linger_s = self.config.server.shutdown_timeout_s + CLOSE_S
        folder: Path = self.folder / name
        backend, meters = find_backend(model.backend), self._standing.meters
        return backend.make_parent_part(model, folder, linger_s=linger_s, meters=meters)
