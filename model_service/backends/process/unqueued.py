"""`Unqueued`: a model in processes of its own, past the queue of this worker: for its self-test."""

from typing import Protocol

from model_service.backends.base import Backend, check_count
from model_service.backends.process.frames import Frame
from model_service.config import ModelConfig
from model_service.records import ModelInfo, Output, Payload, RequestContext, Violation


class _Asked(Protocol):
    """What of a `ProcessBackend` is needed here."""

    def ask(self, frame: Frame) -> Frame:
        """Send a frame and return the answer."""

    def describe(self) -> ModelInfo:
        """As `Backend.describe`."""

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        """As `Backend.find_violations`."""


class Unqueued(Backend):
    """A view of a started backend, which is started and stopped by others.

    Args:
        config: The model's entry.
        backend: Asks the processes.
    """

    def __init__(self, config: ModelConfig, backend: _Asked) -> None:
        self._config = config
        self._backend = backend

    def describe(self) -> ModelInfo:
        return self._backend.describe()

    def start(self) -> None:
        """Do nothing."""

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return self._backend.find_violations(payloads)

    def run(self, payloads: list[Payload], context: RequestContext | None = None) -> list[Output]:
        answer = self._backend.ask({"op": "run", "payloads": payloads, "is_lenient": False})
        return check_count(payloads, answer["outputs"])

    def stop(self) -> None:
        """Do nothing."""
