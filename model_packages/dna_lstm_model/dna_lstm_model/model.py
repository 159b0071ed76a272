"""The model that is served: the ONNX graph that ``dna_lstm_model.train`` exports."""

from dna_lstm_model.base import DnaLstmBase
from dna_lstm_model.windows import run_in_chunks
from model_service.arrays import Arrays
from model_service.onnx import OnnxModel


class DnaLstmModel(DnaLstmBase, OnnxModel):
    """The LSTM, run by ONNX Runtime."""

    inputs = ("words",)
    outputs = ("probabilities",)

    def run(self, inputs: Arrays) -> Arrays:
        return run_in_chunks(super().run, inputs)
