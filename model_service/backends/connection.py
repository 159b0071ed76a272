"""The calls of one web process to one model process, over one Unix socket, in the event loop.

Any number of calls are under way at once. When the process dies, the calls it had started fail, and those that
only waited are sent again to the next process, within their own deadline. A call past its deadline gets its error
at once; the process is killed only when it was running one call for the whole of `timeout_s`, because until then
it may be busy with others.
"""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from model_service.backends.frames import Frame, FrameBroken, FrameReader, decode_frame, encode_frame
from model_service.backends.loop import ServiceLoop
from model_service.errors import ModelNotReady, PredictionFailed, PredictionTimeout, ServiceError

#: A larger answer is decoded outside the loop.
_LARGE_BYTES = 64 * 1024
_ids = itertools.count()


@dataclass(slots=True, eq=False)
class Call:
    """One frame under way.

    Attributes:
        id: Its number in every frame about it.
        frame: What is sent.
        deadline: On the clock of `time.monotonic`, which all processes of a machine share.
        done: Called in the loop with the answer, or with the error in its place.
        is_over: Whether `done` has been called, or must not be.
    """

    id: int
    frame: bytes
    deadline: float
    done: Callable[[Frame | None, ServiceError | None], object]
    is_over: bool = False
    running_since: float | None = None
    running_in: int = 0

    def finish(self, answer: Frame | None, error: ServiceError | None) -> None:
        """Tell the caller, once."""
        if not self.is_over:
            self.is_over = True
            self.done(answer, error)


def make_call(frame: Frame, deadline: float, done: Callable[[Frame | None, ServiceError | None], object]) -> Call:
    """Return a call that carries a frame; encoding a large one takes a while, so any thread may do it."""
    number = next(_ids)
    return Call(number, encode_frame({**frame, "id": number, "deadline": deadline}), deadline, done)


class ModelConnection(asyncio.Protocol):
    """Calls to the model process behind one socket; connects when needed. For the loop's thread only.

    Args:
        path: The listening socket. Beside it, with the suffix ``.deadline``, the connection leaves the
            id of a process it killed, so that the supervisor does not take it for a crash.
        loop: The event loop.
        timeout_s: Seconds that the process may run one call.

    Attributes:
        is_down: Whether nobody listened when it last tried to connect.
    """

    def __init__(self, path: Path, loop: ServiceLoop, *, timeout_s: float) -> None:
        self.is_down = False
        self._path = path
        self._loop = loop
        self._timeout_s = timeout_s
        self._calls: dict[int, Call] = {}
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._reader = FrameReader()
        self._decoding = 0
        self._is_lost = False
        self._is_closed = False

    @property
    def load(self) -> int:
        """The number of calls that are not answered yet."""
        return len(self._calls)

    def open(self) -> None:
        """Connect before there is a call: the process knows then who depends on it."""
        if self._connecting is None and not self._is_closed:
            self._connecting = self._loop.loop.create_task(self._connect())

    def send(self, call: Call) -> None:
        """Send a call; its ``done`` gets the answer, which may carry an error of the model, or

        - `PredictionTimeout`: there was no answer in time;
        - `PredictionFailed`: the process ended while it ran the call;
        - `ModelNotReady`: there is no process, and there will be none.
        """
        if self._is_closed:
            call.finish(None, ModelNotReady("the model was stopped"))
            return
        self._calls[call.id] = call
        if self._transport is not None:
            self._transport.write(call.frame)
        else:
            self.open()

    def cancel(self, call: Call) -> None:
        """Forget a call whose caller has left; the process is told, unless it runs it already."""
        call.is_over = True
        self._withdraw([call])

    def look(self) -> None:
        """End what is past its deadline, and the process that has been running one call for too long."""
        now = time.monotonic()
        overdue = [call for call in self._calls.values() if call.deadline <= now and not call.is_over]
        self._withdraw(overdue)
        for call in overdue:
            call.finish(None, PredictionTimeout(f"no answer within {self._timeout_s} s"))
        stuck = [
            call for call in self._calls.values() if call.running_since and now - call.running_since > self._timeout_s
        ]
        for pid in {call.running_in for call in stuck}:
            self._path.with_suffix(".deadline").write_text(str(pid))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for call in stuck:
            self._finish(call, None, PredictionTimeout(f"the model ran for more than {self._timeout_s} s"))

    def close(self) -> None:
        """Close the connection; calls under way fail."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()
        for call in list(self._calls.values()):
            self._finish(call, None, ModelNotReady("the model was stopped"))

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._reader = FrameReader()
        self._is_lost = self.is_down = False
        for call in self._calls.values():
            transport.write(call.frame)

    def data_received(self, raw: bytes) -> None:
        try:
            for frame in self._reader.feed(raw):
                if len(frame) <= _LARGE_BYTES:
                    self._take(decode_frame(frame))
                else:
                    self._decoding += 1
                    self._loop.compute(partial(self._decode, frame))
        except FrameBroken:
            self._drop()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._is_lost = True
        self._recover()

    # What the process says

    def _decode(self, raw: bytes) -> None:
        try:
            frame = decode_frame(raw)
        except FrameBroken:
            self._loop.post(self._take_decoded, None)
        else:
            self._loop.post(self._take_decoded, frame)

    def _take_decoded(self, frame: Frame | None) -> None:
        self._decoding -= 1
        if frame is None:
            self._drop()
        else:
            self._take(frame)
        self._recover()

    def _take(self, frame: Frame) -> None:
        if "id" in frame:
            call = self._calls.get(frame["id"])
            if call is not None:  # else its caller has left
                self._finish(call, frame, None)
            return
        for number in frame["calls"]:
            if number in self._calls:
                self._calls[number].running_since = time.monotonic() if frame["event"] == "started" else None
                self._calls[number].running_in = frame["pid"]

    def _recover(self) -> None:
        """Fail what the dead process was running, and send again what only waited, once all it said is known."""
        if not self._is_lost or self._decoding or self._is_closed:
            return
        self._is_lost = False
        for call in list(self._calls.values()):
            if call.running_since is not None:
                self._finish(call, None, PredictionFailed("the model's process ended while it predicted"))
        self.open()  # also without a call: the process knows who depends on it, and this side whether it is there

    async def _connect(self) -> None:
        try:
            await self._loop.loop.create_unix_connection(lambda: self, str(self._path))
        except OSError:  # nobody listens: the supervisor has given up, or stopped
            self.is_down = True
            for call in list(self._calls.values()):
                self._finish(call, None, ModelNotReady("the model's process is not running", retry_after_s=60))
        finally:
            self._connecting = None

    def _withdraw(self, calls: list[Call]) -> None:
        """Tell the process not to begin calls; one that it runs stays, so that it can be ended in time."""
        waiting = [
            call.id for call in calls if call.running_since is None and self._calls.pop(call.id, None) is not None
        ]
        if waiting and self._transport is not None:
            self._transport.write(encode_frame({"op": "cancel", "calls": waiting}))

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, call: Call, answer: Frame | None, error: ServiceError | None) -> None:
        self._calls.pop(call.id, None)
        call.finish(answer, error)
