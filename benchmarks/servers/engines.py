"""What the thin servers (FastAPI, Flask) predict with: scikit-learn itself, or the class of a model package.

The class of a package is called as it is, without the platform around it: the same graph, encoding and
answers, so that a comparison is one of servers. ``BENCH_MODEL`` names the model, ``BENCH_CLASS`` the class
or nothing, ``BENCH_FITTED`` the folder of fitted estimators.
"""

import importlib
import os
from pathlib import Path
from typing import Any, Protocol

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
SPECIES = ("setosa", "versicolor", "virginica")


class Engine(Protocol):
    """Rows in, outputs out, and the schema that a naive server validates with."""

    input_schema: Any

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return one output per payload."""


class FittedEngine:
    """A fitted scikit-learn classifier of iris flowers."""

    input_schema = {
        "type": "object",
        "properties": {name: {"type": "number", "exclusiveMinimum": 0, "maximum": 25} for name in FEATURES},
        "required": list(FEATURES),
        "additionalProperties": False,
    }

    def __init__(self, path: Path) -> None:
        self._estimator = importlib.import_module("joblib").load(path)

    def predict_batch(self, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the species and the probabilities of each flower."""
        rows = self._estimator.predict_proba([[payload[name] for name in FEATURES] for payload in payloads])
        return write_outputs(rows)


def write_outputs(probabilities: Any) -> list[dict[str, Any]]:
    """Return the output of each row of an array of probabilities."""
    labels = probabilities.argmax(axis=1).tolist()
    return [
        {"species": SPECIES[label], "probabilities": dict(zip(SPECIES, row, strict=True))}
        for label, row in zip(labels, probabilities.tolist(), strict=True)
    ]


def open_engine() -> Engine:
    """Return the engine that the environment variables ask for."""
    if class_path := os.environ.get("BENCH_CLASS"):
        module, _, name = class_path.rpartition(".")
        engine: Engine = getattr(importlib.import_module(module), name)()
        return engine
    return FittedEngine(Path(os.environ["BENCH_FITTED"], os.environ["BENCH_MODEL"] + ".joblib"))
