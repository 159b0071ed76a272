"""A Keras model as an ONNX graph. Needs the extra ``train``, tensorflow and tf2onnx."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from model_service.arrays import Arrays
from model_service.training.parity import ExportFailed, Parity, compare


def export_keras(
    network: Any, inputs: Arrays, path: Path, *, outputs: Iterable[str], tolerance: float = 1e-4
) -> Parity:
    """Write a model as a graph for any number of rows, and compare both on the rows that are given.

    Equal weights are equal bytes: the exporter counts on in its names from graph to graph, and they are given anew.

    Args:
        network: Trained.
        inputs: Rows to compare with, in the order of the model's inputs.
        path: Where the graph goes.
        outputs: Names of what the model returns, in its order; the first is compared.
        tolerance: Largest difference that counts as none.

    Raises:
        ExportFailed: Says why the model cannot be converted, or that the graph is not the model.
    """
    arrays = list(inputs.values())
    said = network(arrays[0] if len(arrays) == 1 else arrays)  # Keras exports what was called once
    try:
        network.export(path, format="onnx", verbose=False)
    except Exception as error:  # the exporter raises what TensorFlow raises
        cause = str(error).strip().partition("\n")[0]
        raise ExportFailed(
            f"cannot convert {type(network).__name__}, because the exporter failed ({type(error).__name__}: {cause}); "
            "instead build it from Keras' own layers, or serve the model itself in a process of its own"
        ) from None
    model = onnx.load(path)
    names = list(outputs)
    _rename_tensors(model.graph, list(inputs), names)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "rows"
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    first = said[0] if isinstance(said, list | tuple) else said
    return compare(path, inputs, np.asarray(first), names[0], tolerance=tolerance)


def _rename_tensors(graph: Any, inputs: list[str], outputs: list[str]) -> None:
    names = {"": ""}
    names |= {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    names |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for ends in (node.input, node.output):
            ends[:] = [names.setdefault(name, f"tensor_{len(names)}") for name in ends]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.setdefault(value.name, value.name)
    order = {name: place for place, name in enumerate(names.values())}
    weights = sorted(graph.initializer, key=lambda tensor: order[tensor.name])
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    graph.doc_string = ""
