"""A JSON Schema as rows that a person can read: one per field, each with its path, type, rules and choices.

It is a summary for the page about a model, not a second validator: what has no words here
is said to be in the schema itself, so that no rule is silently lost. References are
followed, and stop where a schema comes back to itself. It draws nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from model_service.records import Schema
from model_service.schema.node import Node, read_node
from model_service.schema.values import Choice, find_type, write_json

#: Nobody reads more, and definitions that refer to each other could unfold without end.
MAX_ROWS = 300
MAX_DEPTH = 8
MAX_CHOICES = 50

#: Keywords that decide, but whose meaning does not fit into a few words.
_UNTOLD = ("not", "if", "contains", "dependentRequired", "dependentSchemas", "propertyNames", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class OutlineRow:
    """One field of a payload or an output.

    Attributes:
        path: Dotted, such as ``interval.lower`` or ``points[].x``; empty for the whole document.
        depth: Fields of the document itself have 1.
        note: What the row stands for when it is no plain field, such as ``each entry``.
        kind: JSON types in words, such as ``number or null``.
        rules: Such as ``0 to 25``; each a few words.
        default: As JSON, or ``None`` without one.
        unit: Such as ``cm``.
    """

    path: str
    depth: int
    note: str = ""
    is_required: bool = False
    title: str = ""
    description: str = ""
    kind: str = ""
    rules: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    default: str | None = None
    unit: str = ""


def build_outline(schema: Schema) -> tuple[OutlineRow, ...]:
    """Return the rows of a schema that the contract accepts; the first is the document itself."""
    rows = _outline(read_node(schema), OutlineRow("", 0))
    return tuple(islice(rows, MAX_ROWS))


def _outline(node: Node, row: OutlineRow) -> Iterator[OutlineRow]:
    """Yield the rows of a node; the first is begun, with the path, the depth and the note."""
    node, is_nullable = unfold_null(node)
    if node.returns_to is not None:
        row = replace(row, note=f"{row.note}, built like {node.returns_to or 'the whole document'}".removeprefix(", "))
    choices = [] if node.has("const") else node.choices or []
    rules = [*_find_rules(node)]
    if len(choices) > MAX_CHOICES:
        rules.append(f"and {len(choices) - MAX_CHOICES} more choices")
    children = [*_find_children(node, row.depth + 1)]
    if children and row.depth >= MAX_DEPTH:
        rules.append("more inside: see the JSON Schema")
        children = []
    yield replace(
        row,
        title=node.text("title"),
        description=node.text("description"),
        kind=_kind(node, is_nullable=is_nullable),
        rules=tuple(rules),
        choices=tuple(choices[:MAX_CHOICES]),
        default=write_json(node.get("default")) if node.has("default") else None,
        unit=node.text("unit"),
    )
    for child, below in children:
        yield from _outline(child, below)


def unfold_null(node: Node) -> tuple[Node, bool]:
    """Return what a value is that may be null beside, and whether it may."""
    for alternatives in node.alternatives() if node.choices is None else ():
        others = alternatives.others
        if len(alternatives.branches) == 2 and len(others) == 1 and others[0].types:
            return others[0].join(alternatives.rest), alternatives.is_nullable
    return node, False


def _find_children(node: Node, depth: int) -> Iterator[tuple[Node, OutlineRow]]:
    required = node.required
    for name, child in node.fields().items():
        yield child, OutlineRow(child.path, depth, is_required=name in required)
    for pattern, child in node.fields_by_pattern().items():
        yield child, OutlineRow(child.path, depth, note=f"each field whose name matches {pattern}")
    if (others := node.other_fields()) and others.says_anything:
        yield others, OutlineRow(others.path, depth, note="each other field")
    first = node.first_entries()
    for number, child in enumerate(first, start=1):
        yield child, OutlineRow(child.path, depth, note=f"entry {number}")
    if (entry := node.entry()) and entry.says_anything:
        yield entry, OutlineRow(entry.path, depth, note="each further entry" if first else "each entry")
    for alternatives in node.alternatives():
        if not alternatives.are_choices:
            word = "option" if alternatives.keyword == "anyOf" else "alternative"
            for number, child in enumerate(alternatives.branches, start=1):
                yield child, OutlineRow(node.path, depth, note=f"{word} {number} of {len(alternatives.branches)}")


def _find_rules(node: Node) -> Iterator[str]:
    yield from (f"always {write_json(value)}" for value in node.all("const"))
    yield from _range(node)
    yield from (f"a multiple of {step:,}" for step in node.all("multipleOf"))
    for ends, noun in (("Length", "character"), ("Items", "entr"), ("Properties", "field")):
        yield from _size(node.bound(f"min{ends}"), node.bound(f"max{ends}"), noun)
    if node.is_set("uniqueItems"):
        yield "entries that differ from each other"
    yield from (f"format {name}" for name in node.all("format"))
    # The author's own sentence says it to people; a pattern says it to programs.
    yield from (sentence or f"matches {pattern}" for pattern, sentence in node.patterns.items())
    if node.is_closed or any(value is False for value in node.all("unevaluatedProperties")):
        yield "no other fields"
    if (entry := node.entry()) and entry.is_refused:
        yield "no further entries"
    yield from (
        word for keyword, word in (("readOnly", "read only"), ("deprecated", "deprecated")) if node.is_set(keyword)
    )
    if untold := [keyword for keyword in _UNTOLD if node.has(keyword)]:
        yield f"more rules in the JSON Schema ({', '.join(untold)})"


def _range(node: Node) -> Iterator[str]:
    low, high = node.bound("minimum"), node.bound("maximum")
    if low is not None and high is not None:
        yield f"{low:,} to {high:,}"
        low = high = None
    words = ("above", node.bound("exclusiveMinimum")), ("at least", low), ("below", node.bound("exclusiveMaximum"))
    said = [f"{word} {bound:,}" for word, bound in (*words, ("at most", high)) if bound is not None]
    if said:
        yield ", ".join(said)


def _size(least: int | None, most: int | None, noun: str) -> Iterator[str]:
    one, many = ("entry", "entries") if noun == "entr" else (noun, f"{noun}s")
    if least is not None and most is not None:
        bounds = f"exactly {most:,}" if least == most else f"{least:,} to {most:,}"
    elif least:
        bounds, most = f"at least {least:,}", least
    elif most is not None:
        bounds = f"at most {most:,}"
    else:
        return
    yield f"{bounds} {one if most == 1 else many}"


def _kind(node: Node, *, is_nullable: bool) -> str:
    if node.is_refused:
        return "nothing"
    if types := node.types:
        return " or ".join(dict.fromkeys([*types, "null"] if is_nullable else types))
    if choices := node.choices:
        return " or ".join(dict.fromkeys(find_type(choice.value) for choice in choices))
    if node.types == [] or choices == []:
        return "nothing"
    if node.has("properties"):
        return "object"
    return "see below" if node.alternatives() else "any value"
