"""Makes a graph of a Keras file or a PyTorch program: ``python -m model_service.scaffold.conversion FILE GRAPH OUT``.

A program of its own, because it needs the framework. Both are compared on made-up rows.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from model_service.arrays import Arrays
from model_service.training.parity import Parity

_ROWS = 4
#: How long an axis that varies is in the rows of the comparison.
_LENGTH = 8


def main() -> None:
    """Convert the file, and write how both compare, or why there is no graph, as JSON."""
    source, graph, out = sys.argv[1:]
    try:
        convert = _convert_keras if Path(source).suffix.lower() == ".keras" else _convert_program
        told = {"parity": str(convert(Path(source), Path(graph)))}
    except Exception as error:  # whatever the framework and the file raise
        told = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
    Path(out).write_text(json.dumps(told), encoding="utf-8")


def _convert_keras(source: Path, graph: Path) -> Parity:
    keras: Any = importlib.import_module("keras")
    exporting = importlib.import_module("model_service.training.keras")
    network = keras.saving.load_model(source)  # in its safe mode, which refuses Python code in the file
    inputs = {each.name: _make_array(each.shape, str(each.dtype)) for each in network.inputs}
    outputs = (
        ["output"] if len(network.outputs) == 1 else [f"output_{place}" for place in range(1, len(network.outputs) + 1)]
    )
    parity: Parity = exporting.export_keras(network, inputs, graph, outputs=outputs)
    return parity


def _convert_program(source: Path, graph: Path) -> Parity:
    exporting = importlib.import_module("model_service.training.torch")
    parity: Parity = exporting.export_program(source, graph)
    return parity


def _make_array(shape: Any, dtype: str) -> Any:
    chance = np.random.default_rng(0)
    size = (_ROWS, *(axis or _LENGTH for axis in shape[1:]))
    made: Arrays = {"": chance.normal(size=size) if dtype.startswith("float") else chance.integers(0, 2, size)}
    return made[""].astype(dtype)


if __name__ == "__main__":
    main()
