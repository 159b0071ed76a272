"""`Backend`: the seam between the road of a prediction and the place where model code runs."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from model_service.backends.ticket import Ticket, Waiter
from model_service.errors import CapacityError, PredictionFailed
from model_service.model import MLModel
from model_service.records import Execution, ModelInfo, Output, Payload, Problem, Violation


class Backend(ABC):
    """One model, somewhere. Thread-safe: any thread may call any method but `start` and `stop`.

    The order of calls is `describe`, `start`, then `find_violations` and `run` any number
    of times, then `stop`. A backend that fails to start is not used again.
    """

    @abstractmethod
    def describe(self) -> ModelInfo:
        """Return what the model says of itself; loads no weights.

        Raises:
            ModelImportFailed: The class cannot be imported.
            ModelContractBroken: The class breaks the contract.
        """

    @abstractmethod
    def start(self) -> None:
        """Load the model; returns when it can predict.

        Raises:
            PackageError: The artifacts or the constructor failed.
        """

    @abstractmethod
    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        """Return the broken rules of the model's own `MLModel.find_violations`, a list a payload, in order.

        Raises:
            PredictionFailed: The model's code raised, or answered something else (`check_violations`).
        """

    @abstractmethod
    def run(self, payloads: list[Payload]) -> list[Output]:
        """Predict for payloads that passed every validation.

        Args:
            payloads: One or more.

        Returns:
            One output a payload, in order (`check_count` makes sure).

        Raises:
            PredictionFailed: The model's code raised, or the number of outputs is wrong.
            OutputInvalid: An output cannot be carried to this process.
            CapacityError: The model has no time or no process for it.
        """

    @property
    def has_rules(self) -> bool:
        """Whether the model has a `find_violations` of its own; known once started."""
        return True

    def find_problem(self) -> Problem | None:
        """Return why a model that had started will not run again; ``None`` while it runs."""
        return None

    @abstractmethod
    def stop(self) -> None:
        """Close the model and give back what it held; calling it twice is fine."""


class AsyncBackend(Backend):
    """A backend that takes tickets, and so needs no thread for a caller that waits.

    Args:
        timeout_s: Seconds that a request may take when it says nothing else.
        clock: Seconds that only grow, by which deadlines are meant.
    """

    def __init__(self, *, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeout_s = timeout_s
        self._clock = clock

    @property
    @abstractmethod
    def execution(self) -> Execution:
        """How the model runs, for people and documents."""

    @property
    @abstractmethod
    def is_batching(self) -> bool:
        """Whether rows of different requests are predicted together."""

    @abstractmethod
    def submit(self, ticket: Ticket) -> None:
        """Admit a ticket and return; its ``done`` is called when it is over.

        Raises:
            CapacityError, PayloadTooLarge: It is not admitted, and ``done`` is not called.
        """

    @abstractmethod
    def find_refusal(self, rows: int, deadline: float) -> CapacityError | None:
        """Return why so many rows would not be admitted now, if they would not: before they are decoded."""

    @abstractmethod
    def cancel(self, ticket: Ticket) -> None:
        """Forget a ticket whose caller has left; ``done`` is not called. Rows that have not run yet never will."""

    def run(self, payloads: list[Payload]) -> list[Output]:
        """Predict, and wait for it; for any thread but the loop's. Arguments and answer as `Backend.run`."""
        waiter = Waiter(payloads, self._clock() + self.timeout_s, clock=self._clock)
        self.submit(waiter.ticket)
        ticket = waiter.wait(self.cancel)
        error, ticket.error = ticket.error, None
        if error is None:
            return ticket.outputs
        del waiter, ticket  # the traceback that begins here holds this frame
        try:
            raise error
        finally:
            del error


def check_count(payloads: list[Payload], outputs: object) -> list[Output]:
    """Return the outputs if there is one for each payload.

    Raises:
        PredictionFailed: Names both numbers.
    """
    if not isinstance(outputs, list):
        raise PredictionFailed(f"the model answered a {type(outputs).__name__} instead of a list of outputs")
    if len(outputs) != len(payloads):
        raise PredictionFailed(f"the model answered {len(outputs)} outputs for {len(payloads)} payloads")
    return outputs


def check_violations(found: object) -> list[Violation]:
    """Return what a model's own validation answered if it is a list of violations.

    Raises:
        PredictionFailed: It is not, such as the ``None`` of a forgotten ``return``.
    """
    if not isinstance(found, list) or not all(isinstance(violation, Violation) for violation in found):
        raise PredictionFailed("the model's find_violations answered something else than a list of violations")
    return found


def predict_payloads(model: MLModel, payloads: list[Payload]) -> list[Output]:
    """Call the author's `MLModel.predict_batch` and check what it answered.

    Raises:
        PredictionFailed: It raised, or answered something else than one output a payload.
    """
    try:
        outputs = model.predict_batch(list(payloads))  # a copy: its count is checked against ours
    except (Exception, SystemExit) as error:
        raise PredictionFailed("the model raised") from error
    return check_count(payloads, outputs)


def collect_violations(model: MLModel, payloads: list[Payload]) -> list[list[Violation]]:
    """Call the author's `MLModel.find_violations` for each payload and check what it answered.

    Raises:
        PredictionFailed: It raised, or answered something else than violations.
    """
    try:
        found = [model.find_violations(payload) for payload in payloads]
    except (Exception, SystemExit) as error:
        raise PredictionFailed("the model's own validation raised") from error
    if all(type(violations) is list and not violations for violations in found):  # as for nearly every row
        return found
    return [check_violations(violations) for violations in found]
