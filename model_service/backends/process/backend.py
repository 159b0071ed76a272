"""`ProcessBackend`: the side of a worker of a model that lives in processes of its own."""

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from model_service.backends.admission import Admission
from model_service.backends.base import AsyncBackend, Backend, Host, ParentPart, check_count
from model_service.backends.local import LocalBackend
from model_service.backends.process.answers import restore_error, restore_fault, restore_outcomes, restore_violations
from model_service.backends.process.arrivals import Arrivals
from model_service.backends.process.connection import Call, ModelConnection, make_call
from model_service.backends.process.frames import Frame
from model_service.backends.process.status import ProcessStatus, StatusReader, name_status
from model_service.backends.process.supervisor import Supervisor
from model_service.backends.process.suspects import Suspects
from model_service.backends.process.unqueued import Unqueued
from model_service.backends.questions import Questions
from model_service.backends.ticket import Ticket, announce
from model_service.config import ModelConfig
from model_service.errors import (
    CapacityError,
    ModelLoadFailed,
    ModelNotReady,
    PredictionFailed,
    PredictionTimeout,
    ServiceError,
)
from model_service.metrics.meters import Meters
from model_service.metrics.model_meter import ModelMeter
from model_service.observability import get_request_id
from model_service.records import Execution, Explanation, ModelInfo, ModelState, Output, Payload, Problem, Violation
from model_service.tracing.calls import SentCall

STATUS_POLL_S = 0.02
#: Between a process's own time to start and the moment nobody expects a word of the supervisor any more.
START_GRACE_S = 5
#: A caller that waits for the model's rules gives the loop, which ends what is overdue, so long to say so.
_GRACE_S = 1.0


class ProcessBackend(AsyncBackend):
    """Calls one model in its processes, the least busy first. Arguments as `Backend`.

    Without a folder of the host it runs a supervisor of its own.
    """

    def __init__(self, config: ModelConfig, host: Host) -> None:
        super().__init__(config, host)
        self._loop = host.loop
        self._folder = host.folder
        self._supervisor: Supervisor | None = None
        self._readers: list[StatusReader] = []
        self._connections: list[ModelConnection] = []
        self._has_rules = True
        self._lock = threading.Lock()
        self._admission = Admission(config)
        self._suspects = Suspects()
        self._arrivals = Arrivals(self._admission.rate)
        self._calls: dict[Ticket, Call] = {}
        self._meter: ModelMeter | None = None

    @classmethod
    def make_parent_part(
        cls, config: ModelConfig, folder: Path, *, linger_s: float, meters: Meters | None = None
    ) -> ParentPart:
        return Supervisor(config, folder, linger_s=linger_s, meters=meters)

    @classmethod
    def peek(cls, config: ModelConfig, host: Host) -> ModelInfo:
        if config.python is not None:
            return super().peek(config, host)
        return LocalBackend.peek(config, host)  # that takes no process

    @property
    def execution(self) -> Execution:
        return Execution.PROCESS

    @property
    def is_batching(self) -> bool:
        return True  # by the queue of the process, across the workers

    @property
    def has_rules(self) -> bool:
        return self._has_rules

    @property
    def unqueued(self) -> Backend:
        return Unqueued(self._config, self)

    @property
    def queued_rows(self) -> int:
        return self._admission.rows

    @property
    def is_idle(self) -> bool:
        return not self._admission.rows

    @property
    def tickets(self) -> int:
        return len(self._calls)

    def note_in(self, meter: ModelMeter) -> None:
        self._meter = meter
        for connection in self._connections:
            connection.note_rows = meter.batches.append

    def describe(self) -> ModelInfo:
        (status, *_) = self._wait(lambda status: status.info is not None)
        assert status.info is not None
        return status.info

    def start(self) -> None:
        statuses = self._wait(lambda status: status.state is ModelState.READY)
        self._has_rules = any(status.has_rules for status in statuses)
        folder = self._find_folder()
        self._connections = [
            ModelConnection(folder, number, self._loop, timeout_s=self.timeout_s, resend=self._resend)
            for number in range(self._config.replicas)
        ]
        for connection in self._connections:
            self._loop.post(connection.open)
        self._loop.every_tick(self._look)

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        if self._connections and not self._has_rules:
            return [[] for _ in payloads]
        answer = self.ask({"op": "check", "payloads": payloads})
        return [restore_violations(fields) for fields in answer["violations"]]

    def explain(self, payload: Payload, output: Output, questions: Questions) -> Explanation:
        frame = {"op": "explain", "payloads": [payload], "output": output, "request_id": get_request_id() or ""}
        answer = self.ask(frame, questions.deadline)
        questions.rows = answer["rows"]
        explanation: Explanation = answer["explanation"]
        return explanation

    def ask(self, frame: Frame, deadline: float | None = None) -> Frame:
        """Send a frame past the queue of this worker and wait for the answer; for any thread but the loop's.

        Args:
            frame: What is asked.
            deadline: Until when, on the clock of `time.monotonic`; `timeout_s` from now without.

        Raises:
            ServiceError: The answer is one, or there is none in time.
        """
        if deadline is None:
            deadline = time.monotonic() + self.timeout_s
        answers: list[tuple[Frame | None, ServiceError | None]] = []
        is_over = threading.Event()

        def take(answer: Frame | None, error: ServiceError | None) -> None:
            answers.append((answer, error))
            is_over.set()

        self._loop.post(self._send, make_call(frame, deadline, take))
        is_over.wait(max(0.0, deadline - time.monotonic()) + _GRACE_S)
        answer, error = answers.pop() if answers else (None, None)
        if answer is not None and "error" in answer:
            error = restore_error(answer["error"])
        if error is not None or answer is None:
            raise error or ModelNotReady("the model is not running")
        return answer

    def submit(self, ticket: Ticket) -> None:
        rows = len(ticket.payloads)
        if not self._connections:
            raise ModelNotReady("the model is not running")
        with self._lock:
            self._admission.check(rows, ticket.deadline)
            self._admission.rows += rows
            is_suspect = self._suspects.knows(ticket.payloads)
        if is_suspect:
            error = PredictionFailed("the same request has ended the model's process before")
            self._loop.post(self._end, ticket, error)
            return
        began = time.monotonic()
        frame: Frame = {
            "op": "run",
            "payloads": ticket.payloads,
            "is_lenient": ticket.is_lenient,
            "request_id": ticket.context.request_id,
        }
        sent: SentCall | None = None
        if ticket.trace is not None and ticket.trace.is_sampled:
            sent = SentCall(ticket.trace, began)
            frame["trace"] = sent.link
        try:
            call = make_call(
                frame, ticket.deadline, lambda answer, error: self._finish(ticket, began, answer, error, sent)
            )
        except BaseException:  # no frame can carry it
            self._leave(rows)
            raise
        self._loop.post(self._send_ticket, ticket, call)

    def find_refusal(self, rows: int, deadline: float) -> CapacityError | None:
        return self._admission.find_refusal(rows, deadline)

    def cancel(self, ticket: Ticket) -> None:
        ticket.is_over = True
        self._loop.post(self._cancel, ticket)

    def find_problem(self) -> Problem | None:
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
            self._folder, self._readers = None, []

    def _leave(self, rows: int) -> None:
        with self._lock:
            self._admission.rows -= rows

    # Calls, in the loop

    def _send_ticket(self, ticket: Ticket, call: Call) -> None:
        if ticket.is_over:  # cancelled meanwhile
            self._leave(len(ticket.payloads))
            return
        self._calls[ticket] = call
        self._send(call)

    def _send(self, call: Call) -> None:
        """Send a call to the least busy process, first to those that are there."""
        connections = self._connections  # `stop` may take them away meanwhile
        if connections:
            min(connections, key=lambda each: (each.refusal is not None, each.load)).send(call)
        else:
            call.finish(None, ModelNotReady("the model is not running"))

    def _resend(self, calls: list[Call]) -> None:
        for call in calls:
            call.is_sent_again = True
            self._send(call)

    def _cancel(self, ticket: Ticket) -> None:
        call = self._calls.pop(ticket, None)
        if call is not None:
            self._leave(len(ticket.payloads))
            if call.connection is not None:
                call.connection.cancel(call)

    def _finish(
        self,
        ticket: Ticket,
        began: float,
        answer: Frame | None,
        error: ServiceError | None,
        sent: SentCall | None = None,
    ) -> None:
        call = self._calls.pop(ticket, None)
        if sent is not None:
            sent.note(answer)
        if call is not None and call.has_crashed:
            with self._lock:
                self._suspects.add(ticket.payloads)
        if isinstance(error, PredictionTimeout):
            self.vitals.note_failure(error.code)
        if answer is not None:
            if call is None or not call.is_sent_again:  # else it waited for a new process
                self._arrivals.note(began, len(ticket.payloads), time.monotonic())
            if self._meter is not None:
                took_s = time.monotonic() - began
                ran_s = min(answer.get("ran_s", 0.0), took_s)
                self._meter.runs.append(ran_s)
                self._meter.waits.append(took_s - ran_s)
            try:
                outcomes = restore_outcomes(answer)
                check_count(ticket.payloads, outcomes)
                ticket.outputs = outcomes
                self.vitals.note_success()
            except ServiceError as fault:
                error = fault.with_traceback(None)
        self._end(ticket, error)

    def _end(self, ticket: Ticket, error: ServiceError | None) -> None:
        self._leave(len(ticket.payloads))
        if not ticket.is_over:
            ticket.error = error
            ticket.is_over = True
            announce([ticket])

    def _look(self) -> None:
        for connection, reader in zip(self._connections, self._readers, strict=False):
            connection.look(_find_refusal(reader.read()))

    # The start

    def _find_folder(self) -> Path:
        """Return where the sockets are, after starting a supervisor where there is none."""
        if self._folder is None:
            self._supervisor = Supervisor(self._config, meters=self._host.meters)
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
                if status.problem is not None and status.retry_at is None:
                    raise restore_fault(status.problem, self._config.python)
            time.sleep(STATUS_POLL_S)
        raise ModelLoadFailed(
            f"the process of '{self._config.class_path}' did not start",
            cause=f"there was no word from it within {self._config.start_timeout_s} s",
            remedy="raise start_timeout_s, or look for its lines in the log",
        )


def _find_refusal(status: ProcessStatus | None) -> ModelNotReady | None:
    """Return why a process takes no calls, and when it may."""
    if status is None or status.state is not ModelState.FAILED:
        return None
    if status.retry_at is None:
        return ModelNotReady("the model's process could not be started again", retry_after_s=None)
    wait_s = max(1, math.ceil(status.retry_at - time.monotonic()))
    return ModelNotReady(f"the model is stopped after crashes; it is tried again in {wait_s} s", retry_after_s=wait_s)
