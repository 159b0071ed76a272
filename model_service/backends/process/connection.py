"""`ModelConnection`: the calls of one worker to one model process, over one Unix socket, in the event loop.

Any number of calls are under way at once. The process says before each batch which of them it runs, and whether that
is one call alone. When it dies, a call that ran alone has ended it, and fails; one that ran with others may have, and
is to be run apart; one that only waited is sent again. All within their own deadlines.

A call past its deadline gets its error at once. The process itself is ended only when it has not been heard of for
`timeout_s`, although there are calls: then it hangs, in a prediction, in a rule of the model, or altogether. While it
runs several calls together, less is enough, so that those who are not to blame get their answers in time.
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

from model_service.backends.loop import ServiceLoop
from model_service.backends.process.frames import Frame, FrameBroken, FrameReader, decode_frame, encode_frame
from model_service.backends.process.status import name_overdue, name_socket
from model_service.errors import ModelNotReady, PredictionFailed, PredictionTimeout, ServiceError

#: A larger answer is decoded outside the loop.
_LARGE_BYTES = 64 * 1024
#: Share of `timeout_s` that a batch of several calls may take, three times as long as it was expected to, and then each
#: of these calls alone. So the last of them can be answered in time though the first one hangs once more.
_SHARED_PATIENCE = 0.3
_ids = itertools.count()

#: What a caller is told: the answer, or the error in its place.
Done = Callable[[Frame | None, ServiceError | None], object]


@dataclass(slots=True, eq=False)
class Call:
    """One frame under way.

    Attributes:
        id: Its number in every frame about it.
        fields: What is sent.
        raw: The same, encoded.
        deadline: On the clock of `time.monotonic`, which all processes of a machine share.
        done: Called in the loop, once.
        connection: To the process that has it.
        is_over: Whether `done` has been called, or must not be.
        has_crashed: Whether it was the only call that ran when its process ended.
        is_sent_again: Whether a process ended that had it.
    """

    id: int
    fields: Frame
    raw: bytes
    deadline: float
    done: Done
    connection: "ModelConnection | None" = None
    is_over: bool = False
    has_crashed: bool = False
    is_sent_again: bool = False

    def finish(self, answer: Frame | None, error: ServiceError | None) -> None:
        """Tell the caller, once."""
        if not self.is_over:
            self.is_over = True
            self.done(answer, error)

    @property
    def is_running(self) -> bool:
        """Whether its process has said that it runs it now."""
        return self.connection is not None and self.connection.is_running(self)

    @property
    def is_apart(self) -> bool:
        """Whether it runs alone because it may have ended a process."""
        return "is_apart" in self.fields

    def set_apart(self) -> None:
        """Have it run alone the next time."""
        self.fields["is_apart"] = True
        self.raw = encode_frame(self.fields)


def make_call(frame: Frame, deadline: float, done: Done) -> Call:
    """Return a call that carries a frame; encoding a large one takes a while, so any thread may do it."""
    number = next(_ids)
    fields = {**frame, "id": number, "deadline": deadline}
    return Call(number, fields, encode_frame(fields), deadline, done)


class ModelConnection(asyncio.Protocol):
    """Calls to the model process behind one socket; connects when needed. For the loop's thread only.

    Args:
        folder: Of the model's processes.
        number: Which of them it is.
        loop: The event loop.
        timeout_s: Seconds that the process may be silent while it has calls.
        resend: Given the calls that another process should run, after one has died.

    Attributes:
        refusal: Why there is no process, and none soon; ``None`` while there is one, or about to be.
        note_rows: Told how many rows are in a batch that begins, by one of its callers; ``None``: nobody asks.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        loop: ServiceLoop,
        *,
        timeout_s: float,
        resend: Callable[[list[Call]], object],
    ) -> None:
        self.refusal: ModelNotReady | None = None
        self.note_rows: Callable[[int], object] | None = None
        self._socket_path = name_socket(folder, number)
        self._overdue_path = name_overdue(folder, number)
        self._loop = loop
        self._timeout_s = timeout_s
        self._resend = resend
        self._calls: dict[int, Call] = {}
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._reader = FrameReader()
        self._decoding = 0
        self._pid: int | None = None
        self._silent_since: float | None = None  # while something is expected of it
        self._running: frozenset[int] = frozenset()
        self._is_alone = False
        self._has_hung = False
        self._is_lost = False
        self._is_closed = False

    @property
    def load(self) -> int:
        """The number of calls that are not answered yet."""
        return len(self._calls)

    @property
    def _patience_s(self) -> float:
        running = [self._calls[number] for number in self._running if number in self._calls]
        is_shared = any(not self._is_alone or call.is_apart for call in running)
        return self._timeout_s * (_SHARED_PATIENCE if is_shared else 1)

    def is_running(self, call: Call) -> bool:
        """Whether the process has said that it runs a call now."""
        return call.id in self._running

    def open(self) -> None:
        """Connect before there is a call: the process knows then who depends on it."""
        if self._connecting is None and self._transport is None and not self._is_closed:
            self._connecting = self._loop.loop.create_task(self._connect())

    def send(self, call: Call) -> None:
        """Send a call; its ``done`` gets the answer, which may carry an error of the model, or

        - `PredictionTimeout`: there was no answer in time;
        - `PredictionFailed`: the process ended while it ran this call alone;
        - `ModelNotReady`: there is no process, and none soon.
        """
        if self._is_closed:
            call.finish(None, ModelNotReady("the model was stopped"))
            return
        if self.refusal is not None:
            call.finish(None, ModelNotReady(self.refusal.message, retry_after_s=self.refusal.retry_after_s))
            return
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        self._calls[call.id] = call
        call.connection = self
        if self._transport is not None:
            self._transport.write(call.raw)
        else:
            self.open()

    def cancel(self, call: Call) -> None:
        """Forget a call whose caller has left; the process runs no more of it."""
        call.is_over = True
        self._withdraw([call])

    def look(self, refusal: ModelNotReady | None) -> None:
        """End what is past its deadline, and a process that has not been heard of for too long.

        Args:
            refusal: Why there is no process, and none soon; ``None`` while there is one, or about to be.
        """
        now = time.monotonic()
        overdue = [call for call in self._calls.values() if call.deadline <= now and not call.is_over]
        self._withdraw(overdue)
        for call in overdue:
            call.finish(None, PredictionTimeout(f"no answer within {self._timeout_s} s"))
        self.refusal = refusal
        if refusal is not None:
            for call in list(self._calls.values()):
                self._finish(call, None, ModelNotReady(refusal.message, retry_after_s=refusal.retry_after_s))
        elif self._pid is not None and self._silent_since is not None and now - self._silent_since > self._patience_s:
            self._has_hung = True
            self._overdue_path.write_text(str(self._pid))  # the supervisor does not take it for a crash
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._pid = None

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
        self._is_lost = False
        self._note_word()
        for call in self._calls.values():
            transport.write(call.raw)

    def data_received(self, raw: bytes) -> None:
        self._note_word()
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
        self._pid = None
        self._is_lost = True
        self._recover()

    # What the process says

    def _note_word(self) -> None:
        self._silent_since = time.monotonic() if self._calls else None

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
            self._running -= {frame["id"]}
            call = self._calls.get(frame["id"])
            if call is not None:  # else its caller has left
                self._finish(call, frame, None)
            self._note_word()
        elif frame["event"] == "forgotten":
            for number in frame["calls"]:
                self._calls.pop(number, None)
            self._running -= {*frame["calls"]}
            self._note_word()
        elif frame["event"] == "started":
            self._running, self._is_alone = frozenset(frame["calls"]), frame["is_alone"]
            if self.note_rows is not None and (rows := frame.get("rows")):
                self.note_rows(rows)
        elif frame["event"] == "accepted":
            self._pid = frame["pid"]

    def _recover(self) -> None:
        """Find what the dead process is to blame for, once all it said is known, and have the rest run again."""
        if not self._is_lost or self._decoding or self._is_closed:
            return
        self._is_lost = False
        running, self._running = self._running, frozenset()
        has_hung, self._has_hung = self._has_hung, False
        for call in [self._calls[number] for number in running if number in self._calls]:
            if not self._is_alone:
                call.set_apart()
            elif has_hung:
                self._finish(call, None, PredictionTimeout(f"the model ran for more than {self._timeout_s} s"))
            else:
                call.has_crashed = True
                self._finish(call, None, PredictionFailed("the model's process ended while it predicted"))
        again, self._calls = list(self._calls.values()), {}
        self.open()  # also without a call: the process knows who depends on it
        self._resend([call for call in again if not call.is_over])

    async def _connect(self) -> None:
        try:
            await self._loop.loop.create_unix_connection(lambda: self, str(self._socket_path))
        except OSError:  # nobody listens: the supervisor has given up, or stopped
            self.refusal = ModelNotReady("the model's process is not running", retry_after_s=None)
            for call in list(self._calls.values()):
                self._finish(call, None, self.refusal)
        finally:
            self._connecting = None

    def _withdraw(self, calls: list[Call]) -> None:
        """Tell the process to run no more of calls; one that it runs stays until it says so: it may have hung in it."""
        known = [call.id for call in calls if call.id in self._calls]
        for number in known:
            if number not in self._running:
                del self._calls[number]
        if known and self._transport is not None:
            self._transport.write(encode_frame({"op": "cancel", "calls": known}))

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, call: Call, answer: Frame | None, error: ServiceError | None) -> None:
        self._calls.pop(call.id, None)
        call.finish(answer, error)
