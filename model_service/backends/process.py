"""`ProcessBackend`: the model lives in a process of its own. This is the web side of it.

supervisor.py   keeps the processes alive          status.py       their state, in a file
worker.py       what a process runs                connection.py   calls over a Unix socket
                                                   frames.py       bytes <-> JSON
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from model_service.backends.base import AsyncBackend, check_count
from model_service.backends.connection import Call, ModelConnection, make_call
from model_service.backends.frames import Frame
from model_service.backends.loop import ServiceLoop
from model_service.backends.service_rate import ServiceRate
from model_service.backends.status import ProcessStatus, StatusReader
from model_service.backends.supervisor import Supervisor, name_socket, name_status
from model_service.backends.ticket import RemoteTraceback, Ticket, announce
from model_service.config import ModelConfig
from model_service.errors import (
    CapacityError,
    ModelLoadFailed,
    ModelNotReady,
    OutputInvalid,
    PackageError,
    PayloadInvalid,
    PayloadTooLarge,
    PredictionFailed,
    QueueFull,
    ServiceError,
)
from model_service.records import Execution, ModelInfo, ModelState, Payload, Problem, Violation

STATUS_POLL_S = 0.02
#: Between a process's own time to start and the moment nobody expects a word of the supervisor any more.
START_GRACE_S = 5


class ProcessBackend(AsyncBackend):
    """Calls one model in its processes, the least busy first.

    Args:
        config: The model's entry.
        loop: The event loop in which it speaks to them.
        folder: Where the supervisor of the parent process keeps the sockets; ``None`` when there is
            none, and the backend runs a supervisor of its own.
    """

    def __init__(self, config: ModelConfig, loop: ServiceLoop, folder: Path | None = None) -> None:
        super().__init__(timeout_s=config.timeout_s)
        self._config = config
        self._loop = loop
        self._folder = folder
        self._supervisor: Supervisor | None = None
        self._readers: list[StatusReader] = []
        self._connections: list[ModelConnection] = []
        self._has_rules = True
        self._admission = threading.Lock()
        self._rows = 0
        self._rate = ServiceRate()
        self._last_answer = 0.0
        self._calls: dict[Ticket, tuple[ModelConnection, Call]] = {}

    @property
    def execution(self) -> Execution:
        return Execution.PROCESS

    @property
    def is_batching(self) -> bool:
        return True  # by the loop of the process, across the workers

    @property
    def has_rules(self) -> bool:
        return self._has_rules

    def describe(self) -> ModelInfo:
        (status, *_) = self._wait(lambda status: status.info is not None)
        assert status.info is not None
        return status.info

    def start(self) -> None:
        statuses = self._wait(lambda status: status.state is ModelState.READY)
        self._has_rules = any(status.has_rules for status in statuses)
        folder = self._find_folder()
        self._connections = [
            ModelConnection(name_socket(folder, number), self._loop, timeout_s=self._config.timeout_s)
            for number in range(self._config.replicas)
        ]
        for connection in self._connections:
            self._loop.post(connection.open)
        self._loop.every_tick(self._look)

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        if self._connections and not self._has_rules:
            return [[] for _ in payloads]
        answers: list[tuple[Frame | None, ServiceError | None]] = []
        is_over = threading.Event()

        def take(answer: Frame | None, error: ServiceError | None) -> None:
            answers.append((answer, error))
            is_over.set()

        deadline = time.monotonic() + self.timeout_s
        self._loop.post(self._send, make_call({"op": "check", "payloads": payloads}, deadline, take))
        is_over.wait()
        answer, error = answers.pop()
        error = error or (_find_error(answer) if answer is not None else None)
        if error is not None or answer is None:
            raise error or ModelNotReady("the model is not running")
        return [_restore_violations(fields) for fields in answer["violations"]]

    def submit(self, ticket: Ticket) -> None:
        rows = len(ticket.payloads)
        self._admit(rows, ticket.deadline)
        began = time.monotonic()
        try:
            call = make_call(
                {"op": "run", "payloads": ticket.payloads},
                ticket.deadline,
                lambda answer, error: self._finish(ticket, began, answer, error),
            )
        except BaseException:  # no frame can carry it
            self._leave(rows)
            raise
        self._loop.post(self._send_ticket, ticket, call)

    def find_refusal(self, rows: int, deadline: float) -> CapacityError | None:
        return None if self._has_room(rows, deadline) else self._refuse()

    def cancel(self, ticket: Ticket) -> None:
        ticket.is_over = True
        self._loop.post(self._cancel, ticket)

    def find_problem(self) -> Problem | None:
        if self._folder is None:
            return None
        statuses = [reader.read() for reader in self._readers]
        problems = [status.problem if status is not None else None for status in statuses]
        return None if None in problems or not problems else problems[0]

    def stop(self) -> None:
        self._loop.no_tick(self._look)
        connections, self._connections = self._connections, []
        for connection in connections:
            self._loop.post(connection.close)
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.stop()
            self._folder = None

    # Admission, in the thread of the caller

    def _admit(self, rows: int, deadline: float) -> None:
        most = self._config.max_queue_rows
        if not self._connections:
            raise ModelNotReady("the model is not running")
        if rows > most:
            raise PayloadTooLarge(f"{rows} rows in one request; this model accepts at most {most}")
        with self._admission:
            if not self._has_room(rows, deadline):
                raise self._refuse()
            self._rows += rows

    def _has_room(self, rows: int, deadline: float) -> bool:
        if self._rows > self._config.max_queue_rows - rows:
            return not self._rows
        return not self._rows or self._rate.estimate_s(self._rows) <= deadline - time.monotonic()

    def _refuse(self) -> QueueFull:
        wait_s = self._rate.choose_retry_after_s(self._rows)
        return QueueFull(f"{self._rows} rows wait for the model already", retry_after_s=wait_s)

    def _leave(self, rows: int) -> None:
        with self._admission:
            self._rows -= rows

    # Calls, in the loop

    def _send_ticket(self, ticket: Ticket, call: Call) -> None:
        if ticket.is_over:  # cancelled meanwhile
            self._leave(len(ticket.payloads))
            return
        connection = self._send(call)
        if not call.is_over and connection is not None:
            self._calls[ticket] = connection, call

    def _send(self, call: Call) -> ModelConnection | None:
        """Send a call to the least busy process, first to those that were there the last time."""
        connections = self._connections  # `stop` may take them away meanwhile
        if not connections:
            call.finish(None, ModelNotReady("the model is not running"))
            return None
        connection = min(connections, key=lambda each: (each.is_down, each.load))
        connection.send(call)
        return connection

    def _cancel(self, ticket: Ticket) -> None:
        connection, call = self._calls.pop(ticket, (None, None))
        if connection is not None and call is not None:
            self._leave(len(ticket.payloads))
            connection.cancel(call)

    def _finish(self, ticket: Ticket, began: float, answer: Frame | None, error: ServiceError | None) -> None:
        self._calls.pop(ticket, None)
        rows = len(ticket.payloads)
        self._leave(rows)
        if ticket.is_over:
            return
        if answer is not None:
            now = time.monotonic()
            self._rate.learn(now - max(self._last_answer, began), rows)
            self._last_answer = now
            error = _find_error(answer) or _find_refusal(answer)
        if error is None and answer is not None:
            try:
                ticket.outputs = check_count(ticket.payloads, answer["outputs"])
            except PredictionFailed as miscounted:
                error = miscounted.with_traceback(None)
        ticket.error = error
        ticket.is_over = True
        announce([ticket])

    def _look(self) -> None:
        for connection in self._connections:
            connection.look()

    # The start

    def _find_folder(self) -> Path:
        """Return where the sockets are, after starting a supervisor where there is none."""
        if self._folder is None:
            self._supervisor = Supervisor(self._config)
            self._supervisor.start()
            self._folder = self._supervisor.folder
        folder = self._folder
        self._readers = [StatusReader(name_status(folder, number)) for number in range(self._config.replicas)]
        return folder

    def _wait(self, is_reached: Callable[[ProcessStatus], bool]) -> list[ProcessStatus]:
        """Return the status of every process once each has reached a point.

        Raises:
            PackageError: One of them has failed for good, or none of them said anything in time.
        """
        self._find_folder()
        deadline = time.monotonic() + self._config.start_timeout_s + START_GRACE_S
        while time.monotonic() < deadline:
            found = [reader.read() for reader in self._readers]
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


def _find_error(answer: Frame) -> ServiceError | None:
    """Return the error of the model that an answer carries, if it does."""
    if "error" not in answer:
        return None
    fields = answer["error"]
    kind = OutputInvalid if fields["code"] == OutputInvalid.code else PredictionFailed
    error = kind(fields["message"])
    error.__cause__ = RemoteTraceback(fields["traceback"])
    return error


def _find_refusal(answer: Frame) -> ServiceError | None:
    """Return the error of a caller who broke a rule of the model, if one did."""
    if "outputs" not in answer and any(answer.get("violations", ())):
        violations = next(filter(None, answer["violations"]))
        return PayloadInvalid("a row breaks a rule of the model", _restore_violations(violations))
    return None


def _restore_violations(fields: list[list[str]]) -> list[Violation]:
    return [Violation(*each) for each in fields]


def _restore(problem: Problem) -> PackageError:
    """Return the error that the problem was made of."""
    kinds = {kind.code: kind for kind in PackageError.__subclasses__()}
    return kinds.get(problem.code, ModelLoadFailed)(problem.problem, cause=problem.cause, remedy=problem.remedy)
