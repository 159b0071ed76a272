"""Toy models that predict columns, soundly or not; each has a twin of rows alone. Import as ``table_models:Class``."""

from typing import Any

import numpy as np

from model_service import MLModel
from model_service.fields import answer, choice, flag, integer, number, optional, record
from model_service.records import Violation

GRADES = ("low", "high", "é")
FIELDS = {
    "x": number("X", above=0, most=10),
    "n": integer("N", least=-4, most=2**40) | {"multipleOf": 2},
    "flag": flag("Flag"),
    "maybe": optional(number("Maybe", least=-1)),
    "code": optional(choice("Code", {1: "One", 2: "Two"})),
    "grade": choice("Grade", GRADES),
}
EXAMPLES = (
    {"x": 0.1, "n": 2, "flag": True, "maybe": None, "code": 1, "grade": "low"},
    {"x": 10, "n": -4, "flag": False, "maybe": 2.5, "code": None, "grade": "é"},
)


class SumModel(MLModel):
    """Adds numbers up. `lengths` has how many rows each call for columns had."""

    qualified_name, display_name, version = "sum_model", "Sum", "1.0.0"
    description = "Adds numbers up."
    input_schema = record("In", FIELDS, examples=[*EXAMPLES])
    output_schema = answer(
        "Out",
        {
            "sum": number("Sum", most=2**41),
            "twice": integer("Twice", least=-8),
            "is_large": flag("Large"),
            "grade": choice("Grade", GRADES),
            "inner": answer("Inner", {"x": number("X", least=0)}),
            "maybe": optional(number("Maybe")),
        },
    )

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        total = payload["x"] + payload["n"] + (payload.get("maybe") or 0)
        return {
            **{"sum": total, "twice": int(2 * payload["n"]), "is_large": total > 5, "grade": payload["grade"]},
            **{"inner": {"x": payload["x"]}, "maybe": payload.get("maybe")},
        }

    def predict_columns(self, columns: Any) -> Any:
        self.lengths.append(len(columns["x"]))
        total = columns["x"] + columns["n"] + np.nan_to_num(columns["maybe"])
        return {
            **{"sum": total, "twice": 2 * columns["n"], "is_large": total > 5, "grade": columns["grade"]},
            **{"inner.x": columns["x"], "maybe": columns["maybe"]},
        }


class SumRowsModel(SumModel):
    qualified_name = "sum_rows_model"
    predict_columns = MLModel.predict_columns  # type: ignore[assignment]  # as if there were none


class RaisingColumnsModel(SumModel):
    """Raises for more columns than it has examples."""

    qualified_name = "raising_columns_model"

    def predict_columns(self, columns: Any) -> Any:
        if len(columns["x"]) > len(EXAMPLES):
            raise RuntimeError("secret")
        return super().predict_columns(columns)


class UnsoundColumnsModel(SumModel):
    """Answers more columns than it has examples with what the output schema refuses."""

    qualified_name = "unsound_columns_model"

    def predict_columns(self, columns: Any) -> Any:
        found = super().predict_columns(columns)
        return found if len(columns["x"]) <= len(EXAMPLES) else {**found, "inner.x": -columns["x"]}


class DisagreeingColumnsModel(SumModel):
    """Adds one more in columns."""

    qualified_name = "disagreeing_columns_model"

    def predict_columns(self, columns: Any) -> Any:
        found = super().predict_columns(columns)
        return {**found, "sum": found["sum"] + 1}


class RuledColumnsModel(SumModel):
    """Has rules of its own, which only rows can be held against."""

    qualified_name = "ruled_columns_model"

    @classmethod
    def find_violations(cls, payload: dict[str, Any]) -> list[Violation]:
        return [Violation("/x", "rule", "x must not be 7")] if payload["x"] == 7 else []

    def predict_columns(self, columns: Any) -> Any:
        raise AssertionError("columns were asked in spite of the rules")
