"""`PredictionService`: the one road that every prediction takes, from every door.

    submit        for doors that wait in an event loop: it admits a request and returns
    predict_rows  for threads that may block: rows succeed or fail alone
    predict, predict_many   all or nothing, for a view, the command line, a notebook

All find the input valid first, run it through the same queue, and hold the outputs against the output schema.
"""

import time
from collections.abc import Callable, Sized
from contextlib import AbstractContextManager
from typing import Any

from model_service import outcomes
from model_service.backends.ticket import RowOutcome, Ticket, Waiter
from model_service.errors import CapacityError, PayloadMalformed, PayloadTooLarge
from model_service.manager import ModelManager
from model_service.records import Output, Prediction, RequestContext
from model_service.registry.entry import ServedModel


class PredictionService:
    """Find the model, validate, run, validate again. Thread-safe.

    Args:
        manager: Knows the models.
        max_rows: Most payloads of one request.
        clock: Seconds that only grow, and by which deadlines are meant: `time.monotonic`.
    """

    def __init__(self, manager: ModelManager, *, max_rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._manager = manager
        self._max_rows = max_rows
        self._clock = clock

    def find_target(self, qualified_name: str, version: str | None = None) -> ServedModel:
        """Return the model that answers a request, to be handed to the methods below.

        Args:
            qualified_name: The model's name.
            version: The default version of the name when ``None``.

        Raises:
            ModelNotFound, ModelNotReady: From the manager.
        """
        return self._manager.get_model(qualified_name, version)

    def lease(self, qualified_name: str, version: str | None = None) -> AbstractContextManager[ServedModel]:
        """Find a model as `find_target` does, and keep it from being stopped for the length of a block."""
        return self._manager.lease(qualified_name, version)

    def accepts(self, target: ServedModel, documents: list[Any]) -> bool:
        """Whether documents are plainly payloads of a model, and not too many; else `predict` explains."""
        return 0 < len(documents) <= self._max_rows and self._validate(target, documents)

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
        return outcomes.settle(target, ticket, is_many=is_many)

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
        found = outcomes.find_faults(target, document if is_many else [document])
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
        self, target: ServedModel, documents: list[Any], context: RequestContext | None = None
    ) -> list[RowOutcome]:
        """Predict for rows that succeed or fail alone, and wait for it.

        Args:
            target: From `find_target`.
            documents: Any JSON documents; ``max_rows`` does not bound them, ``max_queue_rows`` does.
            context: As in `predict`.

        Returns:
            What became of each row, in order: its output, or its error. A `PayloadInvalid` points into the row. A row
            for which the model, or one of its own rules, raises fails alone, too.

        Raises:
            CapacityError, PayloadTooLarge: None of them was admitted.
        """
        is_sound = self._validate(target, documents)
        found = [[] for _ in documents] if is_sound else outcomes.find_schema_faults(target, documents)
        sound = [document for document, violations in zip(documents, found, strict=True) if not violations]
        settled: list[RowOutcome] = []
        if sound:
            waiter = Waiter(sound, context or _make_context(target, self._clock()), is_lenient=True)
            settled = outcomes.settle_rows(target, target.backend.wait_for(waiter))
        left = iter(settled)
        return [outcomes.word_faults(target.info, violations) if violations else next(left) for violations in found]

    def _validate(self, target: ServedModel, documents: list[Any]) -> bool:
        """Whether the input schema accepts all rows of a request."""
        meter = target.meter
        if meter is None:
            return target.input_validator.accepts_all(documents)
        began = self._clock()
        is_sound = target.input_validator.accepts_all(documents)
        meter.validations.append(self._clock() - began)
        return is_sound

    def _predict(
        self, target: ServedModel, documents: list[Any], context: RequestContext | None, *, is_many: bool
    ) -> Prediction:
        started = self._clock()
        if not self._validate(target, documents):
            found = outcomes.find_faults(target, documents)
            outcomes.raise_faults(target, found, is_many=is_many)
        ticket = target.backend.wait_for(Waiter(documents, context or _make_context(target, started)))
        outputs = self.settle(target, ticket, is_many=is_many)
        return Prediction(target.info.qualified_name, target.info.version, outputs, self._clock() - started)


def _make_context(target: ServedModel, now: float) -> RequestContext:
    """Return the context of a call that has none: who asks is there, in this process."""
    return RequestContext("", now, now + target.timeout_s)
