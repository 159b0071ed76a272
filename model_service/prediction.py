"""`PredictionService`: the one road that every prediction takes, from every door.

    submit   for doors that wait in an event loop: it admits a request and returns
    predict  for threads that may block: a view, the command line, a notebook; it waits on the same

Both find the input valid first, run it through the same queue, and hold the outputs against the output schema.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from model_service.backends.ticket import Ticket, Waiter
from model_service.errors import (
    CapacityError,
    ModelError,
    OutputInvalid,
    PayloadInvalid,
    PayloadMalformed,
    PayloadTooLarge,
)
from model_service.manager import ModelManager
from model_service.records import ModelInfo, Output, Payload, Prediction, RequestContext, Violation
from model_service.registry.entry import ServedModel
from model_service.schema.validation import MAX_VIOLATIONS

logger = logging.getLogger(__name__)


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

    def accepts(self, target: ServedModel, documents: list[Any]) -> bool:
        """Whether documents are plainly payloads of a model, and not too many; else `predict` explains."""
        return 0 < len(documents) <= self._max_rows and target.input_validator.accepts_all(documents)

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
        error, ticket.error = ticket.error, None
        try:
            if error is None:
                _check_outputs(target, ticket.outputs)
                return ticket.outputs
            if isinstance(error, PayloadInvalid):
                violations = _find_all(target, ticket.payloads, is_many=is_many) or list(error.violations)
                raise _invalid(target.info, violations)
            raise error
        except ModelError as fault:
            raise _log_fault(target.info, fault) from None
        finally:
            del error  # its traceback holds this frame

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
            A prediction with one output a payload, in order.

        Raises:
            PayloadMalformed: There are none.
            PayloadTooLarge: There are more than ``max_rows``.
            PayloadInvalid: Every violation, with pointers that start with the row's index.
            PredictionFailed, OutputInvalid, CapacityError: As `predict`.
        """
        if not payloads:
            raise PayloadMalformed("the array is empty; send at least one payload")
        if len(payloads) > self._max_rows:
            raise PayloadTooLarge(f"{len(payloads)} rows in one request; at most {self._max_rows} are accepted")
        return self._predict(target, payloads, context, is_many=True)

    def _predict(
        self, target: ServedModel, documents: list[Any], context: RequestContext | None, *, is_many: bool
    ) -> Prediction:
        started = self._clock()
        is_sure = target.input_validator.accepts_all(documents)
        if not is_sure and (violations := _find_all(target, documents, is_many=is_many)):
            raise _invalid(target.info, violations)
        waiter = Waiter(documents, context.deadline if context else started + target.backend.timeout_s)
        target.backend.submit(waiter.ticket)
        ticket = waiter.wait(target.backend.cancel)
        outputs = self.settle(target, ticket, is_many=is_many)
        return Prediction(target.info.qualified_name, target.info.version, outputs, self._clock() - started)


def _log_fault(info: ModelInfo, error: ModelError) -> ModelError:
    """Log what the model raised; return what may leave, the kind of the error: its cause may repeat the payload."""
    names = {"model": info.qualified_name, "version": info.version}
    logger.error("prediction failed: %s", error.message, extra=names, exc_info=error)
    return type(error)(f"model '{info.qualified_name}' failed; the log tells why, by request id")


def _find_all(served: ServedModel, documents: list[Any], *, is_many: bool) -> list[Violation]:
    """Return the violations of all documents; of an array, with pointers that start with the index of the row."""
    found = _find_violations(served, documents)
    if not is_many:
        return found[0]
    return [
        replace(violation, pointer=f"/{i}{violation.pointer}")
        for i, violations in enumerate(found)
        for violation in violations
    ]


def _find_violations(served: ServedModel, documents: list[Any]) -> list[list[Violation]]:
    """Return the violations of each document: the schema's, or, where it has none, those of the model's own rules.

    The list is shorter than the documents when there are more violations than an answer holds.
    """
    if served.input_validator.accepts_all(documents):
        return _find_own_violations(served, documents)
    found: list[list[Violation]] = []
    for document in documents:
        found.append(served.input_validator.find_violations(document))
        if found[-1] and sum(map(len, found)) >= MAX_VIOLATIONS:
            return found
    sound = [i for i, violations in enumerate(found) if not violations]
    if sound:
        own = _find_own_violations(served, [documents[i] for i in sound])
        for i, violations in zip(sound, own, strict=True):
            found[i] = violations
    return found


def _find_own_violations(served: ServedModel, payloads: list[Payload]) -> list[list[Violation]]:
    try:
        return served.backend.find_violations(payloads)
    except ModelError as error:
        raise _log_fault(served.info, error) from None


def _invalid(info: ModelInfo, violations: list[Violation]) -> PayloadInvalid:
    count = f"{len(violations)} {'fault' if len(violations) == 1 else 'faults'}"
    if len(violations) >= MAX_VIOLATIONS:
        count = f"at least {MAX_VIOLATIONS} faults"
    message = f"the payload for model '{info.qualified_name}' has {count}; see errors"
    return PayloadInvalid(message, violations[:MAX_VIOLATIONS])


def _check_outputs(served: ServedModel, outputs: list[Output]) -> None:
    """Hold every output against the output schema.

    Raises:
        OutputInvalid: Names the broken rules of the first bad output, for the log.
    """
    if served.output_validator.accepts_all(outputs):
        return
    for i, output in enumerate(outputs):
        violations = served.output_validator.find_violations(output)
        if violations:
            raise OutputInvalid(f"output {i}: " + "; ".join(_sentences(violations)), violations)


def _sentences(violations: list[Violation]) -> Iterator[str]:
    for violation in violations[:5]:
        yield f"'{violation.pointer or '/'}' {violation.message}"
