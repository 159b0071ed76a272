"""Payloads that a schema accepts, drawn at random: from the bounds and around them, and by changing its examples.

Hypothesis has strategies for JSON Schema, which look for what is rare. Here payloads must look like those that callers
send as well: sequences of the annotated letters, texts of usual length, examples with one field changed. What a draw
cannot know of a schema (conditions, negations) the validator decides: what it refuses is drawn again.
"""

import math
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from model_service.conformance.pattern_texts import draw_text
from model_service.records import Payload, Schema
from model_service.schema.node import Node, read_node
from model_service.schema.validation import SchemaValidator

#: Draws until one is valid; then the schema is given up.
_TRIES = 200
#: Longest text that is drawn where a shorter one is allowed, and the most entries of an array.
LONGEST_TEXT, MOST_ENTRIES = 2000, 50
_USUAL_TEXT, _USUAL_ENTRIES = 40, 5
_HUGE = 1e308
_SCALE = 1e6
#: Share of the draws that are an end of what is allowed.
_EDGES = 0.15
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,'"
_ODD_LETTERS = 'äßλЖ中🙂\u0301\n\t"\\<&'
_FORMATS = {
    "date": ("2024-02-29", "1999-12-31", "2031-07-04"),
    "date-time": ("2024-02-29T23:59:59.5+02:00", "1999-12-31T00:00:00Z", "2031-07-04T12:30:00-08:00"),
    "time": ("23:59:59Z", "00:00:00+02:00", "12:30:15.25Z"),
    "duration": ("P1DT2H", "PT30S", "P2Y"),
    "email": ("ada@example.org", "grace.hopper+navy@example.com"),
    "hostname": ("example.org", "a.b.example.com"),
    "ipv4": ("192.0.2.1", "203.0.113.77"),
    "ipv6": ("2001:db8::1", "::1"),
    "uri": ("https://example.org/a?b=c", "urn:isbn:0451450523"),
    "uri-reference": ("/a?b=c", "#top"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "00000000-0000-4000-8000-000000000001"),
    "json-pointer": ("/a/0", ""),
    "regex": ("^a+$", "."),
}


class Unfit(Exception):
    """No value can be drawn for a schema, or none was found in so many draws."""


class Sampler:
    """Draws payloads; the same seed draws the same ones."""

    def __init__(self, schema: Schema, examples: Sequence[Payload], *, seed: int) -> None:
        self.node = read_node(schema)
        self.validator = SchemaValidator(schema)
        self._examples = list(examples)
        self.chance = random.Random(seed)  # noqa: S311 - no secret

    def draw(self) -> Payload:
        """Return a payload that the schema accepts.

        Raises:
            Unfit: None was found.
        """
        for _ in range(_TRIES):
            is_change = self._examples and self.chance.random() < 0.5
            try:
                drawn = (
                    self.change(self.chance.choice(self._examples), self.node)
                    if is_change
                    else self.value(self.node, is_object=True)
                )
            except Unfit:
                continue
            if isinstance(drawn, dict) and self.validator.accepts_all([drawn]):
                return drawn
        raise Unfit(f"none of {_TRIES} payloads that were drawn keeps to the schema")

    def change(self, payload: Payload, node: Node) -> Payload:
        """Return a copy of a payload in which one to three fields are others, null or absent."""
        changed, fields = deepcopy(payload), node.fields()
        for name in self.chance.sample(sorted(fields), min(len(fields), self.chance.randint(1, 3))):
            if name not in node.required and self.chance.random() < 0.2:
                changed.pop(name, None)
            elif isinstance(changed.get(name), dict) and self.chance.random() < 0.5:
                changed[name] = self.change(changed[name], fields[name])
            else:
                changed[name] = self.value(fields[name])
        return changed

    def value(self, node: Node, *, is_object: bool = False) -> Any:
        """Return a value that a node probably accepts.

        Raises:
            Unfit: There is none, or none that could be found.
        """
        if node.is_refused:
            raise Unfit("nothing is allowed here")
        if (choices := node.choices) is not None:
            if not choices:
                raise Unfit("no choice is left")
            return deepcopy(self.chance.choice(choices).value)
        for alternatives in node.alternatives():
            branch = self.chance.choice(alternatives.branches)
            return self.value(alternatives.rest.join(branch))
        kinds = ["object"] if is_object else node.likely_types or ["string", "integer", "boolean", "null"]
        if len(kinds) > 1 and "null" in kinds and self.chance.random() < 0.85:
            kinds = [kind for kind in kinds if kind != "null"]
        if not kinds:
            raise Unfit("no type is left")
        return getattr(self, f"_draw_{self.chance.choice(kinds)}")(node)

    def _draw_null(self, _: Node) -> None:
        return None

    def _draw_boolean(self, _: Node) -> bool:
        return self.chance.random() < 0.5

    def _draw_integer(self, node: Node) -> int:
        low, high = _find_bounds(node)
        above, below = node.bound("exclusiveMinimum"), node.bound("exclusiveMaximum")
        first = (math.floor(low) + 1 if low == above else math.ceil(low)) if math.isfinite(low) else None
        last = (math.ceil(high) - 1 if high == below else math.floor(high)) if math.isfinite(high) else None
        if first is not None and last is not None and first > last:
            raise Unfit("no integer lies between the bounds")
        number = self._draw_between(first, last)
        step = node.bound("multipleOf")
        return int(number // step * step) if step else int(number)

    def _draw_number(self, node: Node) -> float:
        low, high = _find_bounds(node)
        first = low if math.isfinite(low) else None
        last = high if math.isfinite(high) else None
        number = float(self._draw_between(first, last, largest=_HUGE))
        step = node.bound("multipleOf")
        if step:
            return float(number // step * step)
        if number == node.bound("exclusiveMinimum"):
            return math.nextafter(number, math.inf)
        return math.nextafter(number, -math.inf) if number == node.bound("exclusiveMaximum") else number

    def _draw_between(self, first: float | None, last: float | None, *, largest: float = 1e15) -> float:
        """Return a number between two ends, each of which may be missing: an end, a small one, or any."""
        if self.chance.random() < _EDGES:
            return self.chance.choice([-largest if first is None else first, largest if last is None else last])
        low = first if first is not None else -_SCALE if last is None else last - _SCALE
        high = last if last is not None else max(_SCALE, low + _SCALE)
        if self.chance.random() < 0.5:
            return self.chance.uniform(low, high)
        # Near to the end that is nearer to zero, as most measurements are: prices, lengths, counts.
        return min(max(low, 0.0), high) + (high - min(max(low, 0.0), high)) * self.chance.random() ** 4

    def _draw_string(self, node: Node) -> str:
        if node.patterns:
            return draw_text(self.chance.choice([*node.patterns]), self.chance)
        if known := _FORMATS.get(node.text("format")):
            return self.chance.choice(known)
        least, most = node.bound("minLength") or 0, node.bound("maxLength")
        if alphabet := node.text("x-alphabet"):
            length = self._draw_length(least, most, usual=LONGEST_TEXT)
            return "".join(self.chance.choices(alphabet, k=length))
        length = self._draw_length(least, most, usual=_USUAL_TEXT)
        letters = _LETTERS + _ODD_LETTERS if self.chance.random() < 0.2 else _LETTERS
        return "".join(self.chance.choices(letters, k=length))

    def _draw_length(self, least: int, most: int | None, *, usual: int, bound: int = LONGEST_TEXT) -> int:
        largest = max(least, bound if most is None else min(most, bound))
        if self.chance.random() < _EDGES:
            return self.chance.choice([least, largest])
        return self.chance.randint(least, max(least, min(largest, least + usual)))

    def _draw_array(self, node: Node) -> list[Any]:
        first, entry = node.first_entries(), node.entry()
        least, most = max(node.bound("minItems") or 0, len(first)), node.bound("maxItems")
        length = self._draw_length(least, most, usual=_USUAL_ENTRIES, bound=MOST_ENTRIES)
        values = [self.value(each) for each in first[:length]]
        if entry is not None and entry.is_refused:
            return values
        while len(values) < length:
            value = self.value(entry) if entry is not None else self.chance.randint(0, 9)
            if node.is_set("uniqueItems") and value in values:
                length -= self.chance.random() < 0.5  # so that it ends, where there are not so many different ones
            else:
                values.append(value)
        return values

    def _draw_object(self, node: Node) -> dict[str, Any]:
        drawn, required = {}, node.required
        for name in dict.fromkeys([*node.fields(), *required]):
            if name in required or self.chance.random() < 0.7:
                drawn[name] = self.value(node.field(name))
        others = node.other_fields()
        if not node.is_closed and (not node.fields() or self.chance.random() < 0.1):
            for number in range(self.chance.randint(0, 3)):
                name = f"field_{number}"
                drawn[name] = self.value(others) if others is not None and others.says_anything else number
        return drawn


def _find_bounds(node: Node) -> tuple[float, float]:
    lows = [value for value in (node.bound("minimum"), node.bound("exclusiveMinimum")) if value is not None]
    highs = [value for value in (node.bound("maximum"), node.bound("exclusiveMaximum")) if value is not None]
    return max(lows, default=-math.inf), min(highs, default=math.inf)
