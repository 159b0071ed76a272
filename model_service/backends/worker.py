"""What a model process runs: ``python -m model_service.backends.worker``. Started by the supervisor only.

One thread, one loop: read every frame that waits, predict all their rows as one batch,
answer, look again. While a batch runs, the next one gathers in the sockets, so batches
form across web processes under load and a lone request waits for nobody.

Before a batch runs, its calls are told so (``started``). When the process dies, the web
side therefore knows which calls may have killed it and which only waited.
"""

import argparse
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from model_service.backends.base import collect_violations, predict_payloads
from model_service.backends.frames import Frame, FrameBroken, FrameReader, encode_frame, receive_frames
from model_service.backends.status import EXIT_PACKAGE_BROKEN, STOP_SIGNAL, ProcessStatus, write_status
from model_service.errors import OutputInvalid, PackageError, PredictionFailed
from model_service.loading import build_model, describe_model, import_model_class
from model_service.model import MLModel
from model_service.records import ModelState, Output, Payload, Problem

#: Rows of one batch, so that a call never waits for more than one batch of this size.
MAX_BATCH_ROWS = 256
#: Share of the deadline that a batch may be expected to take. The rows of a batch have one deadline, the
#: earliest, and a model that is not vectorised runs them one after the other.
BATCH_SHARE = 0.25
#: A web process that does not read its answers for so long is given up.
SEND_TIMEOUT_S = 10
#: How often the process looks whether its parent still lives.
PARENT_POLL_S = 0.5


@dataclass(slots=True)
class _Call:
    """A frame that asks for a prediction, and whom to answer until when."""

    connection: socket.socket
    id: int
    payloads: list[Payload]
    deadline: float


class ModelServer:
    """Answers the frames of any number of connections with one model."""

    def __init__(self, model: MLModel, listener: socket.socket, *, timeout_s: float, has_rules: bool) -> None:
        self._model = model
        self._has_rules = has_rules
        self._batch_budget_s = timeout_s * BATCH_SHARE
        self._row_s = self._batch_budget_s  # so the first batch is one call, and the next ones know better
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._readers: dict[socket.socket, FrameReader] = {}
        self._waiting: deque[_Call] = deque()

    @property
    def has_callers(self) -> bool:
        """Whether any web process is connected."""
        return bool(self._readers)

    def serve_forever(self) -> None:
        """Read, predict, answer, until the process is ended."""
        while True:
            self._gather()
            if self._waiting:
                self._run_batch(self._take_batch())

    def _gather(self) -> None:
        """Read what has arrived, from every connection; wait for it only when there is nothing to run."""
        while len(self._waiting) < MAX_BATCH_ROWS:
            events = self._selector.select(timeout=0 if self._waiting else None)
            for key, _ in events:
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._read(key.fileobj)
            if self._waiting and not events:
                return

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(SEND_TIMEOUT_S)
        self._readers[connection] = FrameReader()
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            frames = receive_frames(connection, self._readers[connection])
        except (OSError, EOFError, FrameBroken):
            self._drop(connection)
            return
        for frame in frames:
            if frame["op"] == "run":
                self._waiting.append(_Call(connection, frame["id"], frame["payloads"], frame["deadline"]))
            elif frame["op"] == "cancel":
                self._forget(connection, set(frame["calls"]))
            else:
                self._send(connection, self._check(frame["id"], frame["payloads"]))

    def _drop(self, connection: socket.socket) -> None:
        if self._readers.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()
        # Nobody is left to answer: the rows would only keep the others waiting.
        self._waiting = deque(call for call in self._waiting if call.connection is not connection)

    def _forget(self, connection: socket.socket, ids: set[int]) -> None:
        """Drop calls for which nobody waits any more."""
        self._waiting = deque(call for call in self._waiting if call.connection is not connection or call.id not in ids)

    def _take_batch(self) -> list[_Call]:
        limit = min(MAX_BATCH_ROWS, int(self._batch_budget_s / self._row_s))
        now = time.monotonic()  # one clock for all processes of a machine
        batch: list[_Call] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].payloads) <= limit):
            call = self._waiting.popleft()
            if call.deadline > now:  # else nobody waits for it any more
                batch.append(call)
                rows += len(call.payloads)
        return batch

    def _run_batch(self, batch: list[_Call]) -> None:
        if not batch:
            return
        self._announce("started", batch)
        if self._has_rules and not (batch := [call for call in batch if self._keeps_rules(call)]):
            return
        payloads = [payload for call in batch for payload in call.payloads]
        started = time.perf_counter()
        try:
            outputs = predict_payloads(self._model, payloads)
        except PredictionFailed as error:
            # One bad row must not fail its neighbours: each call runs again, alone.
            if len(batch) > 1:
                self._announce("waiting", batch)
                for call in batch:
                    self._run_batch([call] if call.deadline > time.monotonic() else [])
            else:
                self._send(batch[0].connection, _failure(batch[0].id, PredictionFailed.code, error))
            return
        # The latest batches count most: a model may be slower on long sequences than on short ones.
        self._row_s += ((time.perf_counter() - started) / len(payloads) - self._row_s) / 2
        for call in batch:
            answer, outputs = outputs[: len(call.payloads)], outputs[len(call.payloads) :]
            self._answer(call, answer)

    def _announce(self, event: str, batch: list[_Call]) -> None:
        for connection in {call.connection for call in batch}:
            ids = [call.id for call in batch if call.connection is connection]
            self._send(connection, {"event": event, "calls": ids, "pid": os.getpid()})

    def _answer(self, call: _Call, outputs: list[Output]) -> None:
        try:
            raw = encode_frame({"id": call.id, "outputs": outputs})
        except (ValueError, TypeError, RecursionError, FrameBroken) as error:
            raw = encode_frame(_failure(call.id, OutputInvalid.code, error))
        self._write(call.connection, raw)

    def _keeps_rules(self, call: _Call) -> bool:
        """Whether the model's own rules find nothing wrong; else the call has been answered."""
        answer = self._check(call.id, call.payloads)
        if any(answer.get("violations", [True])):
            self._send(call.connection, answer)
            return False
        return True

    def _check(self, call_id: int, payloads: list[Payload]) -> Frame:
        try:
            found = collect_violations(self._model, payloads)
        except PredictionFailed as error:
            return _failure(call_id, PredictionFailed.code, error)
        fields = [[[v.pointer, v.rule, v.message] for v in violations] for violations in found]
        return {"id": call_id, "violations": fields}

    def _send(self, connection: socket.socket, frame: Frame) -> None:
        self._write(connection, encode_frame(frame))

    def _write(self, connection: socket.socket, raw: bytes) -> None:
        if connection in self._readers:
            try:
                connection.sendall(raw)
            except OSError:
                self._drop(connection)


def main() -> None:
    """Load the model that the arguments name and serve it on the socket that was handed down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("class_path")
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--status", type=Path, required=True, help="file to keep the state in")
    parser.add_argument("--timeout-s", type=float, required=True, help="seconds that a prediction may take")
    parser.add_argument("--linger-s", type=float, default=0.0, help="seconds to go on for callers without a parent")
    parser.add_argument("--parent", type=int, required=True, help="process without which this one ends")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(STOP_SIGNAL, _stop)
    threading.excepthook = _end_with_thread
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    servers: list[ModelServer] = []
    watch = threading.Thread(target=_end_with_parent, args=(arguments.parent, arguments.linger_s, servers), daemon=True)
    watch.start()
    info, has_rules = None, False
    try:
        model_class = import_model_class(arguments.class_path)
        info = describe_model(model_class)
        has_rules = any("find_violations" in vars(kind) for kind in model_class.__mro__ if kind is not MLModel)
        write_status(arguments.status, ProcessStatus(ModelState.LOADING, os.getpid(), info, has_rules))
        model = build_model(model_class)
    except PackageError as error:
        traceback.print_exception(error.__cause__)
        problem = Problem(error.code, error.message, error.cause, error.remedy)
        write_status(arguments.status, ProcessStatus(ModelState.FAILED, os.getpid(), info, has_rules, problem))
        sys.exit(EXIT_PACKAGE_BROKEN)
    write_status(arguments.status, ProcessStatus(ModelState.READY, os.getpid(), info, has_rules))
    try:
        listener = socket.socket(fileno=arguments.socket)
        servers.append(ModelServer(model, listener, timeout_s=arguments.timeout_s, has_rules=has_rules))
        servers[0].serve_forever()
    finally:
        model.close()


def _stop(number: int, frame: object) -> None:
    sys.exit(0)


def _end_with_thread(fault: threading.ExceptHookArgs) -> None:
    """End the process when a thread of the model dies: nobody knows what it was needed for."""
    traceback.print_exception(fault.exc_type, fault.exc_value, fault.exc_traceback)
    os._exit(1)


def _end_with_parent(parent: int, linger_s: float, servers: list[ModelServer]) -> None:
    """End when the parent has ended and nobody is connected any more, or a while after it."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    ends_at = time.monotonic() + linger_s
    while time.monotonic() < ends_at and any(server.has_callers for server in servers):
        time.sleep(PARENT_POLL_S / 5)
    os._exit(0)  # whatever the model is doing: nobody is left to answer


def _failure(call_id: int, code: str, error: BaseException) -> Frame:
    """Return an answer that carries the traceback, for the log of the web process that knows the request."""
    text = "".join(traceback.format_exception(error))
    return {"id": call_id, "error": {"code": code, "message": str(error), "traceback": text[-20_000:]}}


if __name__ == "__main__":
    main()
