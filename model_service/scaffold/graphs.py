"""Opens an ONNX graph and writes what it reads and answers: ``... -m model_service.scaffold.graphs FILE INPUTS OUT``.

INPUTS is a JSON file of arrays by name, which the graph is run with; ``-`` for none. It is a program of its own because
a service needs no ONNX Runtime, and because a graph that brings it down must not take `model-service new` along.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from model_service.onnx import open_session

#: What the tensors of a graph are in NumPy.
DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool_",
    "tensor(string)": "object_",
}


def main() -> None:
    """Open the graph, run it where there are inputs, and write what was seen as JSON."""
    source, inputs, out = sys.argv[1:]
    try:
        session = open_session(source)
        told: dict[str, Any] = {
            "inputs": [_describe(each) for each in session.get_inputs()],
            "outputs": [_describe(each) for each in session.get_outputs()],
        }
        if inputs != "-":
            given = json.loads(Path(inputs).read_text(encoding="utf-8"))
            arrays = {each["name"]: np.array(given[each["name"]], each["dtype"]) for each in told["inputs"]}
            names = [each["name"] for each in told["outputs"] if each["dtype"]]
            answers = zip(names, session.run(names, arrays), strict=True)
            told["answers"] = {name: _describe_answer(np.asarray(answer)) for name, answer in answers}
    except Exception as error:  # whatever the graph and the library raise
        told = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
    Path(out).write_text(json.dumps(told), encoding="utf-8")


def _describe(tensor: Any) -> dict[str, Any]:
    # An axis that varies has a name, or nothing.
    shape = [axis if isinstance(axis, int) and axis > 0 else None for axis in tensor.shape or []]
    return {"name": tensor.name, "dtype": DTYPES.get(tensor.type), "type": tensor.type, "shape": shape}


def _describe_answer(answer: np.ndarray[Any, Any]) -> dict[str, Any]:
    is_number = answer.dtype.kind == "f" and answer.size > 0 and answer.ndim > 0
    is_share = bool(is_number and np.isfinite(answer).all() and answer.min() >= -1e-6 and answer.max() <= 1 + 1e-6)
    adds_up = bool(is_share and answer.ndim == 2 and np.allclose(answer.sum(axis=1), 1.0, atol=1e-3))
    return {"shape": list(answer.shape), "is_share": is_share, "adds_up": adds_up}


if __name__ == "__main__":
    main()
