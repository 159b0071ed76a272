"""What a row of JSON has beside the columns of a table."""

from collections.abc import Sequence
from typing import Any

from model_service.schema.cells import Place


class Leftovers:
    """Finds the members of rows that no column holds: those of other names, and other fields of nested objects.

    Args:
        names: Of the columns.
        places: Where each stands in a payload; ``None`` for a column that the model does not know.
    """

    def __init__(self, names: Sequence[str], places: Sequence[Place | None]) -> None:
        # By name: nothing more for what a column holds, and the same again for an object whose fields are columns.
        self._covered: dict[str, Any] = dict.fromkeys(names)
        for place in places:
            if place is not None and len(place.path) > 1:
                level = self._covered
                for name in place.path[:-1]:
                    level = level.setdefault(name, {})
                level[place.path[-1]] = None
        self.has_nested = any(below is not None for below in self._covered.values())

    def find(self, source: dict[str, Any]) -> dict[str, Any]:
        """Return what of a row is in no column."""
        return _find(source, self._covered)


def _find(source: dict[str, Any], covered: dict[str, Any]) -> dict[str, Any]:
    left = {}
    for name, value in source.items():
        if name not in covered:
            left[name] = value
        elif (below := covered[name]) is not None and value is not None:
            rest = _find(value, below) if isinstance(value, dict) else value
            if rest or not isinstance(value, dict):
                left[name] = rest
    return left
