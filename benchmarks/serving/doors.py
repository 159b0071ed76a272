"""Where a server answers: the forms of its requests, and how the outputs are read out of its answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.workloads import Output, Payload

SPECIES = ("setosa", "versicolor", "virginica")
MEASUREMENTS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@dataclass(frozen=True, slots=True)
class Door:
    """One address of a server: what to send for payloads, and how to read the outputs out of an answer."""

    path: str
    write: Callable[[list[Payload]], Any]
    read: Callable[[Any], list[Output]]


MakeDoor = Callable[[str], Door]


def one_object(path: str) -> MakeDoor:
    """Return the door to which a payload goes as it is, and which answers with the output as it is."""
    return lambda model: Door(path, lambda payloads: payloads[0], lambda document: [document])


def many_objects(path: str, sent: str = "", answered: str = "") -> MakeDoor:
    """Return the door of arrays of payloads and of outputs, each the whole document or under a key of it."""
    return lambda model: Door(
        path,
        lambda payloads: {sent: payloads} if sent else payloads,
        lambda document: document[answered] if answered else document,
    )


def arrays(path: str, read: Callable[[Any], list[list[float]]], sent: str = "rows") -> MakeDoor:
    """Return the door of a server whose natural form is an array of rows."""
    return lambda model: Door(
        path, lambda payloads: {sent: list_measurements(payloads)}, lambda document: read_rows_of(read(document))
    )


def list_measurements(payloads: list[Payload]) -> list[list[float]]:
    """Return one row of four numbers per payload."""
    return [[payload[name] for name in MEASUREMENTS] for payload in payloads]


def read_rows_of(probabilities: list[list[float]]) -> list[Output]:
    """Return the outputs that rows of three probabilities stand for."""
    return [
        {"species": SPECIES[row.index(max(row))], "probabilities": dict(zip(SPECIES, row, strict=True))}
        for row in probabilities
    ]


def tensors(path: str) -> MakeDoor:
    """Return the door of a server of the Open Inference Protocol."""
    return lambda model: Door(path, _write_tensor, _read_tensor)


def _write_tensor(payloads: list[Payload]) -> Any:
    rows = list_measurements(payloads)
    tensor = {"name": "predict", "shape": [len(rows), len(MEASUREMENTS)], "datatype": "FP64", "data": rows}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def _read_tensor(document: Any) -> list[Output]:
    (output,) = document["outputs"]
    width = output["shape"][-1]
    values = output["data"]
    return read_rows_of([values[place : place + width] for place in range(0, len(values), width)])
