"""The statistics of the benchmark, as pure functions of numbers."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: A slice is slowed when the fixed work beside it took this much longer than in the fastest moment of the run...
SLOWED_CORE = 1.15
#: ...or when others took this share of the server's core.
SLOWED_BY_OTHERS = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through points, and the share of the variance that it explains."""

    slope: float
    intercept: float
    r2: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure over another, with the lowest and the highest of the single rounds."""

    value: float
    lowest: float
    highest: float


def find_quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, between neighbours by a straight line."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def find_best_tenth(values: Sequence[float], *, is_low_best: bool = False) -> float:
    """Return the edge of the best tenth: others on the machine only ever make a slice worse."""
    return find_quantile(values, 0.1 if is_low_best else 0.9)


def fit_line(points: Sequence[tuple[float, float]]) -> Line:
    """Return the line of least squares through points of at least two different x."""
    across, up = [point[0] for point in points], [point[1] for point in points]
    slope, intercept = statistics.linear_regression(across, up)
    mean = statistics.fmean(up)
    total = sum((y - mean) ** 2 for y in up)
    left = sum((y - (intercept + slope * x)) ** 2 for x, y in points)
    return Line(slope, intercept, 1.0 if total == 0 else 1 - left / total)


def find_ratio(one: dict[int, list[float]], other: dict[int, list[float]]) -> Ratio:
    """Compare two servers by their slices, one list per round.

    Returns:
        The best tenth of all slices of one over that of the other; the spread is that of the medians of the rounds
        that both had.
    """
    value = find_best_tenth(_join(one)) / find_best_tenth(_join(other))
    rounds = [statistics.median(one[key]) / statistics.median(other[key]) for key in one if key in other]
    return Ratio(value, min([value, *rounds]), max([value, *rounds]))


def is_slowed(slice_: dict[str, Any], fastest_core_ms: float) -> bool:
    """Tell whether the machine, not the server, was slow while a slice was timed."""
    return bool(slice_["core_ms"] > SLOWED_CORE * fastest_core_ms or slice_["others_share"] > SLOWED_BY_OTHERS)


def _join(rounds: dict[int, list[float]]) -> list[float]:
    return [value for values in rounds.values() for value in values]
