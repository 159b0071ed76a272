"""Python types of a model's payloads and outputs, written from its schemas, so that an editor completes fields."""

import json
import keyword
import re
from typing import Any

from model_service_client.records import Metadata, Schema
from model_service_client.schemas import list_fields, resolve

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_MAX_WIDTH = 110
_MOST_LEVELS = 12


def write_stub(metadata: Metadata) -> str:
    """Return a module with a ``TypedDict`` for payloads, one for outputs, and a function between the two."""
    writer = _Writer(metadata.input_schema)
    base = _class_name(metadata.qualified_name)
    payload = writer.write_object(metadata.input_schema, f"{base}Input", 0)
    writer.root = metadata.output_schema
    output = writer.write_object(metadata.output_schema, f"{base}Output", 0)
    classes = "\n\n".join(writer.classes)
    version = metadata.version
    return (
        f'"""Types of {metadata.qualified_name} {version}, written by model_service_client."""\n\n'
        "from __future__ import annotations\n\n"
        "from typing import Any, Literal, NotRequired, TypedDict, cast\n\n"
        "from model_service_client import Model\n\n\n"
        f"{classes}\n\n"
        f"def predict(model: Model, payload: {payload}) -> {output}:\n"
        f'    """Return the output of one payload."""\n'
        f"    return cast({output!r}, model.predict(payload))\n"
    )


class _Writer:
    """Writes classes, the innermost first.

    Attributes:
        root: The schema that references lead into.
        classes: Sources of what was written.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.classes: list[str] = []
        self._names: set[str] = set()
        self._referred: dict[tuple[int, str], str] = {}

    def write_object(self, schema: Any, name: str, level: int, reference: str | None = None) -> str:
        """Return the type of an object; its class is among `classes` then."""
        whole = resolve(schema, self.root)
        fields = list_fields(whole, self.root)
        if not fields or level > _MOST_LEVELS:
            return "dict[str, Any]"
        name = self._choose(name)
        if reference is not None:
            self._referred[id(self.root), reference] = name
        required = set(whole.get("required") or ())
        for part in whole.get("allOf") or ():
            required |= set(resolve(part, self.root).get("required") or ())
        types = {}
        for key, field in fields.items():
            kind = self.write_type(field, f"{name}{_class_name(key)}", level + 1)
            types[key] = kind if key in required else f"NotRequired[{kind}]"
        comments = {key: _comment(resolve(field, self.root)) for key, field in fields.items()}
        is_plain = all(key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("__") for key in types)
        self.classes.append((_as_class if is_plain else _as_call)(name, types, comments))
        return name

    def write_type(self, schema: Any, name: str, level: int) -> str:
        """Return the type of a value; objects that are referred to are written once, which recursive ones need."""
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        known = self._referred.get((id(self.root), str(reference)))
        if reference is not None and known is not None:
            return known
        found = resolve(schema, self.root)
        choices = [found["const"]] if "const" in found else found.get("enum")
        if choices:
            return _literal(choices)
        parts = found.get("anyOf") or found.get("oneOf")
        if parts and level <= _MOST_LEVELS:
            kinds = [self.write_type(part, f"{name}{number}", level + 1) for number, part in enumerate(parts, 1)]
            return " | ".join(dict.fromkeys(kinds))
        named = found.get("type")
        kinds = [named] if isinstance(named, str) else named or (["object"] if list_fields(found, self.root) else [])
        return " | ".join(dict.fromkeys(self._of_kind(kind, found, name, level, reference) for kind in kinds)) or "Any"

    def _of_kind(self, kind: str, schema: Schema, name: str, level: int, reference: str | None) -> str:
        if kind == "object":
            return self.write_object(schema, name, level, reference)
        if kind == "array":
            entries = schema.get("items")
            inner = self.write_type(entries, f"{name}Entry", level + 1) if isinstance(entries, dict) else "Any"
            return f"list[{inner}]"
        return _SCALARS.get(kind, "Any")

    def _choose(self, name: str) -> str:
        chosen, number = name, 2
        while chosen in self._names:
            chosen, number = f"{name}{number}", number + 1
        self._names.add(chosen)
        return chosen


def _as_class(name: str, types: dict[str, str], comments: dict[str, str]) -> str:
    lines = [f"class {name}(TypedDict):"]
    for key, kind in types.items():
        lines += [f"    # {comments[key]}"] if comments[key] else []
        lines.append(f"    {key}: {kind}")
    return "\n".join(lines) + "\n"


def _as_call(name: str, types: dict[str, str], comments: dict[str, str]) -> str:
    """Return a class some fields of which are no names in Python."""
    lines = [f"{name} = TypedDict(", f"    {json.dumps(name)},", "    {"]
    for key, kind in types.items():
        lines += [f"        # {comments[key]}"] if comments[key] else []
        lines.append(f"        {key!r}: {kind!r},")
    return "\n".join([*lines, "    },", ")"]) + "\n"


def _literal(values: list[Any]) -> str:
    if not all(value is None or isinstance(value, str | int | bool) for value in values):
        return "Any"
    text = f"Literal[{', '.join(map(repr, values))}]"
    kinds = dict.fromkeys(type(value).__name__ for value in values)
    return text if len(text) <= _MAX_WIDTH else " | ".join(kinds).replace("NoneType", "None")


def _comment(field: Schema) -> str:
    text = " ".join(str(field.get("description") or field.get("title") or "").split())
    unit = f" [{field['unit']}]" if isinstance(field.get("unit"), str) else ""
    text += unit
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 3]}..."


def _class_name(name: str) -> str:
    found = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", name))
    return found if found and not found[0].isdigit() else f"X{found}"
