"""A toy model whose payloads and outputs have a field of every kind, for doors that carry values in their own way."""

from typing import Any

from model_service import MLModel

_FIELDS: dict[str, Any] = {
    "number": {"type": "number", "maximum": 1000},
    "count": {"type": "integer"},
    "flag": {"type": "boolean"},
    "text": {"type": "string", "maxLength": 100},
    "day": {"type": "string", "format": "date"},
    "maybe_number": {"type": ["number", "null"]},
    "maybe_count": {"type": ["integer", "null"]},
    "maybe_text": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
    "maybe_flag": {"type": ["boolean", "null"]},
    "grade": {"enum": ["low", "high"]},
    "pair": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    "grid": {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 1},
    },
    "words": {"type": "array", "items": {"type": "string"}},
    "place": {
        "type": "object",
        "properties": {"x": {"type": "number"}, "inner": {"$ref": "#/$defs/inner"}},
        "required": ["x", "inner"],
        "additionalProperties": False,
    },
    "mixed": {"type": ["string", "number", "null"]},
    "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
}
ROW: dict[str, Any] = {
    **{"number": 0.1, "count": 7, "flag": True, "text": 'é "\\ \n', "day": "2024-02-29", "maybe_number": None},
    **{
        "maybe_count": 3,
        "maybe_text": "x",
        "maybe_flag": None,
        "grade": "low",
        "pair": [1.5, -2.0],
        "grid": [[1], [2]],
    },
    **{"words": [], "place": {"x": 1.0, "inner": {"y": "deep"}}, "mixed": "3", "points": [{"x": 1.5}, {}]},
}
OTHER_ROW: dict[str, Any] = {
    **{"number": -3.25, "count": -(2**40), "flag": False, "text": "", "day": "1999-12-31", "maybe_number": 2.5},
    **{"maybe_count": None, "maybe_text": None, "maybe_flag": False, "grade": "high", "pair": [0.0, 1e-9]},
    **{"grid": [[-5], [0]], "words": ["a", "", "b"], "place": {"x": -1.0, "inner": {"y": ""}}, "mixed": None},
    **{"points": [], "spare": 4},
}


def _make_schema(**more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**_FIELDS, **more},
        "required": list(_FIELDS),
        "additionalProperties": False,
        "$defs": {
            "inner": {
                "type": "object",
                "properties": {"y": {"type": "string"}},
                "required": ["y"],
                "additionalProperties": False,
            }
        },
    }


class KindsModel(MLModel):
    """Answers its payload, and the number of its fields."""

    qualified_name = "kinds_model"
    display_name = "Kinds"
    description = "Answers its payload."
    version = "1.0.0"
    input_schema = {**_make_schema(spare={"type": "integer"}), "examples": [ROW, OTHER_ROW]}
    output_schema = _make_schema(fields={"type": "integer"}, spare={"type": "integer"})
    output_schema["required"] = [*_FIELDS, "fields"]

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "fields": len(payload)}
