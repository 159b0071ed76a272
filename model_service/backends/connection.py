"""The calls of one web process to one model process, over one Unix socket.

Any number of calls are under way at once; a reader thread hands each answer to the caller
that waits for it. When the process dies, the calls it had started fail, and those that only
waited are sent again to the next process, within their own deadline. A call past its deadline
gets its error at once; the process is killed only when it was running one call for the whole
of `timeout_s`, because until then it may be busy with others.
"""

import itertools
import os
import select
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from model_service.backends.frames import Frame, FrameBroken, FrameReader, encode_frame, receive_frames
from model_service.errors import ModelNotReady, PredictionFailed, PredictionTimeout, ServiceError

#: How often a reader looks whether a running call is past its deadline.
WATCH_S = 0.1
#: A process that takes nothing for so long after a deadline is given up.
SEND_GRACE_S = 5


@dataclass(slots=True, eq=False)
class _Call:
    """One frame under way; guarded by the connection's lock until `done` is set."""

    id: int
    frame: bytes
    done: threading.Event = field(default_factory=threading.Event)
    answer: Frame | None = None
    error: ServiceError | None = None
    sent_on: socket.socket | None = None
    running_since: float | None = None
    running_in: int = 0


class ModelConnection:
    """Calls to the model process behind one socket; connects when needed. Safe to use from several threads.

    Args:
        path: The listening socket. Beside it, with the suffix ``.deadline``, the connection leaves the
            id of a process it killed, so that the supervisor does not take it for a crash.
        timeout_s: Seconds that a call may take, and that the process may run one.
    """

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._ids = itertools.count()
        # State, and writing to the socket, are guarded apart: a write may block until the process
        # has sent its answers, which the reader must be able to take meanwhile.
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._socket: socket.socket | None = None
        self._is_closed = False

    @property
    def load(self) -> int:
        """The number of calls that are not answered yet."""
        return len(self._calls)

    def call(self, frame: Frame) -> Frame:
        """Send a frame and return its answer, which may carry an error of the model.

        Raises:
            PredictionTimeout: There was no answer in time.
            PredictionFailed: The process ended while it ran the call.
            ModelNotReady: There is no process, and there will be none.
        """
        number = next(self._ids)
        call = _Call(number, encode_frame({**frame, "id": number}))
        with self._lock:
            self._calls[number] = call
        self._send(call)
        if not call.done.wait(self._timeout_s):
            with self._lock:
                if call.running_since is None:  # else the reader still needs it, to end the process in time
                    self._calls.pop(number, None)
            raise PredictionTimeout(f"no answer within {self._timeout_s} s")
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer

    def close(self) -> None:
        """Close the connection; calls under way fail."""
        with self._lock:
            self._is_closed = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            for call in list(self._calls.values()):
                self._finish(call, error=ModelNotReady("the model was stopped"))

    def _send(self, call: _Call) -> None:
        with self._lock:
            if call.done.is_set():
                return
            try:
                connection = call.sent_on = self._socket or self._connect()
            except OSError:  # nobody listens: the supervisor has given up, or stopped
                self._finish(call, error=ModelNotReady("the model's process is not running", retry_after_s=60))
                return
        try:
            with self._write_lock:
                connection.sendall(call.frame)
        except OSError:
            # The reader sees the end of this connection too, and sends the call again.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket:
        if self._is_closed:
            raise OSError("closed")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        connection.settimeout(self._timeout_s + SEND_GRACE_S)
        self._socket = connection
        threading.Thread(target=self._read, args=(connection,), name=f"reader of {self._path}", daemon=True).start()
        return connection

    def _read(self, connection: socket.socket) -> None:
        reader = FrameReader()
        poll = select.poll()  # not select: it cannot watch a descriptor above 1023, and a web process has many
        poll.register(connection, select.POLLIN)
        try:
            while True:
                if poll.poll(WATCH_S * 1000):
                    frames = receive_frames(connection, reader)
                    with self._lock:
                        for frame in frames:
                            self._take(frame)
                with self._lock:
                    self._end_overdue()
        except (OSError, EOFError, FrameBroken):
            self._recover(connection)

    def _take(self, frame: Frame) -> None:
        if "id" in frame:
            call = self._calls.get(frame["id"])
            if call is not None:  # else its caller has left
                self._finish(call, answer=frame)
            return
        for number in frame["calls"]:
            if number in self._calls:
                self._calls[number].running_since = time.monotonic() if frame["event"] == "started" else None
                self._calls[number].running_in = frame["pid"]

    def _end_overdue(self) -> None:
        latest = time.monotonic() - self._timeout_s
        overdue = [call for call in self._calls.values() if call.running_since and call.running_since < latest]
        for pid in {call.running_in for call in overdue}:
            self._path.with_suffix(".deadline").write_text(str(pid))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for call in overdue:
            self._finish(call, error=PredictionTimeout(f"the model ran for more than {self._timeout_s} s"))

    def _recover(self, connection: socket.socket) -> None:
        """Fail what the dead process was running, and send again what only waited."""
        with self._lock:
            connection.close()
            if self._socket is connection:
                self._socket = None
            lost = [call for call in self._calls.values() if call.sent_on is connection]
            for call in lost:
                if call.running_since is not None:
                    self._finish(call, error=PredictionFailed("the model's process ended while it predicted"))
        for call in lost:
            self._send(call)

    def _finish(self, call: _Call, *, answer: Frame | None = None, error: ServiceError | None = None) -> None:
        self._calls.pop(call.id, None)
        call.answer, call.error = answer, error
        call.done.set()
