"""`Backend`: the seam between the road of a prediction and the place where model code runs."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model_service.backends.loop import ServiceLoop
from model_service.backends.questions import Questions
from model_service.backends.ticket import Ticket, Waiter
from model_service.backends.vitals import Vitals
from model_service.config import ModelConfig
from model_service.errors import CapacityError, PredictionFailed
from model_service.metrics.meters import Meters
from model_service.metrics.model_meter import ModelMeter
from model_service.model import MLModel
from model_service.records import (
    Execution,
    Explanation,
    ModelInfo,
    Output,
    Payload,
    Problem,
    RequestContext,
    Violation,
)

if TYPE_CHECKING:
    from model_service.tables import Table

#: How often `AsyncBackend.drain` looks.
_DRAIN_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Host:
    """What the process that a backend is in offers it.

    Attributes:
        loop: Its event loop.
        folder: Of this model's entry, shared with the other workers of the service and with its parent; ``None``
            outside `serve`.
        meters: Counts; ``None`` where nothing is counted.
    """

    loop: ServiceLoop
    folder: Path | None = None
    meters: Meters | None = None


class ParentPart(Protocol):
    """What a backend needs to be kept in the parent of a service, beside what it is in each worker."""

    def list_pids(self) -> list[int]:
        """Return its processes, as they are now."""

    def start(self) -> None:
        """Begin; returns at once."""

    def begin_stop(self) -> None:
        """Ask it to end; `stop` waits for it."""

    def stop(self) -> None:
        """End it."""


class Backend(ABC):
    """One model, somewhere. Thread-safe: any thread may call any method but `start` and `stop`.

    The order of calls is `describe`, `start`, then `find_violations` and `run` any number
    of times, then `stop`. A backend that fails to start is not used again.

    Args:
        config: The model's entry.
        host: Of this process.
    """

    def __init__(self, config: ModelConfig, host: Host) -> None:
        self._config = config
        self._host = host

    @classmethod
    def make_parent_part(
        cls, config: ModelConfig, folder: Path, *, linger_s: float, meters: Meters | None = None
    ) -> ParentPart | None:
        """Return what the parent of a service runs for a model, if the backend needs anything there.

        Args:
            config: The model's entry.
            folder: The one that each worker's `Host` names.
            linger_s: Seconds that it goes on for the workers when the parent is killed.
            meters: Of the parent.
        """
        return None

    @classmethod
    def peek(cls, config: ModelConfig, host: Host) -> ModelInfo:
        """Return what the model says of itself, and leave nothing running. Errors as `describe`."""
        backend = cls(config, host)
        try:
            return backend.describe()
        finally:
            backend.stop()

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
        """Return the broken rules of the model's own `MLModel.find_violations`, a list per payload, in order.

        Raises:
            PredictionFailed: The model's code raised, or answered something else (`check_violations`).
        """

    @abstractmethod
    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        """Predict for payloads that passed every validation.

        Args:
            payloads: One or more.
            context: Of the request, or of the one in the batch that waits longest; ``None`` when nobody asked.

        Returns:
            One output per payload, in order (`check_count` makes sure).

        Raises:
            PredictionFailed: The model's code raised, or the number of outputs is wrong.
            OutputInvalid: An output cannot be carried to this process.
            CapacityError: The model has no time or no process for it.
        """

    @property
    def has_rules(self) -> bool:
        """Whether the model has a `find_violations` of its own; known once started."""
        return True

    @property
    def has_columns(self) -> bool:
        """Whether `run_columns` may be called; known once started."""
        return False

    def run_columns(self, table: "Table") -> "Table":
        """Predict for rows as columns, which passed every validation, and for a model without rules of its own.

        Raises:
            PredictionFailed: The model's code raised, or answered something else than a value per row.
        """
        raise NotImplementedError

    def explain(self, payload: Payload, output: Output, questions: Questions) -> Explanation:
        """Return what a model that offers it says of its answer; for any thread but the loop's.

        Args:
            payload: It passed every validation.
            output: The answer to it.
            questions: The deadline, and how the model is asked for more; afterwards, how many rows that took.

        Raises:
            PredictionFailed: The model's code raised.
            CapacityError: There was no time for it, or no room.
        """
        raise NotImplementedError

    def find_problem(self) -> Problem | None:
        """Return why a model that had started will not run again; ``None`` while it runs."""
        return None

    @abstractmethod
    def stop(self) -> None:
        """Close the model and give back what it held; calling it twice is fine."""


class AsyncBackend(Backend):
    """A backend that takes tickets, and so needs no thread for a caller that waits.

    Args:
        config: The model's entry.
        host: Of this process.
        clock: Seconds that only grow, by which deadlines are meant.

    Attributes:
        timeout_s: Seconds that a request may take when it says nothing else.
        vitals: When it answered and failed last.
    """

    def __init__(self, config: ModelConfig, host: Host, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config, host)
        self.timeout_s = config.timeout_s
        self.vitals = Vitals()
        self._clock = clock

    @property
    @abstractmethod
    def execution(self) -> Execution:
        """How the model runs, for people and documents."""

    @property
    @abstractmethod
    def is_batching(self) -> bool:
        """Whether rows of different requests are predicted together."""

    @property
    @abstractmethod
    def queued_rows(self) -> int:
        """How many rows wait, or in processes of the model also run."""

    @property
    @abstractmethod
    def unqueued(self) -> Backend:
        """The same model past its queue, whose bounds are for callers: for its self-test. Never started or stopped."""

    @property
    @abstractmethod
    def is_idle(self) -> bool:
        """Whether no ticket is under way."""

    @property
    @abstractmethod
    def tickets(self) -> int:
        """How many tickets are under way."""

    @abstractmethod
    def note_in(self, meter: ModelMeter) -> None:
        """Note in a meter what becomes of tickets, from now on."""

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

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        """Predict, and wait for it; for any thread but the loop's. Arguments and answer as `Backend.run`."""
        if context is None:
            now = self._clock()
            context = RequestContext("", now, now + self.timeout_s)
        ticket = self.wait_for(Waiter(payloads, context, clock=self._clock))
        error, ticket.error = ticket.error, None
        if error is None:
            return ticket.outputs  # type: ignore[return-value]  # only a lenient ticket has errors among them
        del ticket  # the traceback that begins here holds this frame
        try:
            raise error
        finally:
            del error

    def wait_for(self, waiter: Waiter) -> Ticket:
        """Submit a waiter's ticket and return it when it is over. Errors as `submit`."""
        self.submit(waiter.ticket)
        return waiter.wait(self.cancel)

    def drain(self, deadline: float) -> bool:
        """Wait until no ticket is under way; return whether that came to be before the deadline.

        For any thread but the loop's. What is submitted meanwhile is answered, too: `stop` ends that.
        """
        while not self.is_idle:
            if self._clock() >= deadline:
                return False
            time.sleep(_DRAIN_POLL_S)
        return True


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
        PredictionFailed: It raised, or answered something else than one output per payload.
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
