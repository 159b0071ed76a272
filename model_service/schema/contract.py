"""What makes a JSON Schema unfit for a model, and what in it looks like a mistake. It judges schemas, not payloads."""

import re
from collections.abc import Iterator
from typing import Any

from model_service.records import Schema
from model_service.schema.keywords import KEYWORDS, hint, is_keyword
from model_service.schema.validation import SchemaValidator, find_metaschema_faults, make_pointer
from model_service.schema.verdict import DIALECT, is_too_large
from model_service.schema.walk import REFERENCES, Path, find_subschema, resolve_reference, walk


def find_schema_faults(schema: Any, name: str) -> list[str]:
    """Return what is wrong with a model's schema, each a sentence that starts with its name.

    A schema is fit when it is valid JSON Schema 2020-12, of ``type: object``, refers
    only to places inside itself that exist, requires no field that it refuses, and accepts its own examples.
    """
    if not isinstance(schema, dict):
        return [f"{name} must be a dict that holds a JSON Schema"]
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        return [f"{name} must be JSON Schema 2020-12; its $schema names another dialect"]
    if strangers := SchemaValidator({}).find_violations(schema):
        return [f"{name} is not JSON: '{fault.place}' {fault.message}" for fault in strangers]
    faults = [f"{name} is not valid JSON Schema 2020-12: {fault}" for fault in find_metaschema_faults(schema)]
    if faults:
        return faults
    if schema.get("type") != "object":
        faults.append(f"{name} must have type: object at its root")
    faults.extend(_find_reference_faults(schema, name))
    if faults:
        return faults  # examples cannot be judged by a schema with dangling references
    faults.extend(_find_message_faults(schema, name))
    faults.extend(sentence for sentence, is_certain in _find_unknown_required(schema, name) if is_certain)
    return [*faults, *_find_example_faults(schema, name)]


def find_schema_warnings(schema: Schema, name: str) -> list[str]:
    """Return what in a fit schema its author can hardly have meant, or will regret; each a sentence like a fault."""
    return [
        *_find_unknown_keywords(schema, name),
        *(sentence for sentence, is_certain in _find_unknown_required(schema, name) if not is_certain),
        *_find_large_patterns(schema, name),
        *_find_unfit_values(schema, name),
    ]


def _find_subschemas(schema: Schema) -> Iterator[tuple[Path, Schema]]:
    """Yield ``(path, object)`` for every subschema, those included that only a reference makes one."""
    seen: set[Path] = set()
    starts: list[Path] = [()]
    for start in starts:  # grows on the way
        for path, node in walk(find_subschema(schema, start)) if start not in seen else ():
            seen.add((*start, *path))
            yield (*start, *path), node
            starts.extend(target for _, target in _find_references(schema, node) if target is not None)


def _find_references(schema: Schema, node: Schema) -> Iterator[tuple[str, Path | None]]:
    """Yield each keyword of a subschema that refers to a place, and the place."""
    for keyword in REFERENCES:
        if isinstance(reference := node.get(keyword), str):
            yield keyword, resolve_reference(schema, reference)


def _find_reference_faults(schema: Schema, name: str) -> Iterator[str]:
    known = {path for path, _ in walk(schema)}
    for path, node in _find_subschemas(schema):
        if path and "$id" in node:
            yield f"{name}{make_pointer(path)} must not have an $id, which would change what references mean"
        for keyword, target in _find_references(schema, node):
            where = make_pointer([*path, keyword])
            if target is None:
                yield f"{name}{where} must refer to a place inside the schema; '{node[keyword]}' does not"
            elif target not in known:
                known.add(target)
                for fault in find_metaschema_faults(find_subschema(schema, target)):
                    yield f"{name}{where} must refer to valid JSON Schema 2020-12: {fault}"


def _find_message_faults(schema: Schema, name: str) -> Iterator[str]:
    for path, node in _find_subschemas(schema):
        messages = node.get("x-error-messages", {})
        where = f"{name}{make_pointer(path)}/x-error-messages"
        if not isinstance(messages, dict) or not all(isinstance(text, str) and text for text in messages.values()):
            yield f"{where} must map keywords to sentences"
        elif unknown := [keyword for keyword in messages if keyword not in node]:
            yield f"{where} speaks of {', '.join(unknown)}, which the subschema does not use"


def _find_unknown_keywords(schema: Schema, name: str) -> Iterator[str]:
    for path, node in _find_subschemas(schema):
        for keyword in node:
            if not is_keyword(keyword):
                where = f"{name}{make_pointer([*path, keyword])}"
                yield f"{where} is no keyword of JSON Schema and changes nothing{hint(keyword, KEYWORDS)}"


def _find_unknown_required(schema: Schema, name: str) -> Iterator[tuple[str, bool]]:
    """Yield each required name that no field has, as a sentence, and whether nothing can ever satisfy it."""
    everywhere = {each for _, node in _find_subschemas(schema) for each in node.get("properties", {})}
    for path, node in _find_subschemas(schema):
        own, patterns = node.get("properties", {}), node.get("patternProperties", {})
        is_closed = node.get("additionalProperties") is False
        for required in node.get("required", ()):
            if required in own or any(re.search(pattern, required) for pattern in patterns):
                continue
            # A branch may require what another one describes, but not what only differs from its own in the case.
            is_known = required in everywhere and required.lower() not in map(str.lower, own)
            if is_closed or not is_known:
                why = " and additionalProperties refuses" if is_closed else ", so no form asks for it"
                where = f"{name}{make_pointer([*path, 'required'])}"
                yield (
                    f"{where} names '{required}', which is not among the properties{why}"
                    f"{hint(required, own or everywhere)}",
                    is_closed,
                )


def _find_large_patterns(schema: Schema, name: str) -> Iterator[str]:
    for path, node in _find_subschemas(schema):
        patterns = {node["pattern"]: "pattern"} if "pattern" in node else {}
        patterns.update(dict.fromkeys(node.get("patternProperties", ()), "patternProperties"))
        for pattern, keyword in patterns.items():
            if is_too_large(pattern):
                yield (
                    f"{name}{make_pointer([*path, keyword])} is larger than fast validation takes, so every payload "
                    "takes the slow way; give the number of characters as minLength and maxLength, not in the pattern"
                )


def _find_unfit_values(schema: Schema, name: str) -> Iterator[str]:
    """Yield each ``default`` or example of a field that the field itself refuses."""
    for path, node in _find_subschemas(schema):
        values = [((*path, "default"), node["default"])] if "default" in node else []
        if path:
            values += [((*path, "examples", i), value) for i, value in enumerate(node.get("examples", ()))]
        if not values or any(keyword in inner for _, inner in walk(node) for keyword in REFERENCES):
            continue  # what a reference means cannot be told outside the whole schema
        validator = SchemaValidator(node)
        for place, value in values:
            for violation in validator.find_violations(value)[:1]:
                yield f"{name}{make_pointer(place)} is refused by its own field: {violation.message}"


def _find_example_faults(schema: Schema, name: str) -> Iterator[str]:
    validator = SchemaValidator(schema)
    for i, example in enumerate(schema.get("examples", [])):
        for violation in validator.find_violations(example):
            yield f"{name} refuses its own example {i}: '{violation.place}' {violation.message}"
