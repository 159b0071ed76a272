"""`PredictionLog`: takes predictions that were answered, and has a thread write them. It never blocks, and never fails.

Whoever has answered a request appends a note to a bounded queue. The thread sleeps while there is none; it leaves out
what is to be left out, encodes, and writes everything that gathered in one transaction. When there is no room, or
nothing can be written (a full disk, a folder that is not there), predictions are dropped and counted.
"""

import logging
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from model_service.backends.ticket import RowOutcome
from model_service.config import ServiceConfig
from model_service.config_predictions import ModelLogConfig, PredictionLogConfig
from model_service.errors import ServiceError
from model_service.prediction_log import parts
from model_service.prediction_log.redaction import leave_out
from model_service.records import ModelInfo, Payload, RequestContext
from model_service.strict_json import encode_document

logger = logging.getLogger(__name__)

#: What a note of a row takes in memory and in the file beside its data, about.
_ROW_BYTES = 300
#: Rows of one transaction: between two of them others may write.
_ROWS_AT_ONCE = 1000
#: Old files are looked for so often, and as often the log is told what was dropped.
_LOOK_S, _SILENCE_S = 60.0, 60.0
#: Several workers may want to make the same file: who comes second tries again.
_TRIES, _PAUSE_S = 3, 0.1
_INSERT = "INSERT INTO predictions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class _Note(NamedTuple):
    """One request, as it was answered."""

    time_s: float
    latency_s: float
    info: ModelInfo
    config: ModelLogConfig
    context: RequestContext
    payloads: Sequence[Payload]
    outcomes: Sequence[RowOutcome]
    numbers: Sequence[int] | None
    size_bytes: int


class PredictionLog:
    """The log of one process. Thread-safe.

    Args:
        config: Of the service.
        for_jobs: Whether this process works on jobs, whose rows a model logs only when asked to.

    Attributes:
        written: Rows that were written so far.
        dropped: Rows that were to be logged and were not.
    """

    def __init__(self, config: PredictionLogConfig, *, for_jobs: bool = False) -> None:
        self.written = self.dropped = 0
        self._config = config
        self._for_jobs = for_jobs
        self._notes: deque[_Note] = deque()
        self._held_bytes = 0
        self._counting = threading.Lock()
        self._writing = threading.Lock()
        self._has_notes = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._path: Path | None = None
        self._looked_at = self._told_at = -_LOOK_S
        self._told = 0
        self._why = ""

    def takes(self, config: ModelLogConfig) -> bool:
        """Whether the prediction of a request is to be logged, which chance decides."""
        chance = random.random()  # noqa: S311 - nothing depends on that nobody can guess it
        return chance < config.sample and (config.jobs or not self._for_jobs)

    def note(
        self,
        info: ModelInfo,
        config: ModelLogConfig,
        context: RequestContext,
        payloads: Sequence[Payload],
        outcomes: Sequence[RowOutcome],
        *,
        size_bytes: int | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Have the predictions of a request written soon, or count them as dropped; it never blocks.

        Args:
            info: Of the model that answered.
            config: What of it is logged.
            context: Of the request.
            payloads: Its rows; nobody changes them any more.
            outcomes: One per row. Errors are not logged.
            size_bytes: Of the body of the request, where that is known.
            numbers: Which row of the request each is; from 0 in their order without.
        """
        size = (_weigh(payloads) if size_bytes is None else size_bytes) + _ROW_BYTES * len(payloads)
        with self._counting:
            has_room = self._held_bytes + size <= self._config.max_queue_bytes and not self._closing.is_set()
            if has_room:
                self._held_bytes += size
            else:
                self.dropped += len(payloads)
                self._why = "more come than can be written"
        if has_room:
            latency_s = time.monotonic() - context.arrived
            self._notes.append(_Note(time.time(), latency_s, info, config, context, payloads, outcomes, numbers, size))
        if not self._has_notes.is_set():
            self._rouse()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            while self._notes:
                notes = [self._notes.popleft() for _ in range(len(self._notes))]
                rows = (row for note in notes for row in self._encode(note))
                while some := list(islice(rows, _ROWS_AT_ONCE)):
                    self._write(some)
                with self._counting:
                    self._held_bytes -= sum(note.size_bytes for note in notes)
            self._tell()

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        self._closing.set()
        self.flush()
        with self._writing:
            self._disconnect()

    def _rouse(self) -> None:
        with self._counting:
            if self._thread is None:  # not before the first note: a server may fork until then
                self._thread = threading.Thread(target=self._write_in_turn, name="prediction-log", daemon=True)
                self._thread.start()
        self._has_notes.set()

    def _write_in_turn(self) -> None:
        while not self._closing.is_set():
            self._has_notes.wait()
            self._closing.wait(self._config.flush_s)
            self._has_notes.clear()  # before the writing: a note that comes during it rouses again
            self.flush()

    def _encode(self, note: _Note) -> list[tuple[Any, ...]]:
        try:
            return list(_list_rows(note))
        except Exception as error:  # whatever a model answers, the thread goes on
            self._drop(len(note.payloads), f"{type(error).__name__} in model '{note.info.qualified_name}'")
            return []

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        for tried in count(1):
            try:
                with self._connect() as connection:
                    connection.executemany(_INSERT, rows)
                self.written += len(rows)
                return
            except (OSError, sqlite3.Error, ValueError) as error:  # `ValueError`: a text that no file can hold
                self._disconnect()
                if tried < _TRIES and isinstance(error, sqlite3.OperationalError) and not self._closing.is_set():
                    time.sleep(_PAUSE_S)
                    continue
                self._drop(len(rows), f"{type(error).__name__}: {error}")
                return

    def _drop(self, rows: int, why: str) -> None:
        with self._counting:
            self.dropped += rows
            self._why = why

    def _connect(self) -> sqlite3.Connection:
        """Return a connection to the file of this time; remove old files now and then."""
        now, tick = time.time(), time.monotonic()
        if tick - self._looked_at >= _LOOK_S or self._connection is None:
            self._looked_at = tick
            parts.remove_old(self._config, now)
        path = parts.find_current(self._config, now).path
        if self._connection is None or path != self._path or not path.exists():
            self._disconnect()
            self._connection, self._path = parts.create(path), path
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tell(self) -> None:
        tick = time.monotonic()
        if self.dropped > self._told and (tick - self._told_at >= _SILENCE_S or self._closing.is_set()):
            rows, self._told, self._told_at = self.dropped - self._told, self.dropped, tick
            logger.warning("%d predictions were not logged: %s", rows, self._why)


def open_log(config: ServiceConfig, *, for_jobs: bool = False) -> PredictionLog | None:
    """Return the log of a process; ``None`` where no model logs what it does."""
    logged = [model.prediction_log for model in config.models if model.prediction_log.sample > 0]
    if not any(each.jobs or not for_jobs for each in logged):
        return None
    return PredictionLog(config.prediction_log, for_jobs=for_jobs)


def _list_rows(note: _Note) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of each row that has an output."""
    config, context = note.config, note.context
    redacted = [*config.redact, *(f"output.{path}" for path in config.redact_outputs)]
    for row, payload, outcome in zip(note.numbers or count(), note.payloads, note.outcomes, strict=False):
        if not isinstance(outcome, ServiceError):
            yield (
                parts.write_time(note.time_s),
                note.info.qualified_name,
                note.info.version,
                context.request_id,
                row,
                round(note.latency_s * 1000, 3),
                context.caller,
                encode_document(leave_out(payload, config.redact)).decode(),
                encode_document(leave_out(outcome, config.redact_outputs)).decode(),
                encode_document(redacted).decode() if redacted else None,
            )


def _weigh(payloads: Sequence[Payload]) -> int:
    """Return about how many bytes rows take: of texts and lists their length, of anything else a little."""
    return sum(
        len(value) if isinstance(value, str | list | dict) else 8 for payload in payloads for value in payload.values()
    )
