"""`Backend`: the seam between the road of a prediction and the place where model code runs."""

from abc import ABC, abstractmethod

from model_service.errors import PredictionFailed
from model_service.model import MLModel
from model_service.records import ModelInfo, Output, Payload, Problem, Violation


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
    def is_concurrent(self) -> bool:
        """Whether several threads may be in `run` at once without waiting for each other; known once started."""
        return False

    def describe_batching(self) -> str:
        """Return ``batched`` when it predicts rows of different runs together, else ``direct``."""
        return "direct"

    def find_problem(self) -> Problem | None:
        """Return why a model that had started will not run again; ``None`` while it runs."""
        return None

    @abstractmethod
    def stop(self) -> None:
        """Close the model and give back what it held; calling it twice is fine."""


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
    return [check_violations(violations) for violations in found]
