"""`ArrayModel`: an `MLModel` that computes on NumPy arrays. For model packages; the platform never imports it.

    payloads ── encode ──> arrays ── run ──> arrays ── decode ──> outputs

An author writes `encode` and `decode`, and what runs between them: `model_service.onnx.OnnxModel` runs a
graph; a model in another framework writes `run` itself.
"""

from abc import abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray

from model_service.model import MLModel
from model_service.records import Output, Payload

Arrays = dict[str, NDArray[Any]]


class ArrayModel(MLModel):
    """A model of three steps, run over chunks of a batch.

    Attributes:
        chunk_rows: Most payloads that go through the three steps together: it bounds the memory of a run.
    """

    chunk_rows: ClassVar[int] = 1024

    @abstractmethod
    def encode(self, payloads: list[Payload]) -> Arrays:
        """Return the arrays that `run` reads, by name, with one row per payload."""

    @abstractmethod
    def run(self, inputs: Arrays) -> Arrays:
        """Return what the model computes from the arrays of `encode`, by name; called from several threads."""

    @abstractmethod
    def decode(self, payloads: list[Payload], outputs: Arrays) -> list[Output]:
        """Return one output per payload, in order, of plain JSON types: ``array.tolist()`` gives them.

        Args:
            payloads: Those that `encode` was called with.
            outputs: What `run` returned for them.
        """

    def predict(self, payload: Payload) -> Output:
        return self.predict_batch([payload])[0]

    def predict_batch(self, payloads: list[Payload]) -> list[Output]:
        if len(payloads) <= self.chunk_rows:
            return self.decode(payloads, self.run(self.encode(payloads)))
        chunks = (payloads[row : row + self.chunk_rows] for row in range(0, len(payloads), self.chunk_rows))
        return [output for chunk in chunks for output in self.predict_batch(chunk)]
