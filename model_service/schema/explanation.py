"""What an explanation must look like: the JSON Schema that answers are held against and that documents describe."""

from model_service.records import Schema

_POINTER = {"type": "string", "description": "JSON Pointer (RFC 6901).", "pattern": "^(/.*)?$"}
EXPLANATION_SCHEMA: Schema = {
    "type": "object",
    "description": "What of a payload led to its output.",
    "properties": {
        "method": {"type": "string", "description": "How it was found, such as `shapley` or `occlusion`."},
        "explained": {
            "type": "object",
            "description": "The number of the output that is explained.",
            "properties": {"pointer": _POINTER, "value": {"type": "number"}},
            "required": ["pointer", "value"],
            "additionalProperties": False,
        },
        "base": {
            "type": ["number", "null"],
            "description": "The usual value, to which all contributions are added; null where they are falls from "
            "the value that is explained.",
        },
        "contributions": {
            "type": "array",
            "description": "What each field adds, in the order of the model.",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "The field, or what the model makes of several."},
                    "pointer": {
                        "type": ["string", "null"],
                        "description": "JSON Pointer into the payload; null for what is made of several fields.",
                    },
                    "value": {"description": "Its value, as it was sent."},
                    "contribution": {"type": "number"},
                },
                "required": ["name", "pointer", "value", "contribution"],
                "additionalProperties": False,
            },
        },
        "sequences": {
            "type": "array",
            "description": "What the letters of sequences add.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": _POINTER | {"description": "JSON Pointer (RFC 6901) into the payload."},
                    "start": {"type": "integer", "minimum": 1, "description": "Position of the first letter."},
                    "letters": {"type": "string", "description": "As the model reads them."},
                    "contributions": {
                        "type": "array",
                        "items": {"type": ["number", "null"]},
                        "description": "One number per letter; null for one that there was no time for.",
                    },
                },
                "required": ["pointer", "start", "letters", "contributions"],
                "additionalProperties": False,
            },
        },
        "is_complete": {"type": "boolean", "description": "False where the time ran out before."},
    },
    "required": ["method", "explained", "base", "is_complete"],
    "anyOf": [{"required": ["contributions"]}, {"required": ["sequences"]}],
    "additionalProperties": False,
}
