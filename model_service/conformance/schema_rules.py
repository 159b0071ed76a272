"""Rules about the two schemas: forms, documents, validation and generated inputs are made of them."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from model_service.conformance.pattern_texts import find_browser_faults
from model_service.conformance.rule import Broken, rule
from model_service.conformance.subject import Subject
from model_service.records import Schema
from model_service.schema.contract import find_schema_faults, find_schema_warnings
from model_service.schema.node import Node, join_name, read_node
from model_service.schema.validation import word_violations
from model_service.schema.walk import walk

_FAMILY = "schemas"
_SCHEMAS = ("input_schema", "output_schema")
#: Deeper than fields of payloads ever are.
_MAX_LEVELS = 20


@rule(
    "schemas",
    _FAMILY,
    "both are valid JSON Schema 2020-12, without suspicious words",
    remedy="Mend the schema at the place that is named.",
    needs=("contract",),
)
def schemas(subject: Subject) -> str:
    """Both schemas are valid, refer to themselves only, and no keyword, default or required name looks mistaken."""
    found: list[str] = []
    for name in _SCHEMAS:
        schema = getattr(subject.model_class, name)
        # Examples at the root are judged by a rule of their own.
        alone = (
            {key: value for key, value in schema.items() if key != "examples"} if isinstance(schema, dict) else schema
        )
        found += find_schema_faults(alone, name) or find_schema_warnings(alone, name)
    if found:
        raise Broken("; ".join(found))
    return f"{sum(1 for _ in _list_nodes(subject))} places"


@rule(
    "closed",
    _FAMILY,
    "objects refuse fields that the schema does not name",
    remedy='Say "additionalProperties": false, as fields.record and fields.answer do; else a misspelt optional field '
    "is ignored without a word.",
    needs=("schemas",),
)
def closed(subject: Subject) -> str:
    """Every object with named fields refuses others, in payloads and in outputs."""
    objects = [(path, node) for path, node in _list_nodes(subject) if node.fields() or "object" in (node.types or ())]
    # An object without named fields whose entries have a schema is a map, by intent.
    maps = [path for path, node in objects if not node.fields() and node.other_fields() is not None]
    open_ones = [
        path
        for path, node in objects
        if path not in maps and not node.is_closed and False not in node.all("unevaluatedProperties")
    ]
    if open_ones:
        raise Broken(f"these take any field: {', '.join(open_ones)}")
    return f"{len(objects)} objects"


@rule(
    "described",
    _FAMILY,
    "every field has a title or a description",
    remedy="Give the field a title for people: forms, tables and documents show it.",
    needs=("schemas",),
)
def described(subject: Subject) -> str:
    """Every named field of payloads, and every one at the root of outputs, has a title or a description."""
    fields = [
        (path, node)
        for path, node in _list_nodes(subject)
        if path.startswith("input_schema ") or (path.startswith("output_schema ") and "." not in path)
    ]
    named = [(path, node) for path, node in fields if not path.endswith(("]", " *"))]
    silent = [path for path, node in named if not node.text("title") and not node.text("description")]
    if silent:
        raise Broken(f"nothing is said of {', '.join(silent)}")
    return f"{len(named)} fields"


@rule(
    "examples",
    _FAMILY,
    "there are examples, and schema and rules accept them",
    remedy="Give input_schema complete payloads as examples: they are the self-test, and what people try first.",
    needs=("schemas",),
)
def examples(subject: Subject) -> str:
    """``input_schema`` has examples; they, those of ``output_schema`` and given payloads keep to schema and rules."""
    rows = subject.examples
    if not subject.model_class.input_schema.get("examples"):
        raise Broken("input_schema has no examples")
    own = len(subject.model_class.input_schema["examples"])
    names = [*(f"example {i}" for i in range(own)), *(f"payload {i}" for i in range(len(rows) - own))]
    faults = [word_violations(f"{names[i]} is refused", found) for i, found in _refuse(subject, rows)]
    answers = subject.model_class.output_schema.get("examples", ())
    for i, answer in enumerate(answers):
        if found := subject.promises.find_violations(answer):
            faults.append(f"output_schema refuses {word_violations(f'its example {i}', found)}")
    if faults:
        raise Broken("; ".join(faults[:3]))
    return f"{len(rows)} payloads"


@rule(
    "patterns",
    _FAMILY,
    "patterns mean the same in a browser",
    remedy="Write the pattern with what Python and JavaScript (flags u and v) have in common; forms check it while "
    "people type.",
    needs=("schemas",),
)
def patterns(subject: Subject) -> str:
    """No pattern uses what JavaScript has not or reads otherwise, or repeats a repeat."""
    found = {
        pattern: fault
        for name in _SCHEMAS
        for pattern in _find_patterns(getattr(subject.model_class, name))
        for fault in find_browser_faults(pattern)
    }
    if found:
        raise Broken("; ".join(f"{pattern}: {fault}" for pattern, fault in found.items()))
    count = sum(1 for name in _SCHEMAS for _ in _find_patterns(getattr(subject.model_class, name)))
    return f"{count} patterns"


RULES = (schemas, closed, described, examples, patterns)


def list_places(node: Node, *, levels: int = _MAX_LEVELS) -> Iterator[tuple[str, Node]]:
    """Yield every named field, entry and alternative below a node, with its path."""
    if not levels or node.returns_to is not None:
        return
    inside = {join_name(node.path, name): field for name, field in node.fields().items()}
    for number, entry in enumerate(node.first_entries()):
        inside[f"{node.path}[{number}]"] = entry
    for extra in (node.entry(), None if node.fields() else node.other_fields()):
        if extra is not None and extra.says_anything:
            inside[extra.path] = extra
    for path, child in inside.items():
        yield path, child
        yield from list_places(child, levels=levels - 1)
    for alternatives in node.alternatives():
        for branch in alternatives.others:
            joined = alternatives.rest.join(branch)
            if branch.has("properties", "items", "additionalProperties"):
                yield from list_places(joined, levels=levels - 1)


def _list_nodes(subject: Subject) -> Iterator[tuple[str, Node]]:
    for name in _SCHEMAS:
        root = read_node(getattr(subject.model_class, name))
        yield name, root
        yield from ((f"{name} {path}", node) for path, node in list_places(root))


def _find_patterns(schema: Schema) -> Iterator[str]:
    for _, node in walk(schema):
        yield from node.get("patternProperties", ())
        if "pattern" in node:
            yield node["pattern"]


def _refuse(subject: Subject, rows: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    for i, row in enumerate(rows):
        found = subject.accepts.find_violations(row) or subject.model_class.find_violations(deepcopy(row))
        if found:
            yield i, found
