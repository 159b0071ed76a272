"""`Replica`: one process of a model after another, on one socket: spawn, watch, start again or give up."""

import logging
import threading
import time
from pathlib import Path

from model_service.backends.process.listener import close_listener, open_listener
from model_service.backends.process.problems import (
    describe_change,
    describe_crashes,
    describe_failure,
    describe_lack,
    describe_no_interpreter,
)
from model_service.backends.process.restart_policy import Decision, End, RestartPolicy, Step
from model_service.backends.process.spawned import SpawnedProcess
from model_service.backends.process.status import (
    EXIT_PACKAGE_BROKEN,
    ProcessStatus,
    name_overdue,
    name_socket,
    name_status,
    read_status,
    was_overdue,
    write_status,
)
from model_service.config import ModelConfig
from model_service.home import name_signal
from model_service.metrics import families
from model_service.metrics.figures import Key
from model_service.metrics.meters import Meters
from model_service.records import ModelInfo, ModelState, Problem

logger = logging.getLogger(__name__)

#: How often a process's memory and start are looked at.
POLL_S = 0.1


class Replica:
    """Keeps one process of a model alive; in a thread of its own.

    Args:
        config: The model's entry.
        folder: Where its socket and its status are.
        number: Which of the model's processes it is.
        linger_s: Seconds that a process goes on for its callers when this one is killed.
        meters: Of this process; ``None`` where nothing is counted.
    """

    def __init__(
        self, config: ModelConfig, folder: Path, number: int, linger_s: float, meters: Meters | None = None
    ) -> None:
        self._config = config
        self._linger_s = linger_s
        self._name = config.class_path
        self._number = number
        self._meters = meters
        self._status_path = name_status(folder, number)
        self._overdue_path = name_overdue(folder, number)
        self._listener = open_listener(name_socket(folder, number))
        self._stopping = threading.Event()
        self._spawning = threading.Lock()
        self._spawned = threading.Event()
        self._process: SpawnedProcess | None = None
        self._policy = RestartPolicy()
        self._loaded: ModelInfo | None = None
        self._has_changed = False
        self._ready_at: float | None = None
        self._killed_for: str | None = None
        self._thread = threading.Thread(target=self._keep_alive, name=f"supervisor of {self._name}", daemon=True)

    def start(self) -> None:
        """Start the first process; returns when there is one."""
        if self._meters is not None:
            self._meters.watch(self._measure)
        self._thread.start()
        self._spawned.wait()

    @property
    def pid(self) -> int | None:
        """Its process, where there is one."""
        process = self._process
        return process.pid if process is not None and not process.has_ended() else None

    def begin_stop(self) -> None:
        """Ask the process to end, and start no other."""
        with self._spawning:  # from here on no process is started that would not get the signal
            self._stopping.set()
        if self._process is not None:
            self._process.stop()

    def finish_stop(self, timeout_s: float) -> None:
        """Wait for the end of the process, and kill it when that takes too long."""
        if self._meters is not None:
            self._meters.unwatch(self._measure)
        if self._spawned.is_set():
            self._thread.join(timeout_s)
            if self._process is not None:
                self._process.kill()
            self._thread.join()
        close_listener(self._listener)

    @property
    def _label(self) -> str:
        """What log lines call the model: its own name, once that is known."""
        return self._loaded.qualified_name if self._loaded is not None else self._name

    @property
    def _labels(self) -> tuple[str, str]:
        """Name and version of the model, once they are known."""
        info = self._loaded
        return (info.qualified_name, info.version) if info is not None else (families.NONE, families.NONE)

    def _measure(self) -> list[tuple[Key, float]]:
        process = self._process
        memory = process.measure_memory() if process is not None and self._loaded is not None else 0
        return [((families.MODEL_MEMORY.name, *self._labels, str(self._number)), memory)] if memory else []

    def _keep_alive(self) -> None:
        while True:
            with self._spawning:
                if self._stopping.is_set():
                    return
                try:
                    process = self._spawn()
                except OSError as error:
                    self._give_up(describe_no_interpreter(self._name, error))
                    return
                finally:
                    self._spawned.set()
            self._watch(process)
            process.finish_output(has_failed=not self._stopping.is_set() or self._says_why(process))
            if self._stopping.is_set():
                return
            if process.returncode == EXIT_PACKAGE_BROKEN:
                close_listener(self._listener)  # it has written why
                return
            if not self._prepare_next(process):
                return

    def _spawn(self) -> SpawnedProcess:
        self._killed_for = self._ready_at = None
        listener = self._listener.fileno()
        self._process = SpawnedProcess(
            self._config, listener, self._status_path, linger_s=self._linger_s, label=lambda: self._label
        )
        return self._process

    def _says_why(self, process: SpawnedProcess) -> bool:
        """Whether the process has written down why it failed."""
        status = read_status(self._status_path)
        return status is not None and status.pid == process.pid and status.problem is not None

    def _watch(self, process: SpawnedProcess) -> None:
        """Return when the process has ended; end it when it is not fit to serve."""
        started = time.monotonic()
        is_ready = False
        while not process.has_ended(POLL_S):
            if not is_ready:
                is_ready = self._look_at_status(process)
                if not is_ready and time.monotonic() - started > self._config.start_timeout_s:
                    self._kill(process, f"it did not start within {self._config.start_timeout_s} s")
            limit = self._config.max_memory_bytes
            if limit is not None and process.measure_memory() > limit:
                self._kill(process, f"it used more than {limit} bytes of memory")

    def _look_at_status(self, process: SpawnedProcess) -> bool:
        """Return whether the process is ready; end it when it is about to load something else than the one before."""
        status = read_status(self._status_path)
        if status is None or status.pid != process.pid:
            return False
        is_ready = status.state is ModelState.READY
        is_new = is_ready and self._ready_at is None
        if is_new:
            self._ready_at = time.monotonic()
        if self._loaded is None:
            self._loaded = status.info if is_ready else None
        elif status.info is not None and status.info != self._loaded:
            self._has_changed = True
            process.kill()
        elif is_new:
            logger.info("model process is back: pid %d", process.pid, extra={"model": self._label})
        return is_ready

    def _kill(self, process: SpawnedProcess, reason: str) -> None:
        self._killed_for = reason
        process.kill()

    def _prepare_next(self, process: SpawnedProcess) -> bool:
        """Wait until another process may be started; return whether one may ever."""
        self._look_at_status(process)  # it may have ended before it was looked at
        if self._has_changed:
            self._give_up(describe_change(self._name))
            return False
        # Another interpreter may lack the platform: then no process gets as far as the package.
        missing = process.find_missing_module() if self._config.python is not None else None
        if self._loaded is None and missing is not None:
            self._give_up(describe_lack(self._name, str(self._config.python), missing))
            return False
        end, reason = self._describe_end(process)
        lived_s = time.monotonic() - self._ready_at if self._ready_at is not None else 0.0
        decision = self._policy.decide(end, was_ready=self._loaded is not None, lived_s=lived_s)
        if decision.step is Step.GIVE_UP:
            self._give_up(describe_failure(self._name, reason))
            return False
        if decision.step is Step.OPEN:
            self._open_circuit(decision, reason)
        self._stopping.wait(decision.pause_s)
        if self._meters is not None and not self._stopping.is_set():
            self._meters.count(families.MODEL_RESTARTS, *self._labels)
        return True

    def _describe_end(self, process: SpawnedProcess) -> tuple[End, str]:
        end = End.CRASH
        if self._killed_for is not None:
            end, reason = End.UNFIT, f"it was ended because {self._killed_for}"
        elif was_overdue(self._overdue_path, process.pid):
            end, reason = End.OVERDUE, "it was ended because a prediction was past its deadline"
        elif process.returncode < 0:
            reason = f"it was ended by {name_signal(-process.returncode)}"
        else:
            reason = f"it ended by itself with status {process.returncode}"
        logger.error("model process ended: %s", reason, extra={"model": self._label})
        return end, reason

    def _open_circuit(self, decision: Decision, reason: str) -> None:
        """Publish that the model is stopped, and until when."""
        pause = f"{decision.pause_s:.0f} s"
        problem = describe_crashes(self._name, reason, pause)
        logger.error("model is stopped for %s after crashes", pause, extra={"model": self._label})
        self._publish(problem, retry_at=time.monotonic() + decision.pause_s)

    def _give_up(self, problem: Problem) -> None:
        """Publish why, then close the socket."""
        self._publish(problem)
        close_listener(self._listener)

    def _publish(self, problem: Problem, retry_at: float | None = None) -> None:
        info = self._loaded
        known = read_status(self._status_path)
        has_rules = known is not None and known.has_rules
        if info is None and known is not None:
            info = known.info
        status = ProcessStatus(ModelState.FAILED, 0, info, has_rules, problem, retry_at)
        write_status(self._status_path, status)
