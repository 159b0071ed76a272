"""A toy model with fields of several kinds, for tests of tables. Import it as ``platform_models:TableModel``."""

from typing import Any

from model_service import MLModel


class TableModel(MLModel):
    """Tells what it was given."""

    qualified_name = "table_model"
    display_name = "Table"
    description = "Tells what it was given."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {
            "a": {"type": "number", "maximum": 1000},
            "b": {"type": ["number", "null"]},
            "note": {"type": "string"},
            "day": {"type": "string", "format": "date"},
        },
        "required": ["a"],
        "additionalProperties": False,
        "examples": [{"a": 1, "b": None, "note": "x", "day": "2026-01-31"}],
    }
    output_schema = {
        "type": "object",
        "properties": {"total": {"type": "number"}, "told": {"type": "string"}, "is_large": {"type": "boolean"}},
        "required": ["total", "told", "is_large"],
    }

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        total = payload["a"] + (payload.get("b") or 0)
        told = ",".join(f"{name}={value}" for name, value in payload.items() if name not in ("a", "b"))
        return {"total": total, "told": told, "is_large": total > 100}


class InstancesModel(MLModel):
    """Has a field that is called as an envelope is."""

    qualified_name = "instances_model"
    display_name = "Instances"
    description = "Counts its instances."
    version = "1.0.0"
    input_schema = {
        "type": "object",
        "properties": {"instances": {"type": "array", "items": {"type": "number"}}},
        "required": ["instances"],
        "examples": [{"instances": [1]}],
    }
    output_schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"count": len(payload["instances"])}


class LineEstimator:
    """Stands for an estimator of another library in a pickle."""

    def predict(self, rows: list[list[float]]) -> list[float]:
        return [10 * area + 100 * rooms for area, rooms in rows]
