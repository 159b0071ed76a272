"""`ProcessBackend`: the model lives in a process of its own. This is the web side of it.

supervisor.py   keeps the processes alive          status.py       their state, in a file
worker.py       what a process runs                connection.py   calls over a Unix socket
                                                   frames.py       bytes <-> JSON
"""

import time
from collections.abc import Callable
from pathlib import Path

from model_service.backends.base import Backend, check_count
from model_service.backends.connection import ModelConnection
from model_service.backends.frames import Frame
from model_service.backends.status import ProcessStatus, read_status
from model_service.backends.supervisor import Supervisor, name_socket, name_status
from model_service.config import ModelConfig
from model_service.errors import ModelLoadFailed, ModelNotReady, OutputInvalid, PackageError, PredictionFailed
from model_service.records import ModelInfo, ModelState, Output, Payload, Problem, Violation

STATUS_POLL_S = 0.02
#: Between a process's own time to start and the moment nobody expects a word of the supervisor any more.
START_GRACE_S = 5


class RemoteTraceback(Exception):
    """The traceback of the model process, as the cause of our own error in the log."""


class ProcessBackend(Backend):
    """Calls one model in its processes, the least busy first.

    Args:
        config: The model's entry.
        folder: Where the supervisor of the parent process keeps the sockets; ``None`` when there is
            none, and the backend runs a supervisor of its own.
    """

    def __init__(self, config: ModelConfig, folder: Path | None = None) -> None:
        self._config = config
        self._folder = folder
        self._supervisor: Supervisor | None = None
        self._connections: list[ModelConnection] = []
        self._has_rules = False

    def describe(self) -> ModelInfo:
        (status, *_) = self._wait(lambda status: status.info is not None)
        assert status.info is not None
        return status.info

    def start(self) -> None:
        statuses = self._wait(lambda status: status.state is ModelState.READY)
        self._has_rules = any(status.has_rules for status in statuses)
        self._connections = [
            ModelConnection(name_socket(self._find_folder(), number), timeout_s=self._config.timeout_s)
            for number in range(self._config.replicas)
        ]

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        if self._connections and not self._has_rules:
            return [[] for _ in payloads]
        found = self._call({"op": "check", "payloads": payloads})["violations"]
        return [[Violation(*fields) for fields in violations] for violations in found]

    def run(self, payloads: list[Payload]) -> list[Output]:
        return check_count(payloads, self._call({"op": "run", "payloads": payloads})["outputs"])

    def describe_batching(self) -> str:
        return "batched"  # by the loop of the process, across the workers

    def find_problem(self) -> Problem | None:
        if self._folder is None:
            return None
        statuses = [read_status(name_status(self._folder, number)) for number in range(self._config.replicas)]
        problems = [status.problem if status is not None else None for status in statuses]
        return None if None in problems else problems[0]

    def stop(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.stop()
            self._folder = None

    def _call(self, frame: Frame) -> Frame:
        connections = self._connections
        if not connections:
            raise ModelNotReady("the model is not running")
        answer = min(connections, key=lambda connection: connection.load).call(frame)
        error = answer.get("error")
        if error is not None:
            kind = OutputInvalid if error["code"] == OutputInvalid.code else PredictionFailed
            raise kind(error["message"]) from RemoteTraceback(error["traceback"])
        return answer

    def _find_folder(self) -> Path:
        """Return where the sockets are, after starting a supervisor where there is none."""
        if self._folder is None:
            self._supervisor = Supervisor(self._config)
            self._supervisor.start()
            self._folder = self._supervisor.folder
        return self._folder

    def _wait(self, is_reached: Callable[[ProcessStatus], bool]) -> list[ProcessStatus]:
        """Return the status of every process once each has reached a point.

        Raises:
            PackageError: One of them has failed for good, or none of them said anything in time.
        """
        folder = self._find_folder()
        deadline = time.monotonic() + self._config.start_timeout_s + START_GRACE_S
        while time.monotonic() < deadline:
            found = [read_status(name_status(folder, number)) for number in range(self._config.replicas)]
            statuses = [status for status in found if status is not None]
            if len(statuses) == len(found) and all(map(is_reached, statuses)):
                return statuses
            for status in statuses:
                if status.problem is not None:
                    raise _restore(status.problem)
            time.sleep(STATUS_POLL_S)
        raise ModelLoadFailed(
            f"the process of '{self._config.class_path}' did not start",
            cause=f"there was no word from it within {self._config.start_timeout_s} s",
            remedy="raise start_timeout_s, or look for its lines in the log",
        )


def _restore(problem: Problem) -> PackageError:
    """Return the error that the problem was made of."""
    kinds = {kind.code: kind for kind in PackageError.__subclasses__()}
    return kinds.get(problem.code, ModelLoadFailed)(problem.problem, cause=problem.cause, remedy=problem.remedy)
