"""What a JSON document cannot hold, whatever its schema: NaN, infinities, Python objects, half characters."""

import math
from collections.abc import Iterator
from typing import Any

#: The path to a value, the rule it breaks, and the sentence.
Fault = tuple[list[Any], str, str]

#: An output nested deeper than this contains itself, or no encoder could write it.
_MAX_DEPTH = 500


def find_unrepresentable(document: Any) -> Iterator[Fault]:
    """Yield every value in a document that JSON cannot hold, or no number of a model can."""
    stack: list[tuple[list[Any], Any]] = [([], document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, str):
            if not value.isascii() and not _is_unicode(value):
                yield path, "unicode", "expected Unicode text, without half of a surrogate pair"
            continue
        if isinstance(value, int | float):
            if not _is_finite(value):
                yield path, "finite", "expected a finite number"
        elif len(path) >= _MAX_DEPTH:
            yield [], "type", f"expected a value nested less than {_MAX_DEPTH} levels deep"
            return
        elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
            stack.extend(([*path, key], value[key]) for key in reversed(value))
        elif isinstance(value, list):
            stack.extend(([*path, i], value[i]) for i in reversed(range(len(value))))
        else:
            yield path, "type", "expected a value of a JSON type"


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
