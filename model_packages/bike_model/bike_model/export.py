"""The ensemble as one ONNX graph, ``features`` -> ``cnt`` and ``deviation``, all double. Used by training only.

The process is written by hand. A converter writes its distances as a loop over the days of training; as products of
matrices, ``exp(x.y - (x.x + y.y) / 2)``, they take a twentieth of the time. Trees are converted in float32, which is
what the features are exact in.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from bike_model.ensemble import HALF, Ensemble
from bike_model.features import COLUMNS, Floats

OPSETS = {"": 17, "ai.onnx.ml": 3}
#: The oldest intermediate representation that has these operators; newer run times read it too.
IR_VERSION = 8
#: Directions of the training days whose kernel is smaller than this share of the noise say nothing about a deviation.
NEGLIGIBLE = 0.1


def export(ensemble: Ensemble, path: Path) -> None:
    """Write the graph of a fitted ensemble."""
    process_nodes, constants = _write_process(ensemble.process)
    trees = compose.add_prefix(
        to_onnx(
            ensemble.trees,
            initial_types=[("features", FloatTensorType([None, len(COLUMNS)]))],
            target_opset=OPSETS,
        ),
        "trees_",
    ).graph
    nodes = [
        *process_nodes,
        helper.make_node("Cast", ["features"], [trees.input[0].name], to=TensorProto.FLOAT),
        *trees.node,
        helper.make_node("Cast", [trees.output[0].name], ["trees"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["process", "trees"], ["both"]),
        helper.make_node("Mul", ["both", "half"], ["cnt"]),
    ]
    constants["half"] = np.array(HALF)
    graph = helper.make_graph(
        nodes,
        "bike_model",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, len(COLUMNS)])],
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in ("cnt", "deviation")],
        [*(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()), *trees.initializer],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="bike_model")
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _write_process(process: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return nodes from ``features`` to ``process`` and ``deviation``, and their constants."""
    kernel = process.kernel_
    smooth, local, noise = kernel.k1.k1, kernel.k1.k2, kernel.k2.noise_level
    count_mean, count_scale = float(process._y_train_mean), float(process._y_train_std)
    constants = {
        "weights": process.alpha_.reshape(-1, 1) * count_scale,
        "count_mean": np.array(count_mean),
        "basis": _find_basis(kernel.k1(process.X_train_), noise),
        "most": np.array(smooth.k1.constant_value + local.k1.constant_value + noise),
        "least": np.array(noise),
        "count_scale": np.array(count_scale),
    }
    nodes = [helper.make_node("Mul", ["features", "features"], ["squares"])]
    for name, term in (("smooth", smooth), ("local", local)):
        constants |= _describe_term(name, term, process.X_train_)
        nodes += [
            helper.make_node("MatMul", ["features", f"{name}_days"], [f"{name}_product"]),
            helper.make_node("MatMul", ["squares", f"{name}_scale"], [f"{name}_norm"]),
            helper.make_node("Add", [f"{name}_product", f"{name}_day_norm"], [f"{name}_half"]),
            helper.make_node("Add", [f"{name}_half", f"{name}_norm"], [f"{name}_exponent"]),
            helper.make_node("Exp", [f"{name}_exponent"], [name]),
        ]
    nodes += [
        helper.make_node("Add", ["smooth", "local"], ["kernel"]),
        helper.make_node("MatMul", ["kernel", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "count_mean"], ["process"]),
        helper.make_node("Cast", ["kernel"], ["kernel_float"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["kernel_float", "basis"], ["projected"]),
        helper.make_node("ReduceSumSquare", ["projected"], ["known_float"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["known_float"], ["known"], to=TensorProto.DOUBLE),
        helper.make_node("Sub", ["most", "known"], ["variance"]),
        helper.make_node("Max", ["variance", "least"], ["bounded"]),
        helper.make_node("Sqrt", ["bounded"], ["root"]),
        helper.make_node("Mul", ["root", "count_scale"], ["deviation"]),
    ]
    return nodes, constants


def _describe_term(name: str, term: Any, days: Floats) -> dict[str, Floats]:
    """Return the constants of ``c * exp(-|x - y|^2 / 2)``, lengths and factor folded in."""
    scale = 1 / np.square(term.k2.length_scale)
    day_norm = np.log(term.k1.constant_value) - np.square(days) @ scale / 2
    return {
        f"{name}_days": (days * scale).T,
        f"{name}_scale": -scale.reshape(-1, 1) / 2,
        f"{name}_day_norm": day_norm.reshape(1, -1),
    }


def _find_basis(kernel: Floats, noise: float) -> Any:
    """Return B, shape (days, directions): a row k of kernel values takes ``|k B|^2`` off the variance.

    It is the inverse of the noisy kernel without the directions that are nearly all noise, which are more than half of
    them; without them a deviation comes out up to 0.3 % too large.
    """
    values, vectors = np.linalg.eigh(kernel)
    kept = values > NEGLIGIBLE * noise
    return (vectors[:, kept] / np.sqrt(values[kept] + noise)).astype(np.float32)
