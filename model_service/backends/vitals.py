"""`Vitals`: when a model answered last, when it failed last, and whether it still answers its own example."""

import time

from model_service.records import Problem, Vital


class Vitals:
    """Of one model in one process. Any thread may write: each is one assignment.

    Attributes:
        succeeded: When it answered last, in seconds since the epoch; ``None`` if it never did.
        failed: When it failed last, likewise.
        failure: The code of the error that it failed with.
        problem: Why it did not answer its own example, when that was asked last and nothing has been answered since.
    """

    def __init__(self) -> None:
        self.succeeded: float | None = None
        self.failed: float | None = None
        self.failure: str | None = None
        self.problem: Problem | None = None

    def note_success(self) -> None:
        """Note that the model has answered."""
        self.succeeded = time.time()

    def note_failure(self, code: str) -> None:
        """Note that the model has failed."""
        self.failed, self.failure = time.time(), code

    def is_sound(self, within_s: float) -> bool:
        """Whether it has answered within so many seconds, and not failed since."""
        succeeded = self.succeeded
        if succeeded is None or (self.failed is not None and self.failed > succeeded):
            return False
        return time.time() - succeeded <= within_s

    def describe(self) -> Vital:
        """Return them as they are now."""
        return Vital(self.succeeded, self.failed, self.failure)
