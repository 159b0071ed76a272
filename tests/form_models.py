"""Toy models for tests of the form: each is one construct of JSON Schema, and answers its payload.

The examples are the corners: nulls, absent optional fields, empty arrays and strings, large numbers.
Import them as ``form_models:Class``.
"""

from typing import Any

from model_service import MLModel


class NestedObjectsModel(MLModel):
    """Objects in objects, required and optional, with defaults, a constant and a field that is only read."""

    qualified_name = "nested_objects_model"
    display_name = "Nested objects"
    description = "Answers an order: objects in objects."
    version = "1.0.0"
    input_schema = {
        "title": "Order",
        "type": "object",
        "properties": {
            "kind": {"title": "Kind", "const": "order"},
            "id": {"title": "Number of the order", "type": "string", "readOnly": True},
            "customer": {
                "title": "Customer",
                "description": "Who pays.",
                "type": "object",
                "properties": {
                    "name": {"title": "Name", "type": "string", "minLength": 1, "maxLength": 60},
                    "age": {"title": "Age", "type": "integer", "minimum": 0, "maximum": 150, "unit": "years"},
                    "address": {
                        "title": "Address",
                        "type": "object",
                        "properties": {
                            "street": {"title": "Street", "type": "string"},
                            "postcode": {
                                "title": "Postcode",
                                "description": "Five digits.",
                                "type": "string",
                                "pattern": "^[0-9]{5}$",
                                "x-error-messages": {"pattern": "A postcode has five digits."},
                            },
                        },
                        "required": ["street"],
                        "additionalProperties": False,
                    },
                },
                "required": ["name", "address"],
                "additionalProperties": False,
            },
            "delivery": {
                "title": "Delivery",
                "description": "May be left out.",
                "type": "object",
                "properties": {
                    "express": {"title": "Express", "type": "boolean", "default": False},
                    "weight": {
                        "title": "Weight",
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "multipleOf": 0.5,
                        "default": 1.5,
                        "unit": "kg",
                    },
                    "note": {"title": "Note", "type": "string", "default": "Ring twice."},
                },
                "required": ["express"],
                "additionalProperties": False,
            },
        },
        "required": ["kind", "customer"],
        "additionalProperties": False,
        "examples": [
            {
                "kind": "order",
                "id": "A-1",
                "customer": {
                    "name": "Ada",
                    "age": 36,
                    "address": {"street": "12 St James's Square", "postcode": "01234"},
                },
                "delivery": {"express": True, "weight": 12.5, "note": ""},
            },
            {"kind": "order", "customer": {"name": "Ødegård 🚲", "address": {"street": ""}}},
            {
                "kind": "order",
                "customer": {"name": "Li", "age": 0, "address": {"street": "x"}},
                "delivery": {"express": False},
            },
        ],
    }
    output_schema = {"type": "object"}

    def predict(self, payload: dict[str, Any]) -> dict[str, Any]:
        return payload


class ArraysModel(NestedObjectsModel):
    """Arrays of texts, numbers, choices, objects and arrays."""

    qualified_name = "arrays_model"
    display_name = "Arrays"
    description = "Answers a recipe: arrays of everything."
    input_schema = {
        "title": "Recipe",
        "type": "object",
        "properties": {
            "ingredients": {
                "title": "Ingredients",
                "description": "What goes in.",
                "type": "array",
                "minItems": 1,
                "maxItems": 4,
                "items": {
                    "title": "Ingredient",
                    "type": "object",
                    "properties": {
                        "name": {"title": "Name", "type": "string", "minLength": 1},
                        "amount": {"title": "Amount", "type": "number", "minimum": 0, "unit": "g"},
                        "optional": {"title": "Optional", "type": "boolean"},
                    },
                    "required": ["name", "amount"],
                    "additionalProperties": False,
                },
            },
            "tags": {"title": "Tags", "type": "array", "items": {"type": "string"}},
            "allergens": {
                "title": "Allergens",
                "type": "array",
                "uniqueItems": True,
                "items": {"enum": ["milk", "egg", "nut", "soy"]},
            },
            "temperatures": {
                "title": "Temperatures",
                "description": "One row per hour.",
                "type": "array",
                "items": {
                    "title": "Hour",
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "integer", "minimum": -50, "maximum": 300},
                },
            },
        },
        "required": ["ingredients"],
        "additionalProperties": False,
        "examples": [
            {
                "ingredients": [
                    {"name": "flour", "amount": 500},
                    {"name": "crème fraîche", "amount": 0.25, "optional": True},
                    {"name": "salt", "amount": 0, "optional": False},
                ],
                "tags": ["quick", "", "für Gäste"],
                "allergens": ["nut", "egg"],
                "temperatures": [[180, 200], [-18]],
            },
            {"ingredients": [{"name": "water", "amount": 1e15}]},
            {"ingredients": [{"name": "ice", "amount": 1}], "tags": [], "allergens": [], "temperatures": []},
        ],
    }


class AlternativesModel(NestedObjectsModel):
    """``oneOf`` of objects, ``oneOf`` of titled constants, and ``anyOf`` with null."""

    qualified_name = "alternatives_model"
    display_name = "Alternatives"
    description = "Answers a payment: one of several kinds."
    input_schema = {
        "title": "Payment",
        "type": "object",
        "properties": {
            "method": {
                "title": "Method",
                "description": "How it is paid.",
                "oneOf": [
                    {
                        "title": "Card",
                        "type": "object",
                        "properties": {
                            "kind": {"const": "card"},
                            "number": {"title": "Card number", "type": "string", "pattern": "^[0-9]{12,19}$"},
                            "credit": {"title": "Credit", "type": "boolean"},
                        },
                        "required": ["kind", "number"],
                        "additionalProperties": False,
                    },
                    {
                        "title": "Transfer",
                        "type": "object",
                        "properties": {
                            "kind": {"const": "transfer"},
                            "iban": {"title": "IBAN", "type": "string", "minLength": 15, "maxLength": 34},
                        },
                        "required": ["kind", "iban"],
                        "additionalProperties": False,
                    },
                    {
                        "title": "Cash",
                        "type": "object",
                        "properties": {"kind": {"const": "cash"}},
                        "required": ["kind"],
                        "additionalProperties": False,
                    },
                ],
            },
            "priority": {
                "title": "Priority",
                "oneOf": [{"const": 1, "title": "High"}, {"const": 2, "title": "Usual"}, {"const": 3, "title": "Low"}],
            },
            "currency": {
                "title": "Currency",
                "oneOf": [
                    {"const": code, "title": name}
                    for code, name in (
                        ("CHF", "Swiss franc"),
                        ("EUR", "Euro"),
                        ("GBP", "Pound sterling"),
                        ("JPY", "Yen"),
                        ("USD", "US dollar"),
                    )
                ],
                "default": "EUR",
            },
            "discount": {
                "title": "Discount",
                "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"type": "null"}],
                "unit": "%",
            },
            "reference": {
                "title": "Reference",
                "description": "A number, or a text that is not one.",
                "anyOf": [{"title": "Number", "type": "integer"}, {"title": "Text", "type": "string", "minLength": 1}],
            },
        },
        "required": ["method", "priority", "discount"],
        "additionalProperties": False,
        "examples": [
            {
                "method": {"kind": "card", "number": "4111111111111111", "credit": True},
                "priority": 1,
                "currency": "JPY",
                "discount": 12.5,
                "reference": 42,
            },
            {
                "method": {"kind": "transfer", "iban": "DE02120300000000202051"},
                "priority": 3,
                "discount": None,
                "reference": "№ 42",
            },
            {"method": {"kind": "cash"}, "priority": 2, "currency": "EUR", "discount": 0},
        ],
    }


class TuplesModel(NestedObjectsModel):
    """``prefixItems``: arrays whose places mean different things, with and without more after them."""

    qualified_name = "tuples_model"
    display_name = "Tuples"
    description = "Answers a place: arrays in which each position has its own meaning."
    input_schema = {
        "title": "Place",
        "type": "object",
        "properties": {
            "position": {
                "title": "Position",
                "type": "array",
                "prefixItems": [
                    {"title": "Latitude", "type": "number", "minimum": -90, "maximum": 90, "unit": "°"},
                    {"title": "Longitude", "type": "number", "minimum": -180, "maximum": 180, "unit": "°"},
                ],
                "items": False,
                "minItems": 2,
            },
            "reading": {
                "title": "Reading",
                "description": "The sensor and its quality, then any number of values.",
                "type": "array",
                "prefixItems": [
                    {"title": "Sensor", "type": "string", "minLength": 1},
                    {"title": "Quality", "enum": ["good", "doubtful"]},
                ],
                "items": {"title": "Value", "type": "number"},
                "minItems": 2,
                "maxItems": 6,
            },
        },
        "required": ["position"],
        "additionalProperties": False,
        "examples": [
            {"position": [47.3769, 8.5417], "reading": ["roof", "good", 21, -0.5, 1e-9]},
            {"position": [-90, 180], "reading": ["Keller ü", "doubtful"]},
            {"position": [0, 0]},
        ],
    }


class ScalarsModel(NestedObjectsModel):
    """Every kind of single value, most of them nullable."""

    qualified_name = "scalars_model"
    display_name = "Scalars"
    description = "Answers a record: every kind of single value, most of them allowed to be unknown."
    input_schema = {
        "title": "Record",
        "type": "object",
        "properties": {
            "name": {"title": "Name", "type": "string", "examples": ["Grace Hopper"]},
            "size": {"title": "Size", "type": ["string", "null"], "enum": ["small", "large", None]},
            "height": {"title": "Height", "type": ["number", "null"], "minimum": 0, "maximum": 3, "unit": "m"},
            "count": {"title": "Count", "type": "integer"},
            "member": {"title": "Member", "type": ["boolean", "null"]},
            "active": {"title": "Active", "type": "boolean"},
            "born": {"title": "Born", "type": ["string", "null"], "format": "date"},
            "seen": {"title": "Last seen", "type": "string", "format": "date-time"},
            "email": {"title": "E-mail", "type": "string", "format": "email"},
            "home": {"title": "Home page", "type": "string", "format": "uri"},
            "letter": {
                "title": "Letter",
                "description": "A few lines.",
                "type": "string",
                "minLength": 10,
                "maxLength": 500,
            },
        },
        "required": ["name", "size", "height", "active"],
        "additionalProperties": False,
        "examples": [
            {
                "name": "Zoë",
                "size": "large",
                "height": 1.75,
                "count": 9007199254740991,
                "member": True,
                "active": True,
                "born": "1992-02-29",
                "seen": "2024-12-31T23:59:59Z",
                "email": "zoe@example.com",
                "home": "https://example.com/zo%C3%AB?a=1&b=2#top",
                "letter": "Dear all,\n\nthe second line is empty.\n" + "Yours, Zoë 🦊",
            },
            {
                "name": "",
                "size": None,
                "height": None,
                "count": -1,
                "member": None,
                "active": False,
                "born": None,
                "letter": "x" * 500,
            },
            {"name": "0", "size": "small", "height": 0, "active": False, "count": 0, "member": False},
        ],
    }


class ReferencesModel(NestedObjectsModel):
    """``$ref`` to shared definitions, one of which refers to itself."""

    qualified_name = "references_model"
    display_name = "References"
    description = "Answers a family tree: definitions that are used twice, and one that contains itself."
    input_schema = {
        "title": "Family",
        "type": "object",
        "$defs": {
            "date": {"title": "Date", "type": "string", "format": "date"},
            "place/town": {
                "title": "Town",
                "type": "object",
                "properties": {"name": {"title": "Name", "type": "string"}},
                "required": ["name"],
            },
            "person": {
                "title": "Person",
                "type": "object",
                "properties": {
                    "name": {"title": "Name", "type": "string", "minLength": 1},
                    "born": {"$ref": "#/$defs/date", "title": "Born"},
                    "children": {"title": "Children", "type": "array", "items": {"$ref": "#/$defs/person"}},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "properties": {
            "root": {"$ref": "#/$defs/person"},
            "town": {"$ref": "#/$defs/place~1town", "title": "Home town"},
            "married": {"$ref": "#/$defs/date", "title": "Married", "description": "Day of the wedding."},
        },
        "required": ["root"],
        "additionalProperties": False,
        "examples": [
            {
                "root": {
                    "name": "Ada",
                    "born": "1815-12-10",
                    "children": [
                        {"name": "Byron", "children": []},
                        {"name": "Anne", "born": "1837-09-22", "children": [{"name": "Judith"}]},
                    ],
                },
                "town": {"name": "London"},
                "married": "1835-07-08",
            },
            {"root": {"name": "名前"}},
            {"root": {"name": "Émile", "children": []}, "town": {"name": ""}},
        ],
    }


class AnchorsModel(NestedObjectsModel):
    """``$ref`` to definitions by their ``$anchor``, in the input and in the output."""

    qualified_name = "anchors_model"
    display_name = "Anchors"
    description = "Answers a birth: definitions that are named by anchors."
    input_schema = {
        "title": "Birth",
        "type": "object",
        "properties": {"town": {"$ref": "#town"}, "season": {"$ref": "#season"}},
        "required": ["town", "season"],
        "additionalProperties": False,
        "$defs": {
            "first": {
                "$anchor": "town",
                "title": "Town of birth",
                "type": "object",
                "properties": {"name": {"title": "Name of the town", "type": "string"}},
                "required": ["name"],
                "additionalProperties": False,
            },
            "second": {
                "$anchor": "season",
                "title": "Season",
                "oneOf": [{"const": 1, "title": "Spring"}, {"const": 2, "title": "Autumn"}],
            },
        },
        "examples": [{"town": {"name": "Bath"}, "season": 1}, {"town": {"name": ""}, "season": 2}],
    }
    output_schema = {name: value for name, value in input_schema.items() if name != "examples"}


class AnythingModel(NestedObjectsModel):
    """A number of any size, and whatever else comes."""

    qualified_name = "anything_model"
    display_name = "Anything"
    description = "Answers a number, and whatever comes with it."
    input_schema = {
        "type": "object",
        "properties": {"count": {"title": "Count", "type": "number"}},
        "examples": [{"count": 1}, {"more": [2**53 + 1]}],
    }
