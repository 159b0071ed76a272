"""Request ids, traces and structured logs. It never sees a payload.

A request id is bound to the current thread or task with `bind_request_id`; every log
line written meanwhile carries it, so that an answer's id finds the lines of its request.
"""

import json
import logging
import os
import random
import re
import select
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from model_service.config import LogFormat, LoggingConfig
from model_service.records import ModelInfo
from model_service.tracing.context import Trace

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_target: ContextVar[ModelInfo | None] = ContextVar("target", default=None)
_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)

#: Visible ASCII without the blank at the ends: what a header can carry and a log line can show.
_ACCEPTABLE_ID = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
#: The `extra` fields that log lines may carry, in the order they are written.
_FIELDS = (
    *("action", "method", "path", "status", "code", "model", "version", "key", "key_id", "by", "address", "rows"),
    "duration_ms",
)
#: How long a line waits for a reader of the log that is busy.
_PATIENCE_S = 0.1
_WARNING = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}


def choose_request_id(offered: str | None) -> str:
    """Return the caller's id if it is printable and at most 128 characters, else a new one."""
    if offered is not None and _ACCEPTABLE_ID.fullmatch(offered):
        return offered
    return f"{random.getrandbits(128):032x}"


def bind_request_id(request_id: str | None) -> None:
    """Mark every log line that this thread or task writes from now on; ``None`` ends it."""
    _request_id.set(request_id)


def get_request_id() -> str | None:
    """Return the id that is bound now."""
    return _request_id.get()


def bind_trace(trace: Trace | None) -> None:
    """Put the id of a trace into every log line that this thread or task writes from now on; ``None`` ends it."""
    _trace.set(trace)


def get_trace() -> Trace | None:
    """Return the trace that is bound now."""
    return _trace.get()


def bind_target(info: ModelInfo | None) -> None:
    """Remember which model answers the request of this thread or task; ``None`` ends it."""
    _target.set(info)


def get_target() -> ModelInfo | None:
    """Return the model that is bound now."""
    return _target.get()


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, request_id, trace_id, then the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(_fields_of(record))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """One line for people; control characters are escaped and tracebacks indented, so that no line can be forged."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {key}={_printable(value)}" for key, value in _fields_of(record).items())
        line = f"{time} {record.levelname.lower():<7} {_printable(record.getMessage())}{fields}"
        if record.exc_info:  # its last lines are the text of an exception, which may repeat a caller's
            line += "".join(f"\n  {_printable(text)}" for text in self.formatException(record.exc_info).splitlines())
        return line


class DroppingHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, and drops and counts them while nobody reads it: no thread waits for a log for long.

    A file that can be written to takes `select.PIPE_BUF` bytes without waiting, so lines go out in pieces of that size.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._dropped = 0
        self._is_torn = False
        self._patience_s = _PATIENCE_S

    def emit(self, record: logging.LogRecord) -> None:
        try:
            descriptor = self.stream.fileno()
        except (OSError, AttributeError):  # a stream that is no file, as tests have
            super().emit(record)
            return
        try:
            lines = self.format(record) + "\n"
            if self._dropped:
                told = f"{self._dropped} lines were dropped: the log is read too slowly"
                lines = self.format(logging.makeLogRecord({**_WARNING, "msg": told})) + "\n" + lines
            if self._is_torn:
                lines = f"\n{lines}"
            is_written = self._write(descriptor, lines.encode("utf-8", "backslashreplace"))
        except OSError:  # a full disk, a reader that left: nobody to tell
            return
        except Exception:
            self.handleError(record)
            return
        # One line waits for a reader that is busy; those after it do not wait for one that does not read.
        self._patience_s = _PATIENCE_S if is_written else 0.0
        self._dropped = 0 if is_written else self._dropped + 1

    def flush(self) -> None:
        """Do nothing for files: what has been emitted has been written."""

    def _write(self, descriptor: int, lines: bytes) -> bool:
        """Return whether all of the lines were taken in time."""
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        ends_at = time.monotonic() + self._patience_s
        while lines:
            if not ready.poll(max(0.0, ends_at - time.monotonic()) * 1000):
                return False
            lines = lines[os.write(descriptor, lines[: select.PIPE_BUF]) :]
            self._is_torn = bool(lines)
        return True


def writes_text(config: LoggingConfig, output: TextIO) -> bool:
    """Whether lines are for people, by the configuration and what they are written to."""
    return config.format is LogFormat.TEXT or (config.format is LogFormat.AUTO and output.isatty())


def build_logging_settings(config: LoggingConfig, stream: TextIO | None = None) -> dict[str, Any]:
    """Return the `logging.config.dictConfig` of the whole process, to be applied by whoever runs it."""
    output = stream if stream is not None else sys.stderr
    formatter = TextFormatter if writes_text(config, output) else JsonFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stream": {"()": DroppingHandler, "formatter": "line", "stream": output}},
        "root": {"handlers": ["stream"], "level": "WARNING"},
        "loggers": {
            "model_service": {"level": config.level.upper()},
            # What it says of its start and end, and of what is no HTTP, is said better here.
            "uvicorn": {"level": "ERROR"},
        },
    }


def _fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    trace = _trace.get()
    trace_id = trace.trace_id if trace is not None else getattr(record, "trace_id", None)
    fields = {
        "request_id": get_request_id(),
        "trace_id": trace_id,
        **{name: getattr(record, name, None) for name in _FIELDS},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _printable(value: object) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(value)
    )
