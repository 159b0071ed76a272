"""The model that is served: the ONNX graph that ``dna_lstm_model.train`` exports."""

import numpy as np
from numpy.typing import NDArray

from dna_lstm_model.base import DnaLstmBase
from model_service.onnx import open_session

GRAPH_NAME = "model.onnx"


class DnaLstmModel(DnaLstmBase):
    """The LSTM, run by ONNX Runtime."""

    def __init__(self) -> None:
        self._session = open_session(self.artifact_path(GRAPH_NAME))

    def _run_network(self, sequences: NDArray[np.float32]) -> NDArray[np.float32]:
        (probabilities,) = self._session.run(["probabilities"], {"sequences": sequences})
        return np.asarray(probabilities, dtype=np.float32)
