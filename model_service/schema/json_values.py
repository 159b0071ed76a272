"""What a JSON document cannot hold, whatever its schema: NaN, infinities, Python objects, half characters."""

import math
import sys
from collections.abc import Iterator
from typing import Any

#: The path to a value, the rule it breaks, and the sentence.
Fault = tuple[list[Any], str, str]

#: An output nested deeper than this contains itself, or no encoder could write it.
_MAX_DEPTH = 500
#: Integers below it are finite without a look.
_EXACT = 2**53
_END = object()


def is_representable(document: Any) -> bool:
    """Whether JSON can hold a document; in one walk that remembers no path, because nearly every document is asked."""
    if type(document) is dict and _is_flat(document):
        return True
    open_levels: list[Iterator[Any]] = [iter((document,))]
    while open_levels:
        for value in open_levels[-1]:
            if isinstance(value, dict):
                if not all(isinstance(key, str) for key in value):
                    return False
                open_levels.append(iter(value.values()))
                break
            if isinstance(value, list):
                open_levels.append(iter(value))
                break
            if _find_fault(value) is not None:
                return False
        else:
            open_levels.pop()
        if len(open_levels) > _MAX_DEPTH:  # it may contain itself
            return False
    return True


def find_unrepresentable(document: Any) -> Iterator[Fault]:
    """Yield every value in a document that JSON cannot hold, or no number of a model can."""
    if is_representable(document):
        return
    path: list[Any] = []
    # One iterator for each level that is open, and the key of what it has given last.
    open_levels: list[Iterator[tuple[Any, Any]]] = [iter([(None, document)])]
    while open_levels:
        key, value = next(open_levels[-1], (None, _END))
        if value is _END:
            open_levels.pop()
            if path:
                path.pop()
            continue
        if len(open_levels) > _MAX_DEPTH:
            yield [], "type", f"expected a value nested less than {_MAX_DEPTH} levels deep"
            return
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            path.append(key)
            open_levels.append(iter(value.items()))
        elif isinstance(value, list):
            path.append(key)
            open_levels.append(iter(enumerate(value)))
        elif (fault := _find_fault(value)) is not None:
            yield [*path[1:], key] if path else [], *fault


def bound_numbers(document: Any) -> Any:
    """Return a copy of a document in which the largest float of its sign stands for each number that is not finite."""
    if isinstance(document, dict):
        copied = {}
        for name, value in document.items():  # no comprehension: it would double the depth of the stack
            copied[name] = bound_numbers(value)
        return copied
    if isinstance(document, list):
        entries = []
        for value in document:
            entries.append(bound_numbers(value))
        return entries
    if isinstance(document, int | float) and not _is_finite(document):
        return sys.float_info.max if document > 0 else -sys.float_info.max
    return document


def _is_flat(document: dict[Any, Any]) -> bool:
    """Whether every value is plainly a text, a number or a literal; a no decides nothing."""
    for key, value in document.items():
        kind = type(value)
        if kind is str:
            is_plain = value.isascii()
        elif kind is float:
            is_plain = value - value == 0  # neither an infinity nor NaN
        elif kind is int:
            is_plain = -_EXACT < value < _EXACT
        else:
            is_plain = kind is bool or value is None
        if not is_plain or type(key) is not str:
            return False
    return True


def _find_fault(value: Any) -> tuple[str, str] | None:
    """Return what is wrong with a value that holds no others."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        if value.isascii() or _is_unicode(value):
            return None
        return "unicode", "expected Unicode text, without half of a surrogate pair"
    if isinstance(value, int | float):
        return None if _is_finite(value) else ("finite", "expected a finite number")
    if isinstance(value, dict):
        return "type", "expected an object whose names are texts"
    return "type", f"expected a value of a JSON type, got {_name_type(type(value))}"


def _name_type(kind: type) -> str:
    """Return the name of a Python type that JSON does not have, and how a model makes something else of it."""
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if hasattr(kind, "item") and not hasattr(kind, "__len__"):  # a scalar of NumPy
        return f"{name}: convert it with .item()"
    if hasattr(kind, "tolist"):  # an array of any framework
        return f"{name}: convert it with .tolist()"
    return f"{name}: make it a list" if kind in (tuple, set, frozenset) else name


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest float: exact here, but infinite to any model
        return False
