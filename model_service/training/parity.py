"""Whether a graph answers as the model that it was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_service.arrays import Arrays
from model_service.onnx import open_session

#: Rows that may differ: float32 may fall on the other side of a split of a tree.
ALLOWED_SHARE = 0.001


class ExportFailed(Exception):
    """A model cannot be made a graph, or the graph is not the model; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How a graph's numbers compare with the model's.

    Attributes:
        rows: How many rows were compared.
        largest_difference: Of any number in any row.
        rows_that_differ: How many rows differ by more than the tolerance.
    """

    rows: int
    largest_difference: float
    rows_that_differ: int

    def __str__(self) -> str:
        return (
            f"the graph and the model were compared on {self.rows} rows: largest difference "
            f"{self.largest_difference:.2g}, {self.rows_that_differ} rows differ"
        )


def compare(path: Path, inputs: Arrays, expected: NDArray[Any], output: str, *, tolerance: float) -> Parity:
    """Run a graph and print how one of its outputs compares with what the model says.

    Args:
        path: The graph.
        inputs: Its inputs, with one row each.
        expected: What the model says of the same rows.
        output: Name of the output.
        tolerance: Largest difference that is none, relative to numbers above 1.

    Raises:
        ExportFailed: More than one row in a thousand differs, or the shapes do.
    """
    (found,) = open_session(path).run([output], inputs)
    expected = np.asarray(expected)
    if expected.size != found.size:
        raise ExportFailed(f"the output '{output}' has the shape {found.shape}, and the model's {expected.shape}")
    differences = np.abs(found.reshape(expected.shape) - expected)
    relative = differences / np.maximum(1.0, np.abs(expected))
    # NaN on either side is a difference, too.
    is_far = ~(relative.reshape(len(expected), -1) <= tolerance).all(axis=1)
    parity = Parity(len(expected), float(differences.max(initial=0.0)), int(is_far.sum()))
    print(parity, flush=True)
    if parity.rows_that_differ > ALLOWED_SHARE * parity.rows:
        raise ExportFailed(f"{path.name} is not the model: {parity} by more than {tolerance}")
    return parity
