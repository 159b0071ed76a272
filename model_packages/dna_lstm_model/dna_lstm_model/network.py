"""The network: a small convolution, then an LSTM that reads from the 5' end. Needs TensorFlow; used by training alone.

Both layers are causal, so what the network says after a letter depends on the letters up to it. The
convolution goes on by two letters at a time, which halves the LSTM's steps; after each step two logits
say whether a site ends at its last letter but one, and at its last. In the graph that is served the
convolution is a table of its answers to each of the 4,096 words of six letters.
"""

import io
import json
import re
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from dna_lstm_model.features import LENGTH, LETTERS, SITE_LENGTH, STARTS, STEPS, STRIDE, WORD, Codes, make_one_hot

FILTERS = 24
UNITS = 24
#: Filters of the baseline, a convolution as wide as the site.
BASELINE_FILTERS = 8
#: What the first steps say goes nowhere: no site has ended before its last letter can have been read.
_INCOMPLETE = STEPS * STRIDE - STARTS
#: Keras keeps the gates in the order input, forget, cell, output; ONNX as input, output, forget, cell.
_GATES = (0, 3, 1, 2)
_OPSET, _IR_VERSION = 17, 8


def build_lstm() -> Any:
    """Return the network that is shipped: one-hot sequences to one logit for each start."""
    sequences = keras.Input((LENGTH, len(LETTERS)), name="sequences")
    found = keras.layers.Conv1D(FILTERS, WORD, strides=STRIDE, activation="relu", name="convolution")(sequences)
    read = keras.layers.LSTM(UNITS, return_sequences=True, unroll=True, name="lstm")(found)
    ends = keras.layers.Reshape((STEPS * STRIDE, 1), name="ends")(keras.layers.Dense(STRIDE, name="logits")(read))
    complete = keras.layers.Cropping1D((_INCOMPLETE, 0), name="complete")(ends)
    return keras.Model(sequences, keras.layers.Flatten(name="starts")(complete), name="dna_lstm")


def build_convolution() -> Any:
    """Return the baseline, which sees a whole site at once: one-hot sequences to one logit for each start."""
    sequences = keras.Input((LENGTH, len(LETTERS)))
    found = keras.layers.Conv1D(BASELINE_FILTERS, SITE_LENGTH, activation="relu")(sequences)
    return keras.Model(sequences, keras.layers.Flatten()(keras.layers.Dense(1)(found)))


def compile_by_row(network: Any, learning_rate: Any) -> Any:
    """Return a network of the same weights that is fitted to whether a sequence holds a site: its largest logit."""
    largest = keras.ops.max(network.output, axis=1, keepdims=True)
    return compile_by_start(keras.Model(network.input, largest), learning_rate)


def compile_by_start(network: Any, learning_rate: Any) -> Any:
    """Return the network, to be fitted to whether a site starts at each place."""
    optimizer = keras.optimizers.Adam(learning_rate, clipnorm=1.0)
    network.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return network


def fit(network: Any, sequences: Codes, targets: NDArray[np.bool_], *, batch_rows: int) -> float:
    """Fit one epoch, in the order given, and return its mean loss."""
    numbers = targets.astype(np.float32)
    history = network.fit(make_one_hot(sequences), numbers, batch_size=batch_rows, shuffle=False, verbose=0)
    return float(history.history["loss"][-1])


def add_sigmoid(network: Any) -> Any:
    """Return the network with probabilities in place of its logits."""
    probabilities = keras.layers.Activation("sigmoid", name="probabilities")(network.output)
    return keras.Model(network.input, probabilities, name=network.name)


def save_weights(network: Any, path: Path) -> None:
    """Write Keras' own file without its dates and memory addresses, so that equal weights are equal bytes."""
    add_sigmoid(network).save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in sorted(file.namelist())}
    metadata = json.loads(parts["metadata.json"])
    parts["metadata.json"] = json.dumps({"keras_version": metadata["keras_version"]}).encode()
    numbers: dict[str, int] = {}
    config = re.sub(
        r'(?<="shared_object_id": )\d+',
        lambda address: str(numbers.setdefault(address[0], len(numbers))),
        parts["config.json"].decode(),
    )
    parts["config.json"] = config.encode()
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as file:
        for name, content in parts.items():
            file.writestr(zipfile.ZipInfo(name), content)
    path.write_bytes(plain.getvalue())


def export_graph(network: Any, path: Path) -> None:
    """Write the network of `build_lstm` as an ONNX graph: ``words``, as `number_words` makes them -> ``probabilities``.

    Steps are the first axis, as ONNX's LSTM has them, from its input to the logits: what is turned is small.
    """
    nodes = [
        helper.make_node("Transpose", ["words"], ["steps"], perm=[1, 0]),
        helper.make_node("Gather", ["table", "steps"], ["found"]),
        helper.make_node("LSTM", ["found", "input_weights", "state_weights", "biases"], ["read"], hidden_size=UNITS),
        helper.make_node("MatMul", ["read", "logit_weights"], ["products"]),
        helper.make_node("Add", ["products", "logit_biases"], ["logits"]),
        helper.make_node("Transpose", ["logits"], ["turned"], perm=[2, 0, 3, 1]),
        helper.make_node("Reshape", ["turned", "ends_shape"], ["ends"]),
        helper.make_node("Slice", ["ends", "first_complete", "last_complete", "ends_axis"], ["complete"]),
        helper.make_node("Sigmoid", ["complete"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dna_lstm",
        [helper.make_tensor_value_info("words", onnx.TensorProto.INT32, ["rows", STEPS])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["rows", STARTS])],
        [numpy_helper.from_array(array, name) for name, array in _read_weights(network).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _read_weights(network: Any) -> dict[str, NDArray[Any]]:
    kernel, bias = network.get_layer("convolution").get_weights()
    words = np.array(list(product(range(len(LETTERS)), repeat=WORD)), dtype=np.uint8)
    inputs, states, biases = network.get_layer("lstm").get_weights()
    logit_weights, logit_biases = network.get_layer("logits").get_weights()
    ends = STEPS * STRIDE
    return {
        "table": np.maximum(np.tensordot(make_one_hot(words), kernel, 2) + bias, 0).astype(np.float32),
        "input_weights": _order_gates(inputs),
        "state_weights": _order_gates(states),
        "biases": np.concatenate([_order_gates(biases[None])[..., 0], np.zeros((1, 4 * UNITS), np.float32)], axis=1),
        "logit_weights": logit_weights,
        "logit_biases": logit_biases,
        "ends_shape": np.array([-1, ends]),
        "first_complete": np.array([_INCOMPLETE]),
        "last_complete": np.array([ends]),
        "ends_axis": np.array([1]),
    }


def _order_gates(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights of shape (inputs, 4 x units) as ONNX wants them, (1, 4 x units, inputs)."""
    gates = np.split(weights, len(_GATES), axis=1)
    return np.concatenate([gates[gate] for gate in _GATES], axis=1).T[None].copy()
