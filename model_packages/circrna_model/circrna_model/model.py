"""The model that is served: the ONNX graph that ``circrna_model.train`` exports."""

import numpy as np
from numpy.typing import NDArray

from circrna_model.base import CircRnaBase
from model_service.onnx import open_session


class CircRnaModel(CircRnaBase):
    """The transformer, run by ONNX Runtime."""

    thread_safe = True

    def __init__(self) -> None:
        self._session = open_session(self.artifact_path("model.onnx"))

    def _run_network(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        (probabilities,) = self._session.run(["probability"], {"tokens": tokens})
        return np.asarray(probabilities, dtype=np.float32)
