"""`Questions`: what an explanation asks its model, counted, bounded in time, and never more than a little at once."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from model_service.backends.ticket import RowOutcome
from model_service.errors import CapacityError, PredictionFailed, PredictionTimeout, ServiceError
from model_service.model import MLModel
from model_service.records import Explanation, Output, Payload
from model_service.schema.validation import SchemaValidator

if TYPE_CHECKING:
    from model_service.backends.base import Backend

#: Most rows that go to the model together: others wait no longer than for those.
_MOST_ROWS = 64


class Questions:
    """The `model_service.model.Ask` of one explanation.

    Args:
        run: Predicts for payloads that the input schema accepts; each succeeds or fails alone.
        validator: Of the input schema.
        deadline: When the caller stops waiting, on the clock of `time.monotonic`.

    Attributes:
        deadline: As above.
        rows: How many rows the model has been asked for so far.
    """

    def __init__(
        self, run: Callable[[list[Payload]], list[RowOutcome]], validator: SchemaValidator, deadline: float
    ) -> None:
        self.deadline = deadline
        self.rows = 0
        self._run = run
        self._validator = validator

    @property
    def seconds_left(self) -> float:
        """As `model_service.model.Ask.seconds_left`."""
        return self.deadline - time.monotonic()

    def __call__(self, payloads: list[Payload]) -> list[Output | None]:
        """As `model_service.model.Ask.__call__`."""
        found: list[Output | None] = []
        for first in range(0, len(payloads), _MOST_ROWS):
            if self.seconds_left <= 0:
                raise PredictionTimeout("no explanation before the deadline")
            found += self._ask(payloads[first : first + _MOST_ROWS])
        return found

    def _ask(self, payloads: list[Payload]) -> list[Output | None]:
        # Whoever perturbs a payload may leave the schema, and a model is promised that nobody does.
        is_sound = [True] * len(payloads)
        if not self._validator.accepts_all(payloads):
            is_sound = [not self._validator.find_violations(payload) for payload in payloads]
        sound = [payload for payload, is_fit in zip(payloads, is_sound, strict=True) if is_fit]
        self.rows += len(sound)
        outcomes = self._run(sound) if sound else []
        for outcome in outcomes:
            if isinstance(outcome, CapacityError):
                raise outcome
        left = iter(outcomes)
        answers = [next(left) if is_fit else None for is_fit in is_sound]
        return [None if isinstance(answer, ServiceError) else answer for answer in answers]


def run_alone(backend: "Backend", payloads: list[Payload]) -> list[RowOutcome]:
    """Return what becomes of rows with no queue around them: each succeeds or fails alone."""
    try:
        if not backend.has_rules or not any(backend.find_violations(payloads)):
            return [*backend.run(payloads)]
    except PredictionFailed as error:
        if len(payloads) == 1:
            return [error]
    if len(payloads) == 1:
        return [PredictionFailed("the row breaks a rule of the model")]
    return [outcome for payload in payloads for outcome in run_alone(backend, [payload])]


def explain_payload(model: MLModel, payload: Payload, output: Output, questions: Questions) -> Explanation:
    """Call the author's `MLModel.explain`.

    Raises:
        PredictionFailed: It raised.
        CapacityError: There was no time for its questions, or no room.
    """
    try:
        return model.explain(payload, output, questions)
    except CapacityError:
        raise
    except (Exception, SystemExit) as error:
        raise PredictionFailed("the model's explain raised") from error
