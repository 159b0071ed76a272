"""`Shadows`: copies of answered requests for versions that are tried out. Nobody waits for them.

Whoever has answered a request appends it to a bounded queue; a thread predicts it again with the shadow, compares the
answers, and throws them away. When there is no room, because the shadow is slow or hangs, copies are dropped and
counted. A shadow runs in processes of its own (the configuration sees to it), so what goes wrong there touches nothing
else.
"""

import itertools
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from model_service.backends.ticket import RowOutcome
from model_service.errors import ServiceError
from model_service.manager import ModelManager
from model_service.records import RequestContext
from model_service.registry.entry import ServedModel
from model_service.registry.routing import is_next
from model_service.schema.difference import find_difference
from model_service.tracing.context import Trace, Value
from model_service.tracing.requests import ERROR, MODEL, REQUEST_ID, VERSION

logger = logging.getLogger(__name__)

#: Rows that wait for a shadow, in one worker. They are kept alive by nothing else.
MAX_ROWS = 10_000
#: Answers that differ by less, in proportion, are alike: batches change the last digits of a float.
_TOLERANCE = 1e-6
#: Rows of several copies that are predicted together.
_ROWS_AT_ONCE = 256
#: Differences are told in the log at most so often; they are counted always.
_SILENCE_S = 1.0
#: What predicts rows with a model, as `PredictionService.predict_rows` does, and is not copied again.
RunRows = Callable[[ServedModel, list[Any], RequestContext], list[RowOutcome]]


class _Copy(NamedTuple):
    """One request, as it was answered."""

    shadow: ServedModel
    answered_by: str
    request_id: str
    documents: list[Any]
    outcomes: list[RowOutcome]
    trace: Trace | None


class Shadows:
    """The shadows of one worker. Thread-safe.

    Args:
        manager: Knows which versions are shadows.
        run: Predicts with one of them.

    Attributes:
        counts: Rows by model, version of the shadow, and what became of them: ``alike``, ``different``, ``failed``
            (the shadow refused the row, or failed), ``dropped``.
    """

    def __init__(self, manager: ModelManager, run: RunRows) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._manager = manager
        self._run = run
        self._turns = itertools.count(1)
        self._copies: deque[_Copy] = deque()
        self._held_rows = 0
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._told_at = -_SILENCE_S

    def copy(
        self,
        target: ServedModel,
        request_id: str,
        documents: Sequence[Any],
        outcomes: Sequence[RowOutcome],
        trace: Trace | None = None,
    ) -> None:
        """Have shadows of a model predict what it has answered; it never blocks.

        Args:
            target: The version that answered.
            request_id: Finds its line in the log.
            documents: The rows; nobody changes them any more.
            outcomes: One per row.
            trace: Of the request; what a shadow makes of it is a child of its span.
        """
        for shadow, share in self._manager.generation.find_shadows(target.info.qualified_name):
            if shadow.leases is target.leases or not is_next(next(self._turns), share):
                continue
            with self._change:
                if self._is_closed or self._held_rows + len(documents) > MAX_ROWS:
                    self._count(shadow, "dropped", len(documents))
                    continue
                self._held_rows += len(documents)
                rows = list(documents), list(outcomes)
                copy = _Copy(shadow, target.info.version, request_id, *rows, trace)
                self._copies.append(copy)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)
                    self._thread.start()
                self._change.notify()

    def close(self) -> None:
        """Take no more copies, and forget those that wait."""
        with self._change:
            self._is_closed = True
            self._copies.clear()
            self._change.notify()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._copies or self._is_closed)
                if self._is_closed:
                    return
                copies = self._take()
            rows = sum(len(copy.documents) for copy in copies)
            traces = _Traces(copies)
            try:
                self._compare(copies, traces.first)
            except ServiceError as error:  # it is not ready, has no room, or takes too long
                traces.code = error.code
                self._tell(copies[0], rows, "failed", error.code)
            except Exception:
                logger.exception("a shadow of %s failed", copies[0].shadow.info.qualified_name)
                traces.code = "internal_error"
                self._tell(copies[0], rows, "failed", "internal_error")
            finally:
                traces.end()
                with self._change:
                    self._held_rows -= rows

    def _take(self) -> list[_Copy]:
        """Return the next copy, with those behind it that go to the same shadow and fit beside it."""
        copies = [self._copies.popleft()]
        rows = len(copies[0].documents)
        while self._copies and self._copies[0].shadow is copies[0].shadow:
            rows += len(self._copies[0].documents)
            if rows > _ROWS_AT_ONCE:
                break
            copies.append(self._copies.popleft())
        return copies

    def _compare(self, copies: list[_Copy], trace: Trace | None) -> None:
        now, shadow = time.monotonic(), copies[0].shadow
        context = RequestContext(copies[0].request_id, now, now + shadow.timeout_s, trace=trace)
        answers = iter(self._run(shadow, [row for copy in copies for row in copy.documents], context))
        for copy in copies:
            kinds = Counter(_judge(answered, next(answers)) for answered in copy.outcomes)
            self._count(shadow, "alike", kinds.pop("alike", 0))
            for kind, rows in kinds.items():
                self._tell(copy, rows, kind, None)

    def _tell(self, copy: _Copy, rows: int, kind: str, code: str | None) -> None:
        """Count rows that were not answered alike, and log them, unless that was done a moment ago."""
        self._count(copy.shadow, kind, rows)
        if time.monotonic() - self._told_at < _SILENCE_S:
            return
        self._told_at = time.monotonic()
        info = copy.shadow.info
        word = "answered otherwise" if kind == "different" else "failed"
        logger.warning(
            "the shadow %s %s for %d rows that %s answered (request %s)",
            *(info.version, word, rows, copy.answered_by, copy.request_id),
            extra={"model": info.qualified_name, "version": info.version, "code": code},
        )

    def _count(self, shadow: ServedModel, kind: str, rows: int) -> None:
        self.counts[shadow.info.qualified_name, shadow.info.version, kind] += rows


class _Traces:
    """The spans of copies that are predicted together, each a child of the request that it is a copy of.

    Attributes:
        first: One of them, which has the stages of all; ``None`` where none of the requests is traced.
        code: Of the error that ended them.
    """

    def __init__(self, copies: list[_Copy]) -> None:
        now = time.monotonic()
        traced = [(copy, copy.trace) for copy in copies if copy.trace is not None and copy.trace.is_sampled]
        self._pairs = [(copy, trace.branch(now)) for copy, trace in traced]
        self.first = self._pairs[0][1] if self._pairs else None
        self.code: str | None = None

    def end(self) -> None:
        """End them."""
        for copy, trace in self._pairs:
            info = copy.shadow.info
            attributes: dict[str, Value] = {MODEL: info.qualified_name, VERSION: info.version}
            attributes[REQUEST_ID] = copy.request_id
            if self.code is not None:
                attributes[ERROR] = self.code
            trace.rows = len(copy.documents)
            trace.end("shadow", time.monotonic(), attributes, has_failed=self.code is not None)


def _judge(answered: RowOutcome, shadowed: RowOutcome) -> str:
    """Return what became of a row."""
    if isinstance(shadowed, ServiceError):
        return "alike" if isinstance(answered, ServiceError) and answered.code == shadowed.code else "failed"
    if isinstance(answered, ServiceError):
        return "different"
    return "different" if find_difference(answered, shadowed, tolerance=_TOLERANCE) else "alike"
