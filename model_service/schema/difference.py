"""How two JSON documents differ, with a tolerance for the last bits of numbers that were computed in another order."""

import math
from typing import Any

#: Floats of a row may differ by this much between batches: vector instructions add up in another order.
TOLERANCE = 1e-5


def find_difference(one: Any, other: Any, *, tolerance: float = TOLERANCE, place: str = "") -> str:
    """Return where two outputs differ by more than the tolerance, and how; empty when they do not."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(f"{place}/{name}", one[name], other[name]) for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [
            (f"{place}/{number}", left, right) for number, (left, right) in enumerate(zip(one, other, strict=True))
        ]
    elif isinstance(one, float) and isinstance(other, float):
        is_near = math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
        return "" if is_near else f"{place}: {one} and {other}"
    else:
        return "" if one == other and type(one) is type(other) else f"{place}: {one} and {other}"
    return next(filter(None, (find_difference(a, b, tolerance=tolerance, place=path) for path, a, b in pairs)), "")
