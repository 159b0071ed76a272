"""Rules about which inputs reach the answer. A dead input path is how a model lies: it takes a fact and ignores it.

A place of the payload (a field, or a stretch of a sequence) gets other values, from other rows and drawn from the
schema, while everything beside it stays. Where no answer ever changes, the place is dead. A field that is accepted and
plays no part says so in its schema, ``"x-unused": true``; then it must not change any answer.
"""

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from model_service.conformance.answer_rules import show
from model_service.conformance.rule import Broken, NotJudged, rule
from model_service.conformance.sampler import Sampler, Unfit
from model_service.conformance.subject import Subject
from model_service.records import Output, Payload
from model_service.schema.node import Node, read_node

_FAMILY = "inputs"
UNUSED = "x-unused"
#: Stretches that a sequence is divided into.
_STRETCHES = 8
#: How often another value of one place is tried before it counts as dead, at most.
_TRIES = 60
#: Fewer tries accuse nothing.
_LEAST_TRIES = 5
#: Of a sequence that has no alphabet.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Place:
    """A place of payloads: a field, or one stretch of the sequence that a field holds.

    Attributes:
        keys: Names from the root; ``*`` for every entry of an array.
        stretch: Which part of the sequence, from 0; ``None`` for the whole value.
    """

    keys: tuple[str, ...]
    node: Node
    stretch: int | None = None

    def __str__(self) -> str:
        return f"'{self.node.path or '/'.join(self.keys)}'"


@rule(
    "inputs",
    _FAMILY,
    "every input is used",
    remedy='Mend the path from the field to the answer. A field that plays no part by design says "x-unused": true in '
    "its schema; where it does matter and rarely shows, give payloads that are close calls.",
    needs=("repeatable",),
    uses_rows=True,
)
def inputs(subject: Subject) -> str:
    """Each field, and each stretch of a sequence, changes some answer when it alone gets another value."""
    places = [place for place in _require_places(subject) if not place.node.is_set(UNUSED)]
    dead: list[Place] = []
    unjudged: list[Place] = []
    trial, total = Trial(subject), 0
    for place in places:
        tried, change = trial.find_change(place, share=1.0 / len(places))
        if not change:
            (dead if tried >= _LEAST_TRIES else unjudged).append(place)
            total += tried
    if dead:
        raise Broken(f"no answer changes with {_name(dead)} ({total} other values)")
    if len(unjudged) == len(places):
        raise NotJudged("no place of a payload could be given enough other values")
    named = f"; too few other values could be tried of {_name(unjudged)}" if unjudged else ""
    return f"{len(places) - len(unjudged)} fields and stretches{named}"


@rule(
    "unused",
    _FAMILY,
    "what is declared unused is",
    remedy='Take "x-unused" out of the schema, or the field out of the model.',
    needs=("repeatable",),
    uses_rows=True,
)
def unused(subject: Subject) -> str:
    """A field with ``"x-unused": true`` changes no answer."""
    places = [place for place in _require_places(subject) if place.node.is_set(UNUSED) and place.stretch is None]
    if not places:
        raise NotJudged('no field says "x-unused"')
    trial, total = Trial(subject), 0
    for place in places:
        tried, change = trial.find_change(place, share=1.0 / len(places))
        if change:
            raise Broken(f"{place} changes the answer to {change}")
        total += tried
    return f"{len(places)} fields, {total} other values"


RULES = (inputs, unused)


class Trial:
    """Gives places other values and looks at the answers."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._sampler: Sampler = subject.sample(seed=2)
        self._chance: random.Random = subject.shuffle(seed=3)
        self._answers: dict[int, Output] = {}

    def find_change(self, place: Place, *, share: float) -> tuple[int, str]:
        """Return how many other values were tried at a place, and the payload whose answer changed, if one did."""
        rows, tried = self._subject.rows, 0
        for number in self._subject.within_budget(range(_TRIES), share=share):
            row = number % len(rows)
            other = self._vary(rows[row], place)
            if other is None or not self._subject.is_fit(other):
                continue
            tried += 1
            if row not in self._answers:
                self._answers[row] = self._subject.predict(rows[row])
            if self._subject.predict(other) != self._answers[row]:
                return tried, show(other)
        return tried, ""

    def _vary(self, payload: Payload, place: Place) -> Payload | None:
        """Return a copy with another value at a place; ``None`` where there is no such place, or no other value."""
        other: Payload = deepcopy(payload)
        holders: list[Any] = [other]
        for key in place.keys[:-1]:
            inside = (_step(holder, key) for holder in holders)
            holders = [each for found in inside for each in found]
        changed = False
        for holder in holders:
            for key in _list_keys(holder, place.keys[-1]):
                old = holder.get(key) if isinstance(holder, dict) else holder[key]
                try:
                    new = self._draw(place, old)
                except Unfit:
                    continue
                if new != old:
                    holder[key], changed = new, True
        return other if changed else None

    def _draw(self, place: Place, old: Any) -> Any:
        if place.stretch is not None:
            return self._change_stretch(place, old)
        if self._chance.random() < 0.5:
            return self._sampler.value(place.node)
        row = self._chance.choice(self._subject.rows)
        values = [value for holder in [row] for value in _read(holder, place.keys)]
        return deepcopy(self._chance.choice(values)) if values else self._sampler.value(place.node)

    def _change_stretch(self, place: Place, old: Any) -> Any:
        """Return a sequence whose letters or entries are others in one stretch; its length stays."""
        if not isinstance(old, str | list) or len(old) < _STRETCHES:
            raise Unfit("there is no such stretch")
        start, end = (len(old) * (place.stretch + more) // _STRETCHES for more in (0, 1))  # type: ignore[operator]
        if isinstance(old, str):
            letters = place.node.text("x-alphabet") or _LETTERS
            return old[:start] + "".join(self._chance.choices(letters, k=end - start)) + old[end:]
        entry = place.node.entry()
        drawn = [self._sampler.value(entry) if entry is not None else self._chance.random() for _ in range(start, end)]
        return old[:start] + drawn + old[end:]


def _name(places: list[Place]) -> str:
    """Return the fields, and of sequences the numbers of the stretches together."""
    stretches: dict[str, list[int]] = {}
    for place in places:
        stretches.setdefault(str(place), []).extend([] if place.stretch is None else [place.stretch + 1])
    return ", ".join(
        f"{name} (in parts {', '.join(map(str, numbers))} of {_STRETCHES})" if numbers else name
        for name, numbers in stretches.items()
    )


def _require_places(subject: Subject) -> Iterator[Place]:
    if not subject.generated:
        raise NotJudged("not judged: it needs 'generated'")
    return _find_places(subject)


def _find_places(subject: Subject) -> Iterator[Place]:
    """Yield the fields that values can be given to, and the stretches of those that are sequences."""
    root = read_node(subject.model_class.input_schema)
    for keys, node in _list_fields(root, ()):
        yield Place(keys, node)
        is_sequence = bool(node.text("x-alphabet")) or "array" in (node.types or ())
        if is_sequence and any(len(value) >= _STRETCHES for value in _read_all(subject, keys)):
            yield from (Place(keys, node, stretch) for stretch in range(_STRETCHES))


def _list_fields(node: Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    for name, field in node.fields().items():
        if field.is_refused:
            continue
        inner = [*_list_fields(field, (*keys, name))] if field.returns_to is None else []
        entry = field.entry()
        if entry is not None and entry.returns_to is None:
            inner += _list_fields(entry, (*keys, name, "*"))
        if not field.fields():
            yield (*keys, name), field
        yield from inner


def _read_all(subject: Subject, keys: tuple[str, ...]) -> Iterator[Any]:
    for row in subject.rows:
        yield from (value for value in _read(row, keys) if isinstance(value, str | list))


def _read(document: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values that a document has at a place."""
    if not keys:
        yield document
        return
    for inner in _step(document, keys[0]):
        yield from _read(inner, keys[1:])


def _step(holder: Any, key: str) -> Iterator[Any]:
    if key == "*" and isinstance(holder, list):
        yield from holder
    elif isinstance(holder, dict) and key in holder:
        yield holder[key]


def _list_keys(holder: Any, key: str) -> list[Any]:
    if isinstance(holder, list):
        return [*range(len(holder))] if key == "*" else []
    return [key] if isinstance(holder, dict) else []
