"""Toy models that answer what NumPy computes, as authors forget to convert it: ``numpy_models:Class``."""

from typing import Any

import numpy
from models import NUMBER_IN, DoubleModel


class ScalarModel(DoubleModel):
    """Answers a scalar of the type that is asked for, and a sound number by default."""

    qualified_name = "scalar_model"
    input_schema = {
        "type": "object",
        "properties": {"dtype": {"type": "string"}},
        "examples": [{}],
    }

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": numpy.dtype(payload["dtype"]).type(1) if "dtype" in payload else 1}


class ScalarExampleModel(DoubleModel):
    """Answers a scalar of NumPy to its second example."""

    qualified_name = "scalar_example_model"
    input_schema = {**NUMBER_IN, "examples": [{"x": 1}, {"x": 2}]}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"y": numpy.float32(2)} if payload["x"] == 2 else {"y": 2}
