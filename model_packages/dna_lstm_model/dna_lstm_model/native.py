"""The same model run by TensorFlow: an alternative to `model.DnaLstmModel`. Needs ``dna-lstm-model[tensorflow]``."""

import keras
import numpy as np
import tensorflow as tf

from dna_lstm_model.base import DnaLstmBase
from dna_lstm_model.features import LENGTH, LETTERS, make_one_hot, read_words
from dna_lstm_model.windows import run_in_chunks
from model_service.arrays import Arrays

WEIGHTS_NAME = "model.keras"


class DnaLstmTensorFlowModel(DnaLstmBase):
    """The LSTM, run by TensorFlow from its own weights."""

    def __init__(self) -> None:
        # safe_mode refuses a file that holds Python code.
        network = keras.saving.load_model(self.artifact_path(WEIGHTS_NAME), compile=False, safe_mode=True)
        shape = tf.TensorSpec([None, LENGTH, len(LETTERS)], tf.float32)
        # One traced function: network.predict() builds a data pipeline anew at each call.
        self._run = tf.function(lambda sequences: network(sequences, training=False), input_signature=[shape])
        self._run(np.zeros((1, LENGTH, len(LETTERS)), dtype=np.float32))  # traced here, not by the first caller

    def run(self, inputs: Arrays) -> Arrays:
        return run_in_chunks(self._run_words, inputs)

    def _run_words(self, inputs: Arrays) -> Arrays:
        return {"probabilities": np.asarray(self._run(make_one_hot(read_words(inputs["words"]))))}
