"""`ModelServer`: answers the calls of all workers with one model. One thread, one loop.

Read every frame that waits, put the calls into a `RowQueue`, run one batch, answer, look again. While a batch runs,
the next one gathers in the sockets, so batches form across workers under load, and a lone request waits for nobody.

Before a batch runs, every caller is told what it holds (``started``), and whether that is one call alone. That is a
sign of life, too: a caller that hears nothing for longer than a prediction may take has the process ended. And when the
process dies, the callers know which calls may have killed it and which only waited.
"""

import os
import selectors
import socket
import time
import traceback
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from model_service.backends.admission import Admission
from model_service.backends.base import Backend
from model_service.backends.batches import BatchRunner
from model_service.backends.process.frames import Frame, FrameBroken, FrameReader, encode_frame, receive_frames
from model_service.backends.questions import Questions, run_alone
from model_service.backends.queue import BATCH_SHARE, Batch, RowQueue
from model_service.backends.ticket import (
    RemoteTraceback,
    RowOutcome,
    Ticket,
    announce,
    as_service_error,
    describe_cause,
)
from model_service.config import ModelConfig
from model_service.errors import OutputInvalid, PayloadInvalid, PredictionTimeout, ServiceError
from model_service.observability import bind_request_id
from model_service.records import Output, Payload, RequestContext, Violation
from model_service.schema.json_values import is_representable
from model_service.schema.validation import SchemaValidator, word_violations
from model_service.tracing.calls import CallSpans

#: A worker that does not read its answers for so long is given up.
SEND_TIMEOUT_S = 10
#: So many batches are read ahead; the rest may wait in the sockets.
_BATCHES_AHEAD = 8
#: Requests of a batch that a line of the model names.
_MOST_IDS = 8


class _Call(Ticket):
    """A call of one worker."""

    def __init__(self, connection: socket.socket, frame: Frame, done: Any) -> None:
        context = RequestContext(frame.get("request_id", ""), 0.0, frame["deadline"])
        super().__init__(frame["payloads"], context, done, is_lenient=frame.get("is_lenient", False))
        self.connection = connection
        self.id: int = frame["id"]
        self.is_apart = frame.get("is_apart", False)
        self.link: Frame | None = frame.get("trace")
        self.output: Output | None = frame.get("output")  # which is to be explained

    def measure(self) -> float:
        """Return for how many seconds it has been running."""
        return time.monotonic() - self.began if self.began else 0.0


class ModelServer:
    """Answers the frames of any number of connections with one model.

    Args:
        backend: Started.
        config: Of the model: how many rows a batch may have, and how long a call may take.
        listener: The listening socket.
        spans: Of calls whose requests are traced, if any are.

    Attributes:
        is_busy: Whether the model's code is running.
        is_ending: Whether to end after the batch that runs.
    """

    def __init__(self, backend: Backend, config: ModelConfig, listener: socket.socket, spans: CallSpans) -> None:
        self.is_busy = False
        self.is_ending = False
        self._backend = backend
        self._enough_rows = _BATCHES_AHEAD * config.max_batch_rows
        admission = Admission(config, sure_rows=config.max_queue_rows)  # the workers have refused what is hopeless
        # A row that takes too long for its batch has the process ended: batches grow as rows prove to be quick.
        admission.rate.expect(config.timeout_s * BATCH_SHARE)
        self._queue = RowQueue(config, is_joining=True, admission=admission)
        self._queue.open()
        self._batches = BatchRunner(backend, self._queue, before_run=self._announce)
        self._checks: deque[_Call] = deque()
        self._calls: dict[tuple[socket.socket, int], _Call] = {}
        self._listener = listener
        self._spans = spans
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._readers: dict[socket.socket, FrameReader] = {}

    @property
    def has_callers(self) -> bool:
        """Whether any worker is connected."""
        return bool(self._readers)

    def serve(self) -> None:
        """Read, predict, answer, until told to end."""
        while not self.is_ending:
            self._gather()
            self.is_busy = True
            if self._checks:
                call = self._checks.popleft()
                (self._check if call.output is None else self._explain)(call)
            announce(self._batches.run_next())
            bind_request_id(None)
            self.is_busy = False

    def _gather(self, *, is_waiting: bool = True) -> None:
        """Read what has arrived, from every connection; wait for it only when there is nothing to run.

        With rows enough for some batches each connection is read once: a small call need not wait until a large one
        has been run, and whoever leaves is heard.
        """
        while True:
            has_work = bool(self._queue.rows or self._checks) or not is_waiting
            events = self._selector.select(timeout=0 if has_work else None)
            for key, _ in events:
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._read(key.fileobj)
            if has_work and (not events or self._queue.rows >= self._enough_rows):
                return

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(SEND_TIMEOUT_S)
        self._readers[connection] = FrameReader()
        self._selector.register(connection, selectors.EVENT_READ)
        self._send(connection, {"event": "accepted", "pid": os.getpid()})

    def _read(self, connection: socket.socket) -> None:
        try:
            frames = receive_frames(connection, self._readers[connection])
        except (OSError, EOFError, FrameBroken):
            self._drop(connection)
            return
        for frame in frames:
            if frame["op"] == "cancel":
                for number in frame["calls"]:
                    self._forget(self._calls.get((connection, number)))
                self._send(connection, {"event": "forgotten", "calls": frame["calls"]})
                continue
            call = _Call(connection, frame, self._answer)
            self._calls[connection, call.id] = call
            if frame["op"] != "run":
                self._checks.append(call)
            else:
                self._queue.put(call)

    def _forget(self, call: _Call | None) -> None:
        """Drop a call for which nobody waits any more."""
        if call is not None:
            self._queue.cancel(call)
            call.is_over = True
            self._calls.pop((call.connection, call.id), None)

    def _drop(self, connection: socket.socket) -> None:
        if self._readers.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()
        # Nobody is left to answer: the rows would only keep the others waiting.
        for call in [call for call in self._calls.values() if call.connection is connection]:
            self._forget(call)

    def _announce(self, batch: Batch, *, is_check: bool = False) -> None:
        """Tell every caller what runs now."""
        ids = [ticket.context.request_id for ticket, _ in batch[:_MOST_IDS]]
        bind_request_id(",".join(filter(None, ids)) or None)  # what the model logs now, it logs of these
        running = {ticket.id: ticket.connection for ticket, _ in batch if isinstance(ticket, _Call)}
        rows = 0 if is_check else sum(len(part) for _, part in batch)
        for connection in {call.connection for call in self._calls.values()}:
            calls = [number for number, caller in running.items() if caller is connection]
            # One of them counts the batch: the caller of its first call.
            counted = rows if calls and batch[0][0].connection is connection else 0  # type: ignore[attr-defined]
            frame = {"event": "started", "calls": calls, "is_alone": len(batch) == 1, "rows": counted}
            self._send(connection, frame)

    def _check(self, call: _Call) -> None:
        """Ask the model's own rules alone."""
        if call.is_over:
            return
        if self._queue.is_late(call):
            self._finish(call, {"error": write_error(PredictionTimeout("the rules were not asked in time"))})
            return
        self._announce([(call, call.payloads)], is_check=True)
        try:
            found = self._backend.find_violations(call.payloads)
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            call.error = as_service_error(error)
            self._answer(call)
        else:
            self._finish(call, {"violations": [write_violations(violations) for violations in found]})

    def _explain(self, call: _Call) -> None:
        """Have a call's output explained; the predictions that wait go before each question that this asks."""

        def run(payloads: list[Payload]) -> list[RowOutcome]:
            self._gather(is_waiting=False)
            announce(self._batches.run_next())
            if self._queue.is_late(call):
                raise PredictionTimeout("no explanation before the deadline")
            self._announce([(call, payloads)])
            return run_alone(self._backend, payloads)

        questions = Questions(run, self._input_validator, call.deadline)
        if not call.is_over:
            self._announce([(call, call.payloads)], is_check=True)
            try:
                explanation = self._backend.explain(call.payloads[0], call.output or {}, questions)
            except BaseException as error:  # whatever it is, it belongs to whoever waits
                call.error = as_service_error(error)
                self._answer(call)
            else:
                self._finish(call, {"explanation": explanation, "rows": questions.rows})

    @cached_property
    def _input_validator(self) -> SchemaValidator:
        return SchemaValidator(self._backend.describe().input_schema)

    def _answer(self, call: _Call) -> None:
        """Tell a caller what has become of its call."""
        if call.error is not None:
            self._finish(call, {"error": write_error(call.error)})
        else:
            self._finish(call, write_outcomes(call))

    def _finish(self, call: _Call, answer: Frame) -> None:
        self._calls.pop((call.connection, call.id), None)
        times: Frame = (
            {"ran_s": call.measure()} if call.link is None else {"ran_s": call.measure(), "began": call.began}
        )
        try:
            raw = encode_frame({"id": call.id, **times, **answer})
        except (ValueError, TypeError, RecursionError, FrameBroken) as error:
            answer = {"error": write_error(_explain_unfit(call.outputs, error))}
            raw = encode_frame({"id": call.id, **times, **answer})
        self._write(call.connection, raw)
        if call.link is not None and call.began:
            code = answer["error"]["code"] if "error" in answer else None
            self._spans.note(call.link, (call.began, time.monotonic()), len(call.payloads), code)

    def _send(self, connection: socket.socket, frame: Frame) -> None:
        self._write(connection, encode_frame(frame))

    def _write(self, connection: socket.socket, raw: bytes) -> None:
        if connection in self._readers:
            try:
                connection.sendall(raw)
            except OSError:
                self._drop(connection)


def write_outcomes(call: Ticket) -> Frame:
    """Return the outputs of a call; of a lenient one, with the errors of its rows beside them, by index."""
    if not call.is_lenient:
        if is_representable(call.outputs):
            return {"outputs": call.outputs}
        return {"error": write_error(_explain_unfit(call.outputs))}
    outputs: list[Any] = []
    errors: dict[str, Frame] = {}
    for row, outcome in enumerate(call.outputs):
        error = outcome if isinstance(outcome, ServiceError) else _find_unfit(outcome)
        if error is not None:
            errors[str(row)] = write_error(error)
        outputs.append(None if error is not None else outcome)
    return {"outputs": outputs, "errors": errors}


def write_error(error: ServiceError) -> Frame:
    """Return an error as a frame carries it, with the traceback for the log of the worker that knows the request."""
    cause = error.__cause__
    text = str(cause) if isinstance(cause, RemoteTraceback) else "".join(traceback.format_exception(cause or error))
    violations = error.violations if isinstance(error, PayloadInvalid) else ()
    return {
        "code": error.code,
        "message": error.message,
        "traceback": text[-20_000:],
        "cause": describe_cause(error.__cause__ or error),
        "violations": write_violations(list(violations)),
    }


def write_violations(violations: list[Violation]) -> list[list[str]]:
    """Return violations as a frame carries them."""
    return [[violation.pointer, violation.rule, violation.message] for violation in violations]


def _find_unfit(output: object) -> ServiceError | None:
    if not is_representable(output):  # a frame would carry a tuple, which it makes an array of
        return _explain_unfit([output], name="an output")
    try:
        encode_frame({"output": output})
    except (ValueError, TypeError, RecursionError, FrameBroken) as error:
        return _explain_unfit([output], error, name="an output")
    return None


def _explain_unfit(
    outputs: Sequence[object], error: Exception | None = None, *, name: str = "output {}"
) -> OutputInvalid:
    """Return what a worker would have said of outputs that no frame could carry to it."""
    validator = SchemaValidator({})  # refuses what JSON cannot hold, and nothing else
    found = ((row, validator.find_violations(output)) for row, output in enumerate(outputs))
    unfit = OutputInvalid(f"an output is no JSON: {error}")
    for row, violations in found:
        if violations:
            unfit = OutputInvalid(word_violations(name.format(row), violations), violations)
            break
    unfit.__cause__ = error
    return unfit
