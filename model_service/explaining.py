"""`ExplanationService`: a prediction and what led to it, on the road of every prediction.

The output comes by the queue as any other does. What explains it then asks the model for more rows, a few at a time, by
the same queue, so that predictions go between. It blocks the thread that called, and has the deadline of the request.
It is neither logged nor copied for shadows: a question about a prediction is not another one.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from model_service import outcomes
from model_service.backends.questions import Questions
from model_service.backends.ticket import RowOutcome, Waiter
from model_service.errors import CallerError, ModelError, OutputInvalid, PayloadMalformed, PayloadTooLarge, QueueFull
from model_service.prediction import PredictionService
from model_service.records import Explanation, Output, Payload, RequestContext
from model_service.registry.entry import ServedModel
from model_service.schema.explanation import EXPLANATION_SCHEMA
from model_service.schema.validation import SchemaValidator, word_violations

logger = logging.getLogger(__name__)

#: Requests that are explained at the same time in one process: each takes a thread, and many rows.
MOST_AT_ONCE = 2


class ExplanationNotOffered(CallerError):
    """The model has no `MLModel.explain` of its own."""

    code = "explanation_not_offered"
    title = "The model offers no explanations."


class ExplanationService:
    """Predict and explain. Thread-safe.

    Args:
        predictions: The road.
        max_rows: Most payloads of one request: each costs as much as hundreds that are only predicted.
    """

    def __init__(self, predictions: PredictionService, *, max_rows: int) -> None:
        self.max_rows = max_rows
        self._predictions = predictions
        self._validator = SchemaValidator(EXPLANATION_SCHEMA)
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def check_offer(self, target: ServedModel) -> None:
        """Let a request go on to a model that offers explanations.

        Raises:
            ExplanationNotOffered: It does not.
        """
        info = target.info
        if not info.has_explanations:
            raise ExplanationNotOffered(
                f"model '{info.qualified_name}' {info.version} offers no explanations; the member 'has_explanations' "
                "of a model's metadata tells which do"
            )

    def explain(self, target: ServedModel, document: Any, context: RequestContext) -> tuple[str, list[dict[str, Any]]]:
        """Return which version answered, and ``{"output", "explanation", "rows"}`` of each payload.

        ``rows`` is how many rows the model was asked for beside the one that is explained.

        Args:
            target: From `PredictionService.find_target`.
            document: Any JSON document.
            context: Of the request.

        Raises:
            ExplanationNotOffered: The model has none.
            PayloadMalformed, PayloadTooLarge, PayloadInvalid: As `PredictionService.predict` and ``predict_many``.
            PredictionFailed, OutputInvalid, CapacityError: From the backend and the model.
        """
        is_many = isinstance(document, list)
        payloads = document if is_many else [document]
        target = self._predictions.pin(target, payloads)
        self.check_offer(target)
        if not payloads:
            raise PayloadMalformed("the array is empty; send at least one payload")
        if len(payloads) > self.max_rows:
            raise PayloadTooLarge(f"{len(payloads)} rows to be explained; at most {self.max_rows} are accepted")
        if not target.input_validator.accepts_all(payloads):
            outcomes.raise_faults(target, outcomes.find_faults(target, payloads), is_many=is_many)
        with self._take_turn():
            ticket = target.backend.wait_for(Waiter(payloads, context))
            outputs = outcomes.settle(target, ticket, is_many=is_many)
            found = [self._explain(target, *each, context) for each in zip(payloads, outputs, strict=True)]
        return target.info.version, found

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        if not self._turns.acquire(blocking=False):
            raise QueueFull(f"{MOST_AT_ONCE} requests are being explained already, which is as many as are at once")
        try:
            yield
        finally:
            self._turns.release()

    def _explain(
        self, target: ServedModel, payload: Payload, output: Output, context: RequestContext
    ) -> dict[str, Any]:
        def run(rows: list[Payload]) -> list[RowOutcome]:
            ticket = target.backend.wait_for(Waiter(rows, context, is_lenient=True))
            return ticket.outputs if ticket.error is None else [ticket.error] * len(rows)

        began = time.monotonic()
        questions = Questions(run, target.input_validator, context.deadline)
        try:
            explanation = target.backend.explain(payload, output, questions)
            self._check(explanation)
        except ModelError as error:
            raise outcomes.log_fault(target, error) from None
        took_s = time.monotonic() - began
        names = {"model": target.info.qualified_name, "version": target.info.version}
        logger.info("explained a prediction with %d rows in %.3f s", questions.rows, took_s, extra=names)
        return {"output": output, "explanation": explanation, "rows": questions.rows}

    def _check(self, explanation: Explanation) -> None:
        violations = self._validator.find_violations(explanation)
        if violations:
            raise OutputInvalid(word_violations("the explanation", violations), violations)
        for each in explanation.get("sequences", ()):
            if len(each["letters"]) != len(each["contributions"]):
                raise OutputInvalid("the explanation of a sequence must have one contribution per letter")
