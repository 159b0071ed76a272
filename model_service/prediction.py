"""`PredictionService`: the one road that every prediction takes, from every door.

    submit        for doors that wait in an event loop: it admits a request and returns
    predict_rows  for threads that may block: rows succeed or fail alone
    predict, predict_many   all or nothing, for a view, the command line, a notebook
    read_table, predict_table, settle_table   columns beside rows; each gives up where rows must decide

All find the input valid first, run it through the same queue, and hold the outputs against the output schema.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from model_service import outcomes
from model_service.access.caller import check_model
from model_service.backends.ticket import RowOutcome, TableTicket, Ticket, Waiter
from model_service.errors import CapacityError, PayloadMalformed, PayloadTooLarge
from model_service.manager import ModelManager
from model_service.observability import get_request_id, get_trace
from model_service.prediction_log.writer import PredictionLog
from model_service.records import Output, Prediction, RequestContext
from model_service.registry.entry import ServedModel
from model_service.registry.routing import FindHeader
from model_service.shadows import Shadows
from model_service.tracing.context import VALIDATE, Trace

if TYPE_CHECKING:
    from model_service.tables import Table

#: A table of fewer rows costs more than the rows do (decision 0020).
LEAST_TABLE_ROWS = 32


class PredictionService:
    """Find the model, validate, run, validate again. Thread-safe.

    Args:
        manager: Knows the models.
        max_rows: Most payloads of one request.
        clock: Seconds that only grow, and by which deadlines are meant: `time.monotonic`.

    Attributes:
        log: Takes the predictions of models that log them; ``None`` where none does.
        shadows: Take copies of requests; ``None`` where no version is a shadow.
    """

    log: PredictionLog | None = None
    shadows: Shadows | None = None

    def __init__(self, manager: ModelManager, *, max_rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._manager = manager
        self._max_rows = max_rows
        self._clock = clock

    def find_target(
        self, qualified_name: str, version: str | None = None, find_header: FindHeader | None = None
    ) -> ServedModel:
        """Return the model that answers a request, to be handed to the methods below.

        Args:
            qualified_name: The model's name, perhaps with an alias.
            version: The default version of the name, or one by weight, when ``None``.
            find_header: Looks up a header of the request, for versions that keep their callers.

        Raises:
            ModelNotFound, ModelNotReady: From the manager.
            Forbidden: The caller's key is not for this model.
        """
        target = self._manager.get_model(qualified_name, version, find_header)
        check_model(target.info.qualified_name)
        return target

    @contextmanager
    def lease(
        self, qualified_name: str, version: str | None = None, find_header: FindHeader | None = None
    ) -> Iterator[ServedModel]:
        """Find a model as `find_target` does, and keep it from being stopped for the length of a block."""
        with self._manager.lease(qualified_name, version, find_header) as target:
            check_model(target.info.qualified_name)
            yield target

    def pin(self, target: ServedModel, documents: list[Any]) -> ServedModel:
        """Return the version that answers a request with these rows; the target itself unless its rows decide."""
        return target if target.split is None else target.split.choose_for(documents[0] if documents else None)

    def accepts(self, target: ServedModel, documents: list[Any], trace: Trace | None = None) -> bool:
        """Whether documents are plainly payloads of a model, and not too many; else `predict` explains."""
        if not 0 < len(documents) <= self._max_rows:
            return False
        if target.meter is None and trace is None:
            return target.input_validator.accepts_all(documents)
        began = self._clock()
        is_sound = target.input_validator.accepts_all(documents)
        ended = self._clock()
        if target.meter is not None:
            target.meter.validations.append(ended - began)
        if trace is not None:
            trace.rows = len(documents)  # perhaps once more
            trace.note(VALIDATE, began, ended)
        return is_sound

    def find_refusal(self, target: ServedModel, rows: int, deadline: float) -> CapacityError | None:
        """Return why so many rows would not be admitted now, if they would not: to be asked before they are decoded."""
        return target.backend.find_refusal(rows, deadline)

    def submit(self, target: ServedModel, ticket: Ticket) -> None:
        """Admit a request; for any thread, and it does not block.

        Args:
            target: From `find_target`.
            ticket: Its payloads are what `accepts` accepted. Its ``done`` is called once when it is over, by the
                thread that ended it: `is_sound` tells whether its outputs may leave, and `settle` explains where
                they may not.

        Raises:
            CapacityError, PayloadTooLarge: It is not admitted, and ``done`` is not called.
        """
        target.backend.submit(ticket)

    def cancel(self, target: ServedModel, ticket: Ticket) -> None:
        """Forget a request whose caller has left; what has not run yet never will."""
        target.backend.cancel(ticket)

    def is_sound(self, target: ServedModel, ticket: Ticket) -> bool:
        """Whether a ticket that is over has outputs that its model's output schema accepts."""
        return ticket.error is None and target.output_validator.accepts_all(ticket.outputs)

    def settle(self, target: ServedModel, ticket: Ticket, *, is_many: bool) -> list[Output]:
        """Return the outputs of a ticket that is over.

        Args:
            target: The model it was submitted to.
            ticket: What `submit` returned.
            is_many: Whether its caller sent an array, so that pointers start with the index of the row.

        Raises:
            PayloadInvalid: The model's own rules refuse it: every violation.
            PredictionFailed, OutputInvalid, CapacityError: From the backend and the model.
        """
        outputs = outcomes.settle(target, ticket, is_many=is_many)
        if self.is_watched:
            self.watch(target, ticket.context, ticket.payloads, outputs)
        return outputs

    def takes_table(self, target: ServedModel, rows: int) -> bool:
        """Whether to ask `read_table`: what is logged, copied or shared by a field goes as rows; few rows do, too."""
        if target.tables is None or rows < LEAST_TABLE_ROWS or target.split is not None:
            return False
        return self.shadows is None and (self.log is None or not target.log.sample)

    def read_table(self, target: ServedModel, columns: Mapping[str, Any]) -> "Table | None":
        """Return columns as what `predict_table`, or a `TableTicket`, takes.

        Args:
            target: From `find_target`.
            columns: The values of each field, of which there are as many as `check_rows` lets pass.

        Returns:
            ``None`` where they are not certainly valid, or not the model's: then their rows are to be predicted.
        """
        return target.tables.input.read(columns) if target.tables is not None else None

    def settle_table(self, target: ServedModel, ticket: TableTicket) -> "Table | None":
        """Return the outputs of a table's ticket that is over; ``None`` where its rows are to be predicted.

        Raises:
            CapacityError: From the backend.
        """
        return outcomes.settle_table(target, ticket)

    def predict_table(self, target: ServedModel, table: "Table", context: RequestContext) -> "Table | None":
        """Predict for what `read_table` returned, and wait for it; ``None`` where its rows are to be predicted.

        Raises:
            CapacityError, PayloadTooLarge: From the backend.
        """
        return self.settle_table(target, target.backend.wait_for(Waiter(table, context)))  # type: ignore[arg-type]

    def predict(self, target: ServedModel, payload: Any, context: RequestContext | None = None) -> Prediction:
        """Predict for one payload, and wait for it.

        Args:
            target: From `find_target`.
            payload: Any JSON document; whether it is a payload is decided here.
            context: Of the request; without one, the deadline is the model's own, from now.

        Returns:
            A prediction with one output.

        Raises:
            PayloadInvalid: Every violation, with pointers into the payload.
            PredictionFailed, OutputInvalid, CapacityError: From the backend and the model.
        """
        return self._predict(target, [payload], context, is_many=False)

    def predict_many(
        self, target: ServedModel, payloads: list[Any], context: RequestContext | None = None
    ) -> Prediction:
        """Predict for many payloads, all or nothing, and wait for it.

        Returns:
            A prediction with one output per payload, in order.

        Raises:
            PayloadMalformed: There are none.
            PayloadTooLarge: There are more than ``max_rows``.
            PayloadInvalid: Every violation, with pointers that start with the row's index.
            PredictionFailed, OutputInvalid, CapacityError: As `predict`.
        """
        self.check_rows(payloads)
        return self._predict(target, payloads, context, is_many=True)

    def check(self, target: ServedModel, document: Any) -> None:
        """Judge a document as `predict` or `predict_many` would, and predict nothing.

        Raises:
            PayloadMalformed, PayloadTooLarge, PayloadInvalid: As they do.
            PredictionFailed: The model's own rules raised.
        """
        is_many = isinstance(document, list)
        if is_many:
            self.check_rows(document)
        documents = document if is_many else [document]
        target = self.pin(target, documents)
        found = outcomes.find_faults(target, documents)
        outcomes.raise_faults(target, found, is_many=is_many)

    def check_rows(self, documents: Sized) -> None:
        """Hold the number of rows of one request against the bound.

        Raises:
            PayloadMalformed: There are none.
            PayloadTooLarge: There are more than ``max_rows``.
        """
        if not len(documents):
            raise PayloadMalformed("the array is empty; send at least one payload")
        if len(documents) > self._max_rows:
            raise PayloadTooLarge(f"{len(documents)} rows in one request; at most {self._max_rows} are accepted")

    def predict_rows(
        self,
        target: ServedModel,
        documents: list[Any],
        context: RequestContext | None = None,
        *,
        numbers: Sequence[int] | None = None,
    ) -> list[RowOutcome]:
        """Predict for rows that succeed or fail alone, and wait for it.

        Args:
            target: From `find_target`.
            documents: Any JSON documents; ``max_rows`` does not bound them, ``max_queue_rows`` does.
            context: As in `predict`.
            numbers: Which row of the request each document is, for the log; from 0 in their order without.

        Returns:
            What became of each row, in order: its output, or its error. A `PayloadInvalid` points into the row. A row
            for which the model, or one of its own rules, raises fails alone, too.

        Raises:
            CapacityError, PayloadTooLarge: None of them was admitted.
        """
        target = self.pin(target, documents)
        context = context or make_context(target, self._clock())
        rows = _run_rows(target, documents, context)
        if self.is_watched:
            self.watch(target, context, documents, rows, numbers=numbers)
        return rows

    @property
    def is_watched(self) -> bool:
        """Whether `watch` has anything to do."""
        return self.log is not None or self.shadows is not None

    def watch(
        self,
        target: ServedModel,
        context: RequestContext,
        documents: Sequence[Any],
        found: Sequence[RowOutcome],
        *,
        size_bytes: int | None = None,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Log an answered request, and copy it for shadows, where the configuration says so; it never blocks.

        Args:
            target: The version that answered.
            context: Of the request.
            documents: Its rows; nobody changes them any more.
            found: What became of each.
            size_bytes: Of the body of the request, where that is known.
            numbers: Which row of the request each is; from 0 in their order without.
        """
        if self.log is not None and self.log.takes(target.log):
            log = target.log
            self.log.note(target.info, log, context, documents, found, size_bytes=size_bytes, numbers=numbers)
        if self.shadows is not None:
            self.shadows.copy(target, context.request_id, documents, found, context.trace)

    def copy_for_shadows(self) -> None:
        """Begin to copy requests for the versions that are shadows."""
        self.shadows = Shadows(self._manager, _run_rows)

    def _predict(
        self, target: ServedModel, documents: list[Any], context: RequestContext | None, *, is_many: bool
    ) -> Prediction:
        started = self._clock()
        target = self.pin(target, documents)
        context = context or make_context(target, started)
        if not self.accepts(target, documents, context.trace):
            found = outcomes.find_faults(target, documents)
            outcomes.raise_faults(target, found, is_many=is_many)
        ticket = target.backend.wait_for(Waiter(documents, context))
        outputs = self.settle(target, ticket, is_many=is_many)
        return Prediction(target.info.qualified_name, target.info.version, outputs, self._clock() - started)


def _run_rows(target: ServedModel, documents: list[Any], context: RequestContext) -> list[RowOutcome]:
    """Return what becomes of rows that succeed or fail alone."""
    began = time.monotonic()
    found = outcomes.find_schema_faults(target, documents)
    if target.meter is not None:
        target.meter.validations.append(time.monotonic() - began)
    if context.trace is not None:
        context.trace.rows += len(documents)  # of a file, a chunk
        context.trace.note(VALIDATE, began, time.monotonic())
    if not any(found):
        return _run_sound(target, documents, context)
    sound = [document for document, violations in zip(documents, found, strict=True) if not violations]
    left = iter(_run_sound(target, sound, context))
    return [outcomes.word_faults(target.info, violations) if violations else next(left) for violations in found]


def _run_sound(target: ServedModel, payloads: list[Any], context: RequestContext) -> list[RowOutcome]:
    if not payloads:
        return []
    return outcomes.settle_rows(target, target.backend.wait_for(Waiter(payloads, context, is_lenient=True)))


def make_context(target: ServedModel, now: float) -> RequestContext:
    """Return the context of a call that has none: who asks is there, in this process."""
    return RequestContext(get_request_id() or "", now, now + target.timeout_s, trace=get_trace())
