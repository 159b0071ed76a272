"""`RequestLog`: one line per request, at a small part of what a log record costs.

A log record, its formatting and its way through handlers cost several times what a small model
does; so does a system call, which lets go of the interpreter for another thread to take. So a request
only notes what happened. A thread, which sleeps while there is nothing to write, makes lines of the
notes and writes many in one call.
"""

import atexit
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from model_service.config import LoggingConfig
from model_service.metrics.families import NONE
from model_service.metrics.meters import Meters
from model_service.observability import bind_request_id, writes_text
from model_service.tracing.context import Trace
from model_service.tracing.requests import end_request

_NAME = "model_service.requests"
#: What every line says, as JSON.
_SAME = f'"level":"info","logger":"{_NAME}","message":"request",'
_encode = json.JSONEncoder(separators=(",", ":")).encode
#: How long notes gather before they are written. Longer is cheaper; but while lines are made, requests wait.
GATHER_S = 0.01
#: Notes made into lines before requests get the interpreter again.
NOTES_AT_ONCE = 32
#: As many notes may wait. Where the reader of the log is that slow, more are counted and dropped: no request,
#: and least of all the event loop, waits for a log.
MOST_NOTES = 20_000


#: Time, request id, trace id, method, path, status, code, model, version, seconds, name of the key: what is known of a
#: request when it has been answered. A tuple, because one is made in every request.
_Note = tuple[float, str | None, str | None, str, str, int, str | None, str | None, str | None, float, str | None]
#: Its fields, as a line names them.
_FIELDS = ("method", "path", "status", "code", "model", "version", "key")


class RequestLog:
    """Writes one line per request, as the formatters of `model_service.observability` would. Thread-safe.

    Whether lines are written follows the logger ``model_service.requests``.

    Args:
        config: As for `build_logging_settings`.
        stream: Where that writes.
        meters: Count every request, also where no lines are written.
    """

    _logger = logging.getLogger(_NAME)

    def __init__(self, config: LoggingConfig, stream: TextIO | None = None, *, meters: Meters | None = None) -> None:
        self._meters = meters
        output = stream if stream is not None else sys.stderr
        self._is_text = writes_text(config, output)
        self._write = _open_writer(output)
        self._notes: list[_Note] = []
        self._dropped = 0
        self._lines = _LineMaker()
        self._writing = threading.Lock()
        self._has_notes = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(
        self,
        method: str,
        path: str,
        status: int,
        model: str | None,
        version: str | None,
        duration_s: float,
        request_id: str | None,
        key: str | None = None,
        *,
        route: str = NONE,
        code: str | None = None,
        outcome: str | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Count an answered request, and have its line written soon; it never blocks.

        Args:
            method: Of the request, or ``GRPC``.
            path: As it was asked.
            status: Of HTTP or gRPC.
            model: What the request calls its model.
            version: Of the model, where it is known.
            duration_s: From the arrival to the answer; zero where nobody measured it.
            request_id: Finds all lines of the request.
            key: The name of the key that it came with.
            route: The template of the path.
            code: Of the error that is answered.
            outcome: The name of the status, where that is gRPC's.
            trace: Of the request, which ends with it.
        """
        if self._meters is not None:
            self._meters.note_answer(method, route, outcome or str(status), (model, version), duration_s, code)
        names = method, path, status, model, version, duration_s, request_id, key
        self.write_line(*names, route=route, code=code, outcome=outcome, trace=trace)

    def write_line(
        self,
        method: str,
        path: str,
        status: int,
        model: str | None,
        version: str | None,
        duration_s: float,
        request_id: str | None,
        key: str | None = None,
        *,
        route: str = NONE,
        code: str | None = None,
        outcome: str | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Do the same for a request that has been counted."""
        trace_id = None
        if trace is not None:
            trace_id = trace.trace_id
            known_route = route if route != NONE else None
            end_request(trace, method, known_route, status, (model, version), request_id, code, outcome)
        if not self._logger.isEnabledFor(logging.INFO):
            return
        if len(self._notes) >= MOST_NOTES:
            self._dropped += 1
            return
        self._notes.append(
            (time.time(), request_id, trace_id, method, path, status, code, model, version, duration_s, key)
        )
        if not self._has_notes.is_set():
            self._rouse()

    def flush(self) -> None:
        """Return when every line so far has been written."""
        with self._writing:
            while notes := self._notes[:NOTES_AT_ONCE]:
                del self._notes[: len(notes)]
                if self._is_text:
                    for note in notes:
                        self._write_text(note)
                    continue
                lines = b"".join(map(self._lines.make_line, notes))
                with contextlib.suppress(OSError):  # a full disk, a reader that left: no reason to fail a prediction
                    self._write(lines)
            dropped, self._dropped = self._dropped, 0
            if dropped:
                self._logger.warning("%d lines of requests were dropped: the log is read too slowly", dropped)

    def _write_text(self, note: _Note) -> None:
        _, request_id, trace_id, method, path, status, code, model, version, duration_s, key = note
        bind_request_id(request_id)  # of this thread, which writes nothing else
        fields = _list_fields(method, path, status, code, model, version, key)
        self._logger.info("request", extra={"trace_id": trace_id, **fields, "duration_ms": _to_ms(duration_s)})
        bind_request_id(None)

    def _rouse(self) -> None:
        with self._starting:
            if self._thread is None:  # not before the first line: a server may fork until then
                self._thread = threading.Thread(target=self._write_in_turn, name="request-log", daemon=True)
                self._thread.start()
                atexit.register(self.flush)
        self._has_notes.set()

    def _write_in_turn(self) -> None:
        while True:
            self._has_notes.wait()
            time.sleep(GATHER_S)
            self._has_notes.clear()  # before the writing: a note that comes during it rouses again
            self.flush()


class _LineMaker:
    """Makes the line of a note; for one thread at a time, because it remembers the millisecond it has spelled out."""

    def __init__(self) -> None:
        self._millisecond = 0
        self._text = ""

    def make_line(self, note: _Note) -> bytes:
        time_s, request_id, trace_id, method, path, status, code, model, version, duration_s, key = note
        millisecond = int(time_s * 1000)
        if millisecond != self._millisecond:
            moment = datetime.fromtimestamp(millisecond / 1000, UTC)
            self._millisecond, self._text = millisecond, moment.isoformat(timespec="milliseconds")
        name = f'"{request_id}"' if request_id and request_id.isalnum() else _encode(request_id)
        fields = _encode_fields(method, path, status, code, model, version, key)
        trace = f'"trace_id":"{trace_id}",' if trace_id is not None else ""
        start = f'{{"time":"{self._text}",{_SAME}"request_id":{name},{trace}'
        return f'{start}{fields},"duration_ms":{_to_ms(duration_s)}}}\n'.encode()


@lru_cache(maxsize=256)  # most requests differ in id and duration only
def _encode_fields(*fields: Any) -> str:
    return _encode(_list_fields(*fields))[1:-1]


def _list_fields(*values: Any) -> dict[str, Any]:
    """Return the fields of a line by name, without those that are not known."""
    return {name: value for name, value in zip(_FIELDS, values, strict=True) if value is not None}


def _to_ms(seconds: float) -> float:
    return int(seconds * 1e6) / 1000


def _open_writer(output: TextIO) -> Callable[[bytes], object]:
    try:
        output.fileno()
    except (OSError, AttributeError):  # a stream that is no file, as tests have
        return lambda lines: output.write(lines.decode())
    return lambda lines: _write_all(output, lines)


def _write_all(output: TextIO, lines: bytes) -> None:
    while lines:  # a pipe may take a part
        lines = lines[os.write(output.fileno(), lines) :]
