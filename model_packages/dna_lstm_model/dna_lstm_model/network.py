"""The network: a small convolution, then an LSTM that reads from the 5' end. Needs TensorFlow; used by training alone.

Both layers are causal, so what the network says after a letter depends on the letters up to it.
The answer for a sequence is the largest of what it says along the way, and where it first says 1
is where a site ended: training sees labels of whole sequences only, never a place.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx

from dna_lstm_model.features import LENGTH, LETTERS, SITE_LENGTH, Codes, make_one_hot
from dna_lstm_model.sequences import Labels

FILTERS = 32
#: Half a site: the LSTM has to join what the convolution sees.
KERNEL = 6
UNITS = 32


def build_networks() -> tuple[Any, Any]:
    """Return the network that is shipped, with probabilities for each start, and the one that is fitted.

    They share their weights; the second one's output is one logit a sequence.
    """
    sequences = keras.Input((LENGTH, len(LETTERS)), name="sequences")
    found = keras.layers.Conv1D(FILTERS, KERNEL, padding="causal", activation="relu", name="convolution")(sequences)
    read = keras.layers.LSTM(UNITS, return_sequences=True, name="lstm")(found)
    # No site has ended before its last letter can have been read.
    complete = keras.layers.Cropping1D((SITE_LENGTH - 1, 0), name="complete")(read)
    logits = keras.layers.Dense(1, name="logits")(complete)
    flat = keras.layers.Flatten(name="starts")(logits)
    probabilities = keras.layers.Activation("sigmoid", name="probabilities")(flat)
    largest = keras.layers.GlobalMaxPooling1D(name="largest")(logits)
    return keras.Model(sequences, probabilities, name="dna_lstm"), keras.Model(sequences, largest)


def compile_network(fitted: Any, learning_rate: Any) -> None:
    """Prepare the second network of `build_networks` for `fit`."""
    optimizer = keras.optimizers.Adam(learning_rate, clipnorm=1.0)
    fitted.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))


def fit(fitted: Any, sequences: Codes, labels: Labels, *, batch_rows: int) -> float:
    """Fit one epoch, in the order given, and return its mean loss."""
    targets = labels[:, None].astype(np.float32)
    history = fitted.fit(make_one_hot(sequences), targets, batch_size=batch_rows, shuffle=False, verbose=0)
    return float(history.history["loss"][-1])


def save_weights(network: Any, path: Path) -> None:
    """Write Keras' own file without its dates and memory addresses, so that equal weights are equal bytes."""
    network.save(path)
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
    """Write the network as an ONNX graph for any number of rows: ``sequences`` -> ``probabilities``."""
    network(np.zeros((1, LENGTH, len(LETTERS)), dtype=np.float32))  # Keras exports what was called once
    network.export(path, format="onnx", verbose=False)
    model = onnx.load(path)
    _rename_tensors(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "rows"
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _rename_tensors(graph: Any) -> None:
    """Number the tensors anew, so that equal weights are equal bytes: the exporter counts on from graph to graph."""
    names = {graph.input[0].name: "sequences", graph.output[0].name: "probabilities", "": ""}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for ends in (node.input, node.output):
            ends[:] = [names.setdefault(name, f"tensor_{len(names)}") for name in ends]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
    weights = sorted(graph.initializer, key=lambda tensor: list(names.values()).index(tensor.name))
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    graph.doc_string = ""
