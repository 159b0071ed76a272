"""The one reading of a subschema: everything that applies at one place of a document, taken together.

What a reference leads to, the branches of ``allOf`` and the keywords beside them all apply at once. A `Node` keeps
them side by side, as its parts, so that no rule is lost where two parts speak of the same thing; what it says is what
all of them say: the common types, the tightest bounds, every pattern. Its children (fields, entries, alternatives) are
nodes, read when they are asked for. References end where one leads back into what it stands in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from model_service.records import Schema
from model_service.schema.values import Choice, is_of_types, is_same, narrow_types, write_json
from model_service.schema.walk import REFERENCES, Path, find_subschema, resolve_reference

_JOINING = frozenset({*REFERENCES, "allOf"})
#: Keywords that rule nothing out.
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "$comment", "unit"})
_LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
#: Keywords that imply a type where none is stated.
_IMPLIED_TYPES = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format", "x-alphabet"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_PLAIN_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Part:
    """One of the schemas that apply at a place.

    Attributes:
        trail: Targets of the references that led here, each with the path of the node where it was followed first.
    """

    schema: Any
    trail: Mapping[Path, str]

    def lead_to(self, schema: Any) -> "Part":
        """Return a part for a schema that stands inside this one."""
        return Part(schema, self.trail)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One ``oneOf`` or ``anyOf``.

    Attributes:
        branches: Each alternative, alone.
        rest: Everything that applies beside them.
    """

    keyword: str
    branches: "tuple[Node, ...]"
    rest: "Node"

    @property
    def others(self) -> "list[Node]":
        """The alternatives that are not just null."""
        return [branch for branch in self.branches if not branch.is_null]

    @property
    def are_choices(self) -> bool:
        """Whether they are values that can be chosen."""
        return all(branch.constants is not None for branch in self.branches)

    @property
    def is_nullable(self) -> bool:
        """Whether null is one of them, and what stands beside them allows it."""
        return len(self.others) < len(self.branches) and "null" in (self.rest.types or ["null"])


@dataclass(frozen=True, slots=True)
class Node:
    """What a schema says of one place of a document.

    Attributes:
        path: The place, such as ``points[].x``; empty for the whole document.
        parts: The objects that apply here, without references and ``allOf``; the later says the title and the like.
        is_refused: Whether ``false`` applies: no value is allowed here.
        returns_to: Path of the node that is met again here, where a reference leads back to it; what is inside
            is not told again.
    """

    root: Schema
    path: str
    parts: tuple[Part, ...] = ()
    is_refused: bool = False
    returns_to: str | None = None

    # What it says of itself.

    def all(self, keyword: str) -> list[Any]:
        """Return every different value that the parts give a keyword."""
        values: list[Any] = []
        for part in self.parts:
            if keyword in part.schema and not any(is_same(part.schema[keyword], value) for value in values):
                values.append(part.schema[keyword])
        return values

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return what the last part that has a keyword says: what stands beside a reference beats its target."""
        return next((part.schema[keyword] for part in reversed(self.parts) if keyword in part.schema), default)

    def text(self, keyword: str) -> str:
        """Return the text of an annotation; empty without one."""
        value = self.get(keyword)
        return value if isinstance(value, str) else ""

    def bound(self, keyword: str) -> Any:
        """Return the tightest value of a keyword such as ``minimum`` or ``maxLength``; ``None`` without one."""
        return (max if keyword in _LOWER_BOUNDS else min)(self.all(keyword), default=None)

    def is_set(self, keyword: str) -> bool:
        """Whether any part says that a keyword is true."""
        return any(value is True for value in self.all(keyword))

    def has(self, *keywords: str) -> bool:
        """Whether any part has one of the keywords."""
        return any(keyword in part.schema for part in self.parts for keyword in keywords)

    @property
    def types(self) -> list[str] | None:
        """JSON types that all parts allow; ``None`` when no part states any. An integer is no number as well."""
        types: list[str] | None = None
        for stated in self.all("type"):
            names = [stated] if isinstance(stated, str) else stated
            types = narrow_types(names if types is None else types, names)
        return types

    @property
    def likely_types(self) -> list[str]:
        """The types; where none is stated, the one that the keywords are about."""
        if self.types is not None:
            return self.types
        return [name for name, keywords in _IMPLIED_TYPES.items() if self.has(*keywords)][:1]

    @property
    def says_anything(self) -> bool:
        """Whether it says more than that any value, or none, is allowed."""
        return not self.is_refused and any(part.schema for part in self.parts)

    @property
    def is_null(self) -> bool:
        """Whether null is the only value."""
        return [choice.value for choice in self.constants or ()] == [None]

    @property
    def patterns(self) -> dict[str, str]:
        """Every pattern of a text, with the author's sentence about it or nothing."""
        schemas = [part.schema for part in self.parts if "pattern" in part.schema]
        return {schema["pattern"]: schema.get("x-error-messages", {}).get("pattern", "") for schema in schemas}

    @property
    def choices(self) -> list[Choice] | None:
        """The values that can be chosen, where they are listed; ``None`` where they are not."""
        lists = [[Choice(value) for value in values] for values in self._find_enumerations()]
        for alternatives in self.alternatives():
            if alternatives.are_choices:
                lists.append([choice for branch in alternatives.branches for choice in branch.constants or ()])
        if not lists:
            return None
        first, *others = sorted(lists, key=lambda choices: not any(choice.title for choice in choices))
        return [
            choice
            for choice in first
            if all(any(is_same(choice.value, other.value) for other in listed) for listed in others)
            and (self.types is None or is_of_types(choice.value, self.types))
        ]

    @property
    def constants(self) -> list[Choice] | None:
        """The values of an alternative that is nothing but them; ``None`` of another."""
        lists = [[None]] if self.types == ["null"] else [*self._find_enumerations()]
        if self.is_refused:
            return []
        if not lists or self.returns_to is not None:
            return None
        if len(lists[0]) == 1:
            return [Choice(lists[0][0], self.text("title"), self.text("description"))]
        return [Choice(value) for value in lists[0]]

    # What it says of what is inside.

    @property
    def required(self) -> list[str]:
        """Names of the fields that must be there."""
        return list(dict.fromkeys(name for names in self.all("required") for name in names))

    @property
    def is_closed(self) -> bool:
        """Whether fields without a name in the schema are refused."""
        return any(value is False for value in self.all("additionalProperties"))

    def fields(self) -> "dict[str, Node]":
        """Return the fields that have names."""
        return {name: self.field(name) for properties in self.all("properties") for name in properties}

    def field(self, name: str) -> "Node":
        """Return what applies to the field of any name."""
        return self._below(join_name(self.path, name), (sub for part in self.parts for sub in _find_field(part, name)))

    def fields_by_pattern(self) -> "dict[str, Node]":
        """Return what applies to fields whose names match a pattern."""
        path = join_name(self.path, "*")
        patterns = dict.fromkeys(name for named in self.all("patternProperties") for name in named)
        return {
            pattern: self._below(path, _find_inside(self.parts, "patternProperties", pattern)) for pattern in patterns
        }

    def other_fields(self) -> "Node | None":
        """Return what applies to every other field, where something does."""
        return self._inside("additionalProperties", join_name(self.path, "*"))

    def first_entries(self) -> "list[Node]":
        """Return the entries of an array that have a place of their own."""
        count = max(map(len, self.all("prefixItems")), default=0)
        return [
            self._below(f"{self.path}[{i}]", (sub for part in self.parts for sub in _find_entry(part, i)))
            for i in range(count)
        ]

    def entry(self) -> "Node | None":
        """Return what applies to every further entry of an array, where something does."""
        return self._inside("items", f"{self.path}[]")

    def alternatives(self) -> list[Alternatives]:
        """Return every ``oneOf`` and ``anyOf``; each of them holds."""
        found = []
        for i, part in enumerate(self.parts):
            for keyword in ("oneOf", "anyOf"):
                if schemas := part.schema.get(keyword):
                    branches = tuple(self._below(self.path, [part.lead_to(schema)]) for schema in schemas)
                    rest = part.lead_to({key: value for key, value in part.schema.items() if key != keyword})
                    parts = (*self.parts[:i], rest, *self.parts[i + 1 :])
                    found.append(Alternatives(keyword, branches, replace(self, parts=parts)))
        return found

    def join(self, other: "Node") -> Self:
        """Return what this and another node of the same place say together; the other has the title and the like."""
        returns_to = self.returns_to if self.returns_to is not None else other.returns_to
        is_refused = self.is_refused or other.is_refused
        return replace(self, parts=self.parts + other.parts, is_refused=is_refused, returns_to=returns_to)

    def without_words(self) -> "Node":
        """Return the rules alone, for each of several forms that have titles and the like of their own."""
        schemas = ({k: v for k, v in part.schema.items() if k not in _ANNOTATIONS} for part in self.parts)
        return replace(self, parts=tuple(map(Part.lead_to, self.parts, schemas)))

    def narrow(self, type_name: str, *, title: str) -> "Node":
        """Return what it says of values of one type."""
        return self.join(replace(self, parts=(Part({"type": type_name, "title": title}, {}),)))

    def _below(self, path: str, parts: Iterable[Part]) -> "Node":
        return _read(self.root, path, parts)

    def _inside(self, keyword: str, path: str) -> "Node | None":
        parts = [part.lead_to(part.schema[keyword]) for part in self.parts if keyword in part.schema]
        return self._below(path, parts) if parts else None

    def _find_enumerations(self) -> Iterator[list[Any]]:
        yield from ([value] for value in self.all("const"))
        yield from self.all("enum")


def read_node(schema: Any, root: Schema | None = None) -> Node:
    """Return the reading of a schema.

    Args:
        root: What ``#`` means, where that is another schema. Every reference leads to a schema inside it.
    """
    return _read(schema if root is None else root, "", [Part(schema, {(): ""} if root is None else {})])


def join_name(path: str, name: str) -> str:
    """Return the path of a field."""
    if name != "*" and not _PLAIN_NAME.fullmatch(name):
        return f"{path}[{write_json(name)}]"
    return f"{path}.{name}" if path else name


def _read(root: Schema, path: str, parts: Iterable[Part]) -> Node:
    """Return a node of parts whose references and ``allOf`` are not followed yet."""
    followed: set[Path] = set()
    found: list[Part] = []
    is_refused, returns_to = False, None
    stack = [*parts][::-1]
    while stack:
        part = stack.pop()
        if not isinstance(part.schema, dict):
            is_refused = is_refused or part.schema is False
            continue
        own = {keyword: value for keyword, value in part.schema.items() if keyword not in _JOINING}
        if len(own) == len(part.schema):
            found.append(part)
            continue
        stack.append(part.lead_to(own or True))
        inner: list[Part] = []
        for target in _find_targets(root, part.schema):
            if target in part.trail:
                returns_to = part.trail[target]
                # Enough to name it; the rest was told where it was met first.
                again = find_subschema(root, target)
                inner.append(part.lead_to({"type": again["type"]} if "type" in again else {}))
            elif target not in followed:
                followed.add(target)
                inner.append(Part(find_subschema(root, target), {**part.trail, target: path}))
        inner.extend(part.lead_to(schema) for schema in part.schema.get("allOf", ()))
        stack.extend(reversed(inner))
    return Node(root, path, tuple(found), is_refused, returns_to)


def _find_targets(root: Schema, schema: Schema) -> Iterator[Path]:
    for keyword in REFERENCES:
        if keyword in schema and (target := resolve_reference(root, schema[keyword])) is not None:
            yield target


def _find_field(part: Part, name: str) -> Iterator[Part]:
    """Yield what a part says of a field: by its name, by its name's pattern, else as of every other field."""
    named = part.schema.get("properties", {})
    by_pattern = part.schema.get("patternProperties", {})
    schemas = [named[name]] if name in named else []
    schemas += [schema for pattern, schema in by_pattern.items() if re.search(pattern, name)]
    if not schemas and "additionalProperties" in part.schema:
        schemas = [part.schema["additionalProperties"]]
    yield from map(part.lead_to, schemas)


def _find_entry(part: Part, index: int) -> Iterator[Part]:
    first = part.schema.get("prefixItems", ())
    if index < len(first):
        yield part.lead_to(first[index])
    elif "items" in part.schema:
        yield part.lead_to(part.schema["items"])


def _find_inside(parts: Iterable[Part], keyword: str, name: str) -> Iterator[Part]:
    for part in parts:
        if name in part.schema.get(keyword, {}):
            yield part.lead_to(part.schema[keyword][name])
