"""A PyTorch module as an ONNX graph. Needs the extra ``train``, torch and onnxscript."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch

from model_service.arrays import Arrays
from model_service.training.parity import ExportFailed, Parity, compare

OPSET = 18


def export_torch(
    module: torch.nn.Module,
    inputs: Arrays,
    path: Path,
    *,
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, Any]] | None = None,
    tolerance: float = 1e-4,
) -> Parity:
    """Write a module as a graph for any number of rows, and compare both on the rows that are given.

    Args:
        module: Trained; it is put into evaluation mode.
        inputs: Rows to trace and compare with, at least two, in the order of the parameters of ``forward``.
        path: Where the graph goes.
        outputs: Names of what ``forward`` returns; the first is compared.
        dynamic: Axes that vary beside the rows: ``{input: {axis: torch.export.Dim(...)}}``.
        tolerance: Largest difference that counts as none.

    Raises:
        ExportFailed: Says why the module cannot be converted, or that the graph is not the module.
    """
    module.eval()
    tensors = {name: torch.as_tensor(array) for name, array in inputs.items()}
    rows = torch.export.Dim("rows")
    shapes = {name: {0: rows, **(dynamic or {}).get(name, {})} for name in tensors}
    try:
        program = _trace(module, tensors, shapes, outputs)
    except Exception as error:  # the exporter raises what the module's own code raises
        cause = str(error).strip().partition("\n")[0]
        raise ExportFailed(
            f"cannot convert {type(module).__name__}, because the exporter failed ({type(error).__name__}: {cause}); "
            "instead write forward() without branches on values and without loops over rows, or serve the module "
            "itself in a process of its own"
        ) from None
    _write_plain(program.model_proto, path)
    with torch.no_grad():
        expected = module(*tensors.values())
    first = expected if isinstance(expected, torch.Tensor) else expected[0]
    return compare(path, inputs, first.numpy(), outputs[0], tolerance=tolerance)


def _trace(module: torch.nn.Module, tensors: dict[str, Any], shapes: dict[str, Any], outputs: Sequence[str]) -> Any:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        return torch.onnx.export(
            module,
            tuple(tensors.values()),
            input_names=list(tensors),
            output_names=list(outputs),
            dynamic_shapes=tuple(shapes.values()),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )


def export_program(source: Path, path: Path, *, tolerance: float = 1e-4) -> Parity:
    """Write a program of `torch.export.save` as a graph, and compare both on its own example inputs.

    The file may hold pickles, which run when it is opened.

    Args:
        source: A file of ``.pt2``, exported with an axis of rows that varies.
        path: Where the graph goes.
        tolerance: Largest difference that counts as none.

    Raises:
        ExportFailed: Says why the program cannot be converted, or that the graph is not the program.
    """
    program = torch.export.load(source)
    if program.example_inputs is None or program.example_inputs[1]:
        raise ExportFailed("the program has no example inputs, or has them by name: export it with a tuple of tensors")
    count = len(program.graph_signature.user_outputs)
    outputs = [f"output_{number}" for number in range(1, count + 1)] if count > 1 else ["output"]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations
        made: Any = torch.onnx.export(
            program, (), output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
        )
        said = program.module()(*program.example_inputs[0])
    _write_plain(made.model_proto, path)
    names = [entry.name for entry in made.model_proto.graph.input]
    inputs = {name: tensor.numpy() for name, tensor in zip(names, program.example_inputs[0], strict=True)}
    first = said if isinstance(said, torch.Tensor) else said[0]
    return compare(path, inputs, first.numpy(), outputs[0], tolerance=tolerance)


def _write_plain(graph: Any, path: Path) -> None:
    """Write a graph without the source paths of this machine, which the exporter leaves in every node."""
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))
